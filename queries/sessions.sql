-- name: GetSession :one
-- @budget time=5ms buffers=20
-- @calls 2500/s
SELECT id, customer_id, expires_at
FROM sessions
WHERE token_hash = $1;

-- name: ListSessionsOfCustomer :many
SELECT id, user_agent, ip, last_seen_at
FROM sessions
WHERE customer_id = $1
ORDER BY last_seen_at DESC
LIMIT 20;

-- name: TouchSession :exec
-- @calls 2500/s
UPDATE sessions
SET last_seen_at = greatest(now(), created_at)
WHERE id = $1;

-- name: DeleteExpiredSessions :execrows
-- A job runs this until it deletes nothing.
-- @param now: '2025-10-01'
DELETE FROM sessions
WHERE id IN (
    SELECT id
    FROM sessions
    WHERE expires_at < @now
    ORDER BY expires_at
    LIMIT 200
);

-- name: GetCart :many
-- @calls 100/s
SELECT ci.product_id, ci.quantity, p.name, p.price_cents
FROM cart_items ci
JOIN products p ON p.id = ci.product_id
WHERE ci.customer_id = $1
ORDER BY ci.added_at;

-- name: PutCartItem :exec
-- @param $1: (SELECT min(id) FROM customers)
-- @param $2: (SELECT min(id) FROM products)
-- @param $3: '1'
-- @calls 50/s
INSERT INTO cart_items (customer_id, product_id, quantity)
VALUES ($1, $2, $3)
ON CONFLICT (customer_id, product_id) DO UPDATE
SET quantity = excluded.quantity, added_at = now();

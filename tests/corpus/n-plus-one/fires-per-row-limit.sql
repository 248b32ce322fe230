-- The child has a LIMIT of its own: the batched form is a LATERAL join.
-- expect: error
-- run Latest: typical = 55
-- name: Blocked :many
SELECT id FROM customers WHERE id % 4000 = 0;

-- name: Latest :one
-- @for-each Blocked.id -> $1
SELECT id, total FROM orders WHERE customer_id = $1 ORDER BY id DESC LIMIT 1;

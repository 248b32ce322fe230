-- The newest order of each customer is one look-up.
-- setup
CREATE INDEX orders_customer_created_idx ON orders (customer_id, created_at);
-- name: NewestOfEach :many
SELECT c.id, o.id FROM customers c CROSS JOIN LATERAL (SELECT o.id FROM orders o WHERE o.customer_id = c.id ORDER BY o.created_at DESC LIMIT 1) o
WHERE c.status = 'active';

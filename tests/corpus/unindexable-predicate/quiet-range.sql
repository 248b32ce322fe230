-- The same day as a range, with an index.
-- setup
CREATE INDEX orders_created_at_idx ON orders (created_at);
ANALYZE orders;
-- name: OrdersOfDay :many
SELECT id FROM orders WHERE created_at >= '2024-05-01' AND created_at < '2024-05-02';

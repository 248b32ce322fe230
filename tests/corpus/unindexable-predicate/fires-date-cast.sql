-- A timestamp cast to a date: an index on it is impossible too.
-- expect: error Seq Scan on orders
-- name: OrdersOfDay :many
SELECT id FROM orders WHERE created_at::date = '2024-05-01';

-- The same join with enough of it.
-- setup
SET LOCAL work_mem = '128MB';
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
-- name: OrdersWithItems :many
SELECT o.*, i.* FROM order_items i JOIN orders o ON o.id = i.order_id ORDER BY o.id LIMIT 10;

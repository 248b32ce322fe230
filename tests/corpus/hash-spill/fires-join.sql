-- Both sides wide, and little work_mem.
-- expect: warning Hash
-- setup
SET LOCAL work_mem = '256kB';
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
-- name: OrdersWithItems :many
SELECT o.*, i.* FROM order_items i JOIN orders o ON o.id = i.order_id ORDER BY o.id LIMIT 10;

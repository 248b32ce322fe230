-- More groups than work_mem holds.
-- expect: warning HashAggregate
-- setup
SET LOCAL work_mem = '256kB';
SET LOCAL enable_sort = off;
-- name: Notes :many
SELECT order_id, sum(quantity) FROM order_items GROUP BY order_id ORDER BY 2 DESC LIMIT 10;

-- The same through a bitmap.
-- expect: warning Bitmap Heap Scan on orders
-- setup
SET LOCAL enable_indexscan = off;
SET LOCAL enable_seqscan = off;
-- run: hot = 7
-- name: LargeOrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1 AND total > 998;

-- The index finds a customer's orders, the filter keeps one in seven… of a few.
-- expect: warning Index Scan using orders_customer_id_idx on orders
-- setup
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
-- run: hot = 7
-- name: LargeOrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1 AND total > 998;

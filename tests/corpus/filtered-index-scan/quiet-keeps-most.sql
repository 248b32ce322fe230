-- The filter keeps most rows.
-- setup
SET LOCAL enable_seqscan = off;
-- run: hot = 7
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1 AND total > 10;

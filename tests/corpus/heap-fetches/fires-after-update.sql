-- Rows that changed since the last VACUUM.
-- expect: warning Index Only Scan using orders_customer_id_idx on orders
-- setup
UPDATE orders SET note = note WHERE customer_id = 7;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
-- run: hot = 7
-- name: CountOfCustomer :one
SELECT count(*) FROM orders WHERE customer_id = $1;

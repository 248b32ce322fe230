-- Every page is marked all-visible.
-- setup
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_seqscan = off;
-- run: hot = 7
-- name: CountOfCustomer :one
SELECT count(*) FROM orders WHERE customer_id = $1;

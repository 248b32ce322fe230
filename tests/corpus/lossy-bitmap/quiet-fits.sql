-- The same in 4 MB.
-- setup
SET LOCAL work_mem = '4MB';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
-- name: HalfTheCustomers :one
SELECT sum(total) FROM orders WHERE customer_id < 20000;

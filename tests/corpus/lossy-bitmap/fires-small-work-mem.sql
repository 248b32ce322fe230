-- A bitmap over the whole table in 64 kB.
-- expect: warning Bitmap Heap Scan on orders
-- setup
SET LOCAL work_mem = '64kB';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
-- name: HalfTheCustomers :one
SELECT sum(total) FROM orders WHERE customer_id < 20000;

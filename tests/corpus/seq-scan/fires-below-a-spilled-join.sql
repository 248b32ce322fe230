-- The table that is read for few rows is one trouble; the join of whole tables that spills is another.
-- expect: error Seq Scan on order_items i
-- told: seq-scan
-- told: hash-spill
-- setup
SET LOCAL work_mem = '256kB';
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = off;
-- name: Both :one
SELECT (SELECT count(*) FROM order_items i WHERE i.product_id = 55) AS sold,
       (SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.name <> o.note) AS different;

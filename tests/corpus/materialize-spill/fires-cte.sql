-- A WITH query of all columns is kept on disk to be read twice.
-- expect: warning CTE Scan on all_items
-- setup
SET LOCAL work_mem = '1MB';
-- name: PricesApart :many
WITH all_items AS MATERIALIZED (SELECT * FROM order_items)
SELECT count(*) FROM all_items a WHERE a.price > (SELECT avg(price) FROM all_items);

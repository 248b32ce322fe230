-- What is kept is small.
-- setup
SET LOCAL work_mem = '1MB';
-- name: PricesApart :many
WITH few AS MATERIALIZED (SELECT price FROM order_items WHERE id <= 5000)
SELECT count(*) FROM few a WHERE a.price > (SELECT avg(price) FROM few);

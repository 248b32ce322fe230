-- The key begins with a range: all of it is read for the few rows that equal the second column.
-- expect: warning Index Only Scan using orders_created_total_idx on orders
-- run: typical = '2024-01-02 00:00 UTC', 7777
-- setup
CREATE INDEX orders_created_total_idx ON orders (created_at, total);
DROP INDEX orders_customer_id_idx;
-- name: TotalSince :many
SELECT created_at FROM orders WHERE created_at > $1 AND total = $2;

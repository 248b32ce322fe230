-- An index whose first column the query does not name.
-- expect: warning Index Only Scan using orders_status_customer_idx on orders
-- setup
CREATE INDEX orders_status_customer_idx ON orders (created_at, customer_id);
DROP INDEX orders_customer_id_idx;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
-- run: typical = 55
-- name: TimesOfCustomer :many
SELECT created_at FROM orders WHERE customer_id = $1;

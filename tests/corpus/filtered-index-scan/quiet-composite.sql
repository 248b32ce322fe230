-- The index holds the second column too.
-- setup
CREATE INDEX orders_customer_total_idx ON orders (customer_id, total);
ANALYZE orders;
-- run: hot = 7
-- name: LargeOrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1 AND total > 998;

-- The beginning of a longer index.
-- expect: warning
-- setup
CREATE INDEX orders_customer_created_idx ON orders (customer_id, created_at);
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1;

-- The same twice.
-- expect: warning
-- setup
CREATE INDEX orders_customer_again_idx ON orders (customer_id);
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1;

-- Another order, another direction, another WHERE: not the same.
-- setup
CREATE INDEX orders_created_customer_idx ON orders (created_at, customer_id);
CREATE INDEX orders_customer_desc_idx ON orders (customer_id DESC NULLS LAST, id);
CREATE INDEX orders_open_idx ON orders (customer_id, id) WHERE status = 'open';
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1;

-- Used by the one query; what no query uses is information.
-- expect: info
-- setup
CREATE INDEX orders_note_idx ON orders (note);
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1;

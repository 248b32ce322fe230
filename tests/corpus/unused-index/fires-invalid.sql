-- What a failed CREATE INDEX CONCURRENTLY leaves behind.
-- expect: warning
-- setup
CREATE INDEX orders_note_idx ON orders (note);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_note_idx'::regclass;
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id FROM orders WHERE customer_id = $1;

-- A list of everything.
-- expect: warning Seq Scan on customers
-- name: AllCustomers :many
SELECT id, name FROM customers;

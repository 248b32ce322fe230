-- A look-up by key.
-- run: typical = 55
-- name: Customer :one
SELECT * FROM customers WHERE id = $1;

-- One table.
-- run: typical = 55
-- name: Simple :one
SELECT name FROM customers WHERE id = $1;

-- The wildcard is put around a parameter.
-- expect: error Seq Scan on customers
-- run: typical = 'omer 777'
-- name: Search :many
SELECT id FROM customers WHERE name ILIKE '%' || $1 || '%';

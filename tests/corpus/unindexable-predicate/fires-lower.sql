-- lower() around a unique column.
-- expect: error Seq Scan on customers
-- name: ByEmail :one
SELECT id FROM customers WHERE lower(email) = 'user77@example.com';

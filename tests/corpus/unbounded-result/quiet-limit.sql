-- With a LIMIT.
-- name: SomeCustomers :many
SELECT id, name FROM customers ORDER BY id LIMIT 20000;

-- A word in the middle of a name.
-- expect: error Seq Scan on customers
-- name: Search :many
SELECT id FROM customers WHERE name LIKE '%omer 777%';

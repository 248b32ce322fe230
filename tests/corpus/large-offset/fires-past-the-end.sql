-- A page that does not exist reads everything.
-- expect: warning Limit
-- name: PastTheEnd :many
SELECT id, name FROM customers ORDER BY id LIMIT 20 OFFSET 50000;

-- Most rows match: no index would help.
-- name: Search :one
SELECT count(*) FROM customers WHERE name LIKE '%omer%';

-- By key.
-- run: typical = 100000
-- name: PageByKey :many
SELECT id, total FROM orders WHERE id > $1 ORDER BY id LIMIT 20;

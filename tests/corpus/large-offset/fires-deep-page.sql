-- Page five thousand.
-- expect: error Limit
-- name: DeepPage :many
SELECT id, total FROM orders ORDER BY id LIMIT 20 OFFSET 100000;

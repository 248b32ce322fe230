-- A LIMIT keeps only its rows in memory.
-- setup
SET LOCAL work_mem = '1MB';
-- name: Largest :many
SELECT * FROM orders ORDER BY total DESC LIMIT 20;

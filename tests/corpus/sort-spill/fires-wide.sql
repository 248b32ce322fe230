-- Wide rows, more than work_mem.
-- expect: warning Sort
-- setup
SET LOCAL work_mem = '1MB';
-- name: AllByTotal :many
SELECT * FROM orders WHERE created_at > '2024-01-02' ORDER BY total;

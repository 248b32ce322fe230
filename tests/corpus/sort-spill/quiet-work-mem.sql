-- The same sort with the work_mem that the finding advises.
-- setup
SET LOCAL work_mem = '64MB';
-- name: AllByTotal :many
SELECT * FROM orders WHERE created_at > '2024-01-02' ORDER BY total;

-- A report over most of the table: worth knowing, no more.
-- expect: info
-- name: TotalByStatus :many
SELECT status, sum(total) FROM orders WHERE created_at > '2024-01-10' GROUP BY status;

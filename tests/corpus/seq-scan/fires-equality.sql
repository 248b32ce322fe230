-- One order out of 200,000, by a column without an index.
-- expect: error Seq Scan on orders o
-- name: FindByTime :one
SELECT o.id, o.total FROM orders o WHERE o.created_at = '2024-05-01 00:00:00+00';

-- One trouble: the scan. The sort above it spills because work_mem is small, and is told under it.
-- expect: error Seq Scan on orders o
-- told: seq-scan > sort-spill
-- setup
SET LOCAL work_mem = '64kB';
-- name: OfOneDay :many
SELECT * FROM orders o WHERE created_at >= '2024-02-01' AND created_at < '2024-02-03' ORDER BY note, total;

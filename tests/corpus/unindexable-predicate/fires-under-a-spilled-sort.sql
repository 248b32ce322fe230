-- The wrapped column is the cause; the scan and the sort follow from it.
-- expect: error Seq Scan on orders o
-- told: unindexable-predicate > seq-scan sort-spill
-- setup
SET LOCAL work_mem = '64kB';
-- name: OfOneDay :many
SELECT * FROM orders o WHERE (created_at AT TIME ZONE 'UTC')::date = '2024-02-01' ORDER BY note, total;

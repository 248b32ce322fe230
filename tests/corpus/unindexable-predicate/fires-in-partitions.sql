-- Four partitions, one finding.
-- expect: error Seq Scan on events_2024_01 e_1
-- told: unindexable-predicate > seq-scan
-- setup
SET LOCAL enable_partition_pruning = on;
-- name: OfPerson :many
SELECT * FROM events e WHERE customer_id + 1 = 4711;

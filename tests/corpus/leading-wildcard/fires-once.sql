-- The pattern is the cause, the scan its symptom.
-- expect: error Seq Scan on orders o
-- told: leading-wildcard > seq-scan
-- told: not-proven
-- name: Search :many
-- @allow not-proven: production finds nothing either
SELECT id FROM orders o WHERE note LIKE '%m%';

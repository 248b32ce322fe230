-- The scan is in the plan and never ran.
-- name: Never :many
SELECT c.id FROM customers c WHERE c.id = -1 AND EXISTS (SELECT FROM orders o WHERE o.note = c.name OFFSET 0);

-- The wanted rows are common: the walk ends at once.
-- name: LatestPaid :many
SELECT id, total FROM orders WHERE status = 'paid' ORDER BY id DESC LIMIT 5;

-- The third page.
-- name: ThirdPage :many
SELECT id, total FROM orders ORDER BY id LIMIT 20 OFFSET 40;

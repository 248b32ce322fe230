-- name: A :mny
-- @alow seq-scan: x
SELECT 1;

-- name: B :many
-- @budget time=5
SELECT * FROM WHERE;

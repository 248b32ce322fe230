-- name: A :many
-- nothing yet

-- name: B :many
;
-- name: C :many
SELECT 1;

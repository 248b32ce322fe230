-- name: A :many
SELECT 'it''s;

-- name: B :many
SELECT 1;

-- name: A :many
SELECT 1;
SELECT 2;
SELECT 3;

-- name: B :many
SELECT 4;

-- name: A :many
SELECT 'café';

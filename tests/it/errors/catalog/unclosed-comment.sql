-- name: A :many
SELECT 1 /* one /* two */ ;

-- name: A :many
SELECT $tag$ text $tag;

-- A short list needs none.
-- name: Countries :many
SELECT code, name FROM countries;

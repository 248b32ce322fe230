-- name:
SELECT 1;
-- name: A
SELECT 1;
-- name: :many
SELECT 1;
-- name: B :mny
SELECT 1;
-- name: C :sometimes
SELECT 1;
-- name: D many
SELECT 1;
-- name: E.f :many
SELECT 1;
-- name: G :many please
SELECT 1;

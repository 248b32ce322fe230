-- name: Gap :many
SELECT * FROM t WHERE a = $1 AND c = $3;
-- name: Mixed :many
SELECT * FROM t WHERE a = $1 AND b = @b;
-- name: Zero :many
SELECT $0;
-- name: Large :many
SELECT $70000;
-- name: Junk :many
SELECT $1a;
-- name: Function :many
SELECT sqlc.agr(a);
-- name: Empty :many
SELECT sqlc.arg();
-- name: Two :many
SELECT sqlc.arg(a, b);

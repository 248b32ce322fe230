-- name: A :many
SELECT id,
       sqlc.arg(long_parameter_name) AS x
FROM orders
WHERE id = ANY(sqlc.slice(ids)) AND AND total > 0;

-- name: B :many
SELECT count( FROM orders;

-- name: C :many
SELEC 1;

-- name: D :many
SELECT * FROM orders WHERE

-- name: ListOrders :many
SELECT * FROM orders;

-- name: ListOrders :one
SELECT 1;

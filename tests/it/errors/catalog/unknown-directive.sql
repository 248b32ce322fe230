-- name: ListOrders :many
-- @budgets time=5ms
-- @speed fast
SELECT * FROM orders;

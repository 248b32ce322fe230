-- An index serves the condition.
-- run: typical = 55
-- name: OrdersOfCustomer :many
SELECT id, total FROM orders WHERE customer_id = $1;

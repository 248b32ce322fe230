-- Within its budget.
-- run: typical = 55
-- name: OrdersOfCustomer :many
-- @budget time=1s buffers=1000 rows=500
SELECT id FROM orders WHERE customer_id = $1;

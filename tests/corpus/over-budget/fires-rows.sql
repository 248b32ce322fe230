-- More rows than promised, for the largest customer only.
-- expect: error
-- run: hot = 7
-- run: typical = 55
-- name: OrdersOfCustomer :many
-- @budget rows=500
SELECT id FROM orders WHERE customer_id = $1;

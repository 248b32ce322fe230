-- A fifth of all orders belongs to one customer.
-- expect: error
-- run: typical = 55
-- run: hot customer_id = 7
-- name: SpentByCustomer :one
SELECT sum(total) FROM orders WHERE customer_id = $1;

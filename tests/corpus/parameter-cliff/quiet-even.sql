-- Every customer has as many.
-- run: typical = 55
-- run: hot = 56
-- name: SpentByCustomer :one
SELECT sum(total) FROM orders WHERE customer_id = $1;

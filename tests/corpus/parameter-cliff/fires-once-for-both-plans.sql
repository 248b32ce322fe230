-- The largest customer is dear in either plan: one trouble, not two.
-- told: parameter-cliff
-- expect: error
-- run: typical = 55
-- run: hot customer_id = 7
-- run: generic plan, hot customer_id = 7
-- name: SpentByCustomer :one
SELECT sum(total) FROM orders WHERE customer_id = $1;

-- Every pair of orders of the largest customer.
-- expect: error
-- name: Pairs :one
SELECT count(*) FROM orders a JOIN orders b ON b.customer_id = a.customer_id AND b.total < a.total
WHERE a.customer_id = 7 AND a.id < 10000 AND b.id < 12000;

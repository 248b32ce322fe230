-- One pass with GROUP BY.
-- name: TotalsOfAll :many
SELECT c.id, t.n FROM customers c LEFT JOIN (SELECT customer_id, count(*) AS n FROM orders GROUP BY customer_id) t ON t.customer_id = c.id;

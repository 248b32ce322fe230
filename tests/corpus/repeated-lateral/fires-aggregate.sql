-- Each customer's orders are searched and summed on their own.
-- expect: error Aggregate
-- name: TotalsOfAll :many
SELECT c.id, t.n, t.spent FROM customers c CROSS JOIN LATERAL (SELECT count(*) AS n, sum(o.total) AS spent FROM orders o WHERE o.customer_id = c.id) t
WHERE c.status = 'active';

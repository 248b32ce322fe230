-- A LIMIT stops the scan: fewer rows than expected is no error.
-- name: FirstOrders :many
SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id LIMIT 10;

-- A subquery for each of twenty rows.
-- name: RecentWithName :many
SELECT o.id, (SELECT c.name FROM customers c WHERE c.id = o.customer_id) FROM orders o ORDER BY o.id DESC LIMIT 20;

-- Looked up by key.
-- name: Joined :one
SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id <= 20000;

-- A merge join leaves its longer side early.
-- setup
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_nestloop = off;
-- name: FirstCustomers :many
SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id <= 6;

-- Fifty countries for forty thousand customers.
-- setup
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
-- name: CustomersWithCountries :many
SELECT c.id, n.name FROM customers c JOIN countries n ON n.code = c.country;

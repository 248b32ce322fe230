-- The cast that Postgres itself prints around a varchar column is no obstacle.
-- setup
ALTER TABLE customers ALTER COLUMN city TYPE varchar(80);
ANALYZE customers;
-- name: ByCity :many
SELECT id FROM customers WHERE city = 'city 77';

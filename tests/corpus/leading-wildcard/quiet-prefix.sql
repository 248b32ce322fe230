-- A fixed beginning, with an index for patterns.
-- setup
CREATE INDEX customers_name_idx ON customers (name text_pattern_ops);
ANALYZE customers;
-- name: Search :many
SELECT id FROM customers WHERE name LIKE 'Customer 777%';

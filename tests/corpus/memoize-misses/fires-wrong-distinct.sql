-- The planner believes in ten customers: nearly every look-up is a new one.
-- expect: warning Memoize
-- setup
ALTER TABLE orders ALTER COLUMN customer_id SET (n_distinct = 10);
ANALYZE orders;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
-- name: NewestWithNames :many
SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id % 5 <> 0 AND o.id < 40000;

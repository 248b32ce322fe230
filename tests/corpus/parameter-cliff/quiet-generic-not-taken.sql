-- The generic plan would be worse, but it costs more than any plan for values: the server never takes it.
-- setup
SET LOCAL enable_bitmapscan = off;
SET LOCAL random_page_cost = 4;
CREATE INDEX orders_status_idx ON orders (status);
UPDATE orders SET status = 'lost' WHERE id = 100;
ANALYZE orders;
-- run: typical = 'lost'
-- run: generic plan, typical = 'lost'
-- name: OldestOfStatus :many
SELECT id FROM orders WHERE status = $1 ORDER BY total LIMIT 1;

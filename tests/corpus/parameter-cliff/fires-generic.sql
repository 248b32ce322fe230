-- The generic plan walks the table, the custom one for a rare value uses the index. As most values are common, the generic one
-- costs no more than plans for values, and the server takes it.
-- expect: error
-- setup
SET LOCAL enable_bitmapscan = off;
SET LOCAL random_page_cost = 4;
CREATE INDEX orders_status_idx ON orders (status);
UPDATE orders SET status = 'lost' WHERE id = 100;
ANALYZE orders;
-- run: typical = 'lost'
-- run: hot status = 'paid'
-- run: generic plan, typical = 'lost'
-- name: OldestOfStatus :many
SELECT id FROM orders WHERE status = $1 ORDER BY total LIMIT 1;

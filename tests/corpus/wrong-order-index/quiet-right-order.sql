-- Equality first, then the order.
-- setup
CREATE INDEX orders_total_id_idx ON orders (total, id);
ANALYZE orders;
-- name: LatestExpensive :many
SELECT id, total FROM orders WHERE total = 999.99 ORDER BY id DESC LIMIT 5;

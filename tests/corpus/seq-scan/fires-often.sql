-- The same, as often as a page is viewed.
-- expect: error Seq Scan on orders
-- told: seq-scan
-- name: ByTotal :many
-- @calls 20/s
SELECT id FROM orders WHERE total = 17.17 AND status = 'paid';

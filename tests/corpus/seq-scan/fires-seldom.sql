-- Once an hour: a fault, but hardly any load. `@calls` makes an error a warning.
-- expect: warning Seq Scan on orders
-- told: seq-scan
-- name: ByTotal :many
-- @calls 1/h
SELECT id FROM orders WHERE total = 17.17 AND status = 'paid';

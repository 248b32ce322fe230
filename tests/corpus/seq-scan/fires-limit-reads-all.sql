-- A LIMIT that never gets its rows reads every page: it is no excuse.
-- expect: error Seq Scan on orders
-- name: FindNote :many
-- @allow not-proven: production finds nothing either
SELECT id FROM orders WHERE note = 'no such note' LIMIT 10;

-- The same, backwards, as it is asked for most often.
-- expect: error Index Scan Backward using orders_pkey on orders
-- setup
SET LOCAL enable_sort = off;
-- name: LatestExpensive :many
-- @allow not-proven: production finds nothing either
SELECT id, total FROM orders WHERE note = 'never' ORDER BY id DESC LIMIT 5;

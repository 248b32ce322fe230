-- More pages than promised.
-- expect: error
-- name: TotalOfStatus :one
-- @budget buffers=100
SELECT sum(total) FROM orders WHERE status = 'open';

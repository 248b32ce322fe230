-- @allow seq-scan: it stands too high
-- name: A :many
SELECT 1;
-- @calls 5/s
-- name: B :many
SELECT 2;

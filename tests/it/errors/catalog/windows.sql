-- name: A :many
-- @alow seq-scan: x
SELECT éé, FROM t;

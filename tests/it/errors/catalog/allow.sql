-- name: A :many
-- @allow seq-scan
-- @allow seq-scan:
-- @allow seq-scn: small table
-- @allow: small table
-- @allow
-- @allow sort-spill: at night
-- @allow sort-spill: twice
SELECT 1;

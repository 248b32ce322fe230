-- A copy of a small inner side is read again, not the table.
-- setup
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
-- name: Neighbours :many
SELECT a.code, b.code FROM countries a JOIN countries b ON b.name > a.name;

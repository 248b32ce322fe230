-- name: A :many
-- @budget time=50
SELECT 1;
-- name: B :many
-- @budget
SELECT 1;
-- name: C :many
-- @budget buffers=many
SELECT 1;
-- name: D :many
-- @budget tme=50ms
SELECT 1;
-- name: E :many
-- @budget time=50ms time=60ms
SELECT 1;
-- name: F :many
-- @budget time=50ms
-- @budget rows=5
SELECT 1;
-- name: G :many
-- @budget rows=-1
SELECT 1;
-- name: H :many
-- @budget 50ms
SELECT 1;
-- name: I :many
-- @budget rows=
SELECT 1;
-- name: J :many
-- @calls often
-- @calls 5
SELECT 1;
-- name: K :many
-- @calls 0/s
SELECT 1;

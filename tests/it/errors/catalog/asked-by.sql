-- name: A :many
-- @role
SELECT 1;
-- name: B :many
-- @role: app user
SELECT 1;
-- name: C :many
-- @role: app
-- @role: "Other"
SELECT 1;
-- name: D :many
-- @set: app.user_id
SELECT 1;
-- name: E :many
-- @set: app user = 1
SELECT 1;
-- name: F :many
-- @set: app.user_id = 'it's'
SELECT 1;
-- name: G :many
-- @set: app.user_id = 1
-- @set: App.User_Id = 2
SELECT 1;
-- name: H :many
-- @set: Transaction_Read_Only = off
SELECT 1;
-- name: I :many
-- @set: role = postgres
SELECT 1;
-- name: J :many
-- @sets: a.b = 1
SELECT 1;

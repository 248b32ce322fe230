-- A parent of one row.
-- run Items: typical = 4711
-- name: OneOrder :one
SELECT id FROM orders WHERE id = 4711;

-- name: Items :many
-- @for-each OneOrder.id -> $1
SELECT product_id, quantity FROM order_items WHERE id = $1;

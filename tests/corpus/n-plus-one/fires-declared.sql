-- The items of each of fifty orders, one statement an order.
-- expect: error
-- run Items: typical = 4711
-- name: RecentOrders :many
SELECT id FROM orders ORDER BY id DESC LIMIT 50;

-- name: Items :many
-- @for-each RecentOrders.id -> $1
SELECT product_id, quantity FROM order_items WHERE order_id = $1;

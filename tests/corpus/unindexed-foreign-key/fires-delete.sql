-- Each deleted order makes the server read every item.
-- expect: error Delete on orders
-- setup
DELETE FROM order_items WHERE order_id <= 3;
-- name: DeleteOrders :exec
DELETE FROM orders WHERE id <= 3;

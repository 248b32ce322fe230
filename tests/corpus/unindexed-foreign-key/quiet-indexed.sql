-- With the index.
-- setup
DELETE FROM order_items WHERE order_id <= 3;
CREATE INDEX order_items_order_id_idx ON order_items (order_id);
-- name: DeleteOrders :exec
DELETE FROM orders WHERE id <= 3;

-- The items of a few orders: every item is read, because order_id has no index.
-- expect: error Seq Scan on order_items i
-- run: typical = 55
-- name: ItemsOfCustomer :many
SELECT o.id, i.product_id, i.quantity
FROM orders o JOIN order_items i ON i.order_id = o.id
WHERE o.customer_id = $1;

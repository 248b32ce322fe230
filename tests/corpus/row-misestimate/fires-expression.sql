-- The planner knows nothing about the expression.
-- expect: warning Seq Scan on orders o
-- name: ItemsOfEvenOrders :many
SELECT count(*)
FROM orders o JOIN order_items i ON i.order_id = o.id
WHERE o.total::int % 2 = 0;

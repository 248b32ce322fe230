-- The inner side is looked up by its key.
-- run: typical = 55
-- name: OrdersWithCustomer :many
SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id < 200;

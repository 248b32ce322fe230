-- A plain column decides, the expression only refines.
-- run: hot = 7
-- name: OrdersOfCustomerOnDay :many
SELECT id FROM orders WHERE customer_id = $1 AND created_at::date = '2024-05-01';

-- name: ListCustomers :many
SELECT id, email FROM customers;

-- name: ListAll :many
SELECT * FROM customers;

-- name: Touch :exec
UPDATE customers SET seen = now();

-- name: OrdersOf :many
-- @for-each ListCustomer.id -> $1
-- @for-each ListCustomers.idd -> $1
-- @for-each ListCustomers.total -> $1
-- @for-each ListCustomers.id -> $2
-- @for-each ListCustomers -> $1
-- @for-each Touch.id -> $1
-- @for-each ListAll.anything -> $1
SELECT * FROM orders WHERE customer_id = $1;

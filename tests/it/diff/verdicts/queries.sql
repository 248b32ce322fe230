-- name: GetOrder :one
SELECT id, status, total, note FROM orders WHERE id = 4242;

-- name: OrdersOfCustomer :many
SELECT id, total FROM orders WHERE customer_id = 42;

-- name: NewestOrders :many
SELECT id, placed FROM orders ORDER BY placed DESC LIMIT 20;

-- name: OrderByCode :one
SELECT id FROM orders WHERE code = 'k777';

-- name: LostOrders :many
SELECT id FROM orders WHERE status = 'lost';

-- name: OrdersOfTotal :many
SELECT id FROM orders WHERE total = 77;

-- name: OrdersOfKey :many
SELECT id FROM orders WHERE payload @> '{"k": 7}';

-- name: LargeOrders :many
SELECT id, total FROM large_orders;

-- name: OrdersOfAmount :many
SELECT id FROM orders WHERE amount = 77.00;

-- name: CustomerByEmail :one
SELECT id, city FROM customers WHERE email = 'c500@example.com';

-- name: CustomerByFoldedEmail :one
SELECT id FROM customers WHERE lower(email) = 'c500@example.com';

-- name: CustomersOfFeeling :one
SELECT count(*) FROM customers WHERE feeling = 'low';

-- name: ItemsOfOrder :many
SELECT id, quantity FROM items WHERE order_id = 4242;

-- name: ItemsTaxed :many
SELECT id FROM items WHERE with_tax(quantity) > 9;

-- name: ArchiveOfCustomer :many
SELECT id, total FROM archive WHERE customer_id = 42;

-- name: EventsOfKind :many
SELECT id, at FROM events WHERE kind = 7;

-- name: EventsOfDay :one
SELECT count(*) FROM events WHERE at = '2025-02-10';

-- name: Lines :one
SELECT count(*) FROM journal WHERE line LIKE '%7%';

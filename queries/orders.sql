-- name: GetOrder :one
-- @calls 150/s
SELECT id, order_number, customer_id, status, currency, total_cents, placed_at
FROM orders
WHERE id = $1;

-- name: GetOrderByNumber :one
SELECT o.id, o.status, o.total_cents, o.placed_at, c.full_name, c.email
FROM orders o
JOIN customers c ON c.id = o.customer_id
WHERE o.order_number = $1;

-- name: ListOrdersByCustomer :many
-- @param $1: hot
-- @budget time=20ms buffers=200
-- @calls 90/s
SELECT id, order_number, status, currency, total_cents, placed_at
FROM orders
WHERE customer_id = $1
ORDER BY placed_at DESC
LIMIT 20;

-- name: ListRecentOrders :many
-- @calls 5/s
SELECT o.id, o.order_number, o.status, o.total_cents, o.placed_at, c.full_name
FROM orders o
JOIN customers c ON c.id = o.customer_id
ORDER BY o.placed_at DESC
LIMIT 50;

-- name: ListItemsOfOrder :many
-- @for-each ListRecentOrders.id -> $1
SELECT oi.line_no, oi.quantity, oi.unit_price_cents, p.name
FROM order_items oi
JOIN products p ON p.id = oi.product_id
WHERE oi.order_id = $1
ORDER BY oi.line_no;

-- name: ListOrdersToPack :many
SELECT id, order_number, updated_at
FROM orders
WHERE status = 'paid'
ORDER BY updated_at
LIMIT 100;

-- name: ListMarketplaceRefunds :many
-- @budget time=20ms buffers=500
SELECT id, order_number, customer_id, total_cents, placed_at
FROM orders
WHERE channel = 'marketplace'
  AND status = 'refunded'
ORDER BY placed_at DESC
LIMIT 50;

-- name: ListOrdersInMarket :many
-- @param country: 'NZ'
-- @param market: 'oceania'
-- @param from: '2025-07-01'
-- @param to: '2025-10-01'
SELECT o.id, o.order_number, o.total_cents, sum(oi.quantity) AS pieces
FROM orders o
JOIN order_items oi ON oi.order_id = o.id
WHERE o.ship_country = @country
  AND o.market = @market
  AND o.placed_at >= @from
  AND o.placed_at < @to
GROUP BY o.id
ORDER BY o.total_cents DESC
LIMIT 100;

-- name: GetCustomerSpend :one
-- Shown on the account page beside the loyalty points.
-- @budget time=25ms buffers=2000
-- @calls 30/s
SELECT count(DISTINCT o.id) AS orders, sum(oi.quantity * oi.unit_price_cents) AS spent_cents
FROM orders o
JOIN order_items oi ON oi.order_id = o.id
WHERE o.customer_id = $1
  AND o.status <> 'cancelled';

-- name: CreateOrder :one
-- @param customer_id: (SELECT min(id) FROM customers)
-- @param order_number: 'NEW-0000001'
-- @param country: 'DE'
-- @param postcode: '10115'
-- @param subtotal_cents: '4999'
-- @calls 10/s
INSERT INTO orders (customer_id, order_number, channel, ship_country, ship_postcode, currency, subtotal_cents)
VALUES (@customer_id, @order_number, 'web', @country, @postcode, 'EUR', @subtotal_cents)
RETURNING id;

-- name: AddOrderItem :exec
-- @param order_id: (SELECT min(id) FROM orders)
-- @param line_no: '1000'
-- @param product_id: (SELECT min(id) FROM products)
-- @param quantity: '2'
-- @param unit_price_cents: '4999'
-- @calls 25/s
INSERT INTO order_items (order_id, line_no, product_id, quantity, unit_price_cents)
VALUES (@order_id, @line_no, @product_id, @quantity, @unit_price_cents);

-- name: UpdateOrderStatus :exec
-- @param $2: 'shipped'
-- @calls 20/s
UPDATE orders
SET status = $2, updated_at = now()
WHERE id = $1;

-- name: GetRevenueOfDay :one
-- @param day: '2025-11-28'
-- @budget time=30ms buffers=1000
SELECT count(*) AS orders, sum(total_cents) AS revenue_cents
FROM orders
WHERE placed_at::date = @day;

-- name: ListRevenueByChannel :many
-- @param from: '2025-11-24'
-- @param to: '2025-12-01'
SELECT channel, count(*) AS orders, sum(total_cents) AS revenue_cents
FROM orders
WHERE placed_at >= @from
  AND placed_at < @to
GROUP BY channel;

-- name: ListBestSellers :many
-- @param from: '2025-07-01'
-- @param to: '2026-01-01'
-- @budget time=100ms buffers=5000
SELECT oi.product_id, sum(oi.quantity) AS pieces, sum(oi.quantity * oi.unit_price_cents) AS revenue_cents
FROM orders o
JOIN order_items oi ON oi.order_id = o.id
WHERE o.placed_at >= @from
  AND o.placed_at < @to
GROUP BY oi.product_id
ORDER BY revenue_cents DESC
LIMIT 20;

-- name: ListProductSales :many
-- @budget time=100ms buffers=10000
SELECT p.id, p.name,
       (SELECT sum(oi.quantity) FROM order_items oi WHERE oi.product_id = p.id) AS sold,
       (SELECT avg(r.rating) FROM reviews r WHERE r.product_id = p.id) AS rating
FROM products p
WHERE p.status = 'active'
ORDER BY sold DESC NULLS LAST
LIMIT 100;

-- name: ExportOrders :many
-- @param from: '2025-01-01'
-- @param to: '2026-01-01'
SELECT id, order_number, customer_id, status, currency, subtotal_cents, shipping_cents, discount_cents, total_cents, placed_at
FROM orders
WHERE placed_at >= @from
  AND placed_at < @to
ORDER BY currency, total_cents DESC;

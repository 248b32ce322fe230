-- name: GetProductBySlug :one
-- @budget time=10ms buffers=50
-- @calls 900/s
SELECT p.id, p.sku, p.name, p.description, p.price_cents, p.compare_at_price_cents, p.attributes, b.name AS brand
FROM products p
JOIN brands b ON b.id = p.brand_id
WHERE p.slug = $1;

-- name: ListProductsInCategory :many
-- @calls 300/s
SELECT p.id, p.slug, p.name, p.price_cents
FROM product_categories pc
JOIN products p ON p.id = pc.product_id
WHERE pc.category_id = $1
ORDER BY pc.position
LIMIT 24;

-- name: SearchProducts :many
-- @param terms: 'steel chair'
-- @calls 120/s
SELECT id, slug, name, price_cents
FROM products
WHERE search @@ plainto_tsquery('simple', @terms)
LIMIT 24;

-- name: ListCategoryBreadcrumb :many
-- @calls 300/s
WITH RECURSIVE breadcrumb AS (
    SELECT id, parent_id, slug, name, 0 AS depth
    FROM categories
    WHERE id = $1
    UNION ALL
    SELECT c.id, c.parent_id, c.slug, c.name, b.depth + 1
    FROM breadcrumb b
    JOIN categories c ON c.id = b.parent_id
)
SELECT id, slug, name
FROM breadcrumb
ORDER BY depth DESC;

-- name: ListCategories :many
-- @allow seq-scan: the navigation menu needs all of the few hundred categories
SELECT id, parent_id, slug, name
FROM categories
ORDER BY parent_id NULLS FIRST, position;

-- name: CountProductsByCategory :many
SELECT c.id, c.name, count(*) AS products
FROM categories c
JOIN product_categories pc ON pc.category_id = c.id
GROUP BY c.id
ORDER BY products DESC;

-- name: GetStockOfProduct :many
-- @calls 500/s
SELECT w.code, i.quantity - i.reserved AS available
FROM inventory i
JOIN warehouses w ON w.id = i.warehouse_id
WHERE i.product_id = $1;

-- name: ListSoldOutProducts :many
SELECT i.product_id, p.name, i.updated_at
FROM inventory i
JOIN products p ON p.id = i.product_id
WHERE i.warehouse_id = $1
  AND i.quantity = 0
ORDER BY i.updated_at
LIMIT 50;

-- name: ReserveStock :execrows
-- @param amount: '1'
-- @calls 40/s
UPDATE inventory
SET reserved   = reserved + @amount::integer,
    updated_at = now()
WHERE warehouse_id = @warehouse_id
  AND product_id = @product_id
  AND quantity - reserved >= @amount::integer;

-- name: UpdateProductPrice :exec
-- @param price_cents: '1999'
UPDATE products
SET price_cents            = @price_cents,
    compare_at_price_cents = NULL,
    updated_at             = now()
WHERE id = @id;

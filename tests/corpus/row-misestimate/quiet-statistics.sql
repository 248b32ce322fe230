-- The same two columns with extended statistics.
-- setup
CREATE STATISTICS brand_category (mcv, dependencies) ON category, brand FROM products;
ALTER STATISTICS brand_category SET STATISTICS 10000;
ANALYZE products;
-- name: ProductsOfBrand :many
SELECT p.id, count(i.id)
FROM products p JOIN order_items i ON i.product_id = p.id
WHERE p.category = 'category 7' AND p.brand = 'brand 37' AND p.price > 5
GROUP BY p.id;

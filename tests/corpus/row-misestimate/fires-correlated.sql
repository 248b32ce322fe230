-- The brand decides the category; the planner multiplies.
-- expect: warning Seq Scan on products p
-- name: ProductsOfBrand :many
SELECT p.id, count(i.id)
FROM products p JOIN order_items i ON i.product_id = p.id
WHERE p.category = 'category 7' AND p.brand = 'brand 37' AND p.price > 5
GROUP BY p.id;

-- A count for each product, and order_items has an index for it: thousands of small look-ups.
-- expect: warning Aggregate
-- setup
CREATE INDEX order_items_product_id_idx ON order_items (product_id);
ANALYZE order_items;
-- name: ProductSales :many
SELECT p.id, (SELECT count(*) FROM order_items i WHERE i.product_id = p.id) FROM products p WHERE p.id <= 1500;

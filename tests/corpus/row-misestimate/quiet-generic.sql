-- The generic plan can only guess at a range that it does not know: no statistics tell it more. What that costs is
-- parameter-cliff's.
-- run: typical = '2024-02-01', '2024-02-02'
-- run: generic plan, typical = '2024-02-01', '2024-02-02'
-- name: ItemsOfRange :many
SELECT i.product_id, sum(i.quantity) FROM orders o JOIN order_items i ON i.order_id = o.id
WHERE o.created_at >= $1 AND o.created_at < $2 GROUP BY i.product_id;

-- A DELETE looks for its rows as a SELECT does.
-- expect: error Seq Scan on order_items
-- run: typical = 4711
-- name: DeleteItemsOfOrder :exec
DELETE FROM order_items WHERE order_id = $1;

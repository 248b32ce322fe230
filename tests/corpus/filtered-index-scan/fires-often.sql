-- A warning by what one call throws away; an error by how often it is called.
-- expect: error Bitmap Heap Scan on orders
-- name: OpenOfCustomer :many
-- @calls 400/s
-- @allow not-proven: production finds nothing either
SELECT id FROM orders WHERE customer_id = 7 AND status = 'open' AND total = 12.34;

-- name: A :many
-- @param custmer_id: hot
-- @param $3: hot
-- @param customer_id: hottt
-- @param customer_id: 'it's'
-- @param customer_id hot
-- @param customer_id:
-- @param at: typical
-- @param 1: (DELETE FROM orders RETURNING id)
-- @param 1: (SELECT FROM WHERE)
SELECT * FROM orders WHERE customer_id = $1 AND at BETWEEN $2 AND $4 AND $3 > 0;

-- name: B :many
-- @param customer_id: hot
-- @param @customer_id: rare
SELECT * FROM orders WHERE customer_id = @customer_id;

-- name: C :many
-- @param x: hot
SELECT 1;

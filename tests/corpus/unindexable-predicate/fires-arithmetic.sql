-- Arithmetic on the column's side.
-- expect: error Seq Scan on orders
-- name: ById :one
SELECT total FROM orders WHERE id + 1 = 4711;

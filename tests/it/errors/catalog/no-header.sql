-- All orders.
SELECT * FROM orders;
SELECT 2;

-- name: A :many
SELECT 1;

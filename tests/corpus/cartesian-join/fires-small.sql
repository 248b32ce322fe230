-- A smaller product.
-- expect: warning Nested Loop
-- name: Forgotten :one
SELECT count(*) FROM customers c, countries k WHERE c.id <= 500;

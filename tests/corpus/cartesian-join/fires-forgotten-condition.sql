-- The join condition was forgotten.
-- expect: error Nested Loop
-- name: Forgotten :one
SELECT count(*) FROM customers c, countries k WHERE c.status = 'active';

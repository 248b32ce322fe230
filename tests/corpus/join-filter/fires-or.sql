-- An OR between two tables cannot be hashed: millions of pairs.
-- expect: error Nested Loop
-- name: ByAnyName :one
SELECT count(*) FROM customers c JOIN countries k ON c.country = k.code OR c.city = k.name;

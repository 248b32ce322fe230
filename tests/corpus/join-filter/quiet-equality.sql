-- An equality is hashed.
-- name: ByCode :one
SELECT count(*) FROM customers c JOIN countries k ON c.country = k.code;

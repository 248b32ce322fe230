-- NOT IN over a list that fits is hashed: run once.
-- name: Nowhere :many
SELECT c.id FROM customers c WHERE c.country NOT IN (SELECT k.code FROM countries k WHERE k.name <> 'Country number 7');

-- A range joins every pair.
-- expect: warning Nested Loop
-- name: CheaperProducts :one
SELECT count(*) FROM products a JOIN products b ON b.price < a.price WHERE a.id <= 100 AND b.id <= 900;

-- Nine tables for a row.
-- expect: warning
-- setup
SET LOCAL join_collapse_limit = 12;
SET LOCAL from_collapse_limit = 12;
SET LOCAL geqo = off;
-- run: typical = 55
-- name: Wide :one
SELECT a.name FROM customers a
JOIN customers b ON b.id = a.id JOIN customers c ON c.id = b.id JOIN customers d ON d.id = c.id
JOIN customers e ON e.id = d.id JOIN customers f ON f.id = e.id JOIN customers g ON g.id = f.id
JOIN customers h ON h.id = g.id JOIN customers i ON i.id = h.id
WHERE a.id = $1;

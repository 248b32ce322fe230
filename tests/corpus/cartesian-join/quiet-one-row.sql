-- One side is one row.
-- name: WithTotal :many
SELECT c.id, t.n FROM customers c, (SELECT count(*) AS n FROM countries) t WHERE c.id <= 20000;

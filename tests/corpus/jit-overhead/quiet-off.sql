-- Not compiled.
-- name: ByCountry :many
SELECT k.name, count(*), min(c.name), max(c.email) FROM customers c JOIN countries k ON k.code = c.country
WHERE c.id <= 1000 AND c.status = 'active' GROUP BY k.name ORDER BY 2 DESC;

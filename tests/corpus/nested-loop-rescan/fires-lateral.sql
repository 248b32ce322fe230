-- Every customer's items by a column without index.
-- expect: error Nested Loop Left Join
-- setup
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_material = off;
-- name: CountriesOfCustomers :many
SELECT c.code, l.n FROM countries c LEFT JOIN LATERAL (SELECT x.id AS n FROM customers x WHERE x.country = c.code LIMIT 1000) l ON true;

-- Fifty countries in one page: reading them all is the best plan.
-- name: CountryByName :one
SELECT code FROM countries WHERE name = 'Country number 7';

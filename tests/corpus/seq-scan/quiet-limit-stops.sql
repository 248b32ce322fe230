-- A LIMIT that finds its rows in the first pages.
-- name: SomePaid :many
SELECT id FROM orders WHERE status = 'paid' LIMIT 10;

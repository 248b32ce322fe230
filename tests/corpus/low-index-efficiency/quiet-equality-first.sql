-- Equality first: a descent and one page.
-- run: typical = '2024-01-02 00:00 UTC', 7777
-- setup
CREATE INDEX orders_total_created_idx ON orders (total, created_at);
-- name: TotalSince :many
SELECT created_at FROM orders WHERE created_at > $1 AND total = $2;

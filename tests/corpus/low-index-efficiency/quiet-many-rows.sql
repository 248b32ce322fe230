-- Many pages, and many rows on them.
-- run: typical = '2024-01-02 00:00 UTC'
-- setup
CREATE INDEX orders_created_idx ON orders (created_at);
SET LOCAL enable_seqscan = off;
-- name: Since :many
SELECT id, note FROM orders WHERE created_at > $1;

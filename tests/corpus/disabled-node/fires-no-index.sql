-- Sequential scans are switched off, and there is nothing else.
-- expect: warning Seq Scan on products
-- run: typical = 'category 3'
-- setup
SET LOCAL enable_seqscan = off;
-- name: OfCategory :many
SELECT id, name FROM products WHERE category = $1;

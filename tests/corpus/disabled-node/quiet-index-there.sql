-- Sequential scans are switched off, and an index does it.
-- run: typical = 77
-- setup
SET LOCAL enable_seqscan = off;
-- name: ProductById :one
SELECT id, name FROM products WHERE id = $1;

CREATE TABLE lefts (id int, k int, pad text); INSERT INTO lefts SELECT i, i, repeat('x', 60) FROM generate_series(1, 90000) i;
CREATE TABLE rights (id int, k int, pad text); INSERT INTO rights SELECT i, i, repeat('x', 60) FROM generate_series(1, 90000) i;
CREATE TABLE thirds (id int, k int, pad text); INSERT INTO thirds SELECT i, i, repeat('x', 60) FROM generate_series(1, 90000) i;
CREATE TABLE queue (id serial, priority int NOT NULL, attempt int NOT NULL, name text NOT NULL, pad text NOT NULL);
INSERT INTO queue (priority, attempt, name, pad) SELECT i % 100, i % 3, 'n' || i, repeat('p', 60) FROM generate_series(1, 90000) i;
CREATE TABLE readings (unit int NOT NULL, at int NOT NULL, value int NOT NULL, pad text NOT NULL);
INSERT INTO readings SELECT i % 2000, i, i % 77, repeat('r', 60) FROM generate_series(1, 90000) i;
VACUUM ANALYZE;
--- queries
--> index lefts (k) + rights (k)
-- name: BothSides :many
SELECT lefts.id FROM lefts, rights WHERE lefts.k = 100 AND rights.k = 200;
--> index lefts (k) + rights (k) + thirds (k)
-- name: AllBranches :many
SELECT id FROM lefts WHERE k = $1 UNION ALL SELECT id FROM rights WHERE k = $1 UNION ALL SELECT id FROM thirds WHERE k = $1;
--> index queue (priority, attempt, id)
-- name: NextJob :one
SELECT id, name FROM queue ORDER BY priority, attempt, id LIMIT 1;
--> index queue (id)
-- name: DropJob :exec
DELETE FROM queue WHERE id = $1;
--> index readings (unit) | readings (unit, at)
-- name: LastOfUnit :one
SELECT max(at) FROM readings WHERE unit = $1;

CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL);
INSERT INTO books SELECT i, 'Book ' || i FROM generate_series(1, 400) i;
CREATE TABLE entries (id bigint PRIMARY KEY, book_id int NOT NULL, at timestamptz NOT NULL, memo text NOT NULL);
INSERT INTO entries SELECT i, 1 + i % 400, timestamptz '2026-01-01' + i * interval '1 minute', repeat('m', 200) FROM generate_series(1, 120000) i;
CREATE INDEX entries_at ON entries (at, id);
CREATE TABLE drafts (id int PRIMARY KEY, state text NOT NULL);
INSERT INTO drafts SELECT i, 'open' FROM generate_series(1, 3000) i;
CREATE TABLE lines (id int PRIMARY KEY, draft_id int REFERENCES drafts ON DELETE SET NULL, memo text NOT NULL);
INSERT INTO lines SELECT i, CASE WHEN i % 400 = 0 THEN 1 + i % 3000 END, repeat('l', 120) FROM generate_series(1, 300000) i;
CREATE TABLE marks (id int PRIMARY KEY, line_id int NOT NULL);
INSERT INTO marks SELECT i, i FROM generate_series(1, 300) i;
VACUUM ANALYZE;
--- queries
-- COALESCE around a page's cursor keeps every index from beginning at it.
--> rewrite optional-bound
-- name: PageOfEntries :many
SELECT id, book_id, memo FROM entries WHERE COALESCE(id > $1, true) ORDER BY id LIMIT 20;
--> rewrite optional-bound
-- name: PageByTime :many
SELECT id, at, memo FROM entries WHERE COALESCE((at, id) > ($1, $2), $2 IS NULL) ORDER BY at, id LIMIT 20;
-- Few pages hold the keys: another form saves too little, and an index on the condition is no answer.
--> cause wrong-order-index
-- name: PageOfDrafts :many
SELECT id FROM drafts WHERE COALESCE(id > $1, true) ORDER BY id LIMIT 20;
-- Every page keeps all rows for their number.
--> cause materialize-spill
-- name: PageWithTotal :many
SELECT id, memo, count(*) OVER () AS total FROM entries ORDER BY id LIMIT 20 OFFSET $1;
-- The range holds rows, whichever bound its parameters are drawn from first.
--> quiet
-- name: EntriesBetween :many
SELECT id, memo FROM entries WHERE id BETWEEN $1 AND $2 LIMIT 100;
-- No plan shows the checks that a delete was cancelled in.
--> index lines (draft_id)
-- name: DeleteDrafts :exec
DELETE FROM drafts;
-- A WITH query that changed rows did its work, whatever its statement made of them.
--> quiet
-- name: MarkLine :exec
-- @param $1: 7
WITH changed AS (UPDATE marks SET line_id = line_id WHERE id = $1 RETURNING id)
INSERT INTO marks SELECT id, 1 FROM changed ON CONFLICT DO NOTHING;
-- With all its filters it meets no row; an empty text leaves them out.
--> quiet
-- name: EntriesOf :many
SELECT id FROM entries WHERE id = $1 AND ($2 = '' OR book_id::text || '!' = $2) AND ($3 = '' OR memo || '!' = $3);

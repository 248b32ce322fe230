CREATE TABLE letters (id bigint PRIMARY KEY, office_id int NOT NULL, reader_id int NOT NULL, read boolean NOT NULL, title text NOT NULL, pad text NOT NULL);
INSERT INTO letters SELECT i, i % 40, i % 4000, i % 3 = 0, 'letter ' || i, repeat('l', 140) FROM generate_series(1, 200000) i;
VACUUM ANALYZE;
--- queries
-- An index of all its columns looks as good as the primary key for this one, and is not: one of fewer columns serves the others.
--> quiet
-- name: LetterOfReader :one
SELECT id, title FROM letters WHERE id = $1 AND office_id = $2 AND reader_id = $3;
--> index letters (reader_id)
-- name: CountUnread :one
SELECT count(*) FROM letters WHERE office_id = $1 AND reader_id = $2 AND read = false;
--> index letters (reader_id)
-- name: UnreadOfReader :many
SELECT id, title FROM letters WHERE office_id = $1 AND reader_id = $2 AND read = false;

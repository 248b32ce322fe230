CREATE TABLE rooms (id int PRIMARY KEY, title text NOT NULL);
INSERT INTO rooms SELECT i, 'Room ' || i FROM generate_series(1, 500) i;
CREATE TABLE exhibits (id int PRIMARY KEY, room_id int REFERENCES rooms, maker int NOT NULL, century int NOT NULL, badge text NOT NULL, notes text);
INSERT INTO exhibits SELECT i, 1 + i % 500, i % 9000, i % 20, md5(i::text), repeat('n', 250) FROM generate_series(1, 100000) i;
CREATE INDEX exhibits_maker ON exhibits (maker);
CREATE INDEX exhibits_maker_century ON exhibits (century, maker);
CREATE TABLE tours (id int PRIMARY KEY, room_id int NOT NULL REFERENCES rooms, guide text NOT NULL, pad text);
INSERT INTO tours SELECT i, 1 + i % 500, 'g' || i, repeat('p', 100) FROM generate_series(1, 75000) i;
CREATE INDEX tours_room ON tours (room_id);
CREATE TABLE repairs (id int PRIMARY KEY, room_id int NOT NULL REFERENCES rooms, what text NOT NULL);
INSERT INTO repairs SELECT i, 1 + i % 500, 'w' || i FROM generate_series(1, 75000) i;
CREATE INDEX repairs_room ON repairs (room_id);
CREATE TABLE visits (id int PRIMARY KEY, day date NOT NULL);
INSERT INTO visits SELECT i, date '2026-01-01' + i % 300 FROM generate_series(1, 60000) i;
VACUUM ANALYZE;
--- queries
-- What a write takes for its own rows no index saves; finding them it does.
--> index exhibits (room_id)
-- name: CloseRoom :exec
UPDATE exhibits SET room_id = NULL WHERE room_id = $1;
--> index exhibits (badge)
-- name: ByBadge :one
SELECT id, notes FROM exhibits WHERE badge = $1;
-- It meets no row, so that an index proves nothing for it.
--> cause not-proven
-- name: ByOldBadge :many
-- @param $1: '{old-1,old-2}'
SELECT id, notes FROM exhibits WHERE badge = ANY ($1::text[]);
--> cause not-proven
-- name: NeverTrue :many
SELECT id FROM exhibits WHERE room_id = NULL AND maker = NULL;
-- What an ORM writes of an empty list.
--> cause not-proven
-- name: EmptyList :many
SELECT id FROM exhibits WHERE exhibits.room_id IN (NULL) OFFSET $1;
--> quiet
-- name: Catalog :many
SELECT c.relname, d.deptype, count(*) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND d.classid <> c.oid
  JOIN pg_catalog.pg_attribute a ON a.attrelid + 0 = c.oid GROUP BY 1, 2;
--> cause cartesian-join
-- name: RoomWithBoth :many
SELECT r.title, t.guide, p.what FROM rooms r JOIN tours t ON t.room_id = r.id JOIN repairs p ON p.room_id = r.id WHERE r.id = $1;
-- Its own executions, which are rolled back, change the pages that it reads.
--> quiet
-- name: PruneVisits :exec
-- @param $1: 100
-- @param $2: 40000
-- @param $3: 4000
WITH old AS (SELECT id FROM visits WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3)
DELETE FROM visits USING old WHERE visits.id = old.id;

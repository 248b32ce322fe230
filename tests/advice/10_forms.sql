CREATE TABLE entries (id bigint PRIMARY KEY, account bigint NOT NULL, key uuid NOT NULL, at timestamptz NOT NULL, local_at timestamp NOT NULL, day date NOT NULL, points int NOT NULL,
  name text NOT NULL, labels text[] NOT NULL, nums int[] NOT NULL, pad text NOT NULL);
INSERT INTO entries SELECT i, i % 9000, md5(i::text)::uuid, timestamptz '2022-01-01' + (i * 7919::bigint % 90000) * interval '17 minutes', timestamp '2022-01-01' + (i * 7907::bigint % 90000) * interval '17 minutes',
  date '2022-01-01' + i % 1000, (i * 31::bigint % 10007)::int, 'N' || md5(i::text), ARRAY['l' || i % 3000], ARRAY[i % 3000], repeat('e', 40) FROM generate_series(1, 90000) i;
CREATE INDEX entries_account ON entries (account);
CREATE UNIQUE INDEX entries_key ON entries (key);
CREATE INDEX entries_at ON entries (at);
CREATE INDEX entries_local ON entries (local_at);
CREATE INDEX entries_points ON entries (points, id);
CREATE INDEX entries_name ON entries (name);
CREATE INDEX entries_labels ON entries USING gin (labels);
CREATE INDEX entries_nums ON entries USING gin (nums);
CREATE TABLE stations (id int PRIMARY KEY, name text NOT NULL); INSERT INTO stations SELECT i, 's' || i FROM generate_series(1, 80) i;
CREATE TABLE levels (station_id int NOT NULL REFERENCES stations, at timestamptz NOT NULL, value int NOT NULL);
INSERT INTO levels SELECT 1 + i % 80, timestamptz '2024-01-01' + i * interval '1 second', i % 500 FROM generate_series(1, 240000) i;
CREATE INDEX levels_station ON levels (station_id, at);
CREATE TABLE groups (id int PRIMARY KEY, owner int NOT NULL, name text NOT NULL, pad text NOT NULL); INSERT INTO groups SELECT i, i % 9000, 'g' || i, repeat('g', 60) FROM generate_series(1, 90000) i;
CREATE INDEX groups_owner ON groups (owner);
CREATE TABLE guests (group_id int NOT NULL, guest int NOT NULL, PRIMARY KEY (group_id, guest)); INSERT INTO guests SELECT 1 + i % 90000, i * 31 % 9000 FROM generate_series(1, 120000) i ON CONFLICT DO NOTHING;
CREATE INDEX guests_guest ON guests (guest);
VACUUM ANALYZE;
--- queries
--> rewrite range
-- name: OfDay :many
-- @param $1: '2022-05-05'
SELECT id FROM entries WHERE date(at) = $1::date;
--> rewrite range
-- name: CastDay :many
-- @param $1: '2022-05-06'
SELECT id FROM entries WHERE CAST(at AS date) = $1::date;
--> rewrite range
-- name: OfMonth :one
-- @param $1: '2022-05-01'
SELECT count(*) FROM entries WHERE date_trunc('month', at) = $1::timestamptz;
--> rewrite range
-- name: OfHour :many
-- @param $1: '2022-05-01 10:00'
SELECT id FROM entries WHERE date_trunc('hour', at) = $1::timestamptz;
--> rewrite range
-- name: PrintedDay :many
-- @param $1: '2022-05-07'
SELECT id FROM entries WHERE to_char(at, 'YYYY-MM-DD') = $1;
--> rewrite range
-- name: PrintedMonth :one
-- @param $1: '202205'
SELECT count(*) FROM entries WHERE to_char(at, 'YYYYMM') = $1;
--> rewrite range
-- name: LocalDay :many
-- @param $1: '2022-05-05'
SELECT id FROM entries WHERE date(at AT TIME ZONE 'Asia/Tokyo') = $1::date;
--> rewrite own-type
-- name: AccountNumeric :many
-- @param $1: '77'
SELECT id FROM entries WHERE account = $1::numeric;
--> rewrite own-type
-- name: AccountText :many
-- @param $1: '78'
SELECT id FROM entries WHERE account::text = $1;
--> rewrite own-type
-- name: KeyText :one
-- @param $1: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'
SELECT id FROM entries WHERE key::text = $1;
--> rewrite own-type
-- name: IdText :one
-- @param $1: '4711'
SELECT name FROM entries WHERE id::text = $1;
--> rewrite containment
-- name: Labelled :many
-- @param $1: 'l77'
SELECT id FROM entries WHERE $1 = ANY (labels);
--> rewrite containment
-- name: Numbered :many
-- @param $1: '77'
SELECT id FROM entries WHERE $1 = ANY (nums);
--> rewrite plain-nulls
-- name: LatestEntries :many
SELECT id FROM entries ORDER BY at DESC NULLS LAST LIMIT 10;
--> rewrite plain-nulls
-- name: FirstNames :many
SELECT id, name FROM entries ORDER BY name NULLS FIRST LIMIT 10;
--> rewrite bound
-- name: PageByPoints :many
-- @param $1: '5000'
-- @param $2: '40000'
SELECT id, points FROM entries WHERE points > $1 OR (points = $1 AND id > $2) ORDER BY points, id LIMIT 25;
--> rewrite each-group
-- name: LatestLevel :many
SELECT DISTINCT ON (station_id) station_id, at, value FROM levels ORDER BY station_id, at DESC;
--> rewrite each-group
-- name: LatestLevelWindow :many
SELECT station_id, at, value FROM (SELECT station_id, at, value, row_number() OVER (PARTITION BY station_id ORDER BY at DESC) AS place FROM levels) l WHERE place = 1;
--> rewrite union
-- name: GroupsOf :many
SELECT g.id, g.name FROM groups g WHERE g.owner = $1 OR g.id IN (SELECT s.group_id FROM guests s WHERE s.guest = $1);
--> none
-- name: RangeAlready :many
SELECT id FROM entries WHERE at >= '2022-05-05' AND at < '2022-05-06';
--> none
-- name: OwnTypeAlready :many
SELECT id FROM entries WHERE account = $1;
--> none
-- name: ContainsAlready :many
-- @param $1: '{l77}'
SELECT id FROM entries WHERE labels @> $1;
--> none
-- name: NewestAlready :many
SELECT id FROM entries ORDER BY at DESC LIMIT 10;
--> none
-- name: PageAlready :many
-- @param $1: '5000'
-- @param $2: '40000'
SELECT id, points FROM entries WHERE (points, id) > ($1, $2) ORDER BY points, id LIMIT 25;
--> none
-- name: MostYears :one
SELECT count(*) FROM entries WHERE extract(year FROM at) > 2020;
--> none
-- name: GroupsOwned :many
SELECT id, name FROM groups WHERE owner = $1 AND id IN (SELECT group_id FROM guests WHERE guest = $1);
--> none
-- name: LatestOfOne :one
SELECT at, value FROM levels WHERE station_id = $1 ORDER BY at DESC LIMIT 1;
--> none
-- name: EachStation :many
SELECT s.name, l.at FROM stations s CROSS JOIN LATERAL (SELECT at FROM levels WHERE station_id = s.id ORDER BY at DESC LIMIT 1) l;
--> none
-- name: NotTheseAccounts :many
SELECT count(*) FROM entries WHERE account NOT IN (1, 2, 3);
--> none
-- name: NumbersOfSome :many
SELECT id FROM entries WHERE id = ANY($1::bigint[]);

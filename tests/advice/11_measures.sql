CREATE TABLE stations (id int PRIMARY KEY, height float8 NOT NULL, depth float8 NOT NULL, grade int NOT NULL, parent_id int NOT NULL, name text NOT NULL, pad text NOT NULL);
INSERT INTO stations SELECT i, (i * 7919::bigint % 100003) / 7.0, (i * 104729::bigint % 99991) / 3.0, i % 3000, 1 + i % 40000, 'n' || i, repeat('s', 90)
  FROM generate_series(1, 100000) i;
CREATE INDEX stations_height ON stations (height);
CREATE INDEX stations_name ON stations (name text_pattern_ops);
CREATE TABLE visits (id int PRIMARY KEY, station_id int NOT NULL, seen int NOT NULL);
INSERT INTO visits SELECT i, 1 + i % 99000, i % 100 FROM generate_series(1, 60000) i;
CREATE INDEX visits_station ON visits (station_id);
VACUUM ANALYZE;
--- queries
--> rewrite range
-- name: NearHeight :many
-- @param $1: '5000.5'
SELECT id FROM stations WHERE abs(height - $1) < 0.5;
--> rewrite range
-- name: NearHeightInclusive :many
-- @param h: '777.25'
SELECT s.id, s.name FROM stations s WHERE s.grade >= 0 AND abs(s.height - @h::float8) <= 0.25;
--> cause unindexable-predicate
-- name: NearDepth :many
-- @param $1: '5000.5'
SELECT id FROM stations WHERE abs(depth - $1) < 0.5;
--> cause unindexable-predicate
-- name: ModuloOfGrade :many
-- @param $1: '1777'
SELECT id FROM stations WHERE grade % $1 = 55;
--> cause top-n-sort
-- name: ClosestGrade :many
SELECT id, grade FROM stations ORDER BY abs(grade - $1), id LIMIT 10;
--> cause top-n-sort
-- name: TenAtRandom :many
SELECT id, name FROM stations ORDER BY random() LIMIT 10;
--> index stations (grade DESC) | stations (grade DESC, id) | stations (grade)
-- name: TopGrades :many
SELECT id, grade FROM stations ORDER BY grade DESC LIMIT 5;
--> none
-- name: VisitedStations :one
SELECT count(*) FROM stations s WHERE EXISTS (SELECT FROM visits v WHERE v.station_id = s.id);
--> none
-- name: StationsByPattern :many
-- @param $1: 'n777%'
SELECT id FROM stations WHERE name LIKE $1;
--> none
-- name: StationsWithoutChildren :many
SELECT id FROM stations WHERE id NOT IN (SELECT parent_id FROM stations) AND grade = 17;

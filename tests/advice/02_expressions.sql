CREATE TABLE visits (id int PRIMARY KEY, account_id bigint NOT NULL, email text NOT NULL, at timestamptz NOT NULL, day_at timestamp NOT NULL,
  amount int NOT NULL, label text NOT NULL, state text NOT NULL, pad text NOT NULL);
INSERT INTO visits SELECT i, i % 9000, 'User' || i || '@example.org', timestamptz '2023-01-01' + (i * 7919::bigint % 90000) * interval '11 minutes',
  timestamp '2023-01-01' + (i * 7907::bigint % 90000) * interval '11 minutes', i % 3000, 'L' || i % 5000, (ARRAY['a','a','b'])[1 + i % 3], repeat('z', 60)
  FROM generate_series(1, 90000) i;
CREATE INDEX visits_at ON visits (at);
CREATE INDEX visits_account ON visits (account_id);
CREATE TABLE places (id int PRIMARY KEY, lat float8 NOT NULL, name text NOT NULL, at timestamptz NOT NULL, pad text NOT NULL);
INSERT INTO places SELECT i, (i * 7919::bigint % 90001) / 1000.0, 'Place ' || md5(i::text), timestamptz '2023-01-01' + (i * 7919::bigint % 90000) * interval '11 minutes', repeat('q', 80) FROM generate_series(1, 90000) i;
VACUUM ANALYZE;
--- queries
--> index visits (lower(email))
-- name: LowerBoth :one
-- @param $1: 'USER77@example.org'
SELECT id FROM visits WHERE lower(email) = lower($1);
--> rewrite range
-- name: DayOf :many
-- @param $1: '2023-05-05'
SELECT id FROM visits WHERE date(at) = $1::date;
--> rewrite range
-- name: DayByCast :many
-- @param $1: '2023-05-05'
SELECT id, label FROM visits WHERE at::date = $1::date AND state = 'a';
--> rewrite range
-- name: MonthText :one
-- @param $1: '2023-05'
SELECT count(*) FROM visits WHERE to_char(at, 'YYYY-MM') = $1;
--> rewrite range
-- name: DayOfZone :one
-- @param $1: '2023-05-05'
SELECT count(*) FROM visits WHERE date(at AT TIME ZONE 'Europe/Berlin') = $1::date;
--> rewrite own-type
-- name: NumericAccount :many
-- @param $1: '77'
SELECT id FROM visits WHERE account_id = $1::numeric;
--> rewrite own-type
-- name: TextAccount :many
-- @param $1: '78'
SELECT id FROM visits WHERE account_id::text = $1;
--> cause unindexable-predicate
-- name: Modulo :many
-- @param $1: '2999'
SELECT id FROM visits WHERE amount % $1 = 17 LIMIT 100;
--> cause unindexable-predicate
-- name: Appended :many
-- @param $1: 'q'
SELECT id FROM visits WHERE label || $1 = 'L77q';
--> none
-- name: Nearest :many
-- @param $1: '1485'
SELECT id FROM visits ORDER BY abs(amount - $1) LIMIT 10;
--> cause unindexable-predicate
-- name: Around :many
-- @param $1: '45.5'
SELECT id FROM places WHERE abs(lat - $1) < 0.001;
--> cause unindexable-predicate
-- name: NoIndexOnDay :many
-- @param $1: '2023-05-05'
SELECT id FROM places WHERE at::date = $1::date;
--> index visits (date(day_at))
-- name: DayWithoutZone :one
-- @param $1: '2023-05-05'
SELECT count(*) FROM visits WHERE date(day_at) = $1::date;

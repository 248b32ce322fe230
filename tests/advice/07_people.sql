CREATE TABLE people (id int PRIMARY KEY, mail text NOT NULL, city int NOT NULL, born date NOT NULL, level smallint NOT NULL, score numeric(9, 2) NOT NULL,
  boss_id int, left_on date, nick text, code uuid NOT NULL, flags int NOT NULL, bio text NOT NULL);
INSERT INTO people SELECT i, 'm' || i || '@x' || i % 4000 || '.org', i % 2000, date '1950-01-01' + (i * 7919::bigint % 20000)::int, i % 7, (i * 31::bigint % 80000) / 10.0,
  CASE WHEN i % 10 <> 0 THEN 1 + i % 8000 END, CASE WHEN i % 400 = 0 THEN date '2024-01-01' + i % 300 END, CASE WHEN i % 4 = 0 THEN 'n' || i END, md5(i::text)::uuid, i % 1024, repeat('b', 70)
  FROM generate_series(1, 80000) i;
VACUUM ANALYZE;
--- queries
--> index people (city) | people (city, score)
-- name: ByCity :many
SELECT id, mail FROM people WHERE city = $1;
--> index people (mail)
-- name: ByMail :one
SELECT id FROM people WHERE mail = $1;
--> index people (code)
-- name: ByCode :one
SELECT id FROM people WHERE code = $1;
--> index people (boss_id)
-- name: ByBoss :many
SELECT id, mail FROM people WHERE boss_id = $1;
--> index people (born)
-- name: BornOn :many
SELECT id, mail FROM people WHERE born = $1;
--> index people (born)
-- name: OldestFirst :many
SELECT id, mail FROM people ORDER BY born LIMIT 20;
--> index people (born)
-- name: YoungestFirst :many
SELECT id, mail FROM people ORDER BY born DESC LIMIT 20;
--> index people (score)
-- name: TopScores :many
SELECT id, mail FROM people ORDER BY score DESC LIMIT 10;
--> index people (city) | people (city, score)
-- name: TopOfCity :many
SELECT id, mail FROM people WHERE city = $1 ORDER BY score DESC LIMIT 5;
--> index people (city) | people (city, score) | people (city, level)
-- name: CityAndLevel :many
-- @param $1: '77'
-- @param $2: '0'
SELECT id, mail FROM people WHERE city = $1 AND level = $2;
--> index people (mail)
-- name: MailWithoutNick :one
SELECT id FROM people WHERE mail = $1 AND nick IS NULL;
--> index people (left_on) | people (left_on) WHERE (left_on IS NOT NULL)
-- name: LeftOnes :many
SELECT id, mail FROM people WHERE left_on IS NOT NULL;
--> index people (left_on) | people (left_on) WHERE (left_on IS NOT NULL)
-- name: LeftSince :many
-- @param $1: '2024-07-01'
SELECT id, mail FROM people WHERE left_on >= $1;
--> index people (score)
-- name: ScoreRange :many
-- @param $1: '100'
-- @param $2: '101'
SELECT id, mail FROM people WHERE score BETWEEN $1 AND $2;
--> index people (nick text_pattern_ops)
-- name: NickBegins :many
-- @param $1: 'n123%'
SELECT id, nick FROM people WHERE nick LIKE $1;
--> index people (city) | people (city, score)
-- name: OfCities :many
-- @param $1: '{5,6}'
SELECT id, mail FROM people WHERE city = ANY($1);
--> index people (born)
-- name: FirstBirth :one
SELECT min(born) FROM people;
--> index people (city) | people (city, score)
-- name: BestOfCity :one
SELECT max(score) FROM people WHERE city = $1;
--> index people (upper(nick))
-- name: UpperNick :many
-- @param $1: 'N4000'
SELECT id FROM people WHERE upper(nick) = $1;
--> index people (split_part(mail, '@'::text, 2))
-- name: OfDomain :many
-- @param $1: 'x77.org'
SELECT id, mail FROM people WHERE split_part(mail, '@', 2) = $1;
--> index people (mail)
-- name: Promote :exec
UPDATE people SET level = 1 WHERE mail = $1;
--> index people (code)
-- name: Forget :exec
DELETE FROM people WHERE code = $1;
--> none
-- name: ById :one
SELECT mail FROM people WHERE id = $1;
--> none
-- name: ByIds :many
-- @param $1: '{5,600,7000}'
SELECT mail FROM people WHERE id = ANY($1);
--> none
-- name: IdRange :many
-- @param $1: '500'
-- @param $2: '600'
SELECT mail FROM people WHERE id BETWEEN $1 AND $2;
--> none
-- name: HowMany :one
SELECT count(*) FROM people;
--> none
-- name: LowLevels :many
SELECT id, mail FROM people WHERE level < 4;
--> none
-- name: OtherLevels :many
SELECT id, mail FROM people WHERE level <> 3;
--> none
-- name: EveryCity :many
SELECT city, count(*) FROM people GROUP BY city;
--> none
-- name: WithFlag :many
SELECT id, mail FROM people WHERE flags & 4 = 4;
--> none
-- name: AnyFive :many
SELECT id, mail FROM people ORDER BY random() LIMIT 5;
--> none
-- name: FirstPage :many
SELECT id, mail FROM people ORDER BY id LIMIT 20 OFFSET 40;
--> none
-- name: BornInMay :many
SELECT id, mail FROM people WHERE extract(month FROM born) = 5;
--> none
-- name: AllByBio :many
SELECT id, mail FROM people ORDER BY bio, mail;
--> none
-- name: WithoutNick :many
SELECT id, mail FROM people WHERE nick IS NULL;
--> none
-- name: AverageScore :one
SELECT avg(score) FROM people WHERE level IN (1, 2, 3, 4);
--> none
-- name: MostOfThem :many
SELECT id, mail FROM people WHERE score > 50;
--> none
-- name: BossOfOne :one
SELECT b.mail FROM people p JOIN people b ON b.id = p.boss_id WHERE p.id = $1;
--> none
-- name: AddPerson :exec
-- @param $1: '990001'
INSERT INTO people (id, mail, city, born, level, score, code, flags, bio) VALUES ($1, 'new@x.org', 1, '2000-01-01', 1, 1, 'a0000000-0000-4000-8000-000000000001', 0, 'b');
--> none
-- name: RenameOne :exec
UPDATE people SET nick = 'x' WHERE id = $1;

CREATE TABLE shipments (id int PRIMARY KEY, hub int NOT NULL, state text NOT NULL, carrier text, weight int NOT NULL,
  sent_at timestamptz NOT NULL, due_on date, closed_at timestamptz, code varchar(20) NOT NULL, pad text NOT NULL);
INSERT INTO shipments SELECT i, i % 4000, (ARRAY['new','new','moving','done','done','done'])[1 + i % 6],
  CASE WHEN i % 5000 = 0 THEN 'c' || i % 7 END, (i * 7919::bigint % 5003)::int, timestamptz '2024-01-01' + (i * 7919::bigint % 80000) * interval '7 minutes',
  CASE WHEN i % 2 = 0 THEN date '2024-01-01' + i % 400 END, CASE WHEN i % 10 < 8 THEN timestamptz '2024-06-01' + i * interval '1 minute' END,
  'S' || md5(i::text)::varchar(12), repeat('x', 60)
  FROM generate_series(1, 80000) i;
UPDATE shipments SET state = 'lost' WHERE id % 1000 = 7;
CREATE INDEX shipments_due ON shipments (due_on);
CREATE TABLE tasks (id int PRIMARY KEY, team int NOT NULL, rank int, title text NOT NULL, made_at timestamptz NOT NULL, pad text NOT NULL);
INSERT INTO tasks SELECT i, i % 50, CASE WHEN i % 3 = 0 THEN i * 7919::bigint % 100003 END, 'Task ' || md5(i::text), timestamptz '2024-01-01' + i * interval '3 minutes', repeat('y', 70)
  FROM generate_series(1, 80000) i;
CREATE INDEX tasks_rank ON tasks (rank);
VACUUM ANALYZE;
--- queries
--> index shipments (hub) | shipments (hub, weight)
-- name: OfHub :many
SELECT id, code FROM shipments WHERE hub = $1;
--> index shipments (code)
-- name: ByCode :one
SELECT id FROM shipments WHERE code = $1;
--> index shipments (sent_at)
-- name: Newest :many
SELECT id, code FROM shipments ORDER BY sent_at DESC LIMIT 20;
--> index shipments (weight, sent_at DESC)
-- name: MixedOrder :many
SELECT id, code FROM shipments ORDER BY weight, sent_at DESC LIMIT 20;
--> index tasks (rank DESC NULLS LAST)
-- name: Ranked :many
SELECT id, title FROM tasks ORDER BY rank DESC NULLS LAST LIMIT 25;
--> index tasks (title)
-- name: FirstTitles :many
SELECT id, title FROM tasks ORDER BY title LIMIT 10;
--> index tasks (title text_pattern_ops)
-- name: TitlePrefix :many
-- @param $1: 'Task 00a%'
SELECT id, title FROM tasks WHERE title LIKE $1;
--> index shipments (carrier) | shipments (carrier) WHERE (carrier IS NOT NULL)
-- name: WithCarrier :many
SELECT id, code FROM shipments WHERE carrier IS NOT NULL;
--> none
-- name: KeepsHalf :many
SELECT id, code FROM shipments WHERE state = 'done';
--> none
-- name: CountAll :one
SELECT count(*) FROM shipments;
--> none
-- name: ByKey :one
SELECT code FROM shipments WHERE id = $1;
--> none
-- name: ByDue :many
SELECT id FROM shipments WHERE due_on = $1;
--> none
-- name: SumByTeam :many
SELECT team, count(*) FROM tasks GROUP BY team;
--> none
-- name: NotDone :many
SELECT id FROM shipments WHERE state <> 'done';

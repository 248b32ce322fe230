CREATE EXTENSION pg_trgm;
CREATE TABLE jobs (id int PRIMARY KEY, owner int NOT NULL, made timestamptz NOT NULL, state text NOT NULL, price int NOT NULL, code text NOT NULL, tags int[] NOT NULL, doc jsonb NOT NULL,
  title text NOT NULL, done_at timestamptz, pad text NOT NULL);
INSERT INTO jobs SELECT i, i % 2000, timestamptz '2024-01-01' + i * interval '4 minutes', (ARRAY['a','b','c','d'])[1 + i % 4], (i * 7919::bigint % 70001)::int, 'C' || i, ARRAY[i % 5000],
  jsonb_build_object('k', i % 5000), 'Job ' || md5(i::text), CASE WHEN i % 500 = 0 THEN timestamptz '2024-06-01' + i * interval '1 minute' END, repeat('j', 60)
  FROM generate_series(1, 70000) i;
CREATE INDEX jobs_owner ON jobs (owner);
CREATE INDEX jobs_made ON jobs (made);
CREATE INDEX jobs_state_made ON jobs (state, made);
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX jobs_lower ON jobs (lower(code));
CREATE INDEX jobs_tags ON jobs USING gin (tags);
CREATE INDEX jobs_doc ON jobs USING gin (doc jsonb_path_ops);
CREATE INDEX jobs_title ON jobs USING gin (title gin_trgm_ops);
CREATE INDEX jobs_price ON jobs (price) INCLUDE (code);
CREATE INDEX jobs_code ON jobs USING hash (code);
CREATE TABLE audit_log (job_id int NOT NULL, at timestamptz NOT NULL, what text NOT NULL, PRIMARY KEY (job_id, at));
INSERT INTO audit_log SELECT 1 + i % 70000, timestamptz '2024-01-01' + i * interval '1 minute', repeat('w', 60) FROM generate_series(1, 140000) i;
VACUUM ANALYZE;
--- queries
--> none
-- name: OfOwner :many
SELECT id, title FROM jobs WHERE owner = $1;
--> none
-- name: OfOwnerSorted :many
SELECT id, title FROM jobs WHERE owner = $1 ORDER BY made DESC LIMIT 5;
--> none
-- name: OfDay :many
SELECT id, title FROM jobs WHERE made >= '2024-03-01' AND made < '2024-03-02';
--> none
-- name: Newest :many
SELECT id, title FROM jobs ORDER BY made DESC LIMIT 20;
--> none
-- name: Oldest :many
SELECT id, title FROM jobs ORDER BY made LIMIT 20;
--> none
-- name: NewestOfState :many
SELECT id, title FROM jobs WHERE state = $1 ORDER BY made DESC LIMIT 20;
--> none
-- name: DoneOnes :many
SELECT id, title FROM jobs WHERE done_at IS NOT NULL ORDER BY done_at LIMIT 10;
--> none
-- name: DoneSince :many
SELECT id FROM jobs WHERE done_at > '2024-07-01';
--> none
-- name: LastMade :one
SELECT max(made) FROM jobs;
--> none
-- name: LowerCode :one
-- @param $1: 'c77'
SELECT id FROM jobs WHERE lower(code) = $1;
--> none
-- name: ByCode :one
SELECT id FROM jobs WHERE code = $1;
--> none
-- name: Tagged :many
-- @param $1: '{77}'
SELECT id FROM jobs WHERE tags @> $1;
--> none
-- name: TaggedAny :many
-- @param $1: '{77,78}'
SELECT id FROM jobs WHERE tags && $1;
--> none
-- name: WithDoc :many
-- @param $1: '{"k": 77}'
SELECT id FROM jobs WHERE doc @> $1;
--> none
-- name: TitleHas :many
-- @param $1: '%abc12%'
SELECT id FROM jobs WHERE title ILIKE $1;
--> none
-- name: Cheapest :many
SELECT id, title FROM jobs ORDER BY price LIMIT 10;
--> none
-- name: PriceOf :many
SELECT code FROM jobs WHERE price = $1;
--> none
-- name: PriceBetween :many
-- @param $1: '500'
-- @param $2: '520'
SELECT code FROM jobs WHERE price BETWEEN $1 AND $2;
--> none
-- name: After :many
-- @param $1: '2024-03-01'
-- @param $2: '20000'
SELECT id, made FROM jobs WHERE (made, id) > ($1, $2) ORDER BY made, id LIMIT 20;
--> none
-- name: LogOfJob :many
SELECT at, what FROM audit_log WHERE job_id = $1 ORDER BY at DESC LIMIT 5;
--> none
-- name: LastOfJob :one
SELECT max(at) FROM audit_log WHERE job_id = $1;
--> none
-- name: JobsWithLog :many
SELECT j.id, l.at FROM jobs j JOIN audit_log l ON l.job_id = j.id WHERE j.owner = $1;
--> none
-- name: OwnersOr :many
SELECT id FROM jobs WHERE owner = $1 OR id = $2;
--> none
-- name: HalfOfStates :many
SELECT id, title FROM jobs WHERE state IN ('a', 'b');
--> none
-- name: StateCounts :many
SELECT state, count(*) FROM jobs GROUP BY state;
--> none
-- name: Finish :exec
UPDATE jobs SET done_at = now() WHERE id = $1;
--> none
-- name: FinishAll :exec
UPDATE jobs SET price = price + 1 WHERE owner = $1;
--> none
-- name: Remove :exec
DELETE FROM jobs WHERE id = $1;
--> none
-- name: Note :exec
-- @param $1: '5'
INSERT INTO audit_log VALUES ($1, now(), 'x') ON CONFLICT (job_id, at) DO UPDATE SET what = 'y';
--> none
-- name: Windowed :many
SELECT id, row_number() OVER (ORDER BY made) FROM jobs WHERE owner = $1;
--> none
-- name: NotTheseStates :many
SELECT id, title FROM jobs WHERE state NOT IN ('a');
--> none
-- name: TitlesLong :many
SELECT id FROM jobs WHERE length(title) > 10;

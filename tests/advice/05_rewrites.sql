CREATE TABLE persons (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO persons SELECT i, 'p' || i FROM generate_series(1, 20000) i;
CREATE TABLE cases (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES persons, subject text NOT NULL, opened_at timestamptz NOT NULL, score int NOT NULL, pad text NOT NULL);
INSERT INTO cases SELECT i, 1 + i % 20000, 's' || i, timestamptz '2024-01-01' + i * interval '1 minute', (i * 7919::bigint % 10007)::int, repeat('c', 60) FROM generate_series(1, 100000) i;
CREATE INDEX cases_owner ON cases (owner_id);
CREATE INDEX cases_opened ON cases (opened_at);
CREATE INDEX cases_board ON cases (score DESC, id);
CREATE TABLE followers (case_id int NOT NULL REFERENCES cases, person_id int NOT NULL REFERENCES persons, PRIMARY KEY (case_id, person_id));
INSERT INTO followers SELECT 1 + i % 100000, 1 + i * 31 % 20000 FROM generate_series(1, 150000) i ON CONFLICT DO NOTHING;
CREATE INDEX followers_person ON followers (person_id);
CREATE TABLE sensors (id int PRIMARY KEY, label text NOT NULL); INSERT INTO sensors SELECT i, 's' || i FROM generate_series(1, 100) i;
CREATE TABLE measures (id int PRIMARY KEY, sensor_id int NOT NULL REFERENCES sensors, at timestamptz NOT NULL, value float8 NOT NULL);
INSERT INTO measures SELECT i, 1 + i % 100, timestamptz '2024-01-01' + i * interval '1 second', i FROM generate_series(1, 250000) i;
CREATE INDEX measures_sensor_at ON measures (sensor_id, at);
CREATE TABLE files (id int PRIMARY KEY, title text NOT NULL); INSERT INTO files SELECT i, 't' || i FROM generate_series(1, 500) i;
CREATE TABLE file_parts (id int PRIMARY KEY, file_id int NOT NULL, pad text NOT NULL); INSERT INTO file_parts SELECT i, 1 + i % 450, repeat('f', 20) FROM generate_series(1, 300000) i;
CREATE INDEX file_parts_file ON file_parts (file_id);
VACUUM ANALYZE;
--- queries
--> rewrite union
-- name: CasesThatConcern :many
SELECT c.id, c.subject FROM cases c WHERE c.owner_id = $1 OR c.id IN (SELECT f.case_id FROM followers f WHERE f.person_id = $1);
--> rewrite union
-- name: CasesThatConcernJoined :many
SELECT DISTINCT c.id, c.subject FROM cases c LEFT JOIN followers f ON f.case_id = c.id WHERE c.owner_id = $1 OR f.person_id = $1;
--> rewrite each-group
-- name: LatestOfEach :many
SELECT DISTINCT ON (sensor_id) sensor_id, at, value FROM measures ORDER BY sensor_id, at DESC;
--> rewrite each-group
-- name: LatestByWindow :many
SELECT sensor_id, at, value FROM (SELECT sensor_id, at, value, row_number() OVER (PARTITION BY sensor_id ORDER BY at DESC) AS n FROM measures) m WHERE n = 1;
--> rewrite bound
-- name: NextPage :many
-- @param $1: '3000'
-- @param $2: '50000'
SELECT id, score FROM cases WHERE score < $1 OR (score = $1 AND id > $2) ORDER BY score DESC, id LIMIT 50;
--> rewrite plain-nulls
-- name: NewestCases :many
SELECT id, subject FROM cases ORDER BY opened_at DESC NULLS LAST LIMIT 20;
--> rewrite not-exists
-- name: FilesWithoutParts :many
SELECT id FROM files WHERE id NOT IN (SELECT file_id FROM file_parts);
--> none
-- name: OwnCases :many
SELECT id FROM cases WHERE owner_id = $1;
--> none
-- name: CasesOfDay :many
SELECT id FROM cases WHERE opened_at >= '2024-02-01' AND opened_at < '2024-02-02';

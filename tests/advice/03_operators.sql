CREATE EXTENSION pg_trgm; CREATE EXTENSION ltree;
CREATE TABLE docs (id int PRIMARY KEY, body jsonb NOT NULL, other jsonb NOT NULL, tags text[] NOT NULL, words tsvector NOT NULL, during tstzrange NOT NULL,
  addr inet NOT NULL, spot point NOT NULL, path ltree NOT NULL, name text NOT NULL);
INSERT INTO docs SELECT i, jsonb_build_object('kind', 'k' || i % 4000, 'n', i), jsonb_build_object('o', i) || CASE WHEN i % 4000 = 0 THEN '{"rare": 1}'::jsonb ELSE '{}' END,
  ARRAY['t' || i % 4000, 'all'], to_tsvector('simple', 'word' || i % 4000 || ' common text'),
  tstzrange(timestamptz '2020-01-01' + i * interval '1 minute', timestamptz '2020-01-01' + (i + 20) * interval '1 minute'),
  ('10.' || i % 250 || '.' || (i / 250) % 250 || '.7')::inet, point(i % 1009, i % 997), ('top.a' || i % 4000 || '.b' || i)::ltree, md5(i::text)
  FROM generate_series(1, 60000) i;
CREATE TABLE lists (id int PRIMARY KEY, members int[] NOT NULL, pad text NOT NULL);
INSERT INTO lists SELECT i, ARRAY[i % 3000, 999999], repeat('l', 80) FROM generate_series(1, 60000) i;
CREATE INDEX lists_members ON lists USING gin (members);
CREATE TABLE keyed (id int PRIMARY KEY, token text NOT NULL, pad text NOT NULL);
INSERT INTO keyed SELECT i, md5(i::text), repeat('k', 80) FROM generate_series(1, 60000) i;
CREATE INDEX keyed_token ON keyed USING hash (token);
VACUUM ANALYZE;
--- queries
--> index docs USING gin (body jsonb_path_ops)
-- name: JsonContains :many
-- @param $1: '{"kind": "k77"}'
SELECT id FROM docs WHERE body @> $1;
--> index docs USING gin (other)
-- name: JsonHasKey :many
SELECT id FROM docs WHERE other ? 'rare';
--> index docs USING gin (tags)
-- name: ArrayContains :many
-- @param $1: '{t77}'
SELECT id FROM docs WHERE tags @> $1;
--> index docs USING gin (words)
-- name: FullText :many
-- @param $1: 'word77'
SELECT id FROM docs WHERE words @@ plainto_tsquery('simple', $1);
--> index docs USING gist (during)
-- name: RangeAt :many
-- @param $1: '2020-01-20 12:00Z'
SELECT id FROM docs WHERE during @> $1::timestamptz;
--> index docs (addr) | docs USING gist (addr inet_ops)
-- name: InSubnet :many
SELECT id FROM docs WHERE addr << inet '10.7.3.0/24';
--> index docs USING gist (spot)
-- name: NearestSpots :many
-- @param $1: '(500,500)'
SELECT id FROM docs ORDER BY spot <-> $1 LIMIT 10;
--> index docs USING gist (path)
-- name: Below :many
SELECT id FROM docs WHERE path <@ 'top.a77';
--> index docs USING gin (name gin_trgm_ops)
-- name: Similar :many
-- @param $1: 'c4ca4238a0b923820dcc509a6f75849b'
SELECT id FROM docs WHERE name % $1;
--> rewrite containment
-- name: HasMember :many
SELECT id FROM lists WHERE $1 = ANY (members);
--> none
-- name: ByToken :one
SELECT id FROM keyed WHERE token = $1;

CREATE TABLE ships (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO ships SELECT i, 'Ship ' || i FROM generate_series(1, 400) i;
CREATE TABLE calls (id bigint PRIMARY KEY, ship_id int NOT NULL REFERENCES ships, at timestamptz NOT NULL, cargo text NOT NULL, note text NOT NULL);
INSERT INTO calls SELECT i, 1 + i % 400, timestamptz '2025-01-01' + i * interval '3 minutes', 'c' || i % 7, repeat('n', 150) FROM generate_series(1, 150000) i;
CREATE INDEX calls_at ON calls (at);
CREATE INDEX calls_ship ON calls (ship_id);
CREATE TABLE passes (id bigint PRIMARY KEY, ship_id int NOT NULL, ends timestamptz NOT NULL, gate text, pad text NOT NULL);
INSERT INTO passes SELECT i, 1 + i % 400, timestamptz '2025-01-01' + i * interval '4 minutes', CASE WHEN i % 3 > 0 THEN 'g' || i % 50 END, repeat('p', 120) FROM generate_series(1, 120000) i;
CREATE TABLE crews (ship_id int NOT NULL, person int NOT NULL, PRIMARY KEY (ship_id, person));
INSERT INTO crews SELECT 1 + i % 400, i FROM generate_series(1, 20000) i;
VACUUM ANALYZE;
--- queries
-- Who asks for what is new asks for a day of it, and not for half of the table.
--> quiet
-- name: CallsSince :many
SELECT id, ship_id, note FROM calls WHERE at > $1;
--> quiet
-- name: CallsSinceOfShips :many
SELECT c.id, s.name FROM calls c JOIN ships s ON s.id = c.ship_id WHERE c.at >= $1;
-- What is cleaned up is what is old.
--> quiet
-- name: RemoveOldCalls :exec
DELETE FROM calls WHERE at < $1;
--> quiet
-- name: CallsAfter :many
SELECT id, ship_id, note FROM calls WHERE id > $1;
-- A page stands anywhere.
--> quiet
-- name: PageOfCalls :many
SELECT id, at, note FROM calls WHERE (at, id) > ($1, $2) ORDER BY at, id LIMIT 20;
-- The few new ones lie behind all others.
--> index passes (ends)
-- name: PassesSince :many
SELECT id, gate FROM passes WHERE ends > $1;
--> index passes (ends)
-- name: RemoveOldPasses :exec
DELETE FROM passes WHERE ends < $1;
-- All filters of one call belong to one row, and the page stands before it.
--> quiet
-- name: PageOfFiltered :many
SELECT id, note FROM calls
WHERE ($1::int IS NULL OR ship_id = $1) AND ($2::text IS NULL OR cargo = $2) AND ($3::timestamptz IS NULL OR at < $3) AND id > $4
ORDER BY id LIMIT 20;
--> rewrite optional-bound
-- name: PageOfCoalesced :many
SELECT id FROM calls WHERE COALESCE(ship_id = $1, $1 IS NULL) AND COALESCE(cargo = $2, $2 IS NULL) AND COALESCE((at, id) > ($4, $3), $3 IS NULL)
ORDER BY at, id LIMIT 20;
-- A NULL is as good a value as any.
--> quiet
-- name: PassOfGate :many
SELECT id, pad FROM passes WHERE id < 2000 AND ship_id = $1 AND gate IS NOT DISTINCT FROM $2 AND id >= $3 ORDER BY id LIMIT 20;
-- Whom a subquery looks for is of the ship's crew.
--> quiet
-- name: ShipsOfPerson :many
SELECT id FROM ships WHERE name = $1 AND EXISTS (SELECT 1 FROM crews WHERE ship_id = ships.id AND person = $2);

CREATE TABLE berths (code text PRIMARY KEY, depth int NOT NULL);
CREATE TABLE moorings (id bigint PRIMARY KEY, ended_at date, planned_berth text, actual_berth text, pad text NOT NULL);
INSERT INTO berths SELECT 'b' || i, i % 20 FROM generate_series(1, 6000) i;
INSERT INTO moorings SELECT i, CASE WHEN i % 10 = 0 THEN DATE '2026-01-01' END, 'b' || (i % 5000 + 1), 'b' || (i % 4000 + 1), repeat('m', 60) FROM generate_series(1, 12000) i;
CREATE TABLE quays (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO quays SELECT i, 'quay ' || i FROM generate_series(1, 90) i;
CREATE TABLE tallies (id bigint PRIMARY KEY, quay_id int NOT NULL, pad text NOT NULL);
INSERT INTO tallies SELECT i, 1 + i % 60, 'tally ' || i FROM generate_series(1, 400000) i;
CREATE INDEX tallies_quay ON tallies (quay_id);
VACUUM ANALYZE;
--- queries
-- The list is too long for work_mem, and is gone through for each quay: its pages are few, and its time is not.
--> rewrite not-exists
-- name: QuaysWithoutTallies :many
SELECT id FROM quays WHERE id NOT IN (SELECT quay_id FROM tallies);
--> rewrite split-not-exists
-- name: BerthsThatNobodyUses :many
SELECT b.code FROM berths b WHERE NOT EXISTS (SELECT 1 FROM moorings m WHERE m.ended_at IS NULL AND (m.planned_berth = b.code OR m.actual_berth = b.code));
-- One column and two constants: the planner's own anti join.
--> quiet
-- name: BerthsWithoutAnEnd :many
SELECT b.code FROM berths b WHERE NOT EXISTS (SELECT 1 FROM moorings m WHERE m.planned_berth = b.code AND (m.ended_at IS NULL OR m.ended_at > '2027-01-01')) LIMIT 200;

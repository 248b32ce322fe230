CREATE TABLE berths (code text PRIMARY KEY, depth int NOT NULL);
CREATE TABLE moorings (id bigint PRIMARY KEY, ended_at date, planned_berth text, actual_berth text, pad text NOT NULL);
INSERT INTO berths SELECT 'b' || i, i % 20 FROM generate_series(1, 6000) i;
INSERT INTO moorings SELECT i, CASE WHEN i % 10 = 0 THEN DATE '2026-01-01' END, 'b' || (i % 5000 + 1), 'b' || (i % 4000 + 1), repeat('m', 60) FROM generate_series(1, 12000) i;
VACUUM ANALYZE;
--- queries
--> rewrite split-not-exists
-- name: BerthsThatNobodyUses :many
SELECT b.code FROM berths b WHERE NOT EXISTS (SELECT 1 FROM moorings m WHERE m.ended_at IS NULL AND (m.planned_berth = b.code OR m.actual_berth = b.code));
-- One column and two constants: the planner's own anti join.
--> quiet
-- name: BerthsWithoutAnEnd :many
SELECT b.code FROM berths b WHERE NOT EXISTS (SELECT 1 FROM moorings m WHERE m.planned_berth = b.code AND (m.ended_at IS NULL OR m.ended_at > '2027-01-01')) LIMIT 200;

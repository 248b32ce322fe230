-- Ten flags, each set on fifteen early rows of 300,000: a fifth of all samples of 30,000 rows has none of them. The planner then expects
-- one row, and reads the whole table for it in the place of walking along the key to the first.
CREATE FUNCTION early(row_number int, flag int) RETURNS int LANGUAGE sql IMMUTABLE
  AS 'SELECT CASE WHEN row_number <= 1500 AND (row_number + 3 * flag) % 100 = 0 THEN 1 ELSE 0 END';
CREATE TABLE events (
  id bigint PRIMARY KEY,
  actor int NOT NULL,
  kind text NOT NULL,
  happened timestamptz NOT NULL,
  f0 int NOT NULL, f1 int NOT NULL, f2 int NOT NULL, f3 int NOT NULL, f4 int NOT NULL,
  f5 int NOT NULL, f6 int NOT NULL, f7 int NOT NULL, f8 int NOT NULL, f9 int NOT NULL
);
CREATE TABLE actors (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO actors SELECT g, 'actor ' || g FROM generate_series(0, 4999) g;
INSERT INTO events
SELECT g, (g * 701) % 5000, (ARRAY['view', 'view', 'view', 'click', 'buy'])[1 + g % 5],
       timestamptz '2024-01-01' + g * interval '1 minute',
       early(g, 0), early(g, 1), early(g, 2), early(g, 3), early(g, 4), early(g, 5), early(g, 6), early(g, 7), early(g, 8), early(g, 9)
FROM generate_series(1, 300000) g;
CREATE INDEX events_actor ON events (actor);
CREATE INDEX events_happened ON events (happened);

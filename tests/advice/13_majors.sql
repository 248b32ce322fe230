CREATE TABLE parcels (id int PRIMARY KEY, lane smallint NOT NULL, serial int NOT NULL, depot int NOT NULL, weight int NOT NULL, note text);
INSERT INTO parcels SELECT i, i % 4, (i * 7919::bigint % 300000)::int, i % 9000, (i * 31::bigint % 300000)::int, NULL FROM generate_series(1, 300000) i;
CREATE INDEX parcels_lane_serial ON parcels (lane, serial);
CREATE INDEX parcels_depot_weight ON parcels (depot, weight);
CREATE TABLE scans (id int PRIMARY KEY, parcel_id int NOT NULL, gate int NOT NULL, at timestamptz NOT NULL, colour text NOT NULL, pad text NOT NULL);
INSERT INTO scans SELECT i, 1 + i % 30000, i % 5000, timestamptz '2025-01-01' + (i * 7919::bigint % 60000) * interval '1 minute', 'c' || i % 6, repeat('s', 120) FROM generate_series(1, 60000) i;
CREATE TABLE gates (id int PRIMARY KEY, zone int NOT NULL, last_parcel int NOT NULL);
INSERT INTO gates SELECT i, i % 40, 1 + i FROM generate_series(1, 1000) i;
VACUUM ANALYZE;
--- queries
-- From 18 on a B-tree skips over the few values of its first column.
--> index parcels (serial)
--> 18 none
-- name: BySerial :many
SELECT id, lane FROM parcels WHERE serial = $1;
--> index parcels (serial)
--> 18 none
-- name: SerialRange :many
-- @param $1: '4000'
-- @param $2: '4010'
SELECT id, lane FROM parcels WHERE serial BETWEEN $1 AND $2;
-- Over 9,000 values there is nothing to skip.
--> index parcels (weight)
-- name: ByWeight :many
SELECT id, depot FROM parcels WHERE weight = $1;
-- Up to 14 the window is computed to its end before the condition is looked at, whatever gives the order.
--> index scans (at) | scans (at DESC)
--> 14 none
-- name: Newest :many
SELECT id, at FROM (SELECT id, at, row_number() OVER (ORDER BY at DESC) AS place FROM scans) numbered WHERE place <= 10;
-- From 17 on an IN with a correlated subquery is a join, which reads each table once.
--> index scans (gate) | scans (gate, parcel_id) | scans (parcel_id) | scans (parcel_id, gate)
--> 18 none
-- name: Returned :many
SELECT g.id FROM gates g WHERE g.last_parcel IN (SELECT s.parcel_id FROM scans s WHERE s.gate = g.id);
-- From 16 on DISTINCT over what is the same in every row ends at the first.
--> index scans (colour)
--> 18 none
-- name: HasColour :many
-- @param $1: 'c3'
SELECT DISTINCT colour FROM scans WHERE colour = $1;
-- The same on every version: an index by the column that finds a row.
--> index scans (parcel_id)
-- name: OfParcel :many
SELECT id, at FROM scans WHERE parcel_id = $1;
--> none
-- name: Zones :many
SELECT zone, count(*) FROM gates GROUP BY zone;

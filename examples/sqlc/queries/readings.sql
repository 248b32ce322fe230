-- name: LatestReadings :many
SELECT measured_at, temperature, quality
FROM readings
WHERE station_id = $1
ORDER BY measured_at DESC
LIMIT 24;

-- name: RecordReadings :exec
INSERT INTO readings (station_id, measured_at, temperature, quality)
SELECT unnest(@station_ids::bigint[]), unnest(@times::timestamptz[]), unnest(@temperatures::numeric[]),
    unnest(@qualities::text[])::reading_quality;

-- name: CountByQuality :one
SELECT count(*) FROM readings WHERE quality = @quality::text::reading_quality AND measured_at >= @since;

-- name: StationByCode :one
SELECT id, code, elevation_m FROM stations WHERE code = $1;

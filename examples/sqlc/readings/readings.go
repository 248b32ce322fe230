// Package readings asks the queries of ../queries. sqlc generates such a package from sqlc.yaml; this one is as short as
// the example needs.
package readings

import (
	"context"
	"database/sql"
	"time"
)

// Queries runs on a database or in a transaction.
type Queries struct{ DB *sql.DB }

const stationByCode = `-- name: StationByCode :one
SELECT id, code, elevation_m FROM stations WHERE code = $1`

// Station is a row of stations.
type Station struct {
	ID        int64
	Code      string
	Elevation int32
}

// StationByCode finds a station.
func (q *Queries) StationByCode(ctx context.Context, code string) (Station, error) {
	var found Station
	err := q.DB.QueryRowContext(ctx, stationByCode, code).Scan(&found.ID, &found.Code, &found.Elevation)
	return found, err
}

const latestReadings = `-- name: LatestReadings :many
SELECT measured_at, temperature, quality
FROM readings
WHERE station_id = $1
ORDER BY measured_at DESC
LIMIT 24`

// Reading is what a station measured.
type Reading struct {
	MeasuredAt  time.Time
	Temperature float64
	Quality     string
}

// LatestReadings lists a station's last day.
func (q *Queries) LatestReadings(ctx context.Context, station int64) ([]Reading, error) {
	rows, err := q.DB.QueryContext(ctx, latestReadings, station)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Reading
	for rows.Next() {
		var one Reading
		if err := rows.Scan(&one.MeasuredAt, &one.Temperature, &one.Quality); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

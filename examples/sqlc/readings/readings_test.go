package readings

import (
	"context"
	"database/sql"
	"os"
	"testing"

	_ "github.com/lib/pq"
)

func TestAStationShowsItsLastDay(t *testing.T) {
	db, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	var code string
	if err := db.QueryRowContext(ctx, "SELECT code FROM stations ORDER BY id LIMIT 1").Scan(&code); err != nil {
		t.Fatal(err)
	}
	queries := &Queries{DB: db}
	station, err := queries.StationByCode(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	latest, err := queries.LatestReadings(ctx, station.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(latest) > 24 {
		t.Fatalf("%d readings of a day", len(latest))
	}
}

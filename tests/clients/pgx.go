// A list and its authors: one query for each row, or one for all of them.
package main

import (
	"context"
	"os"

	"github.com/jackc/pgx/v4"
)

func main() {
	ctx := context.Background()
	db, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	must(err)
	defer db.Close(ctx)
	rows, err := db.Query(ctx, "SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1", 15)
	must(err)
	authors := []int64{}
	for rows.Next() {
		var id, author int64
		must(rows.Scan(&id, &author))
		authors = append(authors, author)
	}
	var name string
	if os.Args[1] == "loop" {
		for _, author := range authors {
			must(db.QueryRow(ctx, "SELECT name FROM authors WHERE id = $1", author).Scan(&name))
		}
		return
	}
	found, err := db.Query(ctx, "SELECT id, name FROM authors WHERE id = ANY ($1)", authors)
	must(err)
	found.Close()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

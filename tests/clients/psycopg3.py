"""A list and its authors: one query for each row, or one for all of them."""
import os, sys, psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as db:
    posts = db.execute("SELECT id, author_id FROM posts ORDER BY title, id LIMIT %s", (15,)).fetchall()
    if sys.argv[1] == "loop":
        for _, author in posts:
            db.execute("SELECT name FROM authors WHERE id = %s", (author,)).fetchall()
    else:
        db.execute("SELECT id, name FROM authors WHERE id = ANY (%s)", ([author for _, author in posts],)).fetchall()

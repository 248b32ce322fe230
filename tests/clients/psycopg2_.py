"""A list and its authors: one query for each row, or one for all of them."""
import os, sys, psycopg2

with psycopg2.connect(os.environ["DATABASE_URL"]) as db, db.cursor() as cursor:
    cursor.execute("SELECT id, author_id FROM posts ORDER BY title, id LIMIT %s", (15,))
    posts = cursor.fetchall()
    if sys.argv[1] == "loop":
        for _, author in posts:
            cursor.execute("SELECT name FROM authors WHERE id = %s", (author,))
            cursor.fetchall()
    else:
        cursor.execute("SELECT id, name FROM authors WHERE id IN %s", (tuple(author for _, author in posts),))
        cursor.fetchall()

"""A list and its authors: one query for each row, or one for all of them."""
import asyncio, os, sys, asyncpg

async def main():
    db = await asyncpg.connect(os.environ["DATABASE_URL"])
    posts = await db.fetch("SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1", 15)
    if sys.argv[1] == "loop":
        for post in posts:
            await db.fetch("SELECT name FROM authors WHERE id = $1", post["author_id"])
    else:
        await db.fetch("SELECT id, name FROM authors WHERE id = ANY ($1)", [post["author_id"] for post in posts])
    await db.close()

asyncio.run(main())

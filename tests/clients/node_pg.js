// A list and its authors: one query for each row, or one for all of them.
const { Client } = require("pg");

async function main() {
  const db = new Client({ connectionString: process.env.DATABASE_URL });
  await db.connect();
  const { rows } = await db.query("SELECT id, author_id FROM posts ORDER BY title, id LIMIT $1", [15]);
  const authors = rows.map((row) => row.author_id);
  if (process.argv[2] === "loop") {
    for (const author of authors) await db.query("SELECT name FROM authors WHERE id = $1", [author]);
  } else {
    await db.query("SELECT id, name FROM authors WHERE id = ANY ($1)", [authors]);
  }
  await db.end();
}

main().catch((error) => { console.error(error); process.exit(1); });

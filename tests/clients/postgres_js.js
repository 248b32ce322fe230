// A list and its authors: one query for each row, all of them in one pipeline, or one query for all.
const postgres = require("postgres");

async function main() {
  const sql = postgres(process.env.DATABASE_URL, { max: 1 });
  const posts = await sql`SELECT id, author_id FROM posts ORDER BY title, id LIMIT ${15}`;
  if (process.argv[2] === "loop") {
    await Promise.all(posts.map((post) => sql`SELECT name FROM authors WHERE id = ${post.author_id}`));
  } else {
    await sql`SELECT id, name FROM authors WHERE id = ANY (${posts.map((post) => post.author_id)})`;
  }
  await sql.end();
}

main().catch((error) => { console.error(error); process.exit(1); });

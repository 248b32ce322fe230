// A list and its authors by Drizzle: one query for each row, or a join.
const { drizzle } = require("drizzle-orm/node-postgres");
const { pgTable, bigint, text } = require("drizzle-orm/pg-core");
const { asc, eq } = require("drizzle-orm");
const { Client } = require("pg");

const authors = pgTable("authors", { id: bigint({ mode: "number" }).primaryKey(), name: text().notNull() });
const posts = pgTable("posts", {
  id: bigint({ mode: "number" }).primaryKey(),
  authorId: bigint("author_id", { mode: "number" }).notNull(),
  title: text().notNull(),
});

async function main() {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  const db = drizzle(client);
  if (process.argv[2] === "loop") {
    const rows = await db.select().from(posts).orderBy(asc(posts.title), asc(posts.id)).limit(15);
    for (const row of rows) await db.select({ name: authors.name }).from(authors).where(eq(authors.id, row.authorId));
  } else {
    await db.select().from(posts).innerJoin(authors, eq(authors.id, posts.authorId)).orderBy(asc(posts.title), asc(posts.id)).limit(15);
  }
  await client.end();
}

main().catch((error) => { console.error(error); process.exit(1); });

// Asks each query once, as a test suite would.
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { revenueOf, sell, ticketsOf } from "./queries.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const db = drizzle(pool);
await ticketsOf(db, "ada@example.com");
await revenueOf(db, 1);
const { rows } = await pool.query("SELECT id FROM events ORDER BY id LIMIT 1");
await sell(db, rows[0].id, "ada@example.com", "25.00");
await pool.end();

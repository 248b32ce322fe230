// What the application asks of its database.
import { desc, eq, sql } from "drizzle-orm";
import { events, tickets } from "./schema.js";

// Without an index on the address: what the audit should find.
export const ticketsOf = (db, email) =>
  db.select().from(tickets).innerJoin(events, eq(tickets.eventId, events.id))
    .where(eq(tickets.holderEmail, email)).orderBy(desc(tickets.soldAt)).limit(20);

export const revenueOf = (db, eventId) =>
  db.select({ total: sql`sum(${tickets.price})` }).from(tickets).where(eq(tickets.eventId, eventId));

export const sell = (db, eventId, holderEmail, price) =>
  db.insert(tickets).values({ eventId, holderEmail, price, soldAt: new Date() }).returning();

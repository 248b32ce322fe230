// Events and the tickets that were sold for them.
import { bigint, bigserial, numeric, pgTable, text, timestamp } from "drizzle-orm/pg-core";

export const events = pgTable("events", {
  id: bigserial({ mode: "number" }).primaryKey(),
  name: text().notNull(),
  venue: text().notNull(),
  startsAt: timestamp("starts_at", { withTimezone: true }).notNull(),
});

export const tickets = pgTable("tickets", {
  id: bigserial({ mode: "number" }).primaryKey(),
  eventId: bigint("event_id", { mode: "number" }).notNull().references(() => events.id),
  holderEmail: text("holder_email").notNull(),
  price: numeric({ precision: 10, scale: 2 }).notNull(),
  soldAt: timestamp("sold_at", { withTimezone: true }).notNull(),
});

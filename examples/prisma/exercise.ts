// Asks each query once, as a test suite would.
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client";

const db = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) });

// Without an index on the guest: what the audit should find.
await db.booking.findMany({ where: { guest: "Ada Byron" }, orderBy: { arrives: "desc" }, take: 20, include: { room: true } });
const room = await db.room.findFirstOrThrow({ orderBy: { id: "asc" } });
await db.booking.aggregate({ where: { roomId: room.id }, _sum: { nights: true } });
await db.booking.create({ data: { roomId: room.id, guest: "Ada Byron", arrives: new Date("2026-07-01"), nights: 2 } });
await db.$disconnect();

CREATE TABLE "events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"venue" text NOT NULL,
	"starts_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tickets" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"event_id" bigint NOT NULL REFERENCES "events" ("id"),
	"holder_email" text NOT NULL,
	"price" numeric(10, 2) NOT NULL,
	"sold_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "tickets_event_id" ON "tickets" ("event_id");

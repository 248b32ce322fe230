CREATE SCHEMA shop;
CREATE TYPE shop.status AS ENUM ('new', 'paid', 'it''s');
CREATE DOMAIN shop.cents AS bigint NOT NULL DEFAULT 0 CHECK (VALUE >= 0) CONSTRAINT low CHECK (VALUE < 1000000);
CREATE DOMAIN shop.price AS shop.cents;
CREATE TYPE shop.address AS (street text, postcode varchar(16));
CREATE TYPE shop.span AS RANGE (subtype = numeric);
CREATE SEQUENCE shop.numbers;

CREATE TABLE shop."Customers" (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email  text COLLATE "C" NOT NULL,
    home   shop.address,
    gone   int,
    tags   varchar(20)[] NOT NULL DEFAULT '{}',
    loud   text GENERATED ALWAYS AS (upper(email)) STORED,
    CONSTRAINT customers_email_key UNIQUE (email) DEFERRABLE INITIALLY DEFERRED,
    CHECK (email LIKE '%@%')
);
ALTER TABLE shop."Customers" DROP COLUMN gone;
ALTER TABLE shop."Customers" ENABLE ROW LEVEL SECURITY;
CREATE INDEX by_mail ON shop."Customers" (lower(email), email text_pattern_ops, email COLLATE "POSIX" DESC NULLS LAST)
    INCLUDE (tags) WHERE home IS NOT NULL;

CREATE TABLE orders (
    a serial,
    b int NOT NULL DEFAULT nextval('shop.numbers'),
    customer bigint NOT NULL,
    status shop.status,
    price shop.price,
    during tstzrange,
    rooms int4range,
    spans shop.span,
    parent_a int,
    parent_b int,
    PRIMARY KEY (b, a),
    FOREIGN KEY (customer) REFERENCES shop."Customers" DEFERRABLE,
    CONSTRAINT busy EXCLUDE USING gist (rooms WITH =, during WITH &&) WHERE (status <> 'new')
);
ALTER TABLE orders ADD CONSTRAINT parent FOREIGN KEY (parent_b, parent_a) REFERENCES orders MATCH FULL NOT VALID;
CREATE STATISTICS orders_stats (dependencies) ON a, customer FROM orders;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER on_insert BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER on_update BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER off BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE orders DISABLE TRIGGER off;

CREATE TABLE events (id bigint, at timestamptz NOT NULL, kind text NOT NULL, PRIMARY KEY (id, at, kind))
    PARTITION BY RANGE (at);
CREATE TABLE events_x PARTITION OF events DEFAULT;
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z') PARTITION BY LIST (kind);
CREATE TABLE events_1_a PARTITION OF events_1 FOR VALUES IN ('a', 'b');
CREATE TABLE notes (event_id bigint, event_at timestamptz, event_kind text,
    FOREIGN KEY (event_id, event_at, event_kind) REFERENCES events);
CREATE TABLE hashed (x int, y text) PARTITION BY HASH (lower(y), x);

CREATE TABLE base (x int CHECK (x > 0));
CREATE TABLE derived (y int) INHERITS (base);
CREATE TEMP TABLE passing (x int);
CREATE TABLE _sqlx_migrations (version bigint);
CREATE VIEW watching AS SELECT * FROM base;

INSERT INTO base SELECT 1 + i % 4 FROM generate_series(1, 100) i;
INSERT INTO base VALUES (NULL);
ANALYZE base;

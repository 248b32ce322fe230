-- 60,000 accounts, 200,000 orders of which one account holds a sixth, 120,000 events in months; names that need quotes.
SELECT setseed(0.42);

CREATE TYPE tier AS ENUM ('free', 'pro', 'team');
CREATE DOMAIN handle AS varchar(40);

CREATE TABLE accounts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      varchar(120) NOT NULL,
    handle     handle NOT NULL,
    name       text NOT NULL,
    tier       tier NOT NULL,
    active     boolean NOT NULL,
    settings   jsonb NOT NULL,
    tags       text[] NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO accounts (email, handle, name, tier, active, settings, tags, created_at)
SELECT 'User' || i || '@example.com', 'h' || i, 'Name ' || md5(i::text), (ARRAY['free', 'free', 'free', 'pro', 'team'])[1 + i % 5]::tier,
       i % 3 > 0, jsonb_build_object('theme', 't' || i % 2000, 'size', i % 7, 'pad', repeat('x', 60)), ARRAY['t' || i % 3000, 'all'],
       timestamptz '2024-01-01' + i * interval '7 minutes'
FROM generate_series(1, 60000) i;

CREATE TABLE "Order" (
    "Id"       bigserial PRIMARY KEY,
    "Customer" bigint NOT NULL REFERENCES accounts,
    number     varchar(20) NOT NULL UNIQUE,
    status     varchar(12) NOT NULL CHECK (status IN ('open', 'paid', 'sent', 'void')),
    placed_at  timestamptz NOT NULL,
    closed_at  timestamptz,
    total      integer NOT NULL,
    note       text NOT NULL DEFAULT repeat('n', 40),
    CHECK (closed_at >= placed_at)
);
INSERT INTO "Order" ("Customer", number, status, placed_at, closed_at, total)
SELECT CASE WHEN i % 6 = 0 THEN 7 ELSE 1 + i * 7919::bigint % 60000 END, 'N' || i,
       (ARRAY['sent', 'sent', 'sent', 'paid', 'paid', 'open'])[1 + i % 6], timestamptz '2024-01-01' + i * interval '3 minutes',
       CASE WHEN i % 10 > 0 THEN timestamptz '2024-01-02' + i * interval '3 minutes' END, i % 997
FROM generate_series(1, 200000) i;
UPDATE "Order" SET status = 'void' WHERE "Id" % 400 = 0;

CREATE TABLE lines (
    order_id bigint NOT NULL REFERENCES "Order" ON DELETE CASCADE,
    line     smallint NOT NULL,
    sku      text NOT NULL,
    PRIMARY KEY (order_id, line)
);
INSERT INTO lines SELECT i, 1, 'S' || i % 500 FROM generate_series(1, 100000) i;
-- One note names goods that few lines have.
UPDATE "Order" SET note = 'rare goods' WHERE number = 'N77';
UPDATE lines SET sku = 'rare goods' WHERE order_id % 50000 = 5;

CREATE TABLE links (
    account_id bigint NOT NULL REFERENCES accounts,
    order_id   bigint NOT NULL REFERENCES "Order",
    PRIMARY KEY (account_id, order_id)
);
INSERT INTO links SELECT 1 + i * 31 % 60000, i FROM generate_series(1, 5000) i;

CREATE TABLE events (
    at      timestamptz NOT NULL,
    actor   bigint NOT NULL,
    kind    text NOT NULL,
    body    text NOT NULL,
    search  tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED
) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO events (at, actor, kind, body)
SELECT timestamptz '2024-01-01' + i * interval '1 minute', i % 8000, 'k' || i % 4, 'word' || i % 5000 || ' common text of some length'
FROM generate_series(1, 120000) i;

CREATE VIEW paying AS SELECT id AS account, email AS address, created_at AS since FROM accounts WHERE tier <> 'free';

VACUUM ANALYZE;

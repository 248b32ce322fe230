CREATE TYPE mood AS ENUM ('low', 'high', 'spare');
CREATE DOMAIN label AS text;
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, city text NOT NULL, feeling mood NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL, total int NOT NULL, code varchar(20) NOT NULL,
    amount numeric(8, 2) NOT NULL, note text NOT NULL, placed timestamptz NOT NULL, seen timestamptz(3), payload jsonb NOT NULL, heard timestamptz
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_placed_idx ON orders (placed);
CREATE INDEX orders_amount_idx ON orders (amount);
ALTER TABLE orders ADD CONSTRAINT orders_code_key UNIQUE (code);
ALTER TABLE orders ADD CONSTRAINT total_sane CHECK (total >= 0);
CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL, product int NOT NULL, quantity int NOT NULL);
CREATE INDEX items_order_idx ON items (order_id);
CREATE TABLE archive (id bigint NOT NULL, customer_id bigint NOT NULL, total int NOT NULL);
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, kind int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
CREATE INDEX events_kind_idx ON events (kind);
CREATE TABLE journal (id bigint PRIMARY KEY, line text);
CREATE VIEW large_orders AS SELECT id, customer_id, total FROM orders WHERE total >= 990;
CREATE FUNCTION with_tax(amount int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT amount + amount / 5';
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE SEQUENCE numbers;

INSERT INTO customers SELECT n, 'c' || n || '@example.com', 'city' || n % 200, CASE WHEN n % 2 = 0 THEN 'low' ELSE 'high' END::mood
FROM generate_series(1, 20000) n;
INSERT INTO orders
SELECT n, 1 + (n::bigint * 7919) % 20000, CASE WHEN n % 400 = 0 THEN 'lost' ELSE 'done' END, (n * 31) % 1000, 'k' || n, n % 900,
       repeat('x', 60 + n % 20), '2025-01-01 00:00+00'::timestamptz + n * interval '1 min', '2025-01-01 00:00+00'::timestamptz + n * interval '1 min',
       jsonb_build_object('k', n % 1000)
FROM generate_series(1, 40000) n;
INSERT INTO items SELECT n, 1 + (n::bigint * 104729) % 40000, n % 500, 1 + n % 9 FROM generate_series(1, 40000) n;
INSERT INTO archive SELECT n, 1 + n % 20000, n % 1000 FROM generate_series(1, 30000) n;
INSERT INTO events SELECT n, DATE '2025-01-01' + n % 59, n % 400 FROM generate_series(1, 30000) n;
INSERT INTO journal SELECT n, 'line ' || n FROM generate_series(1, 1000) n;
ANALYZE;

-- What every labelled statement runs on. Deterministic.
CREATE DOMAIN price AS int CHECK (VALUE >= 0);
CREATE DOMAIN label AS text;
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL, city varchar(40), born date);
INSERT INTO customers SELECT n, 'c' || n, 'city' || n % 10, DATE '1980-01-01' + n % 9000 FROM generate_series(1, 2000) n;
CREATE INDEX customers_email_idx ON customers (email);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL, total int NOT NULL DEFAULT 7, code varchar(20), note text,
    amount numeric(8, 2), at timestamp, seen timestamptz, flags varbit(8), cost price, state mood
);
INSERT INTO orders
SELECT n, 1 + n % 2000, n % 500, 'o' || n, repeat('x', n % 40), n % 90, TIMESTAMP '2024-01-01' + n * interval '1 min',
       TIMESTAMPTZ '2024-01-01 00:00+00' + n * interval '1 min', B'1010', n % 9, 'low'
FROM generate_series(1, 20000) n;
CREATE INDEX orders_note_idx ON orders (note);
CREATE INDEX orders_total_idx ON orders (total);
CREATE UNIQUE INDEX orders_code_idx ON orders (code);
ALTER TABLE orders ADD CONSTRAINT late CHECK (total < 9000) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT note_there CHECK (note IS NOT NULL);
CREATE TABLE ledger AS SELECT n AS id, n % 500 AS total FROM generate_series(1, 3000) n;
CREATE VIEW big_orders AS SELECT id, total FROM ledger WHERE total > 400;
CREATE MATERIALIZED VIEW totals AS SELECT total, max(id) AS newest FROM ledger GROUP BY total;
CREATE UNIQUE INDEX totals_idx ON totals (total);
CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE log (at int NOT NULL, line text);
INSERT INTO log SELECT n, 'l' || n FROM generate_series(1, 5000) n;
CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, region text) PARTITION BY RANGE (at);
CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
INSERT INTO events SELECT n, DATE '2023-01-01' + n % 700, 'r' || n % 5 FROM generate_series(1, 5000) n;
CREATE TABLE events_2025 (id bigint NOT NULL, at date NOT NULL, region text);
INSERT INTO events_2025 SELECT n, DATE '2025-01-01' + n % 300, 'r' FROM generate_series(1, 2000) n;
CREATE SEQUENCE numbers;

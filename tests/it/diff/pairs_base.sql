-- What every plan pair starts from. Deterministic, no random(), vacuumed by the runner.
CREATE TABLE customers (id int PRIMARY KEY, email text NOT NULL UNIQUE, country text NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO customers
SELECT n, 'c' || n || '@example.com', (ARRAY['DE','FR','US','GB','IT'])[1 + n % 5], '2024-01-01'::timestamptz + n * interval '10 min'
FROM generate_series(1, 20000) n;

CREATE TABLE orders (
    id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, total int NOT NULL,
    placed_at timestamptz NOT NULL, note text, attributes jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO orders
SELECT n, 1 + (n::bigint * 7919) % 20000, (ARRAY['open','paid','sent','done','done','done'])[1 + n % 6], (n * 31) % 1000,
       '2024-01-01'::timestamptz + n * interval '3 min', repeat('x', 20 + n % 60), jsonb_build_object('k', n % 1000)
FROM generate_series(1, 100000) n;
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
CREATE INDEX orders_placed_at_idx ON orders (placed_at);

CREATE TABLE products (id int PRIMARY KEY, sku text NOT NULL, category int NOT NULL, price int NOT NULL);
INSERT INTO products SELECT n, 'sku-' || n, n % 50, (n * 17) % 900 FROM generate_series(1, 5000) n;

CREATE TABLE items (id int PRIMARY KEY, order_id int NOT NULL, product_id int NOT NULL, quantity int NOT NULL);
INSERT INTO items SELECT n, 1 + (n::bigint * 104729) % 100000, 1 + (n::bigint * 7919) % 5000, 1 + n % 9 FROM generate_series(1, 150000) n;
CREATE INDEX items_order_id_idx ON items (order_id);

CREATE TABLE employees (id int PRIMARY KEY, manager_id int, name text NOT NULL, badge text NOT NULL);
INSERT INTO employees SELECT n, n / 10, 'e' || n, 'b' || n FROM generate_series(1, 20000) n;
CREATE INDEX employees_badge_idx ON employees (badge);

CREATE TABLE events (id int NOT NULL, at timestamptz NOT NULL, kind int NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_01 PARTITION OF events FOR VALUES FROM ('2025-01-01 00:00+00') TO ('2025-02-01 00:00+00');
CREATE TABLE events_02 PARTITION OF events FOR VALUES FROM ('2025-02-01 00:00+00') TO ('2025-03-01 00:00+00');
CREATE TABLE events_03 PARTITION OF events FOR VALUES FROM ('2025-03-01 00:00+00') TO ('2025-04-01 00:00+00');
INSERT INTO events
SELECT n, '2025-01-01 00:00+00'::timestamptz + n * interval '86 s', n % 40 FROM generate_series(1, 90000) n
WHERE '2025-01-01 00:00+00'::timestamptz + n * interval '86 s' < '2025-04-01 00:00+00';
CREATE INDEX events_kind_at_idx ON events (kind, at);

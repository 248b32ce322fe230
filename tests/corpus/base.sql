-- The database that every case of the corpus runs on: small enough to load in seconds, large enough that plans differ.
SET client_min_messages = warning;
CREATE TABLE customers (
    id bigint PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    city text NOT NULL,
    country text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO customers
SELECT i, 'user' || i || '@example.com', 'Customer ' || i, 'city ' || i % 500, 'country ' || i % 500 / 10,
       CASE WHEN i % 12 = 0 THEN 'blocked' ELSE 'active' END, timestamptz '2023-01-01 00:00 UTC' + i * interval '20 minutes'
FROM generate_series(1, 40000) i;

-- One customer in a thousand holds a fifth of all orders; customer_id has an index, created_at has none.
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status text NOT NULL,
    total numeric(10, 2) NOT NULL,
    note text,
    created_at timestamptz NOT NULL
);
INSERT INTO orders
SELECT i, CASE WHEN i % 5 = 0 THEN 7 ELSE 1 + (i * 7919) % 40000 END,
       (ARRAY['paid', 'paid', 'paid', 'shipped', 'shipped', 'cancelled', 'open'])[1 + i * 31 % 7],
       (i * 17 % 100000) / 100.0, repeat('n', 60 + i % 40), timestamptz '2024-01-01 00:00 UTC' + i * interval '2 minutes'
FROM generate_series(1, 200000) i;
CREATE INDEX orders_customer_id_idx ON orders (customer_id);

-- No index on order_id: a foreign key without one.
CREATE TABLE order_items (
    id bigint PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders,
    product_id bigint NOT NULL,
    quantity int NOT NULL,
    price numeric(10, 2) NOT NULL
);
INSERT INTO order_items
SELECT i, 1 + (i * 104729::bigint) % 200000, 1 + (i * 13) % 2000, 1 + i % 5, (i * 7 % 10000) / 100.0
FROM generate_series(1, 300000) i;

CREATE TABLE products (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    brand text NOT NULL,
    attributes jsonb NOT NULL,
    price numeric(10, 2) NOT NULL
);
-- The brand decides the category: the planner takes them for independent.
INSERT INTO products
SELECT i, 'Product ' || md5(i::text), 'category ' || i % 200 / 5, 'brand ' || i % 200,
       jsonb_build_object('color', (ARRAY['red', 'green', 'blue'])[1 + i % 3], 'weight', i % 100), (i * 3 % 9000) / 100.0
FROM generate_series(1, 30000) i;

-- A small table that nobody needs an index for.
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
INSERT INTO countries SELECT 'country ' || i, 'Country number ' || i FROM generate_series(0, 49) i;

CREATE TABLE events (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    kind text NOT NULL,
    happened_at timestamptz NOT NULL,
    payload text NOT NULL
) PARTITION BY RANGE (happened_at);
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01 UTC') TO ('2024-02-01 UTC');
CREATE TABLE events_2024_02 PARTITION OF events FOR VALUES FROM ('2024-02-01 UTC') TO ('2024-03-01 UTC');
CREATE TABLE events_2024_03 PARTITION OF events FOR VALUES FROM ('2024-03-01 UTC') TO ('2024-04-01 UTC');
CREATE TABLE events_2024_04 PARTITION OF events FOR VALUES FROM ('2024-04-01 UTC') TO ('2024-05-01 UTC');
INSERT INTO events
SELECT i, 1 + i * 31 % 40000, 'kind ' || i % 20, timestamptz '2024-01-01 00:00 UTC' + i * interval '52 seconds', repeat('p', 50)
FROM generate_series(1, 200000) i;
CREATE INDEX events_customer_id_idx ON events (customer_id);


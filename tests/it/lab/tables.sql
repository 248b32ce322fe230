CREATE TABLE countries (code text NOT NULL, name text NOT NULL);
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    country text NOT NULL,
    email text,
    tags text[],
    joined timestamptz NOT NULL
);
CREATE TYPE status AS ENUM ('new', 'paid', 'sent', 'done');
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL,
    status status,
    total numeric(12, 2) NOT NULL,
    placed timestamptz NOT NULL,
    note varchar(80)
);
CREATE TABLE items (
    order_id bigint NOT NULL,
    line smallint NOT NULL,
    product integer NOT NULL,
    quantity integer NOT NULL
);
CREATE TABLE events (day date NOT NULL, customer_id bigint NOT NULL, kind text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
-- indexes
ALTER TABLE countries ADD PRIMARY KEY (code);
ALTER TABLE customers ADD PRIMARY KEY (id), ADD FOREIGN KEY (country) REFERENCES countries;
CREATE UNIQUE INDEX customers_email ON customers (email);
CREATE INDEX customers_lower_name ON customers (lower(name));
CREATE INDEX customers_tags ON customers USING gin (tags);
ALTER TABLE orders ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer_id) REFERENCES customers;
CREATE INDEX orders_customer ON orders (customer_id, placed);
CREATE INDEX orders_placed ON orders (placed);
CREATE STATISTICS items_parts (ndistinct, dependencies) ON product, quantity, (line + quantity) FROM items;
CREATE INDEX orders_open ON orders (placed) WHERE status = 'new';
ALTER TABLE items ADD PRIMARY KEY (order_id, line), ADD FOREIGN KEY (order_id) REFERENCES orders;
CREATE INDEX items_product ON items (product);
CREATE INDEX events_customer ON events (customer_id, day);

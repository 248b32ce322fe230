CREATE TABLE sales (
    id bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    bucket integer NOT NULL,
    day date NOT NULL,
    amount integer NOT NULL,
    payload text NOT NULL
);
CREATE TABLE kinds (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE steps (id integer PRIMARY KEY, weight integer NOT NULL, filler text NOT NULL);
INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(1, 200) i;
INSERT INTO sales
SELECT i,
       CASE WHEN i % 10 = 0 THEN 0 ELSE 1 + (i * 7919::bigint) % ({rows} / 10) END,
       (i * 104729::bigint) % floor(sqrt({rows}))::bigint,
       '2020-01-01'::date + (i * 1000::bigint / {rows})::integer,
       (i * 31337::bigint) % 1000,
       repeat('x', 50)
FROM generate_series(1, {rows}) i;
INSERT INTO steps SELECT i, (i * 7919) % {steps}, repeat('y', 60) FROM generate_series(1, {steps}) i;
CREATE INDEX sales_customer ON sales (customer_id);
CREATE INDEX sales_bucket ON sales (bucket);
CREATE INDEX sales_day ON sales (day);

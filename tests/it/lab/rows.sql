INSERT INTO countries SELECT 'C' || i, 'country ' || i FROM generate_series(1, 40) i;
INSERT INTO customers (name, country, email, tags, joined)
SELECT 'Name ' || (i * 7919::bigint) % 50000, 'C' || 1 + (i::bigint * i) % 40, CASE WHEN i % 10 > 0 THEN 'mail' || i || '@example.org' END,
       ARRAY['t' || i % 50, 'u' || i % 7], '2020-01-01'::timestamptz + (i::bigint * 86400000 / {customers}) * interval '1 second'
FROM generate_series(1, {customers}) i;
INSERT INTO orders (customer_id, status, total, placed, note)
SELECT 1 + (i * 7919::bigint + i / 3) % {customers},
       CASE WHEN i % 1000 = 0 THEN NULL WHEN i % 100 = 0 THEN 'new' WHEN i % 7 = 0 THEN 'paid' WHEN i % 3 = 0 THEN 'sent' ELSE 'done' END::status,
       (i * 31337::bigint) % 100000 / 100.0,
       '2023-01-01'::timestamptz + (i::bigint * 63072000 / ({customers} * 10)) * interval '1 second',
       CASE WHEN i % 20 = 0 THEN 'note ' || i END
FROM generate_series(1, {customers} * 10) i;
INSERT INTO items SELECT i / 2 + 1, i % 2, (i * 7919::bigint) % 5000, 1 + i % 3 FROM generate_series(0, {customers} * 20 - 1) i;
INSERT INTO events SELECT '2023-01-01'::date + i % 730, 1 + (i * 104729::bigint) % {customers}, 'k' || i % 12 FROM generate_series(1, {customers} * 5) i;

-- What one writes by hand. $1 is the number of rows.
INSERT INTO narrow
SELECT i, 1 + (random() * 99999)::int, (ARRAY['paid', 'paid', 'open', 'void'])[1 + (random() * 3)::int], 1 + (random() * 89)::int,
       (random() * 5000)::numeric(10,2), timestamptz '2023-01-01' + random() * interval '1095 days'
FROM generate_series(1, $1) AS i;
INSERT INTO wide
SELECT i, 'user' || i || '@example.com', 'Name ' || md5(i::text), '+1-555-' || lpad((i % 10000000)::text, 7, '0'), (i % 900) || ' Main Street',
       'City ' || i % 5000, 'US', random() < 0.9, (random() * 10000)::numeric(12,2), gen_random_uuid(),
       CASE WHEN random() < 0.8 THEN ('10.' || i % 250 || '.' || i / 250 % 250 || '.1')::inet END,
       jsonb_build_object('theme', 'dark', 'size', i % 7),
       CASE WHEN random() < 0.7 THEN repeat(md5(i::text), 2) END,
       timestamptz '2023-01-01' + random() * interval '1095 days', timestamptz '2026-01-01' + random() * interval '90 days'
FROM generate_series(1, $1) AS i;

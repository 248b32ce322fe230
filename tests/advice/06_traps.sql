CREATE EXTENSION pg_trgm;
CREATE TABLE goods (id int PRIMARY KEY, sku text NOT NULL UNIQUE, kind text NOT NULL, price int NOT NULL, at timestamptz NOT NULL, tags text[] NOT NULL,
  spot point NOT NULL, note text, name text NOT NULL, open boolean NOT NULL, pad text NOT NULL);
INSERT INTO goods SELECT i, 'K' || i, (ARRAY['a','a','a','b','c'])[1 + i % 5], i % 2000, timestamptz '2024-01-01' + (i * 7919::bigint % 80000) * interval '5 minutes',
  ARRAY['t' || i % 4000], point(i % 1009, i % 997), CASE WHEN i % 3 = 0 THEN 'n' END, 'Name ' || md5(i::text), i % 100 = 0, repeat('g', 50)
  FROM generate_series(1, 80000) i;
CREATE INDEX goods_price ON goods (price, at);
CREATE INDEX goods_at ON goods (at DESC NULLS LAST);
CREATE INDEX goods_tags ON goods USING gin (tags);
CREATE INDEX goods_spot ON goods USING gist (spot);
CREATE INDEX goods_open ON goods (id) WHERE open;
CREATE INDEX goods_name_trgm ON goods USING gin (name gin_trgm_ops);
CREATE INDEX goods_lower ON goods (lower(sku));
CREATE TABLE tiny (id int PRIMARY KEY, code text NOT NULL); INSERT INTO tiny SELECT i, 'c' || i FROM generate_series(1, 300) i;
CREATE TABLE sales (id int NOT NULL, day date NOT NULL, good_id int NOT NULL, qty int NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE sales_2 PARTITION OF sales FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE sales_3 PARTITION OF sales FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO sales SELECT i, date '2024-01-01' + i % 90, i % 500, i % 9 FROM generate_series(1, 150000) i;
CREATE TABLE owners (id int PRIMARY KEY, name text NOT NULL); INSERT INTO owners SELECT i, 'o' || i FROM generate_series(1, 1000) i;
CREATE TABLE pets (id int PRIMARY KEY, owner_id int REFERENCES owners, name text NOT NULL, pad text NOT NULL);
INSERT INTO pets SELECT i, 1 + i % 1000, 'p' || i, repeat('p', 80) FROM generate_series(1, 80000) i;
CREATE MATERIALIZED VIEW per_kind AS SELECT kind, count(*) AS n FROM goods GROUP BY kind;
VACUUM ANALYZE;
--- queries
--> none
-- name: ByUnique :one
SELECT id FROM goods WHERE sku = $1;
--> none
-- name: ByPriceOnly :many
SELECT id FROM goods WHERE price = $1;
--> none
-- name: NewestWithNulls :many
SELECT id FROM goods ORDER BY at DESC NULLS LAST LIMIT 10;
--> none
-- name: TagsThere :many
-- @param $1: '{t7}'
SELECT id FROM goods WHERE tags @> $1;
--> none
-- name: SpotsThere :many
-- @param $1: '(500,500)'
SELECT id FROM goods ORDER BY spot <-> $1 LIMIT 5;
--> none
-- name: OpenOnes :many
SELECT id FROM goods WHERE open ORDER BY id LIMIT 10;
--> none
-- name: NameLike :many
-- @param $1: 'abc123'
SELECT id FROM goods WHERE name LIKE '%' || $1 || '%';
--> none
-- name: LowerThere :one
-- @param $1: 'k77'
SELECT id FROM goods WHERE lower(sku) = $1;
--> none
-- name: SmallTable :one
SELECT id FROM tiny WHERE code = $1;
--> none
-- name: ThreeFifths :many
SELECT id, name FROM goods WHERE kind = 'a';
--> none
-- name: AnyRows :many
SELECT id, name FROM goods LIMIT 20;
--> none
-- name: RandomRows :many
SELECT id FROM goods ORDER BY random() LIMIT 5;
--> none
-- name: AllSorted :many
SELECT id, kind FROM goods ORDER BY kind, name;
--> none
-- name: SaleById :many
SELECT day, qty FROM sales WHERE id = $1;
--> none
-- name: SalesOfMonth :one
SELECT sum(qty) FROM sales WHERE day >= '2024-02-01' AND day < '2024-03-01';
--> none
-- name: MovePets :exec
-- @param $1: '5'
-- @param $2: '100'
-- @param $3: '20000'
UPDATE pets SET owner_id = $1 WHERE id BETWEEN $2 AND $3;
--> none
-- name: AddPet :exec
-- @param $1: '1000000'
-- @param $2: '5'
INSERT INTO pets (id, owner_id, name, pad) VALUES ($1, $2, 'x', 'y');
--> none
-- name: Kinds :many
SELECT kind, n FROM per_kind;
--> none
-- name: TwoThirdsNull :one
SELECT count(*) FROM goods WHERE note IS NULL;
--> none
-- name: GroupedPrice :many
SELECT kind, max(price) FROM goods GROUP BY kind;
--> none
-- name: BothThere :many
SELECT id FROM goods WHERE price = $1 AND at > '2024-02-01';
--> none
-- name: ListOfIds :many
SELECT sku FROM goods WHERE id = ANY($1::int[]);
--> none
-- name: UnionOfKeys :many
SELECT sku FROM goods WHERE id = $1 OR sku = $2;
--> none
-- name: NotInShortList :many
SELECT id FROM tiny WHERE id NOT IN (SELECT id FROM owners WHERE id < 100);
--> none
-- name: ExistsOwner :many
SELECT id FROM owners o WHERE EXISTS (SELECT FROM pets p WHERE p.id = o.id);

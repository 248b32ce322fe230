-- Some parents: their keys come from pages at random and are thinned by a hash. How their children are counted follows.
WITH sampled AS MATERIALIZED (
  SELECT numbered.key
  FROM (SELECT p.{referenced} AS key, row_number() OVER () AS at
        FROM {parent} AS p {sample} WHERE p.{referenced} IS NOT NULL) AS numbered
  WHERE (hashint8(numbered.at)::bigint + 2147483648) % {every} = 0
  LIMIT {parents}
)

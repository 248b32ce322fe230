-- The same without an index: the referencing table is read once.
WITH sampled AS MATERIALIZED (
  SELECT numbered.key
  FROM (SELECT p.{referenced} AS key, row_number() OVER () AS at
        FROM {parent} AS p {sample} WHERE p.{referenced} IS NOT NULL) AS numbered
  WHERE (hashint8(numbered.at)::bigint + 2147483648) % {every} = 0
  LIMIT {parents}
), counted AS MATERIALIZED (
  SELECT c.{column} AS key, count(*) AS children FROM {child} AS c WHERE c.{column} IS NOT NULL GROUP BY c.{column}
)
SELECT coalesce(array_agg(coalesce(counted.children, 0)), '{}') AS children
FROM sampled LEFT JOIN counted ON counted.key = sampled.key

-- The same without an index: the referencing table is read once.
, counted AS MATERIALIZED (
  SELECT c.{column} AS key, count(*) AS children FROM {child} AS c WHERE c.{column} IS NOT NULL GROUP BY c.{column}
)
SELECT coalesce(array_agg(coalesce(counted.children, 0)), '{}') AS children
FROM sampled LEFT JOIN counted ON counted.key = sampled.key

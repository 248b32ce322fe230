-- How many rows point to each of some parents, whose keys come from pages at random and are thinned by a hash. {many} ends what is counted of one parent.
WITH sampled AS MATERIALIZED (
  SELECT numbered.key
  FROM (SELECT p.{referenced} AS key, row_number() OVER () AS at
        FROM {parent} AS p {sample} WHERE p.{referenced} IS NOT NULL) AS numbered
  WHERE (hashint8(numbered.at)::bigint + 2147483648) % {every} = 0
  LIMIT {parents}
)
SELECT coalesce(array_agg(counted.children), '{}') AS children
FROM (SELECT (SELECT count(*) FROM (SELECT FROM {child} AS c WHERE c.{column} = sampled.key LIMIT {many}) AS found) AS children
      FROM sampled) AS counted

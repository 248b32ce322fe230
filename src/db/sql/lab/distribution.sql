-- A column's values in its order, with their rows. Of more than {cells} values, those that are rare and stand beside each other are
-- one row: the first of them, and how many they are. The last row has the NULLs.
WITH counted AS (
  SELECT t.v, pg_catalog.count(*)::int8 AS n FROM (SELECT {column} AS v FROM {table}) t GROUP BY t.v
), placed AS (
  SELECT c.v, c.n,
         pg_catalog.row_number() OVER (ORDER BY c.v) AS place,
         (pg_catalog.sum(c.n) OVER (ORDER BY c.v ROWS UNBOUNDED PRECEDING) - c.n)::int8 AS before,
         pg_catalog.sum(c.n) OVER ()::int8 AS all_rows,
         pg_catalog.count(*) OVER ()::int8 AS all_values
  FROM counted c
  WHERE c.v IS NOT NULL
), beside AS (
  SELECT p.*,
         pg_catalog.lag(p.n) OVER (ORDER BY p.place) AS n_before,
         pg_catalog.lag(p.before) OVER (ORDER BY p.place) AS before_before
  FROM placed p
), begun AS (
  SELECT b.*
  FROM beside b
  WHERE b.all_values <= {cells}
     OR b.place IN (1, b.all_values)
     OR b.n * {cells} >= b.all_rows
     OR b.n_before * {cells} >= b.all_rows
     OR b.before * {cells} / b.all_rows <> b.before_before * {cells} / b.all_rows
)
SELECT b.v::text AS first, b.place,
       pg_catalog.lead(b.before, 1, b.all_rows) OVER (ORDER BY b.place) - b.before AS rows,
       pg_catalog.lead(b.place, 1, b.all_values + 1) OVER (ORDER BY b.place) - b.place AS values
FROM begun b
UNION ALL
SELECT NULL, 0, coalesce(pg_catalog.sum(c.n), 0)::int8, 0::int8 FROM counted c WHERE c.v IS NULL
ORDER BY 2

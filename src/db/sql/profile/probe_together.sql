-- How many rows of a sample fall into each pair of bins: a common value is one, and what lies between two bounds is one.
SELECT binned.one, binned.other, count(*) AS rows
FROM (SELECT {one} AS one, {other} AS other FROM {table} AS t {sample}
      WHERE t.{one_column} IS NOT NULL AND t.{other_column} IS NOT NULL) AS binned
GROUP BY binned.one, binned.other

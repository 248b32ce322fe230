-- How a column's values lie on some pages, and how the same values would lie on pages of the same sizes in an order by chance. The
-- median page counts: one on which two stretches of values meet says nothing of the others.
WITH sampled AS MATERIALIZED (
  SELECT t.tableoid::bigint * 4294967296 + (t.ctid::text::point)[0]::bigint AS page, t.ctid AS place, t.{column} AS value
  FROM {table} AS t {sample} WHERE t.{column} IS NOT NULL
), ranked AS MATERIALIZED (
  SELECT page, value, percent_rank() OVER (ORDER BY value) AS rank, row_number() OVER (ORDER BY page, place) AS at,
         row_number() OVER (ORDER BY md5(page::text || place::text)) AS mixed
  FROM sampled
), of_pages AS (
  SELECT count(DISTINCT value) AS distinct_values,
         percentile_cont(0.9) WITHIN GROUP (ORDER BY rank) - percentile_cont(0.1) WITHIN GROUP (ORDER BY rank) AS spread
  FROM ranked GROUP BY page HAVING count(*) > 1
), by_chance AS (
  SELECT count(DISTINCT other.value) AS distinct_values,
         percentile_cont(0.9) WITHIN GROUP (ORDER BY other.rank) - percentile_cont(0.1) WITHIN GROUP (ORDER BY other.rank) AS spread
  FROM ranked AS own JOIN ranked AS other ON other.mixed = own.at GROUP BY own.page HAVING count(*) > 1
)
SELECT (SELECT count(*) FROM of_pages) AS pages,
       (SELECT avg(distinct_values)::float8 FROM of_pages) AS of_page,
       (SELECT avg(distinct_values)::float8 FROM by_chance) AS by_chance,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY spread) FROM of_pages) AS spread_of_page,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY spread) FROM by_chance) AS spread_by_chance

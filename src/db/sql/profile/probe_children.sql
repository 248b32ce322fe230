-- How many rows point to each of the parents. {many} ends what is counted of one.
SELECT coalesce(array_agg(counted.children), '{}') AS children
FROM (SELECT (SELECT count(*) FROM (SELECT FROM {child} AS c WHERE c.{column} = sampled.key LIMIT {many}) AS found) AS children
      FROM sampled) AS counted

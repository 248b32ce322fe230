-- What pg_statistic names beside a column's numbers: types, and the operators that ANALYZE would have used (the default btree
-- operator class of the base type, as GetDefaultOpClass finds it).
WITH columns AS (
  SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation,
         CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS base
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
), used AS (
  SELECT DISTINCT base AS oid FROM columns
  UNION
  SELECT t.typelem FROM columns JOIN pg_catalog.pg_type t ON t.oid = base WHERE t.typelem <> 0
), operators AS (
  SELECT used.oid,
         max(o.amopopr) FILTER (WHERE o.amopstrategy = 3) AS equal,
         max(o.amopopr) FILTER (WHERE o.amopstrategy = 1) AS less
  FROM used
  JOIN pg_catalog.pg_type t ON t.oid = used.oid
  CROSS JOIN LATERAL (
    SELECT k.opcfamily, k.opcintype
    FROM pg_catalog.pg_opclass k
    JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod AND m.amname = 'btree'
    JOIN pg_catalog.pg_type i ON i.oid = k.opcintype
    WHERE k.opcdefault
      AND (k.opcintype = t.oid
           OR i.typname = 'anyarray' AND t.typelem <> 0 AND t.typlen = -1
           OR i.typname = 'anyenum' AND t.typtype = 'e'
           OR i.typname = 'anyrange' AND t.typtype = 'r'
           OR i.typname = 'anymultirange' AND t.typtype = 'm'
           OR i.typname = 'record' AND t.typtype = 'c'
           OR EXISTS (SELECT FROM pg_catalog.pg_cast c
                      WHERE c.castsource = t.oid AND c.casttarget = k.opcintype AND c.castmethod = 'b' AND c.castcontext = 'i'))
    ORDER BY k.opcintype = t.oid DESC, i.typispreferred DESC, i.oid
    LIMIT 1
  ) k
  JOIN pg_catalog.pg_amop o
    ON o.amopfamily = k.opcfamily AND o.amoplefttype = k.opcintype AND o.amoprighttype = k.opcintype
  GROUP BY used.oid
)
SELECT c.attrelid AS relation,
       c.attnum AS number,
       c.attname::text AS name,
       c.atttypid AS type,
       c.atttypmod AS modifier,
       c.attcollation AS collation,
       t.typdelim::text AS delimiter,
       t.typname = 'tsvector' AS is_text_search,
       own.equal, own.less,
       e.oid AS element,
       e.typdelim::text AS element_delimiter,
       of_element.equal AS element_equal,
       coalesce((SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE t.typtype = 'm' AND r.rngmultitypid = t.oid), c.atttypid)
         AS range
FROM columns c
JOIN pg_catalog.pg_type t ON t.oid = c.base
LEFT JOIN operators own ON own.oid = c.base
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typelem <> 0
LEFT JOIN operators of_element ON of_element.oid = e.oid

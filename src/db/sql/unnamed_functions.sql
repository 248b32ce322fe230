-- Functions that run for a statement without being named in it: by way of views, policies, casts, operators, domains.
WITH RECURSIVE
relation(oid) AS (SELECT unnest(:relations)),
name(text) AS (SELECT value FROM json_array_elements_text(:names)),
-- The types in play: of the relations' columns, and those that the text names.
type(oid) AS (
    SELECT a.atttypid FROM pg_attribute a JOIN relation r ON a.attrelid = r.oid WHERE a.attnum > 0
    UNION SELECT t.oid FROM pg_type t JOIN name ON t.typname::text = name.text WHERE t.oid >= 16384),
-- A parameter's type with what it is made of.
parameter(oid) AS (
    SELECT unnest(:parameters)
    UNION SELECT part.oid FROM parameter JOIN pg_type t ON t.oid = parameter.oid
    CROSS JOIN LATERAL (
        SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT t.typelem WHERE t.typelem <> 0
        UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
    ) AS part(oid)),
named_domain(oid) AS (
    SELECT t.oid FROM pg_type t JOIN name ON t.typname::text = name.text WHERE t.typtype = 'd'
    UNION SELECT t.typbasetype FROM named_domain JOIN pg_type t ON t.oid = named_domain.oid WHERE t.typtype = 'd'),
reader(class, oid) AS (
    SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN relation r ON w.ev_class = r.oid
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation r ON p.polrelid = r.oid)
SELECT json_build_object(
    'read', ARRAY(SELECT DISTINCT d.refobjid::int8 FROM reader
                  JOIN pg_depend d ON d.classid = reader.class AND d.objid = reader.oid
                  WHERE d.refclassid = 'pg_proc'::regclass),
    'casts', ARRAY(SELECT c.castfunc::int8 FROM pg_cast c
                   WHERE c.oid >= 16384 AND c.castfunc >= 16384
                     -- Of a type of the database's own: where that is in play.
                     AND CASE WHEN greatest(c.castsource, c.casttarget) >= 16384
                              THEN greatest(c.castsource, c.casttarget) IN (SELECT oid FROM type)
                              ELSE c.castsource IN (SELECT oid FROM type) END),
    'operators', ARRAY(SELECT o.oprcode::oid::int8 FROM pg_operator o
                       WHERE o.oid >= 16384
                         AND (o.oprname::text IN (SELECT value FROM json_array_elements_text(:operators))
                              OR o.oid IN (SELECT d.refobjid FROM reader
                                           JOIN pg_depend d ON d.classid = reader.class AND d.objid = reader.oid
                                           WHERE d.refclassid = 'pg_operator'::regclass))),
    'parameters', ARRAY(SELECT d.refobjid::int8 FROM parameter JOIN pg_constraint k ON k.contypid = parameter.oid
                        JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                        WHERE d.refclassid = 'pg_proc'::regclass),
    'parameter_checks', ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM parameter JOIN pg_constraint k ON k.contypid = parameter.oid
                              WHERE k.conbin IS NOT NULL),
    'domains', ARRAY(SELECT d.refobjid::int8 FROM named_domain n JOIN pg_constraint k ON k.contypid = n.oid
                     JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
                     WHERE d.refclassid = 'pg_proc'::regclass),
    'domain_checks', ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM named_domain n JOIN pg_constraint k ON k.contypid = n.oid
                           WHERE k.conbin IS NOT NULL),
    'foreign_options', ARRAY(SELECT unnest(f.ftoptions) FROM pg_foreign_table f JOIN relation r ON f.ftrelid = r.oid))::text

-- ALTER DATABASE and ALTER ROLE … SET of this database.
SELECT r.rolname AS role,
       d.setdatabase <> 0 AS in_database,
       c.entry
FROM pg_db_role_setting d
LEFT JOIN pg_roles r ON r.oid = d.setrole AND d.setrole <> 0
CROSS JOIN LATERAL unnest(d.setconfig) AS c(entry)
WHERE d.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (d.setrole = 0 OR r.rolname IS NOT NULL)

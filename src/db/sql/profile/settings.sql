-- What the planner is set to; a value that is the caller's own, or the database's, is not the server's.
SELECT s.name,
       current_setting(s.name) AS value,
       s.source IN ('user', 'database user', 'client', 'session') AS is_callers,
       s.source = 'database' AS is_databases
FROM pg_settings s
WHERE (s.category LIKE 'Query Tuning%'
       OR s.name IN ('work_mem', 'hash_mem_multiplier', 'maintenance_work_mem', 'temp_buffers', 'shared_buffers',
                     'effective_io_concurrency', 'max_parallel_workers', 'max_parallel_workers_per_gather',
                     'max_worker_processes', 'parallel_leader_participation', 'default_statistics_target',
                     'server_encoding', 'block_size'))
ORDER BY s.name COLLATE "C"

//! Functions whose work a rollback does not take back, by name, and what each does. A name is enough: whoever gives a function
//! of his own such a name has it planned only.

/// What a function does that outlives a transaction which rolls back; `None` where it does nothing of the kind.
pub(super) fn effect_of(name: &str) -> Option<&'static str> {
    EXACT
        .iter()
        .find(|(names, _)| names.contains(&name))
        .or_else(|| {
            FAMILIES
                .iter()
                .find(|(prefixes, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        })
        .map(|(_, does)| *does)
}

type Group = (&'static [&'static str], &'static str);

const EXACT: &[Group] = &[
    (
        &["nextval", "setval"],
        "moves a sequence, which a rollback does not move back",
    ),
    (
        &["set_config"],
        "changes a setting of the session, on which later statements depend",
    ),
    (&["pg_notify"], "sends a notification to other sessions"),
    (
        &["pg_terminate_backend", "pg_cancel_backend"],
        "stops what another session does",
    ),
    (
        &[
            "pg_reload_conf",
            "pg_rotate_logfile",
            "pg_rotate_logfile_old",
            "pg_promote",
        ],
        "changes the server for everyone",
    ),
    (
        &["pg_log_backend_memory_contexts", "pg_log_standby_snapshot"],
        "writes to the server's log",
    ),
    (
        &[
            "pg_switch_wal",
            "pg_create_restore_point",
            "pg_start_backup",
            "pg_stop_backup",
            "pg_backup_start",
            "pg_backup_stop",
            "pg_logical_emit_message",
            "pg_export_snapshot",
        ],
        "writes to the write-ahead log or to the data directory",
    ),
    (
        &[
            "pg_create_physical_replication_slot",
            "pg_create_logical_replication_slot",
            "pg_drop_replication_slot",
            "pg_sync_replication_slots",
            "pg_replication_slot_advance",
        ],
        "makes, moves or drops a replication slot",
    ),
    (
        &[
            "pg_stat_statements_reset",
            "pg_stat_kcache_reset",
            "pg_qualstats_reset",
        ],
        "resets statistics that others read",
    ),
    (
        &[
            "lo_import",
            "lo_export",
            "lo_create",
            "lo_creat",
            "lo_from_bytea",
            "lo_put",
            "lo_unlink",
            "lo_truncate",
            "lo_truncate64",
            "lowrite",
        ],
        "writes large objects or files of the server",
    ),
    (
        &["pg_read_file", "pg_read_file_old", "pg_read_binary_file"],
        "reads files of the server",
    ),
    (
        &[
            "brin_summarize_new_values",
            "brin_summarize_range",
            "brin_desummarize_range",
            "gin_clean_pending_list",
            "pg_truncate_visibility_map",
            "heap_force_kill",
            "heap_force_freeze",
        ],
        "changes an index or a table at once, without the transaction",
    ),
    (
        &[
            "pg_prewarm",
            "autoprewarm_start_worker",
            "autoprewarm_dump_now",
            "pg_buffercache_evict",
            "pg_buffercache_evict_relation",
            "pg_buffercache_evict_all",
        ],
        "changes what the server holds in memory",
    ),
    (
        &[
            "query_to_xml",
            "query_to_xmlschema",
            "query_to_xml_and_xmlschema",
            "cursor_to_xml",
            "ts_stat",
        ],
        "runs SQL that it is given as text",
    ),
    (
        &[
            "pg_import_system_collations",
            "pg_nextoid",
            "pg_extension_config_dump",
        ],
        "changes the catalogs",
    ),
];

const FAMILIES: &[Group] = &[
    (
        &["pg_advisory_", "pg_try_advisory_"],
        "takes or releases advisory locks, which other sessions notice",
    ),
    (&["pg_stat_reset"], "resets statistics that others read"),
    (&["dblink"], "works over a connection of its own"),
    (
        &["postgres_fdw_disconnect"],
        "closes connections of the session",
    ),
    (
        &[
            "pg_logical_slot_get_",
            "pg_copy_physical_",
            "pg_copy_logical_",
            "pg_replication_origin_",
        ],
        "moves replication forward",
    ),
    (&["pg_wal_replay_"], "stops or resumes a replica"),
    (
        &["pg_file_", "pg_logdir_"],
        "reads or writes files of the server",
    ),
    (
        &[
            "binary_upgrade_",
            "pg_restore_relation_",
            "pg_restore_attribute_",
            "pg_clear_relation_",
            "pg_clear_attribute_",
        ],
        "changes the catalogs",
    ),
];

/// Volatile functions of well-known extensions, written in C, that only compute or read.
pub(super) const HARMLESS: &[&str] = &[
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuid_generate_v7",
    "uuidv7",
    "gen_random_uuid",
    "gen_random_bytes",
    "gen_salt",
    "pgp_pub_encrypt",
    "pgp_pub_encrypt_bytea",
    "pgp_sym_encrypt",
    "pgp_sym_encrypt_bytea",
    "armor",
    "pg_stat_statements",
    "pg_stat_statements_info",
    "pg_buffercache_pages",
    "pg_buffercache_summary",
    "pgstattuple",
    "pgstattuple_approx",
    "pgstatindex",
    "pgstathashindex",
    "pgrowlocks",
    "pg_freespace",
    "pg_visibility",
    "pg_visibility_map",
    "normal_rand",
    "st_generatepoints",
    "st_estimatedextent",
    "similarity",
    "word_similarity",
    "show_trgm",
    "show_limit",
    "hypopg",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_families() {
        for name in [
            "pg_advisory_lock",
            "pg_try_advisory_xact_lock_shared",
            "dblink_exec",
            "pg_stat_reset_slru",
            "lo_export",
        ] {
            assert!(effect_of(name).is_some(), "{name}");
        }
        for name in [
            "pg_sleep",
            "now",
            "random",
            "pg_stat_get_live_tuples",
            "currval",
            "lo_get",
            "pg_size_pretty",
            "count",
        ] {
            assert!(effect_of(name).is_none(), "{name}");
        }
    }
}

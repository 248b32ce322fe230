//! Files, sizes and locks of the user's relations, and what became of them between two looks. Decides nothing.

use std::collections::{BTreeMap, HashMap};

use crate::db::connect::Session;
use crate::db::lock_watch::Held;
use crate::diff::locks::{HeldLock, LockMode};

use super::{ObserveError, server};

/// A relation's file and size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) file: u32,
    pub(super) bytes: i64,
}

/// By OID.
pub(super) type Relations = HashMap<u32, Relation>;

/// Tables and indexes of the user with their files and sizes.
pub(super) async fn relations(session: &Session) -> Result<Relations, ObserveError> {
    const QUERY: &str = "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind::text, pg_relation_filenode(c.oid), \
        CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'm', 'i', 'p') AND c.oid >= 16384 AND n.nspname <> 'pg_toast'";
    let rows = session
        .client()
        .query(QUERY, &[])
        .await
        .map_err(server("reading sizes"))?;
    Ok(rows
        .iter()
        .map(|row| {
            let kind: String = row.get(2);
            let relation = Relation {
                name: row.get(1),
                kind: kind.chars().next().unwrap_or('?'),
                file: row.get::<_, Option<u32>>(3).unwrap_or(0),
                // A relation that another session drops meanwhile has no size.
                bytes: row.get::<_, Option<i64>>(4).unwrap_or(0),
            };
            (row.get::<_, u32>(0), relation)
        })
        .collect())
}

/// What this session holds on tables that were there before.
pub(super) async fn locks(session: &Session, known: &Relations) -> Result<Held, ObserveError> {
    const QUERY: &str = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted";
    let rows = session
        .client()
        .query(QUERY, &[])
        .await
        .map_err(server("reading locks"))?;
    let mut held = BTreeMap::new();
    for row in rows {
        let (oid, mode): (u32, String) = (row.get(0), row.get(1));
        let table = known.get(&oid).filter(|relation| relation.kind != 'i');
        if let (Some(relation), Some(mode)) = (table, LockMode::parse(&mode)) {
            let strongest = held.entry(relation.name.clone()).or_insert(mode);
            *strongest = (*strongest).max(mode);
        }
    }
    Ok(held)
}

/// Locks that are new, or stronger than before.
pub(super) fn newly_held(before: &Held, after: Held) -> Vec<HeldLock> {
    after
        .into_iter()
        .filter(|(relation, mode)| before.get(relation).is_none_or(|old| old < mode))
        .map(|(relation, mode)| HeldLock { relation, mode })
        .collect()
}

/// Tables with a new file.
pub(super) fn rewritten(before: &Relations, after: &Relations) -> Vec<String> {
    let mut names: Vec<String> = before
        .iter()
        .filter(|(_, relation)| relation.kind != 'i' && relation.bytes > 0)
        .filter(|(oid, relation)| after.get(oid).is_some_and(|new| new.file != relation.file))
        .map(|(_, relation)| relation.name.clone())
        .collect();
    names.sort();
    names
}

/// With `wal_level = minimal` a new file is not logged; on a server with replicas all of it is.
pub(super) fn new_files(before: &Relations, after: &Relations) -> u64 {
    after
        .iter()
        .filter(|(oid, relation)| before.get(oid).is_none_or(|old| old.file != relation.file))
        .map(|(_, relation)| u64::try_from(relation.bytes).unwrap_or(0))
        .sum()
}

pub(super) fn total(relations: &Relations) -> i64 {
    relations.values().map(|relation| relation.bytes).sum()
}

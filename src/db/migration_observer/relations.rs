//! Files, sizes and locks of the user's relations, and what became of them between two looks. Decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// Of them its rows', without what is kept beside them.
    pub(super) main: i64,
    /// Of an index: its table.
    pub(super) table: Option<u32>,
}

impl Relation {
    fn is_index(&self) -> bool {
        matches!(self.kind, 'i' | 'I')
    }
}

/// By OID.
pub(super) type Relations = HashMap<u32, Relation>;

/// Tables, views and indexes of the user with their files and sizes.
pub(super) async fn relations(session: &Session) -> Result<Relations, ObserveError> {
    const QUERY: &str = "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind::text, pg_relation_filenode(c.oid), \
        CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) END, i.indrelid, \
        CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_relation_size(c.oid) END \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid \
        WHERE c.relkind IN ('r', 'm', 'i', 'I', 'p', 'v') AND c.oid >= 16384 AND n.nspname <> 'pg_toast' AND n.nspname !~ '^pg_temp_'";
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
                table: row.get(5),
                main: row.get::<_, Option<i64>>(6).unwrap_or(0),
            };
            (row.get::<_, u32>(0), relation)
        })
        .collect())
}

/// What this session holds on relations that were there before: on tables and views, and on an index where it stops even
/// those whom the lock on its table lets pass (a query's planner opens every index of its tables).
pub(super) async fn locks(session: &Session, known: &Relations) -> Result<Held, ObserveError> {
    const QUERY: &str = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted";
    let rows = session
        .client()
        .query(QUERY, &[])
        .await
        .map_err(server("reading locks"))?;
    let held = rows.iter().filter_map(|row| {
        let (oid, mode): (u32, &str) = (row.get(0), row.get(1));
        Some((known.get(&oid)?, LockMode::parse(mode)?))
    });
    let (indexes, tables): (Vec<_>, Vec<_>) = held.partition(|(relation, _)| relation.is_index());
    let mut found = BTreeMap::new();
    for (relation, mode) in tables {
        let strongest = found.entry(relation.name.clone()).or_insert(mode);
        *strongest = (*strongest).max(mode);
    }
    let closed: BTreeSet<&str> = found
        .iter()
        .filter(|(_, mode)| mode.blocks_reads())
        .map(|(name, _)| name.as_str())
        .collect();
    let open_table = |index: &Relation| {
        let table = index.table.and_then(|oid| known.get(&oid));
        table.is_some_and(|table| !closed.contains(table.name.as_str()))
    };
    let alone: Vec<String> = indexes
        .into_iter()
        .filter(|(index, mode)| mode.blocks_reads() && open_table(index))
        .map(|(index, _)| index.name.clone())
        .collect();
    found.extend(
        alone
            .into_iter()
            .map(|name| (name, LockMode::AccessExclusive)),
    );
    Ok(found)
}

/// Locks that are new, or stronger than before.
pub(super) fn newly_held(before: &Held, after: Held) -> Vec<HeldLock> {
    after
        .into_iter()
        .filter(|(relation, mode)| before.get(relation).is_none_or(|old| old < mode))
        .map(|(relation, mode)| HeldLock { relation, mode })
        .collect()
}

/// Tables with rows that were there before the script and have a new file with rows. An empty new file is TRUNCATE's: it
/// writes nothing, however many rows there were.
pub(super) fn rewritten(known: &Relations, before: &Relations, after: &Relations) -> Vec<String> {
    let mut names: Vec<String> = before
        .iter()
        .filter(|(oid, relation)| {
            known.contains_key(oid) && !relation.is_index() && relation.main > 0
        })
        .filter(|(oid, relation)| {
            after
                .get(oid)
                .is_some_and(|new| new.file != relation.file && new.main > 0)
        })
        .map(|(_, relation)| relation.name.clone())
        .collect();
    names.sort();
    names
}

/// With `wal_level = minimal` a new file is not logged; on a server with replicas all of it is. A relation that takes another's
/// file over (an index that a changed type leaves as it is) writes nothing.
pub(super) fn new_files(before: &Relations, after: &Relations) -> u64 {
    let old: BTreeSet<u32> = before.values().map(|relation| relation.file).collect();
    after
        .values()
        .filter(|relation| relation.file != 0 && !old.contains(&relation.file))
        .map(|relation| u64::try_from(relation.bytes).unwrap_or(0))
        .sum()
}

pub(super) fn total(relations: &Relations) -> i64 {
    relations.values().map(|relation| relation.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(file: u32, bytes: i64, kind: char) -> Relation {
        Relation {
            name: format!("public.r{file}"),
            kind,
            file,
            bytes,
            main: bytes,
            table: None,
        }
    }

    #[test]
    fn an_index_that_takes_a_file_over_writes_nothing() {
        let before = Relations::from([(1, relation(10, 800, 'r')), (2, relation(11, 300, 'i'))]);
        let kept = Relations::from([(1, relation(10, 800, 'r')), (9, relation(11, 300, 'i'))]);
        assert_eq!(new_files(&before, &kept), 0);
        let built = Relations::from([(1, relation(10, 800, 'r')), (9, relation(12, 300, 'i'))]);
        assert_eq!(new_files(&before, &built), 300);
        assert_eq!(rewritten(&before, &before, &built), [""; 0]);
        let moved = Relations::from([(1, relation(13, 800, 'r'))]);
        assert_eq!(rewritten(&before, &before, &moved), ["public.r10"]);
        assert_eq!(rewritten(&Relations::new(), &before, &moved), [""; 0]);
        let emptied = Relations::from([(1, relation(13, 0, 'r'))]);
        assert_eq!(rewritten(&before, &before, &emptied), [""; 0]);
    }
}

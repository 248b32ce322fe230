//! Which tables a migration's statements reach with their locks, and which of the catalog's queries need them. Decides
//! nothing but who is near.

use std::collections::BTreeSet;

use squawk_lexer::{TokenKind, tokenize};

use crate::db::connect::Session;
use crate::db::traffic::{NEAR_SESSIONS, Probe};
use crate::migrations::Script;

/// Each probe's tables, by OID: a name may change on the way.
pub(super) struct Reach {
    probes: Vec<BTreeSet<u32>>,
    /// The same by name, as they were when it was looked.
    relations: Vec<BTreeSet<String>>,
}

impl Reach {
    /// Asks the server which tables each probe locks. What does not run needs none.
    pub(super) async fn of(
        session: &Session,
        probes: &[Probe],
    ) -> Result<Self, tokio_postgres::Error> {
        const LOCKED: &str = "SELECT DISTINCT l.relation, n.nspname || '.' || c.relname FROM pg_locks l \
            JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384";
        let client = session.client();
        let mut found = Self {
            probes: Vec::with_capacity(probes.len()),
            relations: Vec::with_capacity(probes.len()),
        };
        for probe in probes {
            client.batch_execute("BEGIN").await?;
            // A message of its own: the server does not split it.
            let planned = client
                .execute_typed(&format!("EXPLAIN {}", probe.sql), &[])
                .await;
            let rows = match planned {
                Ok(_) => client.query(LOCKED, &[]).await?,
                Err(_) => Vec::new(),
            };
            found
                .probes
                .push(rows.iter().map(|row| row.get(0)).collect());
            found
                .relations
                .push(rows.iter().map(|row| row.get(1)).collect());
            client.batch_execute("ROLLBACK").await?;
        }
        Ok(found)
    }

    /// Names of each probe's tables and their indexes.
    pub(super) fn relations(&self) -> &[BTreeSet<String>] {
        &self.relations
    }

    /// For each table that the script names, with its partitions and the tables that foreign keys tie to it, the probes that
    /// need it. As many as get a session of their own; tables that few probes need come first.
    pub(super) async fn near(
        &self,
        session: &Session,
        script: &Script,
    ) -> Result<Vec<Vec<usize>>, tokio_postgres::Error> {
        const REACHED: &str = "WITH RECURSIVE family(oid) AS ( \
              SELECT coalesce(i.indrelid, c.oid) FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid \
              WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I') AND ($2 OR c.relname::text = ANY ($1::text[])) \
            UNION SELECT CASE WHEN h.inhrelid = f.oid THEN h.inhparent ELSE h.inhrelid END \
              FROM family f JOIN pg_inherits h ON f.oid IN (h.inhrelid, h.inhparent)) \
            SELECT oid FROM family \
            UNION SELECT k.confrelid FROM pg_constraint k JOIN family f ON k.conrelid = f.oid WHERE k.contype = 'f' \
            UNION SELECT k.conrelid FROM pg_constraint k JOIN family f ON k.confrelid = f.oid WHERE k.contype = 'f'";
        if self.probes.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = identifiers(script).into_iter().collect();
        // A program's statements are not known: it may reach every table.
        let rows = session
            .client()
            .query(REACHED, &[&names, &script.program.is_some()])
            .await?;
        let tables = rows.iter().map(|row| {
            let table: u32 = row.get(0);
            let needs = self
                .probes
                .iter()
                .enumerate()
                .filter(|(_, tables)| tables.contains(&table));
            needs.map(|(probe, _)| probe).collect::<Vec<usize>>()
        });
        // Partitions have their parent's probes.
        let tables: BTreeSet<Vec<usize>> = tables.filter(|probes| !probes.is_empty()).collect();
        Ok(shared_out(tables.into_iter().collect()))
    }
}

/// Takes probes of each table in turn until every session has one.
fn shared_out(mut tables: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    tables.sort_by_key(Vec::len);
    let most = tables.iter().map(Vec::len).max().unwrap_or(0);
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    for nth in 0..most {
        for probe in tables.iter().filter_map(|probes| probes.get(nth)) {
            if taken.len() < NEAR_SESSIONS {
                taken.insert(*probe);
            }
        }
    }
    for probes in &mut tables {
        probes.retain(|probe| taken.contains(probe));
    }
    tables
}

/// Every name that the statements write, as the catalog keeps it.
fn identifiers(script: &Script) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in &script.statements {
        let mut offset = 0;
        for token in tokenize(&statement.sql) {
            let piece = &statement.sql[offset..offset + token.len as usize];
            offset += token.len as usize;
            match piece
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
            {
                Some(quoted) => {
                    found.insert(as_kept(quoted.replace("\"\"", "\"")));
                }
                None if matches!(token.kind, TokenKind::Ident) => {
                    found.insert(as_kept(piece.to_lowercase()));
                }
                None => {}
            }
        }
    }
    found
}

/// The server cuts longer names, whoever writes them.
fn as_kept(mut name: String) -> String {
    const MOST_BYTES: usize = 63;
    let end = (0..=MOST_BYTES.min(name.len())).rfind(|at| name.is_char_boundary(*at));
    name.truncate(end.unwrap_or(0));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_where_the_server_cuts_it() {
        assert_eq!(as_kept("orders".to_owned()), "orders");
        assert_eq!(as_kept("x".repeat(70)).len(), 63);
        assert_eq!(as_kept("ä".repeat(40)), "ä".repeat(31));
    }

    #[test]
    fn each_table_keeps_some_of_its_probes_when_there_are_too_many() {
        let crowded: Vec<usize> = (0..40).collect();
        let shared = shared_out(vec![crowded, vec![50, 51]]);
        assert_eq!(shared[0], [50, 51]);
        assert_eq!(shared[1].len(), NEAR_SESSIONS - 2);
        assert_eq!(shared_out(vec![vec![1], vec![1, 2]]), [vec![1], vec![1, 2]]);
    }
}

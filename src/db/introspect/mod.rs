//! Reads a database's schema from `pg_catalog` in a handful of bulk queries, whatever the number of tables. Any role may:
//! `information_schema` would hide keys from a reader. Changes nothing, judges nothing.

mod catalog;
mod constraints;
mod functions;
mod indexes;
mod tables;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use self::catalog::{Catalog, Question, Stopped, Within};
use super::connect::{EnvironmentFault, Session};
use crate::schema::{QualifiedName, Schema, ServerVersion, Table};

/// A catalog that cannot be read: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {what} of database \"{database}\": {reason}")]
pub struct IntrospectError {
    /// `tables`, `indexes` …
    pub what: &'static str,
    pub database: String,
    /// The server's message.
    pub reason: String,
    /// Set where the server or the connection failed.
    pub fault: Option<EnvironmentFault>,
}

/// The schema of the session's database.
///
/// Names in expressions and types are qualified as the session's `search_path` makes it necessary.
///
/// # Errors
/// [`IntrospectError`] where the server fails or the session is cancelled.
pub async fn schema(session: &Session) -> Result<Schema, IntrospectError> {
    Ok(reading(session).await?.schema)
}

/// The schema as the transaction that is open on the session sees it; the transaction goes on.
///
/// # Errors
/// As [`schema`].
pub async fn schema_within(session: &Session) -> Result<Schema, IntrospectError> {
    let read = read_within(session, Within::Open, Statistics::Read);
    Ok(read.await?.schema)
}

/// The same without what ANALYZE measured, for who reads that elsewhere: of a thousand tables it takes as long as all the rest.
///
/// # Errors
/// As [`schema`].
pub async fn shape_within(session: &Session) -> Result<Schema, IntrospectError> {
    let read = read_within(session, Within::Open, Statistics::Left);
    Ok(read.await?.schema)
}

/// Whether columns have what ANALYZE measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statistics {
    Read,
    Left,
}

/// A schema, and what could not be read of it.
#[derive(Debug)]
pub struct Reading {
    /// Without the tables that are held.
    pub schema: Schema,
    /// Tables that another session holds in ACCESS EXCLUSIVE mode: to look at one would have meant to wait.
    pub held: Vec<QualifiedName>,
}

impl Reading {
    /// What a person should know, if anything.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        if self.held.is_empty() {
            return None;
        }
        let names: Vec<String> = self.held.iter().map(ToString::to_string).collect();
        Some(format!(
            "locked by another session (ACCESS EXCLUSIVE) and left out: {}",
            names.join(", ")
        ))
    }
}

/// Reads the schema; tables that somebody holds are left out and named rather than waited for.
///
/// # Errors
/// As [`schema`].
pub async fn reading(session: &Session) -> Result<Reading, IntrospectError> {
    read_within(session, Within::Own, Statistics::Read).await
}

async fn read_within(
    session: &Session,
    within: Within,
    statistics: Statistics,
) -> Result<Reading, IntrospectError> {
    let mut first = true;
    loop {
        let read = match Catalog::open(session, within).await {
            Ok(catalog) => {
                let read = read(session, &catalog, statistics).await;
                catalog.close().await;
                read
            }
            Err(stopped) => Err(stopped),
        };
        match read {
            Ok(reading) => return Ok(reading),
            // Somebody locked a table in between: now it can be seen who holds what.
            Err(Stopped::Locked(_)) if std::mem::take(&mut first) => {}
            Err(Stopped::Locked(error) | Stopped::Failed(error)) => return Err(error),
        }
    }
}

const TABLES: Question = Question {
    what: "tables",
    sql: include_str!("../sql/tables.sql"),
};

/// What hangs on the tables, in the order in which [`read`] takes it.
const PARTS: [Question; 9] = [
    Question {
        what: "columns",
        sql: include_str!("../sql/columns.sql"),
    },
    Question {
        what: "sequences",
        sql: include_str!("../sql/sequences.sql"),
    },
    Question {
        what: "statistics",
        sql: include_str!("../sql/statistics.sql"),
    },
    Question {
        what: "indexes",
        sql: include_str!("../sql/indexes.sql"),
    },
    Question {
        what: "index keys",
        sql: include_str!("../sql/index_keys.sql"),
    },
    Question {
        what: "constraints",
        sql: include_str!("../sql/constraints.sql"),
    },
    Question {
        what: "types",
        sql: include_str!("../sql/types.sql"),
    },
    Question {
        what: "functions",
        sql: include_str!("../sql/functions.sql"),
    },
    Question {
        what: "inheritance, statistics and triggers",
        sql: include_str!("../sql/attachments.sql"),
    },
];

/// Which of them is what ANALYZE measured.
const STATISTICS: usize = 2;

async fn read(
    session: &Session,
    catalog: &Catalog<'_>,
    statistics: Statistics,
) -> Result<Reading, Stopped> {
    let found = catalog.read(&[TABLES], &[]).await?;
    let tables: Vec<Table> = found.iter().flatten().map(tables::table).collect();
    let views: BTreeSet<u32> = found
        .iter()
        .flatten()
        .filter_map(tables::materialized_view)
        .collect();
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let is_asked = |at: &usize| *at != STATISTICS || statistics == Statistics::Read;
    let asked: Vec<Question> = (0..PARTS.len())
        .filter(is_asked)
        .map(|at| PARTS[at])
        .collect();
    let mut parts = catalog.read(&asked, &oids).await?;
    if statistics == Statistics::Left && parts.len() >= STATISTICS {
        parts.insert(STATISTICS, Vec::new());
    }
    let part = |at: usize| parts.get(at).map_or(&[][..], Vec::as_slice);
    let [
        columns,
        sequences,
        statistics,
        indexes,
        keys,
        constraints,
        types,
        functions,
        attachments,
    ] = std::array::from_fn(part);
    let held = held_names(catalog).await?;
    let mut build = Build {
        at: tables
            .iter()
            .enumerate()
            .map(|(at, table)| (table.oid, at))
            .collect(),
        tables,
    };
    let version = session.version();
    let mut types = types::user_types(types);
    tables::set_roots(&mut build);
    tables::add_columns(&mut build, columns, &types);
    tables::add_sequences(&mut build, sequences);
    tables::add_statistics(&mut build, statistics);
    indexes::add(&mut build, indexes, keys);
    constraints::add(&mut build, constraints);
    tables::add_attachments(&mut build, attachments);
    functions::inline(functions, &mut build.tables, &mut types);
    let (materialized_views, tables) = build
        .tables
        .into_iter()
        .partition(|table: &Table| views.contains(&table.oid));
    let schema = Schema {
        server: ServerVersion(version.major() * 10_000 + version.minor()),
        tables,
        materialized_views,
        types,
    };
    Ok(Reading { schema, held })
}

async fn held_names(catalog: &Catalog<'_>) -> Result<Vec<QualifiedName>, Stopped> {
    if catalog.held.is_empty() {
        return Ok(Vec::new());
    }
    let names = Question {
        what: "tables",
        sql: "SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE c.oid = ANY ($2) AND c.relkind IN ('r', 'p', 'f') AND n.nspname <> 'pg_catalog' ORDER BY 1, 2",
    };
    let rows = catalog.read(&[names], &[]).await?;
    let name =
        |row: &Row| QualifiedName::new(row.get::<_, &str>("schema"), row.get::<_, &str>("name"));
    Ok(rows.iter().flatten().map(name).collect())
}

/// Tables that the other queries' rows are added to.
struct Build {
    tables: Vec<Table>,
    at: BTreeMap<u32, usize>,
}

impl Build {
    /// A row's table; `None` where it was made in between two queries.
    fn table(&mut self, row: &Row) -> Option<&mut Table> {
        let oid: u32 = row.get("table_oid");
        self.at.get(&oid).map(|at| &mut self.tables[*at])
    }
}

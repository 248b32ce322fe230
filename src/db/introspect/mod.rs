//! Reads a database's schema from `pg_catalog` in a handful of bulk queries, whatever the number of tables. Any role may:
//! `information_schema` would hide keys from a reader. Changes nothing, judges nothing.

mod constraints;
mod functions;
mod indexes;
mod tables;
mod types;

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::connect::{EnvironmentFault, Session, describe};
use crate::schema::{Schema, ServerVersion, Table};

/// A catalog that cannot be read: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the {what} of database \"{database}\": {reason}")]
pub struct IntrospectError {
    /// `tables`, `indexes` …
    pub what: &'static str,
    /// The database.
    pub database: String,
    /// What the server said.
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
    let catalog = Catalog { session };
    let tables: Vec<Table> = catalog
        .read("tables", include_str!("../sql/tables.sql"), None)
        .await?
        .iter()
        .map(tables::table)
        .collect();
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let of = |what, sql| catalog.read(what, sql, Some(&oids));
    // Sent at once: a distant server is asked once.
    let (columns, sequences, statistics, indexes, keys, constraints, types, functions, attachments) =
        tokio::try_join!(
            of("columns", include_str!("../sql/columns.sql")),
            of("sequences", include_str!("../sql/sequences.sql")),
            of("statistics", include_str!("../sql/statistics.sql")),
            of("indexes", include_str!("../sql/indexes.sql")),
            of("index keys", include_str!("../sql/index_keys.sql")),
            of("constraints", include_str!("../sql/constraints.sql")),
            of("types", include_str!("../sql/types.sql")),
            catalog.read("functions", include_str!("../sql/functions.sql"), None),
            of(
                "inheritance, statistics and triggers",
                include_str!("../sql/attachments.sql")
            ),
        )?;
    let mut build = Build {
        at: tables
            .iter()
            .enumerate()
            .map(|(at, table)| (table.oid, at))
            .collect(),
        tables,
    };
    let version = session.version();
    let mut types = types::user_types(&types);
    tables::set_roots(&mut build);
    tables::add_columns(&mut build, &columns, &types);
    tables::add_sequences(&mut build, &sequences);
    tables::add_statistics(&mut build, &statistics);
    indexes::add(&mut build, &indexes, &keys);
    constraints::add(&mut build, &constraints);
    tables::add_attachments(&mut build, &attachments);
    functions::inline(&functions, &mut build.tables, &mut types);
    Ok(Schema {
        server: ServerVersion(version.major() * 10_000 + version.minor()),
        tables: build.tables,
        types,
    })
}

struct Catalog<'s> {
    session: &'s Session,
}

impl Catalog<'_> {
    async fn read(
        &self,
        what: &'static str,
        sql: &str,
        oids: Option<&Vec<u32>>,
    ) -> Result<Vec<Row>, IntrospectError> {
        let client = self.session.client();
        let rows = match oids {
            Some(oids) => client.query(sql, &[oids]).await,
            None => client.query(sql, &[]).await,
        };
        rows.map_err(|error| IntrospectError {
            what,
            database: self.session.url().database().to_owned(),
            reason: describe(&error),
            fault: EnvironmentFault::of(&error),
        })
    }
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

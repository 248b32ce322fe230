//! Extended statistics, written as the server keeps them. Their types take no text, and no statement sets them before 19; but their
//! bytes are those of `bytea`, and a superuser may say so by a cast in a database of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::LabError;
use crate::db::connect::Session;
use crate::lab::extended::{dependency_bytes, distinct_bytes, part_numbers};
use crate::profile::model::ExtendedStatistics;

/// A statistics object of the laboratory.
#[derive(Debug)]
struct Object {
    oid: u32,
    columns: Vec<i16>,
    expressions: usize,
}

/// Those of a database, by schema and name.
#[derive(Debug, Default)]
pub(super) struct Objects {
    found: BTreeMap<(String, String), Object>,
    /// From 15 on rows say whether children were counted.
    has_inherited: bool,
}

impl Objects {
    /// Reads them, and makes the casts where there are any.
    pub(super) async fn read(session: &Session) -> Result<Self, LabError> {
        const SQL: &str = "SELECT s.oid, n.nspname::text, s.stxname::text, s.stxkeys::int2[], \
             coalesce(pg_catalog.array_length(pg_catalog.pg_get_statisticsobjdef_expressions(s.oid), 1), 0) \
             FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace";
        const CASTS: &str = "CREATE CAST (bytea AS pg_ndistinct) WITHOUT FUNCTION; \
                             CREATE CAST (bytea AS pg_dependencies) WITHOUT FUNCTION";
        let client = session.client();
        let refused = |error| LabError::refused("read the extended statistics", &error);
        let rows = client.query_typed(SQL, &[]).await.map_err(refused)?;
        let object = |row: &tokio_postgres::Row| {
            let object = Object {
                oid: row.get(0),
                columns: row.get(3),
                expressions: row.get::<_, i32>(4).unsigned_abs() as usize,
            };
            ((row.get(1), row.get(2)), object)
        };
        let found: BTreeMap<_, _> = rows.iter().map(object).collect();
        if !found.is_empty() {
            client.batch_execute(CASTS).await.map_err(refused)?;
        }
        Ok(Self {
            found,
            has_inherited: session.version().major() >= 15,
        })
    }

    /// The statements that set them; nothing for objects that are not there.
    pub(super) fn set(&self, statistics: &ExtendedStatistics, sql: &mut String) {
        let key = (statistics.schema.clone(), statistics.name.clone());
        let Some(object) = self.found.get(&key) else {
            return;
        };
        let numbers = part_numbers(&object.columns, object.expressions);
        let inherited = match (self.has_inherited, statistics.inherited) {
            (true, inherited) => Some(inherited),
            (false, false) => None,
            (false, true) => return,
        };
        let value = |bytes: Option<Vec<u8>>, data_type: &str| match bytes {
            Some(bytes) => format!(
                "'\\x{}'::bytea::pg_catalog.{data_type}",
                hexadecimal(&bytes)
            ),
            None => "NULL".to_owned(),
        };
        let distinct = value(distinct_bytes(statistics, &numbers), "pg_ndistinct");
        let dependencies = value(dependency_bytes(statistics, &numbers), "pg_dependencies");
        let (column, given) = match inherited {
            Some(inherited) => (", stxdinherit", format!(", {inherited}")),
            None => ("", String::new()),
        };
        let matching = inherited
            .map(|inherited| format!(" AND stxdinherit = {inherited}"))
            .unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(
            sql,
            "DELETE FROM pg_catalog.pg_statistic_ext_data WHERE stxoid = {oid}{matching};\
             INSERT INTO pg_catalog.pg_statistic_ext_data (stxoid{column}, stxdndistinct, stxddependencies) \
             VALUES ({oid}{given}, {distinct}, {dependencies});",
            oid = object.oid
        );
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What migrations will ask of rows that are there before them: NOT NULL, keys, checks, foreign keys, another type of a column.
//! Production's rows hold that already, or the migration fails there; a dataset that was made without it may not. Finds the
//! constraints, and sets them on tables while they are filled.

use std::collections::{BTreeMap, BTreeSet};

use crate::interrupt::Interrupt;
use crate::migrations::Migration;

use super::connect::{ConnectError, DatabaseUrl, Session};
use super::migrate::{MigrateError, run_script};

/// A constraint that rows have to hold before it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pub set: String,
    /// Takes it away again.
    pub drop: String,
    /// The table that taking it away may write anew.
    pub rewrites: Option<String>,
}

impl Demand {
    fn of_constraint(set: String, drop: String) -> Self {
        Self {
            set,
            drop,
            rewrites: None,
        }
    }
}

/// Why it is not known what migrations ask.
#[derive(Debug, thiserror::Error)]
pub enum DemandsError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("the server refused to say what constraints there are: {0}")]
    Refused(#[from] tokio_postgres::Error),
}

/// Columns by their table's OID and their number: neither changes with a name.
type Columns = BTreeSet<(u32, i16)>;

/// What is there before the migrations.
struct Before {
    tables: Vec<u32>,
    columns: Columns,
    not_null: Columns,
    /// As the server writes them.
    types: BTreeMap<(u32, i16), String>,
    constraints: Vec<u32>,
    indexes: Vec<u32>,
}

/// What the migrations ask of columns that an empty database has: it is migrated for that.
///
/// # Errors
/// [`DemandsError`].
pub async fn demands(
    empty: &DatabaseUrl,
    migrations: &[Migration],
    interrupt: &Interrupt,
) -> Result<Vec<Demand>, DemandsError> {
    let session = Session::open(empty, interrupt).await?;
    let before = Before::read(&session).await?;
    for migration in migrations {
        run_script(&session, &migration.up, interrupt).await?;
    }
    session.close().await;
    // The migrations may have set something for their session.
    let session = Session::open(empty, interrupt).await?;
    let mut found = types(&session, &before).await?;
    found.extend(not_null(&session, &before).await?);
    found.extend(constraints(&session, &before).await?);
    found.extend(unique_indexes(&session, &before).await?);
    session.close().await;
    Ok(found)
}

/// Sets what of the demands can be set: a name in it may be of a later version, a row that is there may not hold it.
///
/// # Errors
/// No session.
pub async fn set<'a>(
    url: &DatabaseUrl,
    demands: &'a [Demand],
    interrupt: &Interrupt,
) -> Result<Vec<&'a Demand>, ConnectError> {
    if demands.is_empty() {
        return Ok(Vec::new());
    }
    let session = Session::open(url, interrupt).await?;
    let mut found = Vec::new();
    let client = session.client();
    for demand in demands {
        // Nothing is set that cannot be taken away.
        let tried = format!("BEGIN; {}; {}; ROLLBACK", demand.set, demand.drop);
        if client.batch_execute(&tried).await.is_err() {
            let _ = client.batch_execute("ROLLBACK").await;
        } else if client.batch_execute(&demand.set).await.is_ok() {
            found.push(demand);
        }
    }
    session.close().await;
    Ok(found)
}

/// Takes away what was set, the last first.
///
/// # Errors
/// What the server refused.
pub async fn unset(session: &Session, demands: &[&Demand]) -> Result<(), tokio_postgres::Error> {
    let client = session.client();
    for demand in demands.iter().rev() {
        client.batch_execute(&demand.drop).await?;
    }
    let rewritten: BTreeSet<&String> = demands.iter().filter_map(|d| d.rewrites.as_ref()).collect();
    for table in rewritten {
        let vacuum = format!("VACUUM (FREEZE, ANALYZE) {table}");
        client.batch_execute(&vacuum).await?;
    }
    Ok(())
}

impl Before {
    async fn read(session: &Session) -> Result<Self, tokio_postgres::Error> {
        const COLUMNS: &str = "SELECT a.attrelid, a.attnum, a.attnotnull, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
            WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped";
        let client = session.client();
        let columns = client.query(COLUMNS, &[]).await?;
        let key = |row: &tokio_postgres::Row| (row.get::<_, u32>(0), row.get::<_, i16>(1));
        let tables: BTreeSet<u32> = columns.iter().map(|row| row.get(0)).collect();
        let oids = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect();
        Ok(Self {
            tables: tables.into_iter().collect(),
            columns: columns.iter().map(key).collect(),
            types: columns.iter().map(|row| (key(row), row.get(3))).collect(),
            not_null: columns.iter().filter(|row| row.get(2)).map(key).collect(),
            constraints: oids(client.query("SELECT oid FROM pg_constraint", &[]).await?),
            indexes: oids(client.query("SELECT indexrelid FROM pg_index", &[]).await?),
        })
    }

    fn has(&self, table: u32, columns: &[i16]) -> bool {
        columns
            .iter()
            .all(|column| *column <= 0 || self.columns.contains(&(table, *column)))
    }
}

/// Types that a column has afterwards: rows are made of them, and kept as what they were before.
async fn types(session: &Session, before: &Before) -> Result<Vec<Demand>, tokio_postgres::Error> {
    const QUERY: &str = "SELECT a.attrelid, a.attnum, format('%I.%I', n.nspname, c.relname), quote_ident(a.attname), \
            format_type(a.atttypid, a.atttypmod) \
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition AND a.attgenerated = ''";
    let rows = session.client().query(QUERY, &[&before.tables]).await?;
    let demand = |row: &tokio_postgres::Row| {
        let was = before.types.get(&(row.get(0), row.get(1)))?;
        let (table, column, is): (String, String, String) = (row.get(2), row.get(3), row.get(4));
        let into = |data_type: &str| {
            format!(
                "ALTER TABLE {table} ALTER COLUMN {column} TYPE {data_type} USING {column}::{data_type}"
            )
        };
        (*was != is).then(|| Demand {
            set: into(&is),
            drop: into(was),
            rewrites: Some(table.clone()),
        })
    };
    Ok(rows.iter().filter_map(demand).collect())
}

async fn not_null(
    session: &Session,
    before: &Before,
) -> Result<Vec<Demand>, tokio_postgres::Error> {
    const QUERY: &str = "SELECT a.attrelid, a.attnum, format('ALTER TABLE %I.%I ALTER COLUMN %I', n.nspname, c.relname, a.attname) \
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped AND NOT c.relispartition";
    let rows = session.client().query(QUERY, &[&before.tables]).await?;
    let new = rows.iter().filter(|row| {
        let key = (row.get(0), row.get(1));
        before.columns.contains(&key) && !before.not_null.contains(&key)
    });
    let demand = |row: &tokio_postgres::Row| {
        let column: String = row.get(2);
        Demand::of_constraint(
            format!("{column} SET NOT NULL"),
            format!("{column} DROP NOT NULL"),
        )
    };
    Ok(new.map(demand).collect())
}

/// Validated ones of a table's own. A primary key asks what a unique one does, and NOT NULL, which is asked apart.
async fn constraints(
    session: &Session,
    before: &Before,
) -> Result<Vec<Demand>, tokio_postgres::Error> {
    const QUERY: &str = "SELECT k.conrelid, coalesce(k.conkey, '{}'), format('%I.%I', n.nspname, c.relname), \
            regexp_replace(pg_get_constraintdef(k.oid), '^PRIMARY KEY', 'UNIQUE'), format('pgproof_demand_%s', k.oid) \
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE k.conrelid = ANY ($1) AND k.oid <> ALL ($2) AND k.contype IN ('c', 'u', 'p', 'f', 'x') AND k.convalidated \
            AND k.conparentid = 0 AND k.coninhcount = 0 \
        ORDER BY k.contype = 'f', k.oid";
    qualified(session).await?;
    let rows = session
        .client()
        .query(QUERY, &[&before.tables, &before.constraints])
        .await?;
    let old = rows
        .iter()
        .filter(|row| before.has(row.get(0), &row.get::<_, Vec<i16>>(1)));
    let demand = |row: &tokio_postgres::Row| {
        let (table, text, name): (String, String, String) = (row.get(2), row.get(3), row.get(4));
        Demand::of_constraint(
            format!("ALTER TABLE {table} ADD CONSTRAINT {name} {text}"),
            format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
        )
    };
    Ok(old.map(demand).collect())
}

/// Those that belong to no constraint.
async fn unique_indexes(
    session: &Session,
    before: &Before,
) -> Result<Vec<Demand>, tokio_postgres::Error> {
    const QUERY: &str = "SELECT i.indrelid, i.indkey::int2[], pg_get_indexdef(i.indexrelid), format('%I.%I', n.nspname, c.relname) \
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE i.indrelid = ANY ($1) AND i.indexrelid <> ALL ($2) AND i.indisunique AND NOT c.relispartition \
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('u', 'p', 'x'))";
    qualified(session).await?;
    let rows = session
        .client()
        .query(QUERY, &[&before.tables, &before.indexes])
        .await?;
    let old = rows
        .iter()
        .filter(|row| before.has(row.get(0), &row.get::<_, Vec<i16>>(1)));
    let demand = |row: &tokio_postgres::Row| {
        let index: String = row.get(3);
        Demand::of_constraint(row.get(2), format!("DROP INDEX {index}"))
    };
    Ok(old.map(demand).collect())
}

/// Definitions are then written with every name's schema.
async fn qualified(session: &Session) -> Result<(), tokio_postgres::Error> {
    session
        .client()
        .batch_execute("SET search_path = pg_catalog, pg_temp")
        .await
}

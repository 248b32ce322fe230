//! A laboratory: a database of pgproof's own whose tables have statistics and lengths and no rows, for EXPLAIN alone.
//!
//! It exists on the embedded server only, which is why it is made from a [`Cluster`], and it is a private copy like any other:
//! dropped with its value, and by the next command where this one is killed (`clone::sweep`, before anything uses the server).
//! Nothing may be executed in it: a scan would read terabytes of zeros. Its sessions are read only and have a timeout, and its
//! tables are left out by autovacuum.

pub mod distribution;
pub mod ends;
mod extended;
mod files;
pub mod lottery;
pub mod outlook;
mod plans;
mod relation;
mod statistics;
pub mod why;

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use self::files::Stretch;
use self::relation::{Relation, Size, sizes_sql};
use self::statistics::Column;
use super::clone::{Clone as DatabaseClone, CloneError};
use super::connect::{ConnectError, EnvironmentFault, Session, describe};
use super::explain::{Access, Limits};
use super::server::Cluster;
use crate::interrupt::{Interrupt, Interrupted};
use crate::lab::btree;
use crate::profile::model::{ColumnStatistics, ExtendedStatistics, IndexSize, TableStatistics};
use crate::schema::quote_identifier;
use crate::units::{Millis, Pages};

pub use self::files::FileError;
pub use self::plans::{Asked, Planner};

/// How long planning one statement may take.
const PLANNING_LIMIT: Millis = Millis(5_000.0);
/// Files that are made here have numbers that the server does not come to.
const FIRST_FILE: u32 = 3_000_000_000;
/// Values are read as profiles print them.
const VALUES: &str =
    "-c DateStyle=ISO,MDY -c IntervalStyle=postgres -c TimeZone=UTC -c statement_timeout=0";
/// The pages that are written here carry no checksum; what the server says of that is of no use to anybody.
const OPTIONS: &str = "-c ignore_checksum_failure=on -c log_min_messages=fatal";

/// Why there is no laboratory: exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The server cannot be talked to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No copy of the schema.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// A file cannot be hollow.
    #[error(transparent)]
    File(#[from] FileError),
    /// Longer than a relation can be.
    #[error(
        "{relation} would have {pages} pages of 8 kB, and PostgreSQL's relations have 4,294,967,294 at most"
    )]
    TooLarge {
        relation: String,
        /// How many it would need.
        pages: u64,
    },
    /// The server's blocks are not the ones that are written here.
    #[error("the server has blocks of {bytes} bytes; hollow tables need 8192")]
    BlockSize {
        /// `block_size`.
        bytes: String,
    },
    /// The server refuses.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// What was to be done.
        action: &'static str,
        /// The server's message.
        reason: String,
        /// Set where the environment is at fault.
        fault: Option<EnvironmentFault>,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl LabError {
    fn refused(action: &'static str, error: &tokio_postgres::Error) -> Self {
        Self::Refused {
            action,
            reason: describe(error),
            fault: EnvironmentFault::of(error),
        }
    }
}

/// What the tables of a laboratory hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Nothing: their files are as long as the planner is to believe.
    None,
    /// The dataset: statements may be executed, and files stay what they are.
    Real,
}

/// Statistics that an upgrade loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// None.
    Nothing,
    /// Those of CREATE STATISTICS.
    Extended,
    /// Those of columns, too, and how many rows tables have.
    All,
}

/// What is to be done to files, and to what pg_class says of them.
#[derive(Debug, Default)]
struct Changes {
    stretches: Vec<Stretch>,
    sizes: Vec<Size>,
}

/// The statistics of a column that are set now.
type ColumnKey = (u32, String, bool);

/// Hollow tables with one set of statistics at a time.
#[derive(Debug)]
pub struct Laboratory {
    copy: DatabaseClone,
    /// Changes statistics.
    setter: Session,
    /// Plans, and may not change anything.
    planner: Session,
    segment: u64,
    next_file: u32,
    /// By schema and name.
    relations: BTreeMap<(String, String), Relation>,
    columns: BTreeMap<(u32, String), Column>,
    set: BTreeMap<ColumnKey, ColumnStatistics>,
    extended: extended::Objects,
    set_extended: BTreeMap<(String, String, bool), ExtendedStatistics>,
    rows: Rows,
    interrupt: Interrupt,
}

impl Laboratory {
    /// Of the schema of a database of the embedded server, which nobody is connected to: pgproof's own, and without many rows.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn open(
        cluster: &Cluster,
        template: &str,
        interrupt: &Interrupt,
    ) -> Result<Self, LabError> {
        // Copied as files: no buffer of the server holds a page of these.
        let copy = DatabaseClone::of(&cluster.url("postgres"), template, interrupt).await?;
        mark(cluster, copy.url().database(), interrupt).await?;
        let laboratory = Self::of_copy(cluster, copy, Rows::None, interrupt).await?;
        laboratory.forget_rows().await?;
        Ok(laboratory)
    }

    /// Of a database of the embedded server with its rows, which nobody is connected to: its statistics can be set, its sizes are
    /// what they are, and statements can be executed.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn open_filled(
        cluster: &Cluster,
        template: &str,
        interrupt: &Interrupt,
    ) -> Result<Self, LabError> {
        let copy = DatabaseClone::of(&cluster.url("postgres"), template, interrupt).await?;
        let laboratory = Self::of_copy(cluster, copy, Rows::Real, interrupt).await?;
        laboratory.keep_statistics().await?;
        Ok(laboratory)
    }

    async fn of_copy(
        cluster: &Cluster,
        copy: DatabaseClone,
        rows: Rows,
        interrupt: &Interrupt,
    ) -> Result<Self, LabError> {
        let changing = copy.url().with_options(OPTIONS).with_options(VALUES);
        let changing = changing.with_options("-c default_transaction_read_only=off");
        let setter = Session::open(&changing, interrupt).await?;
        let planner = Session::open(&copy.url().with_options(OPTIONS), interrupt).await?;
        let mut laboratory = Self {
            copy,
            segment: segment_bytes(&setter).await?,
            next_file: FIRST_FILE,
            setter,
            planner,
            relations: BTreeMap::new(),
            columns: BTreeMap::new(),
            set: BTreeMap::new(),
            extended: extended::Objects::default(),
            set_extended: BTreeMap::new(),
            rows,
            interrupt: interrupt.clone(),
        };
        laboratory.read_relations(cluster).await?;
        laboratory.read_columns().await?;
        laboratory.extended = extended::Objects::read(&laboratory.setter).await?;
        Ok(laboratory)
    }

    /// Where statements are planned; nothing can be changed there.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.planner
    }

    /// The limits of planning.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            statement: PLANNING_LIMIT,
            lock: PLANNING_LIMIT,
            access: Access::PrivateCopy,
            caller: None,
        }
    }

    /// Gives tables the sizes and statistics that are named; what is not named stays as it is. Only what differs is written.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn set(&mut self, tables: &[TableStatistics]) -> Result<(), LabError> {
        self.interrupt.check()?;
        let mut changes = Changes::default();
        let mut sql = String::from("BEGIN;");
        for table in tables {
            let Some((oid, name)) = self.stretch_table(table, &mut changes)? else {
                continue;
            };
            self.change_columns(oid, &table.columns, &mut sql);
            self.change_extended(&table.extended, &mut sql);
            for index in &table.indexes {
                let index_oid = self.stretch_index(table, index, &name, &mut changes)?;
                if let Some(index_oid) = index_oid {
                    self.change_columns(index_oid, &index.expressions, &mut sql);
                }
            }
        }
        let segment = self.segment;
        let Changes { stretches, sizes } = changes;
        if !stretches.is_empty() {
            let stretched =
                tokio::task::spawn_blocking(move || files::stretch_all(&stretches, segment));
            match stretched.await {
                Ok(done) => done?,
                // The runtime is shutting down.
                Err(_) => return Err(Interrupted.into()),
            }
        }
        if !sizes.is_empty() {
            sql.push_str(&sizes_sql(&sizes));
        }
        sql.push_str("COMMIT");
        let done = self.setter.client().batch_execute(&sql).await;
        done.map_err(|error| LabError::refused("set statistics", &error))
    }

    /// Takes statistics away as pg_upgrade does; whether there were any.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn lose_statistics(&mut self, lost: Lost) -> Result<bool, LabError> {
        let columns = "DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_class c, pg_catalog.pg_namespace n \
             WHERE c.oid = s.starelid AND n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
        let extended = "DELETE FROM pg_catalog.pg_statistic_ext_data";
        let sizes = "UPDATE pg_catalog.pg_class c SET reltuples = -1, relpages = 0, relallvisible = 0 \
             FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace AND c.relkind IN ('r', 'p', 'm', 'i') \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'";
        let (taken, sizes) = match lost {
            Lost::Nothing => return Ok(false),
            Lost::Extended => (
                extended.to_owned(),
                "UPDATE pg_catalog.pg_class SET relpages = relpages WHERE relkind IN ('r', 'p', 'm')",
            ),
            Lost::All => (format!("WITH gone AS ({extended}) {columns}"), sizes),
        };
        let refused = |error| LabError::refused("take statistics away", &error);
        let client = self.setter.client();
        let rows = client.execute(&taken, &[]).await.map_err(refused)?;
        client.batch_execute(sizes).await.map_err(refused)?;
        self.set.clear();
        Ok(rows > 0)
    }

    /// Gives columns the statistics that are named; sizes stay. Only what differs is written. Plans that sessions keep are made anew.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn set_statistics(&mut self, tables: &[TableStatistics]) -> Result<(), LabError> {
        self.interrupt.check()?;
        let mut sql = String::new();
        let mut changed: Vec<String> = Vec::new();
        for table in tables {
            let key = (table.schema.clone(), table.name.clone());
            let Some(oid) = self.relations.get(&key).map(|relation| relation.oid) else {
                continue;
            };
            let before = sql.len();
            self.change_columns(oid, &table.columns, &mut sql);
            if sql.len() > before {
                changed.push(oid.to_string());
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        // As ANALYZE does: a change of the relation has every session look at it again.
        let sql = format!(
            "BEGIN;{sql}UPDATE pg_catalog.pg_class SET relpages = relpages WHERE oid IN ({});COMMIT",
            changed.join(",")
        );
        let done = self.setter.client().batch_execute(&sql).await;
        done.map_err(|error| LabError::refused("set statistics", &error))
    }

    /// Drops the database.
    ///
    /// # Errors
    /// Where the server cannot be talked to: the next command drops it then.
    pub async fn close(self) -> Result<(), LabError> {
        self.setter.close().await;
        self.planner.close().await;
        Ok(self.copy.discard().await?)
    }

    /// The table's size; its OID and name where it is there.
    fn stretch_table(
        &mut self,
        table: &TableStatistics,
        changes: &mut Changes,
    ) -> Result<Option<(u32, String)>, LabError> {
        let key = (table.schema.clone(), table.name.clone());
        let Some(relation) = self.relations.get_mut(&key) else {
            return Ok(None);
        };
        changes.stretches.extend(relation.stretch(
            Pages(table.pages),
            None,
            &mut self.next_file,
        )?);
        changes.sizes.push(Size {
            oid: relation.oid,
            pages: relation.pages.max(Pages(if relation.path.is_some() {
                0
            } else {
                table.pages
            })),
            rows: table.rows,
            all_visible: Some(table.all_visible),
            file: None,
        });
        Ok(Some((relation.oid, relation.name.clone())))
    }

    fn stretch_index(
        &mut self,
        table: &TableStatistics,
        index: &IndexSize,
        table_name: &str,
        changes: &mut Changes,
    ) -> Result<Option<u32>, LabError> {
        let key = (table.schema.clone(), index.name.clone());
        let Some(relation) = self.relations.get_mut(&key) else {
            return Ok(None);
        };
        let width = |name: &String| {
            let columns = table.columns.iter().chain(&index.expressions);
            let found = columns.into_iter().find(|column| column.column == *name);
            found.map_or(8.0, |column| f64::from(column.average_width))
        };
        let key_bytes = relation.keys.iter().map(width).sum();
        relation.name = format!("{table_name}'s index {}", index.name);
        let height = btree::height(Pages(index.pages), key_bytes);
        changes.stretches.extend(relation.stretch(
            Pages(index.pages),
            Some(height),
            &mut self.next_file,
        )?);
        changes.sizes.push(Size {
            oid: relation.oid,
            pages: relation.pages,
            rows: index.rows,
            all_visible: None,
            file: relation.file,
        });
        Ok(Some(relation.oid))
    }

    fn change_columns(&mut self, oid: u32, columns: &[ColumnStatistics], sql: &mut String) {
        for statistics in columns {
            let Some(column) = self.columns.get(&(oid, statistics.column.clone())) else {
                continue;
            };
            let key = (oid, column.name.clone(), statistics.inherited);
            if self.set.get(&key) == Some(statistics) {
                continue;
            }
            let is_set = self.set.insert(key, statistics.clone()).is_some();
            if is_set || self.rows == Rows::Real {
                sql.push_str(&column.delete(statistics.inherited));
            }
            sql.push_str(&column.insert(statistics));
        }
    }

    fn change_extended(&mut self, extended: &[ExtendedStatistics], sql: &mut String) {
        for statistics in extended {
            let key = (
                statistics.schema.clone(),
                statistics.name.clone(),
                statistics.inherited,
            );
            if self.set_extended.get(&key) != Some(statistics) {
                self.extended.set(statistics, sql);
                self.set_extended.insert(key, statistics.clone());
            }
        }
    }

    async fn read_relations(&mut self, cluster: &Cluster) -> Result<(), LabError> {
        let sql = include_str!("../sql/lab/relations.sql");
        let rows = self.setter.client().query_typed(sql, &[]).await;
        let rows = rows.map_err(|error| LabError::refused("read the schema", &error))?;
        for row in &rows {
            let path = row
                .get::<_, Option<String>>("path")
                .map(|path| cluster.data().join(path));
            let least = match &path {
                Some(path) => files::pages(path).map_err(|source| FileError::Refused {
                    path: path.display().to_string(),
                    source,
                })?,
                None => Pages(0),
            };
            let (schema, name): (String, String) = (row.get("schema"), row.get("name"));
            let relation = Relation {
                name: format!("{schema}.{name}"),
                oid: row.get("oid"),
                is_empty_btree: row.get::<_, &str>("method") == "btree" && least == Pages(1),
                keys: row.get("keys"),
                path,
                least,
                pages: least,
                root: None,
                file: None,
            };
            self.relations.insert((schema, name), relation);
        }
        Ok(())
    }

    async fn read_columns(&mut self) -> Result<(), LabError> {
        let oids: Vec<u32> = self
            .relations
            .values()
            .map(|relation| relation.oid)
            .collect();
        let sql = include_str!("../sql/lab/columns.sql");
        let rows = self
            .setter
            .client()
            .query_typed(sql, &[(&oids, Type::OID_ARRAY)])
            .await;
        let rows = rows.map_err(|error| LabError::refused("read the columns", &error))?;
        for column in rows.iter().map(Column::of) {
            self.columns
                .insert((column.relation, column.name.clone()), column);
        }
        Ok(())
    }

    /// Takes away what ANALYZE said of rows of the migrations' own.
    async fn forget_rows(&self) -> Result<(), LabError> {
        let oids: Vec<String> = self
            .relations
            .values()
            .map(|relation| relation.oid.to_string())
            .collect();
        let oids = format!("'{{{}}}'::oid[]", oids.join(","));
        let sql = format!("DELETE FROM pg_catalog.pg_statistic WHERE starelid = ANY ({oids})");
        let done = self.setter.client().batch_execute(&sql).await;
        done.map_err(|error| LabError::refused("prepare the hollow tables", &error))?;
        self.keep_statistics().await
    }

    /// Keeps autovacuum from the tables: it would read hollow ones, and put its own statistics in the place of those that are set.
    async fn keep_statistics(&self) -> Result<(), LabError> {
        const SQL: &str = "UPDATE pg_catalog.pg_class c SET reloptions = coalesce(c.reloptions, '{}') || '{autovacuum_enabled=false}' \
             FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace AND c.relkind IN ('r', 'm') \
             AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)' \
             AND NOT coalesce(c.reloptions, '{}')::text ~ 'autovacuum_enabled'";
        let done = self.setter.client().batch_execute(SQL).await;
        done.map_err(|error| LabError::refused("keep autovacuum away", &error))
    }
}

/// Says what it is, to people and to the server.
async fn mark(cluster: &Cluster, database: &str, interrupt: &Interrupt) -> Result<(), LabError> {
    let session = Session::open(&cluster.url("postgres"), interrupt).await?;
    let name = quote_identifier(database);
    let sql = format!(
        "COMMENT ON DATABASE {name} IS 'pgproof: hollow tables, for EXPLAIN alone; reading them reads terabytes of zeros';\
         ALTER DATABASE {name} SET default_transaction_read_only = on;\
         ALTER DATABASE {name} SET statement_timeout = {:.0}",
        PLANNING_LIMIT.0
    );
    let done = session.client().batch_execute(&sql).await;
    session.close().await;
    done.map_err(|error| LabError::refused("mark the database as hollow", &error))
}

/// The length of a full segment.
async fn segment_bytes(session: &Session) -> Result<u64, LabError> {
    const SQL: &str = "SELECT pg_catalog.current_setting('block_size'), \
                       pg_catalog.pg_size_bytes(pg_catalog.current_setting('segment_size'))";
    let row = session.client().query_typed_one(SQL, &[]).await;
    let row = row.map_err(|error| LabError::refused("read the server's segment size", &error))?;
    let block: String = row.get(0);
    if block != Pages::SIZE.to_string() {
        return Err(LabError::BlockSize { bytes: block });
    }
    Ok(row.get::<_, i64>(1).unsigned_abs())
}

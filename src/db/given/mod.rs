//! Fills a database that pgproof did not make: its objects stay as they are, its constraints and triggers hold. Everything
//! happens in one transaction, so that a failure, Ctrl-C or a lost connection leaves the database as it was.
//!
//! Never drops or disables anything, never touches a table that it was not asked to fill.

pub(super) mod append;
pub(super) mod choice;
mod cycles;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use self::choice::Choice;
use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::dataset::Drafted;
use super::introspect::{self, IntrospectError};
use super::load::LoadReport;
use super::{probe, stored, wishes};
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::Progress;
use crate::schema::{QualifiedName, Schema, Table, TableKind};
use crate::seed::plan::TablePlan;
use crate::seed::{Options, SeedError, SeedPlan, resolve, spec};
use crate::source::{Source, SourceError};
use crate::units::{Bytes, Millis};

/// What happens to tables that hold rows and are to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// The command refuses.
    Refuse,
    /// The new rows come after them.
    Append,
    /// They go, and so do the rows that reference them.
    Replace,
}

/// What becomes of the triggers of the tables that are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggers {
    /// They fire, as for any other rows.
    Fire,
    /// They are disabled in the transaction that fills the tables, and are as they were at its end.
    Disable,
}

/// What will be done to a given database.
#[derive(Debug, Clone)]
pub struct Intent {
    pub schema: Arc<Schema>,
    /// The rows to make.
    pub plan: Arc<SeedPlan>,
    /// Tables that hold rows and keep them: nothing is written there.
    pub kept: Vec<QualifiedName>,
    /// Tables that are emptied first.
    pub emptied: Vec<QualifiedName>,
    /// What is in them.
    pub losses: Vec<Loss>,
    /// Tables that hold rows and get more.
    pub appended: Vec<QualifiedName>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What becomes of the tables' triggers.
    pub triggers: Triggers,
    broken: Vec<cycles::Broken>,
}

impl Intent {
    /// The tables are filled without firing their triggers.
    pub fn put_triggers_aside(&mut self) {
        self.triggers = Triggers::Disable;
        for note in &mut self.notes {
            if let Some(trigger) = note.strip_suffix(choice::FIRES) {
                *note = format!("{trigger} does not fire for its rows (--disable-triggers)");
            }
        }
    }
}

/// Rows that will be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub table: QualifiedName,
    /// How many.
    pub rows: u64,
    /// Counted; what takes too long to count is what the last ANALYZE said.
    pub is_exact: bool,
    /// With indexes.
    pub bytes: Bytes,
}

/// Why a database was not filled. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// Mistakes in seed files: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Spec(Vec<SourceError>),
    /// The schema and the spec do not go together: exit code 2.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<SeedError>),
    /// Rows are in the way: exit code 2.
    #[error(
        "{database} holds rows in {}; --append adds to them, --replace empties these tables and those that reference them",
        listed(.tables)
    )]
    HoldsRows {
        database: String,
        tables: Vec<QualifiedName>,
    },
    /// Rows that were to be added are there already: exit code 2.
    #[error(
        "rows added to table {table} would have the same ({}) as rows that are there, ({example}) for one: key {key} has no \
         room that pgproof knows of; add rows to the tables that it points to as well, write other values into the spec, or \
         use --replace",
        .columns.join(", ")
    )]
    Collides {
        table: QualifiedName,
        /// The unique index.
        key: String,
        columns: Vec<String>,
        /// Values that are there.
        example: String,
    },
    /// Somebody holds tables locked: exit code 3.
    #[error("tables are {0}; try again once that session has ended its transaction")]
    Locked(String),
    /// There is nothing to fill: exit code 2.
    #[error("{database} has no table to fill; apply its migrations first")]
    NoTables { database: String },
    /// Tables that reference each other, so that none can be filled first: exit code 2.
    #[error(
        "foreign key {key} of table {table} is part of a cycle and can neither wait nor be NULL; make it DEFERRABLE or its \
         columns nullable"
    )]
    Cycle {
        /// The constraint.
        key: String,
        table: QualifiedName,
    },
    /// The server cannot be talked to: exit code 3.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema cannot be read: exit code 3.
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    /// The server refused; nothing was changed.
    #[error("cannot {action}: {reason}; nothing was changed")]
    Refused {
        /// `fill table orders`.
        action: String,
        /// What the server said.
        reason: String,
        /// Set where the server or the connection failed.
        fault: Option<EnvironmentFault>,
    },
    /// The rows are there; what follows them failed.
    #[error("the rows are committed, but pgproof cannot {action}: {reason}")]
    Afterwards {
        /// `analyze table orders`.
        action: String,
        /// What the server said.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl GivenError {
    /// Whether the user is at fault (exit code 2) and not the machine (3).
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Spec(_)
            | Self::Plan(_)
            | Self::HoldsRows { .. }
            | Self::Collides { .. }
            | Self::NoTables { .. }
            | Self::Cycle { .. } => true,
            Self::Refused { fault, .. } => fault.is_none(),
            Self::Connect(_)
            | Self::Locked(_)
            | Self::Introspect(_)
            | Self::Afterwards { .. }
            | Self::Interrupted(_) => false,
        }
    }

    fn refused(action: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::Refused {
            action: action.into(),
            reason: describe(error),
            fault: EnvironmentFault::of(error),
        }
    }
}

/// `a, b, c and 4 more`.
fn listed(tables: &[QualifiedName]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = tables.iter().take(SHOWN).map(ToString::to_string).collect();
    match tables.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Reads the database and plans what to add to it. Changes nothing.
///
/// # Errors
/// [`GivenError`]: every refusal comes from here, before a row is written.
pub async fn plan(
    url: &DatabaseUrl,
    specs: &[Source],
    options: &Options,
    existing: Existing,
    interrupt: &Interrupt,
) -> Result<Intent, GivenError> {
    let session = Session::open(url, interrupt).await?;
    let wish = Wish {
        existing,
        trying: Trying::Samples,
    };
    let mut read = read(&session, (url, specs), options, wish, interrupt)
        .await
        .and_then(|(schema, plan, choice)| {
            Ok(Intent {
                losses: Vec::new(),
                kept: choice.kept,
                emptied: choice.emptied,
                appended: choice
                    .appended
                    .iter()
                    .map(|table| table.name.clone())
                    .collect(),
                notes: choice.notes,
                triggers: Triggers::Fire,
                broken: cycles::break_cycles(&schema, &plan)?,
                schema,
                plan,
            })
        });
    if let Ok(intent) = &mut read {
        intent.losses = losses(&session, &intent.schema, &intent.emptied).await?;
    }
    // A cancelled statement looks like a refusal; the wish to stop is the truth.
    interrupt.check()?;
    session.close().await;
    read
}

/// What emptying the tables deletes.
async fn losses(
    session: &Session,
    schema: &Schema,
    emptied: &[QualifiedName],
) -> Result<Vec<Loss>, GivenError> {
    let mut losses = Vec::new();
    for name in emptied {
        let Some(table) = schema.tables.iter().find(|table| table.name == *name) else {
            continue;
        };
        let of_it = || {
            schema
                .tables
                .iter()
                .filter(|part| part.oid == table.oid || schema.root_of(part).oid == table.oid)
        };
        let bytes = of_it().map(|part| {
            let indexes: u64 = part.indexes.iter().map(|index| index.bytes.0).sum();
            part.stats.bytes.0 + indexes
        });
        let counted = count(session, table).await?;
        let leaves = of_it().filter(|part| part.kind != TableKind::Partitioned);
        let estimated: f64 = leaves.filter_map(|part| part.stats.rows).sum();
        losses.push(Loss {
            table: name.clone(),
            rows: counted.unwrap_or(estimated.max(0.0) as u64),
            is_exact: counted.is_some(),
            bytes: Bytes(bytes.sum()),
        });
    }
    Ok(losses)
}

/// `None` where it takes too long.
async fn count(session: &Session, table: &Table) -> Result<Option<u64>, GivenError> {
    let client = session.client();
    let failed = |error| GivenError::refused(format!("count the rows of {}", table.name), &error);
    client
        .batch_execute(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = 2000; SET LOCAL lock_timeout = 1000; \
             SET LOCAL search_path = pg_catalog, pg_temp",
        )
        .await
        .map_err(failed)?;
    let sql = format!("SELECT count(*) FROM {}", table.name.sql());
    let counted = client.query_typed_one(&sql, &[]).await;
    client.batch_execute("ROLLBACK").await.map_err(failed)?;
    Ok(counted
        .ok()
        .and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok()))
}

/// What a database's tables would hold if they were filled from scratch: for files, which are loaded elsewhere. Rows that
/// the migrations made count as there; where every table holds rows, all of them are made anew.
///
/// # Errors
/// [`GivenError`]. Changes nothing.
pub async fn plan_files(
    url: &DatabaseUrl,
    specs: &[Source],
    options: &Options,
    interrupt: &Interrupt,
) -> Result<(Arc<Schema>, Arc<SeedPlan>, Vec<String>), GivenError> {
    let session = Session::open_given(url, interrupt).await?;
    let wish = |existing| Wish {
        existing,
        trying: Trying::Nothing,
    };
    let of = (url, specs);
    let mut found = read(&session, of, options, wish(Existing::Refuse), interrupt).await;
    if matches!(found, Err(GivenError::HoldsRows { .. })) {
        found = read(&session, of, options, wish(Existing::Replace), interrupt).await;
    }
    interrupt.check()?;
    session.close().await;
    found.map(|(schema, plan, _)| {
        let notes = plan.all_notes().cloned().collect();
        (schema, plan, notes)
    })
}

/// The plan of a database's tables as if they were empty, with what can be planned where not everything can; the rows that
/// the server's statistics count are the number of each table's. The catalogs alone are read: whether the tables' constraints
/// take such rows is not tried here, for it would run functions of the database's owner.
///
/// # Errors
/// [`GivenError`], but for constraints that cannot be met. Changes nothing.
pub async fn draft(
    url: &DatabaseUrl,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<Drafted, GivenError> {
    let session = Session::open_given(url, interrupt).await?;
    let reading = introspect::reading(&session).await?;
    if let Some(note) = reading.note() {
        return Err(GivenError::Locked(note));
    }
    let schema = reading.schema;
    let options = Options {
        table_rows: counted(&schema),
        ..options.clone()
    };
    let found = resolve(&schema, &spec::Spec::default(), &options, &Stored::new());
    let (plan, errors) = match found {
        Ok(plan) => (plan, Vec::new()),
        Err(refusal) => (refusal.sound.clone(), refusal.errors),
    };
    interrupt.check()?;
    session.close().await;
    Ok(Drafted {
        schema,
        plan,
        errors,
    })
}

/// Rows by the server's statistics; a partitioned table has those of its partitions.
fn counted(schema: &Schema) -> BTreeMap<String, u64> {
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    for table in &schema.tables {
        let root = schema.root_of(table);
        // A partitioned table's own figure is the sum of its partitions', where it has one.
        if table.partition_key.is_some() {
            continue;
        }
        if let Some(count) = table.stats.rows.filter(|count| *count >= 1.0) {
            let name = format!("{}.{}", root.name.schema, root.name.name);
            *rows.entry(name).or_default() += count as u64;
        }
    }
    rows
}

/// Whether planned rows are tried against the database's constraints, which runs what its owner wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trying {
    /// It will be filled, which runs that, too.
    Samples,
    /// Only its schema is read.
    Nothing,
}

/// What is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    existing: Existing,
    trying: Trying,
}

async fn read(
    session: &Session,
    (url, specs): (&DatabaseUrl, &[Source]),
    options: &Options,
    Wish { existing, trying }: Wish,
    interrupt: &Interrupt,
) -> Result<(Arc<Schema>, Arc<SeedPlan>, Choice), GivenError> {
    let spec = spec::parse(specs).map_err(GivenError::Spec)?;
    let reading = introspect::reading(session).await?;
    if let Some(note) = reading.note() {
        return Err(GivenError::Locked(note));
    }
    let schema = reading.schema;
    let stored = stored::rows(session, &schema)
        .await
        .map_err(|error| GivenError::refused("read the rows that are there", &error))?;
    let mut choice = Choice::of(&schema, &spec, options, stored, existing, url)?;
    let (first, mut options) = (options, options.clone());
    if !choice.appended.is_empty() {
        // Other rows than those that an earlier run made with the same seed.
        options.seed = options.seed.rotate_left(32) ^ choice.rows_there;
    }
    let mut plan = match resolve(&schema, &spec, &options, &choice.stored) {
        Ok(plan) => plan,
        Err(refusal) => {
            return Err(GivenError::Plan(match trying {
                Trying::Samples => probe::all_errors(session, &schema, *refusal).await,
                Trying::Nothing => refusal.errors,
            }));
        }
    };
    let fresh = match choice.appended.as_slice() {
        [] => append::Fresh::new(),
        appended => {
            // What refuses this plan has refused the other one.
            let first = resolve(&schema, &spec, first, &choice.stored)
                .unwrap_or_else(|_| SeedPlan::empty(first.seed));
            append::start_after_existing(session, appended, &first, &mut plan).await
        }
    };
    let tried = match trying {
        Trying::Samples => probe::examine(session, &schema, &mut plan).await,
        Trying::Nothing => Ok(probe::read_by_server(session, &mut plan).await),
    };
    let refused = tried
        .map_err(|error| GivenError::refused("try some rows against the constraints", &error))?;
    if !refused.is_empty() {
        return Err(GivenError::Plan(refused));
    }
    choice.notes.extend(plan.notes.iter().cloned());
    let plan = Arc::new(plan);
    append::compare_keys(session, &schema, &choice.appended, &plan, &fresh, interrupt).await?;
    Ok((Arc::new(schema), plan, choice))
}

/// Fills the database as planned.
///
/// # Errors
/// [`GivenError`]; the transaction is rolled back.
pub async fn fill(
    url: &DatabaseUrl,
    intent: &Intent,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<LoadReport, GivenError> {
    let start = Instant::now();
    let session = Session::open(url, interrupt).await?;
    let result = steps::run(&session, intent, progress, interrupt).await;
    // Dropping the session ends the transaction where it is still open.
    interrupt.check()?;
    let mut report = result?;
    let held_rows = |table: &TablePlan| intent.appended.contains(&table.name);
    let missed = wishes::compare(&session, &intent.schema, &intent.plan, held_rows).await;
    report.notes.extend(missed);
    session.close().await;
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    Ok(report)
}

type Stored = BTreeMap<u32, crate::seed::resolve::StoredRows>;

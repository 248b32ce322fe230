//! The dataset as a template database on the embedded server, named by what it is made of. It is built under another
//! name and renamed when it is whole: what has the name is complete.

mod environment;
mod error;
mod fill_up;
mod left_empty;
mod making;
mod partitions;
mod retention;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::clone::Clone as DatabaseClone;
use super::connect::{DatabaseUrl, Session};
use super::demands::Demand;
use super::lease::{self, Lease, LeaseError};
use super::load::LoadReport;
use super::migrate::{self, MigrationSource};
use super::server::Cluster;
use super::{introspect, probe, stored};
use crate::interrupt::Interrupt;
use crate::migrations::Layout;
use crate::progress::Progress;
use crate::schema::Schema;
use crate::seed::plan::Fill;
use crate::seed::{GENERATOR_VERSION, Options, SeedError, SeedPlan, spec};
use crate::source::Source;
use making::Making;

pub use self::environment::environment;
pub use self::error::DatasetError;
pub use self::partitions::Lacking;
pub(crate) use self::retention::Stored;

/// What a dataset is made of.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The project's migrations.
    pub migrations: &'a MigrationSource,
    /// The project's seed files.
    pub specs: &'a [Source],
    /// Seed, scale, row counts.
    pub options: &'a Options,
    /// What rows have to hold besides what the schema asks.
    pub demands: &'a [Demand],
    /// What becomes of partitioned tables without a partition.
    pub lacking: Lacking,
}

/// A dataset that is there.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The template database: copy it with [`super::clone::Clone::of`]; nobody may connect to it.
    pub database: String,
    /// Hexadecimal, of everything that it is made of.
    pub fingerprint: String,
    /// `None` where it was there already.
    pub made: Option<LoadReport>,
    /// What it holds.
    pub tables: Vec<DatasetTable>,
}

impl Dataset {
    /// Each table that stays empty because a constraint of it cannot be met, with the reason.
    pub fn left_empty(&self) -> impl Iterator<Item = (&str, &str)> {
        let tables = self.tables.iter();
        tables.filter_map(|table| Some((table.name.as_str(), table.left_empty.as_deref()?)))
    }
}

/// A table of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetTable {
    /// For people.
    pub name: String,
    /// How many.
    pub rows: u64,
    /// With TOAST, without indexes.
    pub bytes: u64,
    /// The migrations filled it.
    pub kept: bool,
    /// Why it has no rows beside those of the migrations, with the line to write, where a constraint of it cannot be met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_empty: Option<String>,
}

const PREFIX: &str = "pgproof_";
const BUILDING: &str = "pgproof_building_";

/// What a dataset is made of, as 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(recipe: Recipe<'_>, server_major: u32) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(&GENERATOR_VERSION.to_string());
    part(&server_major.to_string());
    for migration in &recipe.migrations.migrations {
        part(&migration.version);
        part(&migration.up.source.text);
    }
    for source in recipe.specs {
        part(&source.text);
    }
    for demand in recipe.demands {
        part(&demand.set);
    }
    if partitions::may_be_made(recipe) {
        part("partitions");
    }
    let Options {
        seed,
        scale,
        default_rows,
        all_rows,
        table_rows,
        locale,
        target_bytes,
        subset,
        clock,
        constants,
        joins,
        profile,
        // Follows from all else.
        left_empty: _,
    } = recipe.options;
    part(&format!(
        "{seed} {scale} {default_rows:?} {all_rows:?} {table_rows:?} {}",
        locale.name
    ));
    part(&clock.to_string());
    if !constants.is_empty() {
        part(&format!("{constants:?}"));
    }
    if !joins.is_empty() {
        part(&format!("{joins:?}"));
    }
    if let Some(profile) = profile {
        part(&format!("{profile:?}"));
    }
    if target_bytes.is_some() || subset.is_some() {
        part(&format!("{target_bytes:?} {subset:?}"));
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The dataset of a recipe, made where it is not there.
///
/// # Errors
/// [`DatasetError`]; nothing half-made stays.
pub async fn ensure(
    cluster: &Cluster,
    recipe: Recipe<'_>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Dataset, DatasetError> {
    // Mistakes of the spec first: they cost nothing to find.
    spec::parse(recipe.specs).map_err(DatasetError::Spec)?;
    let fingerprint = fingerprint(recipe, cluster.version().major());
    let database = format!("{PREFIX}{fingerprint}");
    let mut built: Option<Dataset> = None;
    loop {
        let session = Session::open(&cluster.url("postgres"), interrupt).await?;
        if exists(&session, &database).await? {
            // Nobody drops it from here on; somebody may have, just before.
            hold(cluster, &fingerprint).await?;
        }
        if exists(&session, &database).await? {
            if let Some(dataset) = built {
                session.close().await;
                return Ok(dataset);
            }
            let tables = retention::use_again(&session, &database).await?;
            session.close().await;
            return Ok(Dataset {
                database,
                fingerprint,
                made: None,
                tables,
            });
        }
        // Two commands at once: the second one waits and finds the first one's dataset.
        lock(&session, &fingerprint, progress).await?;
        if !exists(&session, &database).await? {
            let making = Making {
                cluster,
                session: &session,
                recipe,
                fingerprint: &fingerprint,
                database: &database,
                progress,
                interrupt,
            };
            let made = making.build().await;
            interrupt.check()?;
            built = made?;
        }
        // With it goes the lock.
        session.close().await;
    }
}

/// Keeps a dataset from being dropped as long as this process uses the server.
async fn hold(cluster: &Cluster, fingerprint: &str) -> Result<(), DatasetError> {
    let key = lease::key(fingerprint).unwrap_or_default();
    let taken = Lease::take(&cluster.url("postgres"), key).await;
    cluster.hold(taken.map_err(|error| match error {
        LeaseError::Connect(error) => DatasetError::Connect(error),
        LeaseError::Refused(reason) => DatasetError::Refused {
            action: "keep the dataset from being dropped",
            reason,
            fault: None,
        },
    })?);
    Ok(())
}

/// What would be loaded, without loading it: the schema in a copy that is dropped again, and the plan. The errors are those of
/// tables that would stay empty.
///
/// # Errors
/// [`DatasetError`].
pub async fn preview(
    cluster: &Cluster,
    recipe: Recipe<'_>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Drafted, DatasetError> {
    let copy = migrated_copy(cluster, recipe, progress, interrupt).await?;
    let planned = left_empty::plan(copy.url(), recipe.specs, recipe.options, &[], interrupt).await;
    copy.discard().await?;
    planned
}

/// The same, with the errors of one pass alone: what a spec has to answer.
///
/// # Errors
/// [`DatasetError`], but for constraints that cannot be met.
pub async fn preview_draft(
    cluster: &Cluster,
    recipe: Recipe<'_>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Drafted, DatasetError> {
    let copy = migrated_copy(cluster, recipe, progress, interrupt).await?;
    let planned = draft(copy.url(), recipe.specs, recipe.options, interrupt).await;
    copy.discard().await?;
    planned
}

/// An empty database with the project's schema.
///
/// # Errors
/// [`DatasetError`].
pub async fn migrated_copy(
    cluster: &Cluster,
    recipe: Recipe<'_>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<DatabaseClone, DatasetError> {
    spec::parse(recipe.specs).map_err(DatasetError::Spec)?;
    let copy = DatabaseClone::of(&cluster.url("postgres"), "template0", interrupt).await?;
    migrate::apply(
        &for_migrations(cluster, recipe, copy.url())?,
        recipe.migrations,
        progress,
        interrupt,
    )
    .await?;
    partitions::make(copy.url(), recipe, interrupt).await?;
    Ok(copy)
}

async fn exists(session: &Session, database: &str) -> Result<bool, DatasetError> {
    let row = session
        .client()
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)",
            &[&database],
        )
        .await
        .map_err(|error| DatasetError::refused("look for the dataset", &error))?;
    Ok(row.get(0))
}

/// Held until the session closes.
async fn lock(
    session: &Session,
    fingerprint: &str,
    progress: &Progress,
) -> Result<(), DatasetError> {
    let refused = |error| DatasetError::refused("lock the dataset", &error);
    let key = lease::key(fingerprint).unwrap_or_default();
    let row = session
        .client()
        .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
        .await
        .map_err(refused)?;
    if !row.get::<_, bool>(0) {
        progress.note("another command is making this dataset; waiting for it");
        session
            .client()
            .execute("SELECT pg_advisory_lock($1)", &[&key])
            .await
            .map_err(refused)?;
    }
    Ok(())
}

/// Drops what builds that died left.
///
/// # Errors
/// What the server refused.
pub(crate) async fn sweep(session: &Session, progress: &Progress) -> Result<(), DatasetError> {
    retention::sweep(session, "", progress).await
}

/// The datasets of a server that are not in use, the one that was used last first, with what they take.
///
/// # Errors
/// What the server refused.
pub(crate) async fn unused(session: &Session) -> Result<Vec<Stored>, DatasetError> {
    retention::unused(session).await
}

/// Drops a dataset, unless it is in use: whether it is gone.
///
/// # Errors
/// What the server refused.
pub(crate) async fn drop_unused(session: &Session, dataset: &Stored) -> Result<bool, DatasetError> {
    retention::drop_unused(session, dataset).await
}

async fn drop_database(session: &Session, name: &str) -> Result<(), DatasetError> {
    session
        .client()
        .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        .await
        .map_err(|error| DatasetError::refused("drop an unfinished dataset", &error))
}

/// The database as whoever migrates it must be told: programs seldom know sockets.
fn for_migrations(
    cluster: &Cluster,
    recipe: Recipe<'_>,
    url: &DatabaseUrl,
) -> Result<DatabaseUrl, DatasetError> {
    match recipe.migrations.layout {
        Layout::Command => Ok(cluster.loopback_url(url.database())?),
        _ => Ok(url.clone()),
    }
}

/// What the tables hold, as the server counts their bytes.
async fn sizes(
    url: &DatabaseUrl,
    plan: &SeedPlan,
    removed: &BTreeMap<u32, u64>,
    interrupt: &Interrupt,
) -> Result<Vec<DatasetTable>, DatasetError> {
    let session = Session::open(url, interrupt).await?;
    // A partitioned table's bytes are its partitions'.
    let sql = "SELECT t.oid, (SELECT sum(pg_table_size(tree.oid))::bigint \
                              FROM (SELECT t.oid UNION SELECT relid::oid FROM pg_partition_tree(t.oid)) AS tree(oid)) \
               FROM unnest($1::oid[]) AS t(oid)";
    let oids: Vec<u32> = plan.tables.iter().map(|table| table.oid).collect();
    let rows = session.client().query(sql, &[&oids]).await;
    let rows = rows.map_err(|error| DatasetError::refused("measure the tables", &error))?;
    session.close().await;
    let bytes: BTreeMap<u32, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let size = |oid| u64::try_from(bytes.get(&oid).copied().unwrap_or(0)).unwrap_or(0);
    let tables = plan.tables.iter();
    Ok(tables
        .map(|table| DatasetTable {
            name: table.name.to_string(),
            rows: table.there + table.made_rows() - removed.get(&table.oid).copied().unwrap_or(0),
            bytes: size(table.oid),
            kept: table.fill == Fill::Keep,
            left_empty: None,
        })
        .collect())
}

/// A plan, and what it could not meet.
#[derive(Debug)]
pub struct Drafted {
    /// The schema that was read.
    pub schema: Schema,
    /// Its plan; tables that are refused, and those that point to them, have no rows here.
    pub plan: SeedPlan,
    /// Why they are refused.
    pub errors: Vec<SeedError>,
}

/// Reads a database's schema and rows that are there, and plans what to add.
///
/// # Errors
/// [`DatasetError`].
pub async fn plan(
    url: &DatabaseUrl,
    specs: &[Source],
    options: &Options,
    interrupt: &Interrupt,
) -> Result<(Schema, SeedPlan), DatasetError> {
    let drafted = draft(url, specs, options, interrupt).await?;
    if drafted.errors.is_empty() {
        Ok((drafted.schema, drafted.plan))
    } else {
        Err(DatasetError::Plan(drafted.errors))
    }
}

/// The same, with what can be planned where not everything can.
///
/// # Errors
/// [`DatasetError`], but for constraints that cannot be met.
pub async fn draft(
    url: &DatabaseUrl,
    specs: &[Source],
    options: &Options,
    interrupt: &Interrupt,
) -> Result<Drafted, DatasetError> {
    let spec = spec::parse(specs).map_err(DatasetError::Spec)?;
    let session = Session::open(url, interrupt).await?;
    let schema = introspect::schema(&session).await?;
    let stored: BTreeMap<_, _> = stored::rows(&session, &schema)
        .await
        .map_err(|error| DatasetError::refused("read the rows that the migrations made", &error))?;
    let found = fill_up::plan(&session, &schema, &spec, options, &stored, interrupt).await;
    let mut plan = match found {
        Ok(plan) => plan,
        Err(refusal) => {
            let plan = refusal.sound.clone();
            return Ok(Drafted {
                errors: probe::all_errors(&session, &schema, *refusal).await,
                schema,
                plan,
            });
        }
    };
    let errors = probe::examine(&session, &schema, &mut plan)
        .await
        .map_err(|error| DatasetError::refused("try some rows against the constraints", &error))?;
    session.close().await;
    if !errors.is_empty() {
        let refused = |table: &crate::seed::plan::TablePlan| {
            let name = table.name.to_string();
            errors
                .iter()
                .any(|error| matches!(error, SeedError::Unsolvable { table, .. } if *table == name))
        };
        let unsound = plan.tables.iter().map(refused).collect();
        plan.leave_out(unsound);
    }
    Ok(Drafted {
        schema,
        plan,
        errors,
    })
}

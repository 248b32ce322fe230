//! A dataset being made: migrated, filled, cleaned up.

use std::sync::Arc;
use std::time::Duration;

use super::left_empty::Unloadable;
use super::{BUILDING, left_empty, partitions, retention};
use super::{
    Dataset, DatasetError, DatasetTable, Drafted, Recipe, drop_database, for_migrations, sizes,
};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::demands::{self};
use crate::db::load::{self, LoadReport, Space};
use crate::db::migrate::{self, MigrateError};
use crate::db::server::Cluster;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// How long cleaning up may take before it is left to the next command.
const CLEANING_LIMIT: Duration = Duration::from_secs(30);

/// Where it is not known how many there are, since making them failed.
const MANY_RELATIONS: u64 = 150_000;

/// Loads that may be refused because of one table before the dataset is given up.
const MOST_LOADS: usize = 8;

/// What a dataset is made with.
pub(super) struct Making<'a> {
    pub(super) cluster: &'a Cluster,
    /// Holds the fingerprint's lock.
    pub(super) session: &'a Session,
    pub(super) recipe: Recipe<'a>,
    pub(super) fingerprint: &'a str,
    pub(super) database: &'a str,
    pub(super) progress: &'a Progress,
    pub(super) interrupt: &'a Interrupt,
}

/// Rows that were loaded.
struct Filled {
    report: LoadReport,
    pub(super) tables: Vec<DatasetTable>,
}

/// How many things of a database may be locked.
async fn relations(url: &DatabaseUrl, interrupt: &Interrupt) -> Result<u64, DatasetError> {
    let session = Session::open(url, interrupt).await?;
    let row = session
        .client()
        .query_one("SELECT count(*) FROM pg_class", &[])
        .await
        .map_err(|error| DatasetError::refused("count the relations", &error))?;
    session.close().await;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

impl Making<'_> {
    /// `None` where the server was restarted for it: everything is to be done again.
    pub(super) async fn build(&self) -> Result<Option<Dataset>, DatasetError> {
        let building = format!("{BUILDING}{}", self.fingerprint);
        let (session, progress) = (self.session, self.progress);
        // What a killed command left; nobody else builds it, we hold the lock.
        drop_database(session, &building).await?;
        retention::sweep(session, &building, progress).await?;
        let refused = |error| DatasetError::refused("make the dataset's database", &error);
        // Tables whose rows the server refused, though nothing said so before.
        let mut unloadable = Vec::new();
        let filled = loop {
            session
                .client()
                .batch_execute(&format!("CREATE DATABASE {building} TEMPLATE template0"))
                .await
                .map_err(refused)?;
            match self.fill(&building, &unloadable).await {
                Ok(Some(filled)) => break filled,
                Ok(None) => return Ok(None),
                Err(error) => match Unloadable::of(&error) {
                    Some(table) if unloadable.len() < MOST_LOADS => {
                        progress.note(format!("{table}; loading the rest without it"));
                        unloadable.push(table);
                        drop_database(session, &building).await?;
                    }
                    Some(_) | None => {
                        self.clean_up(&building, &error).await;
                        return Err(error);
                    }
                },
            }
        };
        let comment = retention::comment(session, &building, filled.tables.clone()).await?;
        let database = self.database;
        // One statement list is one transaction.
        let rename = format!(
            "{comment}; ALTER DATABASE {building} RENAME TO {database}; \
             ALTER DATABASE {database} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
        );
        session
            .client()
            .batch_execute(&rename)
            .await
            .map_err(refused)?;
        retention::drop_old(session, database, progress).await?;
        Ok(Some(Dataset {
            database: database.to_owned(),
            fingerprint: self.fingerprint.to_owned(),
            made: Some(filled.report),
            tables: filled.tables,
        }))
    }

    /// Drops what was not finished. What cannot be dropped now is dropped by the next command.
    async fn clean_up(&self, building: &str, error: &DatasetError) {
        if error.is_disk_full() {
            // Also dropping needs space, for the server's log.
            self.cluster.release_reserve();
        }
        let cleaning = async {
            // A session of its own: an interrupt has cancelled the other one's statements.
            if let Ok(cleaner) =
                Session::open(&self.cluster.url("postgres"), &Interrupt::new()).await
            {
                let _ = drop_database(&cleaner, building).await;
                cleaner.close().await;
            }
        };
        // A server that hangs must not keep this command.
        let _ = tokio::time::timeout(CLEANING_LIMIT, cleaning).await;
    }

    async fn fill(
        &self,
        building: &str,
        unloadable: &[Unloadable],
    ) -> Result<Option<Filled>, DatasetError> {
        let (recipe, progress, interrupt) = (self.recipe, self.progress, self.interrupt);
        let url = self.cluster.url(building);
        let migrated = for_migrations(self.cluster, recipe, &url)?;
        let applied = migrate::apply(&migrated, recipe.migrations, progress, interrupt).await;
        if applied.is_ok() {
            let made = partitions::make(&url, recipe, interrupt).await?;
            if let Some(note) = partitions::note(&made) {
                progress.note(note);
            }
        }
        let relations = match &applied {
            Ok(_) => relations(&url, interrupt).await?,
            // One migration makes more than a transaction may lock.
            Err(MigrateError::Environment { reason, .. })
                if reason.contains("max_locks_per_transaction") =>
            {
                MANY_RELATIONS
            }
            Err(_) => 0,
        };
        if self
            .cluster
            .provide_locks(relations, progress, interrupt)
            .await?
        {
            return Ok(None);
        }
        applied?;
        let demanded = demands::set(&url, recipe.demands, interrupt).await?;
        let Drafted {
            schema,
            plan,
            errors: refused,
        } = left_empty::plan(&url, recipe.specs, recipe.options, unloadable, interrupt).await?;
        for note in &plan.notes {
            progress.note(note.as_str());
        }
        let space = Space::of(&schema, &plan);
        if plan.total_rows() > 0 {
            progress.note(format!(
                "{}; {space}",
                plan.summary(crate::db::pace::pace())
            ));
        }
        if let Some(free) = self.cluster.free_space()
            && free < space.peak()
        {
            return Err(DatasetError::Space { space, free });
        }
        let (schema, plan) = (Arc::new(schema), Arc::new(plan));
        let report = load::embedded(&url, &schema, &plan, progress, interrupt).await?;
        report
            .notes
            .iter()
            .for_each(|note| progress.note(note.as_str()));
        // What is left to write is written now, and not while something is being measured.
        let session = Session::open(&url, interrupt).await?;
        let unset = demands::unset(&session, &demanded).await;
        unset.map_err(|error| DatasetError::refused("take back what rows had to hold", &error))?;
        let written = session.client().batch_execute("CHECKPOINT").await;
        written.map_err(|error| DatasetError::refused("checkpoint", &error))?;
        session.close().await;
        let mut tables = sizes(&url, &plan, &report.removed, interrupt).await?;
        left_empty::mark(&mut tables, &refused);
        Ok(Some(Filled { report, tables }))
    }
}

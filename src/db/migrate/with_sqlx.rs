//! sqlx's migrations, applied with sqlx itself.

use sqlx::migrate::{
    AppliedMigration, Migrate as _, Migration as SqlxMigration, MigrationType, Migrator,
};
use sqlx::postgres::{PgConnection, PgDatabaseError, PgErrorPosition};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _};

use super::{MigrateError, MigrationSource, failure, file_of, refused, word_at};
use crate::db::connect::{DatabaseUrl, Session};
use crate::db::lacking;
use crate::interrupt::Interrupt;
use crate::migrations::Migration;

/// sqlx's own migrator over the files that were read.
pub(super) struct Sqlx {
    connection: PgConnection,
    migrator: Migrator,
    /// What the database had; `None` until it is read.
    history: Option<Vec<AppliedMigration>>,
    pub(super) url: DatabaseUrl,
}

/// Where sqlx records what it has applied.
const HISTORY: &str = "_sqlx_migrations";

fn describe_sqlx(refusal: &PgDatabaseError) -> String {
    let detail = refusal
        .detail()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    let hint = refusal
        .hint()
        .map(|hint| format!(" (hint: {hint})"))
        .unwrap_or_default();
    format!(
        "{}{detail}{hint} (SQLSTATE {})",
        refusal.message(),
        refusal.code()
    )
}

/// As it is recorded, without what the cluster's roles show to be done already.
fn for_sqlx(migration: &Migration, roles: &[String]) -> Result<SqlxMigration, String> {
    let version = version_of(migration).ok_or_else(|| {
        format!(
            "version {} of {} is no number",
            migration.version,
            file_of(&migration.up)
        )
    })?;
    let written = migration.up.source.text.to_string();
    let mut text = written.clone();
    for statement in &migration.up.statements {
        if lacking::is_done(&statement.sql, roles) {
            let blank = " ".repeat(statement.span.len());
            text.replace_range(statement.span.clone(), &blank);
        }
    }
    // As sqlx itself decides it.
    let without_transaction = text.starts_with("-- no-transaction");
    let kind = if migration.down.is_some() {
        MigrationType::ReversibleUp
    } else {
        MigrationType::Simple
    };
    let description = migration.name.replace('_', " ").into();
    let of = |text: String| AssertSqlSafe(text).into_sql_str();
    let recorded = SqlxMigration::new(version, description, kind, of(written), without_transaction);
    Ok(SqlxMigration {
        sql: of(text),
        ..recorded
    })
}

fn version_of(migration: &Migration) -> Option<i64> {
    migration.version.parse().ok()
}

impl Sqlx {
    pub(super) async fn open(
        url: &DatabaseUrl,
        source: &MigrationSource,
        interrupt: &Interrupt,
    ) -> Result<Self, MigrateError> {
        // First through a session, whose errors say what to do.
        let session = Session::open(url, interrupt).await?;
        let roles = lacking::roles(&session).await;
        session.close().await;
        let refused = |reason: String| MigrateError::History {
            database: url.to_string(),
            reason,
        };
        let roles = roles.map_err(|error| refused(error.to_string()))?;
        let migrations = source
            .migrations
            .iter()
            .map(|migration| for_sqlx(migration, &roles))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refused)?;
        let connection = interrupt
            .race(PgConnection::connect_with(&url.sqlx_options()))
            .await?
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            connection,
            migrator: Migrator::with_migrations(migrations),
            history: None,
            url: url.clone(),
        })
    }

    /// Applies one migration; false where the database has it already.
    pub(super) async fn apply(
        &mut self,
        migration: &Migration,
        interrupt: &Interrupt,
    ) -> Result<bool, MigrateError> {
        let result = interrupt.race(self.apply_unknown(migration)).await?;
        match result {
            Ok(is_new) => Ok(is_new),
            Err(error) => Err(self.failure(migration, error, interrupt).await),
        }
    }

    /// What one run of sqlx's migrator does with one migration. The history is read once: a migration may change the session's
    /// `search_path`, as `pg_dump`'s do, and the table of the history would be made a second time in another schema.
    async fn apply_unknown(
        &mut self,
        migration: &Migration,
    ) -> Result<bool, sqlx::migrate::MigrateError> {
        let version = version_of(migration).unwrap_or_default();
        if self.history.is_none() {
            self.history = Some(self.read_history().await?);
        }
        let Some(known) = self.migrator.iter().find(|known| known.version == version) else {
            return Err(sqlx::migrate::MigrateError::VersionNotPresent(version));
        };
        match self
            .history
            .iter()
            .flatten()
            .find(|old| old.version == version)
        {
            Some(old) if old.checksum == known.checksum => Ok(false),
            Some(_) => Err(sqlx::migrate::MigrateError::VersionMismatch(version)),
            None => {
                self.connection.apply(HISTORY, known).await?;
                Ok(true)
            }
        }
    }

    /// What the database has, after sqlx has made the table for it and looked for what is half done or unknown.
    async fn read_history(&mut self) -> Result<Vec<AppliedMigration>, sqlx::migrate::MigrateError> {
        self.migrator.run_to(i64::MIN, &mut self.connection).await?;
        self.connection.list_applied_migrations(HISTORY).await
    }

    async fn failure(
        &self,
        migration: &Migration,
        error: sqlx::migrate::MigrateError,
        interrupt: &Interrupt,
    ) -> MigrateError {
        let file = file_of(&migration.up);
        let cause = match error {
            sqlx::migrate::MigrateError::ExecuteMigration(cause, _)
            | sqlx::migrate::MigrateError::Execute(cause) => cause,
            other => {
                return MigrateError::History {
                    database: self.url.to_string(),
                    reason: other.to_string(),
                };
            }
        };
        let Some(refusal) = cause
            .as_database_error()
            .and_then(|e| e.try_downcast_ref::<PgDatabaseError>())
        else {
            return MigrateError::Environment {
                file,
                reason: cause.to_string(),
            };
        };
        let message = describe_sqlx(refusal);
        if refusal.code().starts_with("53") || refusal.code().starts_with("57") {
            return MigrateError::Environment {
                file,
                reason: message,
            };
        }
        let source = &migration.up.source;
        let span = match refusal.position() {
            Some(PgErrorPosition::Original(position)) => {
                word_at(source, 0..source.text.len(), position)
            }
            Some(PgErrorPosition::Internal { .. }) | None => {
                match self.replay(migration, interrupt).await {
                    Some(error) => return error,
                    None => 0..source.text.len(),
                }
            }
        };
        let words = (refusal.code(), refusal.message());
        refused(source, span, message, Some(words)).into()
    }

    /// Errors at run time carry no position: the statements are run again one by one, and rolled back.
    async fn replay(&self, migration: &Migration, interrupt: &Interrupt) -> Option<MigrateError> {
        if !migration.up.in_one_transaction() {
            return None;
        }
        let session = Session::open(&self.url, interrupt).await.ok()?;
        session.client().batch_execute("BEGIN").await.ok()?;
        for statement in &migration.up.statements {
            if lacking::is_done_already(&session, &statement.sql).await {
                continue;
            }
            if let Err(error) = session.client().batch_execute(&statement.sql).await {
                return Some(failure(&migration.up, statement, &error));
            }
        }
        None
    }
}

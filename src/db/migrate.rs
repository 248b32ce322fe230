//! Applies a project's migrations to a database the way the tool that owns them does: sqlx's with sqlx itself (its
//! checksums and its tracking table), every other layout statement by statement under that layout's transaction rule.
//! Failures point at the statement in its file.

mod with_sqlx;

use std::ops::Range;

use tokio_postgres::error::ErrorPosition;

use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::lacking;
use crate::interrupt::{Interrupt, Interrupted};
use crate::migrations::{Layout, Program, Script, Statement, own_table, platform};
use crate::progress::{Progress, Unit};
use crate::schema::quote_identifier;
use crate::secret::redact;
use crate::source::{Source, SourceError};
use with_sqlx::Sqlx;

pub use crate::migrations::History as MigrationSource;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Versions, in order; those that the database had already are not among them.
    pub versions: Vec<String>,
}

/// Migrations that cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A statement failed: exit code 2.
    #[error(transparent)]
    Statement(#[from] SourceError),
    /// The database's history is another: exit code 2.
    #[error("cannot migrate {database}: {reason}")]
    History {
        database: String,
        /// The message of sqlx.
        reason: String,
    },
    /// The database cannot be reached: exit code 3.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server failed while a statement ran: exit code 3.
    #[error("{file}: the server failed: {reason}")]
    Environment {
        /// The migration's file.
        file: String,
        /// Its message.
        reason: String,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl MigrateError {
    /// Whether the project is at fault (exit code 2) and not the machine (3).
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Statement(_) | Self::History { .. } => true,
            Self::Connect(_) | Self::Environment { .. } | Self::Interrupted(_) => false,
        }
    }

    /// What does not exist may belong to an extension that was left out.
    fn with_missing(self, missing: &[String]) -> Self {
        match self {
            Self::Statement(error) if error.help.is_none() => {
                let code = error.message.rsplit_once("SQLSTATE ");
                let code = code.map_or("", |(_, code)| code.trim_end_matches(')'));
                let remedy = lacking::remedy(code, &error.message, missing);
                Self::Statement(SourceError {
                    help: remedy,
                    ..error
                })
            }
            other => other,
        }
    }
}

/// Those that the migrations make and this server does not have; each is named once, and left out by [`run_script`].
async fn missing_extensions(
    session: &Session,
    source: &MigrationSource,
    progress: &Progress,
) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    let statements = source.migrations.iter().flat_map(|m| &m.up.statements);
    for name in statements.filter_map(|statement| lacking::extension_of(&statement.sql)) {
        if !missing.contains(&name) && !lacking::has_extension(session, &name).await {
            progress.note(format!(
                "extension {name} is not on this server: it is left out, and what needs it will fail"
            ));
            missing.push(name);
        }
    }
    missing
}

/// Makes the schemas and the extensions that the scripts use and do not make.
async fn make_expected(session: &Session, source: &MigrationSource, progress: &Progress) {
    let texts = source.migrations.iter().map(|m| &*m.up.source.text);
    for schema in lacking::expected_schemas(texts) {
        let sql = format!("CREATE SCHEMA {}", quote_identifier(&schema));
        // Where it is there, or cannot be made, nothing has to be said: the statement that needs it does.
        if session.client().batch_execute(&sql).await.is_ok() {
            progress.note(format!(
                "the migrations make tables in schema {schema} and do not make it: it is made before"
            ));
        }
    }
    let texts = source.migrations.iter().map(|m| &*m.up.source.text);
    for extension in lacking::expected(texts) {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS \"{extension}\"");
        // Where it cannot be made, the statement that needs it says so.
        if session.client().batch_execute(&sql).await.is_ok() {
            progress.note(format!(
                "the schema uses extension {extension} and does not make it: it is made before"
            ));
        }
    }
}

/// Applies every migration that the database does not have yet.
///
/// # Errors
/// [`MigrateError::Statement`] with file and line of the statement that failed.
pub async fn apply(
    url: &DatabaseUrl,
    source: &MigrationSource,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Applied, MigrateError> {
    let total = source.migrations.len() as u64;
    let task = progress.task(
        format!("Applying {} migrations", source.layout),
        Unit::Steps,
        Some(total),
    );
    let mut applied = Applied::default();
    match source.layout {
        Layout::Sqlx => {
            let session = Session::open(url, interrupt).await?;
            make_expected(&session, source, progress).await;
            session.close().await;
            let mut sqlx = Sqlx::open(url, source, interrupt).await?;
            for migration in &source.migrations {
                task.doing(&migration.name);
                if sqlx.apply(migration, interrupt).await? {
                    applied.versions.push(migration.version.clone());
                }
                task.advance(1);
            }
        }
        Layout::GolangMigrate
        | Layout::Diesel
        | Layout::Goose
        | Layout::Refinery
        | Layout::Flyway
        | Layout::SqlMigrate
        | Layout::Dbmate
        | Layout::Prisma
        | Layout::Atlas
        | Layout::Drizzle
        | Layout::Hasura
        | Layout::Supabase
        | Layout::Tern
        | Layout::Liquibase
        | Layout::NodePgMigrate
        | Layout::SchemaFile
        | Layout::Command => {
            let session = Session::open(url, interrupt).await?;
            let missing = missing_extensions(&session, source, progress).await;
            if let Some(statements) = platform(source.layout)
                && let Some(first) = source.migrations.first()
            {
                execute(&session, statements, &first.up).await?;
            }
            let is_by_program = source.layout == Layout::Command;
            if !is_by_program {
                make_expected(&session, source, progress).await;
            }
            if let Some(statement) = own_table(source.layout, &source.migrations)
                && let Some(first) = source.migrations.first()
            {
                execute(&session, statement, &first.up).await?;
            }
            for migration in &source.migrations {
                task.doing(&migration.name);
                if let Some(program) = &migration.up.program {
                    run_program(program, &migration.up, url, interrupt).await?;
                    made_something(&session, &migration.up).await?;
                    continue;
                }
                run_script(&session, &migration.up, interrupt)
                    .await
                    .map_err(|error| error.with_missing(&missing))?;
                applied.versions.push(migration.version.clone());
                task.advance(1);
            }
        }
    }
    Ok(applied)
}

/// Runs a script's statements one by one, in a transaction where its tool would.
///
/// # Errors
/// [`MigrateError::Statement`] with the statement that failed; a transaction is rolled back.
pub async fn run_script(
    session: &Session,
    script: &Script,
    interrupt: &Interrupt,
) -> Result<(), MigrateError> {
    let whole = script.in_one_transaction();
    if whole {
        execute(session, "BEGIN", script).await?;
    }
    for statement in &script.statements {
        interrupt.check()?;
        if let Some(extension) = lacking::extension_of(&statement.sql)
            && !lacking::has_extension(session, &extension).await
        {
            continue;
        }
        let sql = lacking::left_to_do(session, &statement.sql).await;
        if sql.trim().is_empty() {
            continue;
        }
        // What may fail and be left out must not take its transaction with it.
        let is_guarded = whole && statement.sql.contains("_replication_slot");
        if is_guarded {
            execute(session, "SAVEPOINT pgproof_slot", script).await?;
        }
        if let Err(error) = session.client().batch_execute(&sql).await {
            interrupt.check()?;
            if !whole && lacking::sets_what_is_not_known(&statement.sql, error.code()) {
                continue;
            }
            if lacking::makes_a_replication_slot(&statement.sql, error.code()) {
                if is_guarded {
                    execute(session, "ROLLBACK TO SAVEPOINT pgproof_slot", script).await?;
                }
                continue;
            }
            if whole {
                // The connection may be gone; then so is the transaction.
                let _ = session.client().batch_execute("ROLLBACK").await;
            }
            return Err(failure(script, statement, &error));
        }
    }
    if whole {
        execute(session, "COMMIT", script).await?;
    }
    Ok(())
}

/// What helps where a project's program does not run.
const WHERE_IT_RUNS: &str = "run pgproof where the project's own migrations run (its language and packages installed), write \
                             into migrate-cmd how they are run, or work on a database that has the schema with --database-url";

/// The last lines that a failed program printed.
const LAST_LINES: usize = 12;

/// Runs a migration program on a database, which it finds in `DATABASE_URL`.
///
/// # Errors
/// [`MigrateError::Statement`] at the command in pgproof.toml, with its last words.
pub async fn run_program(
    program: &Program,
    script: &Script,
    url: &DatabaseUrl,
    interrupt: &Interrupt,
) -> Result<(), MigrateError> {
    let span = script
        .statements
        .first()
        .map_or(0..0, |statement| statement.span.clone());
    let refused = |message: String| SourceError::new(&script.source, span.clone(), message);
    let child = tokio::process::Command::new("sh")
        .args(["-c", &program.command])
        .current_dir(&program.directory)
        .envs(url.variables())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| refused(format!("migrate-cmd does not start: {error}")))?;
    let output = interrupt
        .race(child.wait_with_output())
        .await?
        .map_err(|error| refused(format!("migrate-cmd cannot be waited for: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let both = [output.stdout, output.stderr].concat();
    let printed = redact(String::from_utf8_lossy(&both).trim());
    let lines: Vec<&str> = printed.lines().collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    Err(refused(format!(
        "migrate-cmd failed ({}); its copy of the database is dropped",
        output.status
    ))
    .help(if last.is_empty() {
        format!("it printed nothing; {WHERE_IT_RUNS}")
    } else {
        format!("its output:\n{last}\n{WHERE_IT_RUNS}")
    })
    .into())
}

/// A program that succeeds and leaves no table did not work on this database.
async fn made_something(session: &Session, script: &Script) -> Result<(), MigrateError> {
    const TABLES: &str =
        "SELECT EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384)";
    let row = session
        .client()
        .query_one(TABLES, &[])
        .await
        .map_err(|error| MigrateError::Environment {
            file: file_of(script),
            reason: describe(&error),
        })?;
    if row.get::<_, bool>(0) {
        return Ok(());
    }
    let span = script
        .statements
        .first()
        .map_or(0..0, |statement| statement.span.clone());
    Err(SourceError::new(
        &script.source,
        span,
        "migrate-cmd succeeded and the database has no table",
    )
    .help("it must migrate the database that DATABASE_URL names")
    .into())
}

async fn execute(session: &Session, sql: &str, script: &Script) -> Result<(), MigrateError> {
    session
        .client()
        .batch_execute(sql)
        .await
        .map_err(|error| match script.statements.last() {
            // A deferred constraint fails at the end.
            Some(last) => failure(script, last, &error),
            None => MigrateError::Environment {
                file: file_of(script),
                reason: describe(&error),
            },
        })
}

fn failure(script: &Script, statement: &Statement, error: &tokio_postgres::Error) -> MigrateError {
    if EnvironmentFault::of(error).is_some() {
        return MigrateError::Environment {
            file: file_of(script),
            reason: describe(error),
        };
    }
    let span = match error.as_db_error().and_then(|refusal| refusal.position()) {
        Some(ErrorPosition::Original(position)) => {
            word_at(&script.source, statement.span.clone(), *position as usize)
        }
        Some(ErrorPosition::Internal { .. }) | None => statement.span.clone(),
    };
    refused(
        &script.source,
        span,
        describe(error),
        error.as_db_error().map(|e| (e.code().code(), e.message())),
    )
    .into()
}

/// What the server refused, with what can be done about it.
fn refused(
    source: &Source,
    span: Range<usize>,
    description: String,
    refusal: Option<(&str, &str)>,
) -> SourceError {
    let statement = source.text.get(span.clone()).unwrap_or_default();
    let remedy = refusal.and_then(|(code, message)| {
        lacking::remedy(code, message, &[]).or_else(|| lacking::settings_remedy(statement))
    });
    let error = SourceError::new(source, span, description);
    match remedy {
        Some(remedy) => error.help(remedy),
        None => error,
    }
}

/// The word at a 1-based position in characters of a part of a file.
fn word_at(source: &Source, part: Range<usize>, position: usize) -> Range<usize> {
    let text = &source.text[part.clone()];
    let Some((offset, _)) = text.char_indices().nth(position.saturating_sub(1)) else {
        return part;
    };
    let length = text[offset..]
        .find(|character: char| {
            !character.is_alphanumeric() && !matches!(character, '_' | '.' | '"')
        })
        .filter(|length| *length > 0)
        .unwrap_or(1);
    let start = part.start + offset;
    // A character may be longer than a byte.
    let end = (start + length..=part.end)
        .find(|end| source.text.is_char_boundary(*end))
        .unwrap_or(part.end);
    start..end
}

fn file_of(script: &Script) -> String {
    script.source.path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_characters_finds_the_word() {
        let source = Source::new("a.sql", "-- é\nSELECT naïve.nöthing FROM t");
        let span = word_at(&source, 0..source.text.len(), 13);
        assert_eq!(&source.text[span], "naïve.nöthing");
        let statement = source.text.find("SELECT").unwrap()..source.text.len();
        assert_eq!(
            &source.text[word_at(&source, statement.clone(), 8)],
            "naïve.nöthing"
        );
        assert_eq!(word_at(&source, statement.clone(), 999), statement);
        assert_eq!(&source.text[word_at(&source, 0..source.text.len(), 4)], "é");
    }
}

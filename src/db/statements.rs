//! pg_stat_statements of a database, read in a transaction that cannot write.

use std::path::PathBuf;

use tokio_postgres::error::SqlState;

use super::connect::{Session, describe};
use crate::trace::event::{Statement, Statements};

/// Why the view cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatementsError {
    /// `CREATE EXTENSION` was not run there.
    #[error("the extension pg_stat_statements is not installed in database {database}")]
    NotInstalled {
        /// Its name.
        database: String,
    },
    /// It is installed, but the server does not load it.
    #[error("the server does not load pg_stat_statements")]
    NotLoaded,
    /// The server refused, or was lost.
    #[error("pg_stat_statements cannot be read: {}", describe(.0))]
    Server(#[from] tokio_postgres::Error),
}

impl StatementsError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotInstalled { .. } => Some(
                "run `CREATE EXTENSION pg_stat_statements` there, with the library in shared_preload_libraries",
            ),
            Self::NotLoaded => {
                Some("set shared_preload_libraries = 'pg_stat_statements' and restart it")
            }
            Self::Server(_) => None,
        }
    }
}

/// The statements that this database was asked, at the top level.
///
/// # Errors
/// [`StatementsError`].
pub async fn read(session: &Session) -> Result<Statements, StatementsError> {
    let client = session.client();
    client
        .batch_execute(
            "START TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; \
             SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '5s'",
        )
        .await?;
    let read = rows(session).await;
    // A transaction that only read is as well given up; where the session is lost, `read` says so.
    let _ = client.batch_execute("ROLLBACK").await;
    Ok(Statements {
        from: PathBuf::from("pg_stat_statements"),
        rows: read?,
    })
}

/// The same in the transaction that is open.
pub(super) async fn rows(session: &Session) -> Result<Vec<Statement>, StatementsError> {
    let client = session.client();
    let place = client
        .query_opt(
            "SELECT quote_ident(n.nspname), EXISTS (SELECT FROM pg_catalog.pg_class c \
             WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements_info') \
             FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
             WHERE e.extname = 'pg_stat_statements'",
            &[],
        )
        .await?;
    let Some(place) = place else {
        let database: String = client
            .query_one("SELECT pg_catalog.current_database()::text", &[])
            .await?
            .get(0);
        return Err(StatementsError::NotInstalled { database });
    };
    let (schema, has_info): (String, bool) = (place.get(0), place.get(1));
    let since = if has_info {
        format!(
            "(SELECT extract(epoch FROM now() - stats_reset)::float8 FROM {schema}.pg_stat_statements_info)"
        )
    } else {
        "NULL::float8".to_owned()
    };
    let sql = format!(
        "SELECT s.query, s.calls::float8, s.total_exec_time, {since} FROM {schema}.pg_stat_statements s \
         WHERE s.toplevel AND s.query IS NOT NULL \
         AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
    );
    let rows = client.query(&sql, &[]).await.map_err(|error| {
        match error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) {
            true => StatementsError::NotLoaded,
            false => error.into(),
        }
    })?;
    Ok(rows
        .iter()
        .map(|row| Statement {
            text: row.get(0),
            calls: row.get(1),
            total_ms: row.get(2),
            seconds: row.get(3),
            line: 1,
            values: Vec::new(),
        })
        .collect())
}

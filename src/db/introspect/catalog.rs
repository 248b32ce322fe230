//! How the catalogs are read: in a read-only transaction with limits, each query parsed where no name of the database's own can
//! take the place of a built-in one, and its rows printed as the caller would read them.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::IntrospectError;
use crate::db::connect::{EnvironmentFault, Session, describe};
use crate::db::explain::quote_literal;

/// Names resolve in `pg_catalog` alone: a function of the same name that fits better elsewhere would be somebody's.
const LIMITS: &str = "SET LOCAL statement_timeout = 60000; SET LOCAL lock_timeout = 2000; SET LOCAL search_path = pg_catalog, pg_temp";

/// What a reading happens in, and ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// A transaction of its own.
    Own,
    /// One that is open already, and goes on afterwards as it was.
    Open,
}

impl Within {
    fn enter(self) -> &'static str {
        match self {
            Self::Own => "BEGIN READ ONLY",
            Self::Open => "SAVEPOINT pgproof_catalog",
        }
    }

    fn leave(self) -> &'static str {
        match self {
            Self::Own => "ROLLBACK",
            Self::Open => {
                "ROLLBACK TO SAVEPOINT pgproof_catalog; RELEASE SAVEPOINT pgproof_catalog"
            }
        }
    }
}

/// Tables that somebody else holds, or waits for, in a mode that lets nobody read: to look at one is to wait.
const HELD: &str = "SELECT DISTINCT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
     WHERE d.datname = current_database() AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' \
       AND l.pid IS DISTINCT FROM pg_backend_pid()";

/// What a reading may take; the server's own limit comes first unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(75);
/// A lock that is gone after this was no reason to leave a table out.
const MOMENT: Duration = Duration::from_millis(400);
/// How often it is looked again.
const LOOKS: usize = 3;

/// What is read, how it is called in messages, and the query: `$1` = tables, `$2` = tables that are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) what: &'static str,
    pub(super) sql: &'static str,
}

/// A transaction that reads the catalogs.
pub(super) struct Catalog<'s> {
    session: &'s Session,
    within: Within,
    /// The caller's search path.
    path: String,
    /// Tables that cannot be looked at now.
    pub(super) held: Vec<u32>,
}

/// Why a reading ended early.
pub(super) enum Stopped {
    /// A table was locked in between: the next reading leaves it out.
    Locked(IntrospectError),
    Failed(IntrospectError),
}

impl<'s> Catalog<'s> {
    /// Begins.
    pub(super) async fn open(session: &'s Session, within: Within) -> Result<Self, Stopped> {
        let mut catalog = Self {
            session,
            within,
            path: String::new(),
            held: Vec::new(),
        };
        let client = session.client();
        let path = async {
            let shown = client
                .query_typed("SELECT pg_catalog.current_setting('search_path')", &[])
                .await?;
            let opening = format!("{}; {LIMITS}", within.enter());
            client.batch_execute(&opening).await?;
            Ok(shown)
        };
        let shown = catalog.answered("search path", path).await?;
        catalog.path = shown.first().map_or_else(String::new, |row| row.get(0));
        catalog.held = catalog.held_tables().await?;
        Ok(catalog)
    }

    /// Those that stay held for longer than a moment.
    async fn held_tables(&self) -> Result<Vec<u32>, Stopped> {
        let mut held: Vec<u32> = Vec::new();
        for look in 0..LOOKS {
            let rows = self.ask("locks", HELD).await?;
            let now: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
            held = match look {
                0 => now,
                _ => now.into_iter().filter(|oid| held.contains(oid)).collect(),
            };
            if held.is_empty() {
                break;
            }
            if look + 1 < LOOKS {
                tokio::time::sleep(MOMENT).await;
            }
        }
        Ok(held)
    }

    /// Puts a question without parameters.
    pub(super) async fn ask(&self, what: &'static str, sql: &str) -> Result<Vec<Row>, Stopped> {
        self.answered(what, self.session.client().query_typed(sql, &[]))
            .await
    }

    /// The answers to questions, in their order. All are sent at once: a distant server is asked once.
    pub(super) async fn read(
        &self,
        questions: &[Question],
        tables: &[u32],
    ) -> Result<Vec<Vec<Row>>, Stopped> {
        let client = self.session.client();
        let (tables, held) = (tables.to_vec(), self.held.clone());
        let own_path = async {
            client
                .batch_execute("SET LOCAL search_path = pg_catalog, pg_temp")
                .await
        };
        self.answered("search path", own_path).await?;
        // Parsed here; what prints names looks for them when its row is fetched.
        let declared = questions.iter().enumerate().map(|(at, question)| {
            let (tables, held) = (&tables, &held);
            async move {
                let sql = format!("DECLARE pgproof_{at} NO SCROLL CURSOR FOR {}", question.sql);
                let values: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
                    &[(tables, Type::OID_ARRAY), (held, Type::OID_ARRAY)];
                let declared = client.execute_typed(&sql, values).await;
                declared.map_err(|error| (question.what, error))
            }
        });
        self.all(futures_util::future::try_join_all(declared))
            .await?;
        let callers_path = format!(
            "SELECT pg_catalog.set_config('search_path', {}, true)",
            quote_literal(&self.path)
        );
        self.ask("search path", &callers_path).await?;
        let fetched = questions
            .iter()
            .enumerate()
            .map(|(at, question)| async move {
                let fetch = format!("FETCH ALL FROM pgproof_{at}");
                let rows = client.query_typed(&fetch, &[]).await;
                client
                    .batch_execute(&format!("CLOSE pgproof_{at}"))
                    .await
                    .and(rows)
                    .map_err(|error| (question.what, error))
            });
        self.all(futures_util::future::try_join_all(fetched)).await
    }

    /// Ends the transaction, however it went.
    pub(super) async fn close(self) {
        // Where the connection is gone there is nothing to end.
        let ending = self.session.client().batch_execute(self.within.leave());
        let _ = tokio::time::timeout(PATIENCE, ending).await;
    }

    async fn answered<T>(
        &self,
        what: &'static str,
        reading: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Stopped> {
        self.all(async { reading.await.map_err(|error| (what, error)) })
            .await
    }

    async fn all<T>(
        &self,
        reading: impl Future<Output = Result<T, (&'static str, Error)>>,
    ) -> Result<T, Stopped> {
        let database = || self.session.url().database().to_owned();
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err((what, error))) => {
                let failed = IntrospectError {
                    what,
                    database: database(),
                    reason: describe(&error),
                    fault: EnvironmentFault::of(&error),
                };
                Err(match error.code() {
                    Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Stopped::Locked(failed),
                    Some(_) | None => Stopped::Failed(failed),
                })
            }
            Err(_) => {
                self.session.cancel().await;
                Err(Stopped::Failed(IntrospectError {
                    what: "catalogs",
                    database: database(),
                    reason: format!(
                        "the server has not answered for {} s, past the limit that it was given",
                        PATIENCE.as_secs()
                    ),
                    fault: Some(EnvironmentFault::ConnectionLost),
                }))
            }
        }
    }
}

//! Where an audit measures: a session of the one who asks, opened when the first thing is to be measured, and what is known
//! without one.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::catalog::Caller;
use crate::cli::Globals;
use crate::cli::exit::CliError;
use crate::cli::target::{self, Target};
use crate::db::audit::RunOptions;
use crate::db::bench::Bench;
use crate::db::connect::Session;
use crate::db::filled;
use crate::results::Results;
use crate::schema::Schema;

/// The database of an audit.
pub(in crate::cli::commands) struct Place<'a> {
    pub(in crate::cli::commands) target: &'a Target,
    pub(in crate::cli::commands) caller: &'a Caller,
    pub(in crate::cli::commands) globals: &'a Globals,
    pub(in crate::cli::commands) results: &'a Results,
    session: Option<Session>,
}

/// What is read of a database before its queries run.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli::commands) struct Facts {
    pub(in crate::cli::commands) schema: Schema,
    pub(in crate::cli::commands) server_version: String,
}

impl<'a> Place<'a> {
    pub(in crate::cli::commands) fn new(
        target: &'a Target,
        caller: &'a Caller,
        globals: &'a Globals,
        results: &'a Results,
    ) -> Self {
        Self {
            target,
            caller,
            globals,
            results,
            session: None,
        }
    }

    /// The session of the one who asks.
    pub(in crate::cli::commands) async fn session(&mut self) -> Result<&mut Session, CliError> {
        let session = match self.session.take() {
            Some(session) => session,
            None if self.caller.is_connection() => self.target.session(self.globals).await?,
            None => self.target.session_as(self.caller, self.globals).await?,
        };
        Ok(self.session.insert(session))
    }

    /// What can be measured now, and what is known.
    pub(in crate::cli::commands) fn bench(&self) -> Bench<'_> {
        Bench::new(self.session.as_ref(), self.results)
    }

    pub(in crate::cli::commands) async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// The schema, as far as there is any row: who asks sees less of the statistics than who reads the schema.
    pub(in crate::cli::commands) async fn facts(
        &mut self,
        options: &RunOptions,
    ) -> Result<Facts, CliError> {
        let key = self.results.key("facts", &[]);
        if let Some(known) = self.results.find::<Facts>(&key) {
            return Ok(known.value);
        }
        let session = self.target.session(self.globals).await?;
        let facts = Facts {
            schema: target::schema(&session, self.globals).await?,
            server_version: session.version().to_string(),
        };
        if self.caller.is_connection() {
            self.session = Some(session);
        } else {
            session.close().await;
        }
        let session = self.session().await?;
        if !filled::has_rows(session.client(), &facts.schema, &options.limits()).await? {
            return Err(self.is_empty());
        }
        self.results.keep(&key, &facts);
        Ok(facts)
    }

    fn is_empty(&self) -> CliError {
        let help = match self.target {
            Target::Private { .. } => "give tables `rows` in a seed spec, or take `rows = 0` out",
            Target::Copied { .. } | Target::Given(_) => {
                "fill it with `pgproof seed --database-url …`, or leave --database-url out to audit pgproof's own dataset"
            }
        };
        CliError::usage("the database has tables and no rows: an audit of it would prove nothing")
            .help(help)
    }
}

/// A new session after the server was lost: it may be starting again.
pub(in crate::cli::commands) async fn again(
    target: &Target,
    caller: &Caller,
    globals: &Globals,
) -> Option<Session> {
    /// A crashed server recovers within this, or the user has to know.
    const PATIENCE: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_millis(250);
    let start = Instant::now();
    while start.elapsed() < PATIENCE && !globals.interrupt.is_set() {
        if let Ok(session) = target.session_as(caller, globals).await {
            return Some(session);
        }
        let paused = globals.interrupt.race(tokio::time::sleep(PAUSE)).await;
        if paused.is_err() {
            break;
        }
    }
    None
}

//! Fills a database of our own embedded server as fast as it can take it: bare tables, COPY FREEZE in the truncating
//! transaction, then indexes, foreign keys, sequences, statistics. Never used on a server that pgproof did not start:
//! it puts indexes and triggers aside in the catalog itself, which keeps every name, comment and dependency.

mod repeated;
mod space;
mod steps;
mod work;

pub use self::space::Space;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use super::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, describe};
use super::wishes;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::Progress;
use crate::schema::Schema;
use crate::seed::SeedPlan;
use crate::units::Millis;

/// Why a load ended early.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server cannot be talked to: exit code 3.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Rows that a table refused.
    #[error("table {table} refused its rows: {reason}")]
    Rows {
        table: String,
        /// What the server said.
        reason: String,
        /// Set where the server or the connection failed.
        fault: Option<EnvironmentFault>,
    },
    /// An index or constraint that the rows do not meet.
    #[error("{object} of table {table}: {reason}")]
    Constraint {
        table: String,
        /// `index orders_pkey`, `foreign key …`.
        object: String,
        /// What the server said.
        reason: String,
        /// Set where the server or the connection failed.
        fault: Option<EnvironmentFault>,
    },
    /// Anything else that the server refused.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What the server said.
        reason: String,
        /// Set where the server or the connection failed.
        fault: Option<EnvironmentFault>,
    },
    /// Ctrl-C.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl LoadError {
    pub(super) fn refused(action: &'static str, error: &tokio_postgres::Error) -> Self {
        Self::Refused {
            action,
            reason: describe(error),
            fault: EnvironmentFault::of(error),
        }
    }
}

/// What a load did, and how long each part took (summed over streams).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// Rows written.
    pub rows: u64,
    /// Rows and their COPY.
    pub copy: Millis,
    pub index: Millis,
    pub foreign_keys: Millis,
    /// ANALYZE (and VACUUM where a table could not be frozen).
    pub analyze: Millis,
    /// All of it, by the clock.
    pub elapsed: Millis,
    /// Rows that repeated a unique key and were removed, by their table's OID.
    pub removed: BTreeMap<u32, u64>,
    /// What a person should know of how it went.
    pub notes: Vec<String>,
}

/// Loads a plan into a database of the embedded server: every planned table is emptied and filled.
///
/// # Errors
/// [`LoadError`]; the database is then worth nothing and must be dropped.
pub async fn embedded(
    url: &DatabaseUrl,
    schema: &Arc<Schema>,
    plan: &Arc<SeedPlan>,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<LoadReport, LoadError> {
    let start = std::time::Instant::now();
    let session = Session::open(url, interrupt).await?;
    let result: Result<LoadReport, LoadError> = async {
        steps::put_triggers_aside(&session, schema, plan).await?;
        let mut report = work::run(url, schema, plan, streams(), progress, interrupt).await?;
        steps::finish(&session, schema, plan, &mut report).await?;
        let missed = wishes::compare(&session, schema, plan, |_| false).await;
        report.notes.extend(missed);
        Ok(report)
    }
    .await;
    // A cancelled statement looks like a refusal; the wish to stop is the truth.
    interrupt.check()?;
    let mut report = result?;
    session.close().await;
    report.elapsed = Millis(start.elapsed().as_secs_f64() * 1000.0);
    Ok(report)
}

/// Connections that load at once: one for each core. Generating takes a fraction of what the server takes.
fn streams() -> usize {
    std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(16)
}

//! How many rows the statements before loops return on the dataset: they run with values of its rows, as an audit runs them. A
//! copy of its own is used, for the one that a command ran on holds what the command left there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::Query;
use crate::db::audit::{AuditError, RunOptions, run_catalog};
use crate::db::clone::{Clone, CloneError};
use crate::db::connect::{ConnectError, DatabaseUrl, Session};
use crate::db::explain::Access;
use crate::db::introspect::{self, IntrospectError};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run::{Outcome, QueryRuns, Run};
use crate::run_id::SetRole;
use crate::trace::scale::RowsReturned;
use crate::units::Millis;

/// A statement that takes longer has more rows than anybody waits for; how many is not known.
const TIMEOUT: Millis = Millis(5_000.0);

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum ReturnedError {
    /// There is no copy.
    #[error(transparent)]
    Copy(#[from] CloneError),
    /// It cannot be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Its schema cannot be read.
    #[error(transparent)]
    Schema(#[from] IntrospectError),
    /// The statements cannot be run.
    #[error(transparent)]
    Run(#[from] AuditError),
    /// They are not finished.
    #[error("{} s were not enough to count them", .0.as_secs())]
    NoTime(Duration),
}

/// Rows of each statement that finished, by its form; `statements` are forms with their texts. All of them together may take
/// as long as `patience`.
///
/// # Errors
/// [`ReturnedError`].
pub async fn returned(
    server: &DatabaseUrl,
    template: &str,
    statements: Vec<(Arc<str>, String)>,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<HashMap<Arc<str>, RowsReturned>, ReturnedError> {
    let copy = Clone::of(server, template, interrupt).await?;
    let counting = counted(&copy, statements, interrupt);
    let counted = tokio::time::timeout(patience, counting)
        .await
        .unwrap_or(Err(ReturnedError::NoTime(patience)));
    let discarded = copy.discard().await;
    let counted = counted?;
    discarded?;
    Ok(counted)
}

async fn counted(
    copy: &Clone,
    statements: Vec<(Arc<str>, String)>,
    interrupt: &Interrupt,
) -> Result<HashMap<Arc<str>, RowsReturned>, ReturnedError> {
    let session = Session::open(copy.url(), interrupt).await?;
    let schema = introspect::schema(&session).await?;
    let (forms, queries): (Vec<Arc<str>>, Vec<Query>) = statements
        .into_iter()
        .enumerate()
        .map(|(number, (form, text))| {
            let name = format!("parent {number}");
            (form, Query::of_text(name, PathBuf::new(), 1, text))
        })
        .unzip();
    let options = RunOptions {
        runs: 1,
        timeout: TIMEOUT,
        access: Access::PrivateCopy,
    };
    let quiet = Progress::default();
    let ran = run_catalog(&session, &schema, &queries, &options, &quiet, interrupt).await?;
    session.close().await;
    Ok(ran
        .iter()
        .filter_map(|runs| Some((Arc::clone(forms.get(runs.query)?), rows_of(runs)?)))
        .collect())
}

/// None where a run was cancelled: it may return more rows than all others.
fn rows_of(runs: &QueryRuns) -> Option<RowsReturned> {
    let is_cancelled = |run: &Run| matches!(run.outcome, Outcome::TimedOut { .. });
    if runs.runs.iter().any(is_cancelled) {
        return None;
    }
    let most = runs
        .runs
        .iter()
        .filter_map(Run::rows)
        .max_by(f64::total_cmp)?;
    let mut base = runs
        .runs
        .iter()
        .filter(|run| run.id.set.role == SetRole::Base);
    Some(RowsReturned {
        typical: base.find_map(Run::rows).unwrap_or(most),
        most,
    })
}

//! `audit --lottery`: which queries hang on the sample that the next ANALYZE draws.

use std::collections::BTreeMap;

use crate::catalog::Query;
use crate::cli::Globals;
use crate::cli::exit::CliError;
use crate::cli::settings::Settings;
use crate::cli::target::Target;
use crate::db::audit::RunOptions;
use crate::db::lab::Planner;
use crate::db::lab::lottery::{Outcome, Play, play};
use crate::finding::{Finding, Quantity};
use crate::report::summary::plural;
use crate::rules::{self, unstable_plan};
use crate::run::QueryRuns;
use crate::schema::Schema;

/// Nothing is drawn from a database that somebody gave: statistics are set, and plans forced, on copies alone.
pub(super) fn check(is_copy: bool, globals: &Globals) -> Result<(), CliError> {
    if is_copy || globals.database()?.is_none() {
        return Ok(());
    }
    Err(
        CliError::usage("--lottery sets statistics, which a given database keeps as they are")
            .help("add --copy, which audits a copy on the embedded server, or leave --database-url out"),
    )
}

/// Draws, and makes findings of what came of it.
pub(super) async fn findings(
    draws: u64,
    (target, settings): (&Target, &Settings),
    schema: &Schema,
    (queries, runs): (&[Query], &[QueryRuns]),
    options: &RunOptions,
    globals: &Globals,
) -> Result<Vec<Finding>, CliError> {
    let mut laboratory = target.filled_laboratory(globals).await?;
    let mut planner = Planner::new(queries, runs, &settings.audit.caller);
    let how = Play {
        draws,
        seed: settings.dataset.seed,
        timeout: options.timeout,
        schema,
        progress: &globals.progress,
    };
    let played = play(&mut laboratory, &mut planner, how).await;
    let closed = laboratory.close().await;
    let played = played?;
    closed?;
    let found = worst_of_each(&played, queries, settings);
    globals.progress.note(words(&played, draws, found.len()));
    Ok(rules::settle(found, queries, runs))
}

fn words(played: &Outcome, draws: u64, told: usize) -> String {
    if played.planned == 0 {
        return "--lottery: ANALYZE reads every row of these tables, or nothing of them that decides: plans do not hang on its sample"
            .to_owned();
    }
    format!(
        "--lottery: {} of {} drawn {draws} times; {} of {} got more than one plan, and {} of those takes clearly more",
        "statistics",
        plural(played.columns, "column", "columns"),
        played.unstable.len(),
        plural(played.planned, "parameter set", "parameter sets"),
        told
    )
}

/// A query has one finding, of the values with which it varies most.
fn worst_of_each(played: &Outcome, queries: &[Query], settings: &Settings) -> Vec<Finding> {
    let mut worst: BTreeMap<&str, Finding> = BTreeMap::new();
    for unstable in &played.unstable {
        let Some(query) = queries.iter().find(|query| query.name == unstable.query) else {
            continue;
        };
        let found = unstable_plan::finding(query, unstable, &settings.policy_for(query));
        let Some(found) = found else {
            continue;
        };
        let is_worse =
            |known: &Finding| (found.severity, share(&found)) > (known.severity, share(known));
        if worst.get(query.name.as_str()).is_none_or(is_worse) {
            worst.insert(&query.name, found);
        }
    }
    worst.into_values().collect()
}

fn share(finding: &Finding) -> Option<f64> {
    match finding.evidence.get("share_of_worse_plans") {
        Some(Quantity::Ratio(share)) => Some(*share),
        _ => None,
    }
}

//! Two plans that came from elsewhere, compared as `pgproof diff` compares a query's: what is read and joined in another way,
//! and whether it is more work.

use super::given_report;
use crate::cli::Globals;
use crate::cli::args::ExplainArgs;
use crate::cli::exit::CliError;
use crate::cli::settings::Project;
use crate::diff::names::{Names, Renames};
use crate::diff::outcome::{Fate, Presence, QueryDiff, RunDiff, Side};
use crate::diff::report::Comparison;
use crate::report::{Origin, Report};
use crate::rules::{Policy, plan_regression};
use crate::run::Run;

/// The first file's plans against the second's, in their order.
pub(super) fn run(
    args: &ExplainArgs,
    other: &str,
    project: Option<&Project>,
    globals: &Globals,
) -> Result<Report, CliError> {
    let before = given_report(args, &args.query, project, globals)?;
    let after = given_report(args, other, project, globals)?;
    let plans = (before.queries.len(), after.queries.len());
    if plans.0 != plans.1 {
        return Err(CliError::usage(format!(
            "{} holds {} plans and {other} {}: which belong together is unknown",
            args.query, plans.0, plans.1
        ))
        .help("compare files of one plan each"));
    }
    let policy = project.map_or_else(Policy::default, |project| project.settings.policy());
    let limits = plan_regression::limits(&policy);
    let mut queries = Vec::new();
    for (index, query) in after.queries.iter().enumerate() {
        let of = |report: &'_ Report| Some(report.runs_of(index)?.runs.first()?.clone());
        if let (Some(old), Some(new)) = (of(&before), of(&after)) {
            queries.push(QueryDiff {
                runs: vec![judged(&old, &new, &limits)],
                ..QueryDiff::of(query, Presence::Both)
            });
        }
    }
    let findings = queries
        .iter()
        .filter_map(|diff| plan_regression::finding(diff, &policy))
        .collect();
    Ok(Report {
        origin: Origin::Diff,
        fail_on: after.fail_on,
        findings,
        comparison: Some(Box::new(Comparison {
            from: args.query.clone(),
            to: other.to_owned(),
            queries,
            ..Comparison::default()
        })),
        ..Report::default()
    })
}

/// The data may be others, and so the rows that are returned: they say nothing of the plans.
fn judged(old: &Run, new: &Run, limits: &crate::diff::verdict::Limits) -> RunDiff {
    let mut before = Side::of(old, &Names::UNKNOWN);
    let mut after = Fate::of(new, &Names::UNKNOWN);
    before.work.rows = None;
    if let Fate::Planned(side) = &mut after {
        side.work.rows = None;
    }
    RunDiff::judge(old, before, &after, None, &Renames::default(), limits)
}

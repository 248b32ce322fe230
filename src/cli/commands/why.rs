//! `pgproof why BEFORE AFTER`: which of the numbers that changed between two profiles makes plans other ones.

use super::audit::access;
use super::audit::place::{Facts, Place};
use super::audit::selection::chosen;
use crate::catalog::Query;
use crate::cli::args::{AuditArgs, WhyArgs};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::settings::Project;
use crate::cli::target::Target;
use crate::cli::{Globals, profiles};
use crate::db::audit;
use crate::db::lab::Planner;
use crate::db::lab::why::flipped;
use crate::lab::outlook::NOT_RUN;
use crate::lab::why::{Culprits, Pair};
use crate::report::summary::plural;
use crate::results::Reading;

/// Plans the catalog with both profiles and prints what flips it.
pub async fn run(args: &WhyArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let project = globals.project()?.with_statements(globals).await?;
    let (before, after) = (
        profiles::read(&args.before, globals)?,
        profiles::read(&args.after, globals)?,
    );
    let pair = Pair::new(&before, &after);
    if pair.count() == 0 {
        globals.print("the profiles have the same numbers\n")?;
        return Ok(ExitCode::Success);
    }
    let named = AuditArgs {
        queries: args.queries.clone(),
        ..AuditArgs::default()
    };
    let queries = chosen(&named, &project, globals)?.catalog.queries;
    let target = Target::open(&project, globals).await?;
    let found = culprits(&queries, &pair, (&target, &project), globals).await;
    let closed = target.close().await;
    let found = found?;
    closed?;
    globals.print(&page(&found, queries.len(), pair.count()))?;
    Ok(ExitCode::Success)
}

async fn culprits(
    queries: &[Query],
    pair: &Pair<'_>,
    (target, project): (&Target, &Project),
    globals: &Globals,
) -> Result<Vec<Culprits>, CliError> {
    let audit = &project.settings.audit;
    let options = audit.run_options(access(&AuditArgs::default(), target));
    let results = target
        .results(project, &options, Reading::Known, globals)
        .await?;
    let mut place = Place::new(target, &audit.caller, globals, &results);
    let Facts { schema, .. } = place.facts(&options).await?;
    let session = place.session().await?;
    let events = (&globals.progress, &globals.interrupt);
    let runs = audit::plan_catalog(session, (&schema, queries), &options, events).await?;
    place.close().await;
    let mut laboratory = target.laboratory(project, globals).await?;
    let mut planner = Planner::new(queries, &runs, &audit.caller);
    let found = flipped(&mut laboratory, &mut planner, pair, &globals.progress).await;
    let closed = laboratory.close().await;
    let found = found?;
    closed?;
    let culprits = found.into_iter().filter_map(|flipped| {
        Some(Culprits {
            query: queries.get(flipped.asked.query)?.name.clone(),
            parameters: planner.run(flipped.asked)?.id.to_string(),
            change: flipped.change,
            differences: flipped.culprits.iter().map(|at| pair.words(*at)).collect(),
            plans: flipped.plans,
        })
    });
    Ok(culprits.collect())
}

fn page(found: &[Culprits], queries: usize, differences: usize) -> String {
    let mut page = format!(
        "{} planned with both profiles, which differ in {}; {NOT_RUN}\n",
        plural(queries, "query", "queries"),
        plural(differences, "number", "numbers")
    );
    if found.is_empty() {
        page.push_str("every plan is the same\n");
    }
    for culprit in found {
        page.push_str(&format!(
            "\n{}  {}\n  {}\n",
            culprit.query,
            culprit.parameters,
            culprit.change.words()
        ));
        match &culprit.differences[..] {
            [] => page.push_str("  what flips it is in neither profile's numbers: a table, an index or a column that one of them lacks\n"),
            numbers => {
                for number in numbers {
                    page.push_str(&format!("  because of {number}\n"));
                }
                page.push_str(&format!("  found in {}\n", plural(culprit.plans, "plan", "plans")));
            }
        }
    }
    page
}

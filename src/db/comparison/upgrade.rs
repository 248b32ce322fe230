//! Why a plan of a newer server is another one: planned once more with the newer planner's features turned off one by one, and with
//! defaults of the older server, else by what the two plans show.

use std::collections::BTreeMap;

use super::CompareError;
use super::rerun;
use super::snapshot::Known;
use crate::catalog::Query;
use crate::db::connect::{Session, describe};
use crate::db::explain::quote_literal;
use crate::diff::compare;
use crate::diff::names::{Names, Renames};
use crate::diff::outcome::{BeforeAnalyze, Cause, Fate, QueryDiff, RunDiff, differences};
use crate::diff::snapshot::Asked;
use crate::diff::upgrade::{between, shown};
use crate::diff::verdict::{Verdict, judge};
use crate::schema::quote_identifier;

/// Settings of the planner and what they are where nobody sets them.
pub type Defaults = BTreeMap<String, String>;

/// The defaults of a server's planner.
///
/// # Errors
/// [`CompareError`].
pub async fn defaults(session: &Session) -> Result<Defaults, CompareError> {
    const SQL: &str = "SELECT name, boot_val || CASE WHEN unit = '8kB' THEN '' ELSE coalesce(unit, '') END FROM pg_catalog.pg_settings \
        WHERE (category LIKE 'Query Tuning%' OR name IN ('work_mem', 'hash_mem_multiplier', 'effective_io_concurrency')) \
        AND context IN ('user', 'superuser') AND boot_val IS NOT NULL";
    let rows = session.client().query(SQL, &[]).await;
    let rows = rows.map_err(|error| failed("reading the planner's defaults", &error))?;
    // Pages of 8 kB are set as a plain number.
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Two servers: majors, and the defaults of the older one.
#[derive(Debug, Clone, Copy)]
pub struct Servers<'a> {
    /// The major version of before.
    pub old: u32,
    /// The one of after.
    pub new: u32,
    /// Of the server of before.
    pub defaults: &'a Defaults,
}

/// Says of every run whose plan or work is another what made it so.
///
/// # Errors
/// [`CompareError`].
pub async fn attribute(
    known: &Known<'_>,
    servers: Servers<'_>,
    diffs: &mut [QueryDiff],
) -> Result<(), CompareError> {
    let own = defaults(known.session).await?;
    let changed: Vec<(&String, &String)> = servers
        .defaults
        .iter()
        .filter(|(name, value)| own.get(*name).is_some_and(|own| own != *value))
        .collect();
    for diff in diffs {
        known.interrupt.check()?;
        let Some(query) = known.queries.iter().find(|query| query.name == diff.query) else {
            continue;
        };
        for run in &mut diff.runs {
            if run.changes.is_empty() && run.verdict == Verdict::Unchanged {
                continue;
            }
            run.cause = cause(known, servers, &changed, query, run).await?;
        }
    }
    Ok(())
}

async fn cause(
    known: &Known<'_>,
    servers: Servers<'_>,
    changed: &[(&String, &String)],
    query: &Query,
    run: &RunDiff,
) -> Result<Option<Cause>, CompareError> {
    let Some(after) = &run.after else {
        return Ok(None);
    };
    let of = |since: u32, words: String| {
        Some(Cause::Version {
            since,
            feature: words,
        })
    };
    if after.hashes.full != run.before.hashes.full {
        for feature in between(servers.old, servers.new) {
            let Some(setting) = feature.setting else {
                continue;
            };
            if is_old_plan(known, query, run, (setting, "off")).await? {
                let words = format!(
                    "{}; with {setting} = off the plan is that of {}",
                    feature.words, servers.old
                );
                return Ok(of(feature.since, words));
            }
        }
        for (name, value) in changed {
            if is_old_plan(known, query, run, (name, value)).await? {
                let words = format!(
                    "another default of {name}; with {value} the plan is that of {}",
                    servers.old
                );
                return Ok(of(servers.new, words));
            }
        }
    }
    let feature = shown((&run.before.plan, servers.old), (&after.plan, servers.new));
    Ok(match feature {
        Some(feature) => of(feature.since, feature.words.to_owned()),
        None if after.hashes.full == run.before.hashes.full => of(
            servers.new,
            "the same plan does another amount of work".to_owned(),
        ),
        None => of(
            servers.new,
            "estimated or weighed otherwise; no feature that pgproof knows shows".to_owned(),
        ),
    })
}

/// Whether a setting brings the plan of before back.
async fn is_old_plan(
    known: &Known<'_>,
    query: &Query,
    run: &RunDiff,
    (name, value): (&str, &str),
) -> Result<bool, CompareError> {
    let client = known.session.client();
    let name = quote_identifier(name);
    let set = format!("SET {name} = {}", quote_literal(value));
    if client.batch_execute(&set).await.is_err() {
        // A server without it has nothing to turn off.
        return Ok(false);
    }
    let asked = Asked {
        id: run.id.clone(),
        parameters: run.parameters.clone(),
        estimated: true,
    };
    let ran = rerun::run_sets(known.session, query, &[asked], 1, &known.options).await;
    let reset = client.batch_execute(&format!("RESET {name}")).await;
    reset.map_err(|error| failed("setting the planner back", &error))?;
    let names = names(known);
    let plans = ran?;
    let fate = plans.first().map(|ran| rerun::fate(ran, &names));
    let side = fate.as_ref().and_then(Fate::side);
    let (before, after) = (&run.before, run.after.as_ref());
    let is_of_shape = after.is_some_and(|after| after.hashes.shape != before.hashes.shape);
    Ok(side.is_some_and(|side| {
        // Where sorts alone differ, the shape is the same anyway.
        is_of_shape && side.hashes.shape == before.hashes.shape
            || compare(&before.plan, &side.plan, &Renames::default()).is_empty()
    }))
}

fn names<'k>(known: &Known<'k>) -> Names<'k> {
    Names {
        schema: Some(known.schema),
        ..Names::UNKNOWN
    }
}

/// Runs everything once more as it is until ANALYZE has run on the new server, and notes where that is worse.
///
/// # Errors
/// [`CompareError`].
pub async fn before_analyze(
    known: &Known<'_>,
    diffs: &mut [QueryDiff],
) -> Result<(), CompareError> {
    let names = names(known);
    for diff in diffs {
        known.interrupt.check()?;
        let Some(query) = known.queries.iter().find(|query| query.name == diff.query) else {
            continue;
        };
        let limits = (known.limits_for)(query);
        let asked = |run: &RunDiff| Asked {
            id: run.id.clone(),
            parameters: run.parameters.clone(),
            estimated: !run.before.work.is_measured(),
        };
        let sets: Vec<Asked> = diff.runs.iter().map(asked).collect();
        let ran = rerun::run_sets(known.session, query, &sets, 1, &known.options).await?;
        for (run, ran) in diff.runs.iter_mut().zip(&ran) {
            let fate = rerun::fate(ran, &names);
            let changes = differences(&run.before, &fate, &Renames::default());
            let work = fate.side().map(|side| side.work).unwrap_or_default();
            let verdict = judge(&run.before.work, &work, &changes, &limits);
            let is_worse =
                verdict < run.verdict && (verdict == Verdict::Error || verdict.is_regression());
            if is_worse {
                run.before_analyze = Some(BeforeAnalyze {
                    verdict,
                    changes,
                    side: fate.side().cloned(),
                });
            }
        }
    }
    Ok(())
}

fn failed(doing: &'static str, error: &tokio_postgres::Error) -> CompareError {
    CompareError::Server {
        doing,
        reason: describe(error),
    }
}

//! Kept plans against a database as it is now: every kept parameter set once more with the same values.

use std::collections::BTreeMap;

use crate::catalog::Query;
use crate::db::audit::{RunOptions, run_catalog};
use crate::db::connect::{Session, describe};
use crate::diff::names::Names;
use crate::diff::outcome::{Fate, FreshRun, Presence, QueryDiff, Side};
use crate::diff::snapshot::QuerySnapshot;
use crate::diff::verdict::Limits;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Unit};
use crate::run::{QueryFailure, QueryRuns, Run};
use crate::schema::Schema;

use super::{CompareError, rerun};

/// The database and the catalog as they are now.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// On the database.
    pub session: &'a Session,
    pub schema: &'a Schema,
    /// The catalog.
    pub queries: &'a [Query],
    /// How queries are run.
    pub options: RunOptions,
    /// From where on more work is a regression, for a query.
    pub limits_for: &'a dyn Fn(&Query) -> Limits,
    /// Events.
    pub progress: &'a Progress,
    /// Stops everything.
    pub interrupt: &'a Interrupt,
}

/// Settings that plans depend on and that differ from the server's defaults.
///
/// # Errors
/// The server's failure.
pub async fn planner_settings(session: &Session) -> Result<BTreeMap<String, String>, CompareError> {
    const QUERY: &str = "SELECT name, current_setting(name) FROM pg_settings \
        WHERE (category LIKE 'Query Tuning%' OR name IN ('work_mem', 'hash_mem_multiplier', 'temp_buffers', \
        'max_parallel_workers', 'max_parallel_workers_per_gather', 'effective_io_concurrency')) \
        AND setting IS DISTINCT FROM boot_val";
    let rows = session
        .client()
        .query(QUERY, &[])
        .await
        .map_err(|error| CompareError::Server {
            doing: "reading the planner's settings",
            reason: describe(&error),
        })?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Every kept query and every new one, worst first.
///
/// # Errors
/// The server's failure; a query's own is in its entry.
pub async fn against_snapshots(
    known: &Known<'_>,
    kept: &[QuerySnapshot],
) -> Result<Vec<QueryDiff>, CompareError> {
    let names = Names {
        schema: Some(known.schema),
        ..Names::UNKNOWN
    };
    let steps = known.progress.task(
        "comparing with the kept plans",
        Unit::Steps,
        Some(kept.len() as u64),
    );
    let mut found = Vec::with_capacity(kept.len());
    for snapshot in kept {
        known.interrupt.check()?;
        steps.doing(snapshot.query.clone());
        let query = known
            .queries
            .iter()
            .find(|query| query.name == snapshot.query);
        let limits = query.map_or_else(Limits::default, |query| (known.limits_for)(query));
        let mut fates = Vec::new();
        if let Some(query) = query {
            let sets = snapshot.asked();
            // A set of another number of values belongs to another statement.
            if sets
                .iter()
                .all(|set| set.parameters.len() == query.parameters.len())
            {
                let ran = rerun::run_sets(known.session, query, &sets, 1, &known.options).await?;
                fates = ran
                    .iter()
                    .map(|ran| rerun::fate(ran, &names))
                    .collect::<Vec<Fate>>();
            }
        }
        found.push(snapshot.compare(query, &fates, &limits));
        steps.advance(1);
    }
    found.extend(new_queries(known, kept, &names).await?);
    found.sort_by_key(QueryDiff::verdict);
    Ok(found)
}

/// What to keep of the catalog. A statement that is kept already runs with the values that it was kept with, so that its file
/// differs only where its plan or its work does.
///
/// # Errors
/// The server's failure; a query's own is in its entry.
pub async fn snapshots(
    known: &Known<'_>,
    kept: &[QuerySnapshot],
) -> Result<Vec<QuerySnapshot>, CompareError> {
    let names = Names {
        schema: Some(known.schema),
        ..Names::UNKNOWN
    };
    let mut found = Vec::with_capacity(known.queries.len());
    let mut fresh: Vec<Query> = Vec::new();
    for query in known.queries {
        known.interrupt.check()?;
        match again(known, query, kept, &names).await? {
            Some(snapshot) => found.push(snapshot),
            None => fresh.push(query.clone()),
        }
    }
    // Parents run for the values that they hand down.
    let parents: Vec<&str> = fresh
        .iter()
        .flat_map(|q| q.for_each.iter().map(|each| each.parent.as_str()))
        .collect();
    let missing = |query: &&Query| {
        parents.contains(&query.name.as_str()) && !fresh.iter().any(|f| f.name == query.name)
    };
    let parents: Vec<Query> = known.queries.iter().filter(missing).cloned().collect();
    let asked = fresh.len();
    fresh.extend(parents);
    let ran = run_catalog(
        known.session,
        known.schema,
        &fresh,
        &known.options,
        known.progress,
        known.interrupt,
    )
    .await?;
    let of = |runs: &QueryRuns| Some(QuerySnapshot::of(fresh.get(runs.query)?, runs, &names));
    found.extend(ran.iter().filter(|runs| runs.query < asked).filter_map(of));
    Ok(found)
}

/// A kept statement with the values that it was kept with; `None` where they do not fit any more.
async fn again(
    known: &Known<'_>,
    query: &Query,
    kept: &[QuerySnapshot],
    names: &Names<'_>,
) -> Result<Option<QuerySnapshot>, CompareError> {
    let Some(kept) = kept
        .iter()
        .find(|kept| kept.query == query.name && kept.sql == query.source)
    else {
        return Ok(None);
    };
    let sets = kept.asked();
    if sets.is_empty()
        || sets
            .iter()
            .any(|set| set.parameters.len() != query.parameters.len())
    {
        return Ok(None);
    }
    let ran = rerun::run_sets(known.session, query, &sets, 1, &known.options).await?;
    let runs: Option<Vec<Run>> = ran.into_iter().map(Result::ok).collect();
    let now = runs.map(|runs| {
        QuerySnapshot::of(
            query,
            &QueryRuns {
                query: 0,
                runs,
                failure: None,
                notes: Vec::new(),
            },
            names,
        )
    });
    Ok(now.map(|now| now.settled(kept)))
}

async fn new_queries(
    known: &Known<'_>,
    kept: &[QuerySnapshot],
    names: &Names<'_>,
) -> Result<Vec<QueryDiff>, CompareError> {
    let new = |query: &&Query| !kept.iter().any(|snapshot| snapshot.query == query.name);
    let queries: Vec<Query> = known.queries.iter().filter(new).cloned().collect();
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    let ran: Vec<QueryRuns> = run_catalog(
        known.session,
        known.schema,
        &queries,
        &known.options,
        known.progress,
        known.interrupt,
    )
    .await?;
    let entry = |runs: QueryRuns| {
        let query = queries.get(runs.query)?;
        let fresh = runs.runs.iter();
        Some(QueryDiff {
            fails_after: runs.failure.map(|failure: QueryFailure| failure.message),
            fresh: fresh
                .map(|run| FreshRun {
                    id: run.id.clone(),
                    side: Side::of(run, names),
                })
                .collect(),
            ..QueryDiff::of(query, Presence::New)
        })
    };
    Ok(ran.into_iter().filter_map(entry).collect())
}

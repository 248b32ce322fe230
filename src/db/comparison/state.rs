//! What one query would do at a point within a replay of the migrations, also inside of a transaction that is open there. The
//! session is afterwards as it was.

use tokio_postgres::error::DbError;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::catalog::Query;
use crate::db::explain::{PlanChoice, quote_literal};
use crate::diff::canonical::{CanonicalPlan, OperatorKind};
use crate::diff::canonicalize;
use crate::diff::cause::Signature;
use crate::diff::names::Names;
use crate::diff::snapshot::Asked;
use crate::diff::work::Work;
use crate::plan::parse;
use crate::run::{QueryFailure, Run};
use crate::units::Millis;

use super::rerun::{choice, values};

/// A query's plan and, where it was executed, its work.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    /// What makes the plan the same: `None` where the query fails.
    pub(super) plan: Option<Signature>,
    /// `None` where it was only planned.
    pub(super) work: Option<Work>,
    /// The server's words where the query fails.
    pub(super) failure: Option<QueryFailure>,
}

impl State {
    pub(super) fn of(plan: Option<&CanonicalPlan>, work: Option<Work>) -> Self {
        Self {
            plan: plan.map(signature),
            work: work.filter(Work::is_measured),
            failure: None,
        }
    }

    pub(super) fn rows(&self) -> Option<f64> {
        self.work.and_then(|work| work.rows)
    }
}

fn signature(plan: &CanonicalPlan) -> Signature {
    let mut names = Vec::new();
    plan.root.each(&mut |operator| {
        if let OperatorKind::Scan(scan) = &operator.kind
            && scan.partitions.is_none()
        {
            let indexes = scan.access.iter().flat_map(|access| &access.indexes);
            names.extend(indexes.map(|index| index.name.clone()));
        }
    });
    names.sort();
    Signature {
        hash: plan.hashes().full,
        index_names: names.join(" "),
    }
}

/// What is asked of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explained {
    Plan,
    Execute,
}

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    InTransaction,
    Outside,
}

/// A query in the state in which the session's database is now.
pub(super) struct Looked<'a> {
    pub(super) query: &'a Query,
    pub(super) run: &'a Run,
    pub(super) explained: Explained,
    pub(super) timeout: Millis,
}

/// What the query does now. A session that is lost shows at the next statement of the replay.
pub(super) async fn look(
    client: &Client,
    looked: &Looked<'_>,
    standing: Standing,
    serial: &mut u64,
    names: &Names<'_>,
) -> State {
    // Prepared statements outlive a rollback: each gets a name of its own.
    *serial += 1;
    let name = format!("pgproof_state_{serial}");
    let asked = Asked::from(looked.run);
    let values: Vec<String> = values(&asked)
        .iter()
        .map(|value| {
            value
                .as_deref()
                .map_or_else(|| "NULL".to_owned(), quote_literal)
        })
        .collect();
    let arguments = match values.as_slice() {
        [] => String::new(),
        values => format!("({})", values.join(", ")),
    };
    let mode = match choice(&asked) {
        PlanChoice::Custom => "force_custom_plan",
        PlanChoice::Generic => "force_generic_plan",
    };
    let options = match looked.explained {
        Explained::Plan => "VERBOSE, FORMAT JSON",
        Explained::Execute => "ANALYZE, BUFFERS, VERBOSE, FORMAT JSON",
    };
    let (enter, leave) = match standing {
        Standing::InTransaction => (
            "SAVEPOINT pgproof_state",
            "ROLLBACK TO SAVEPOINT pgproof_state;RELEASE SAVEPOINT pgproof_state",
        ),
        Standing::Outside => ("BEGIN", "ROLLBACK"),
    };
    // The catalog does not run under what the migration sets for itself.
    let sql = format!(
        "{enter};SET LOCAL search_path TO DEFAULT;SET LOCAL ROLE NONE;SET LOCAL statement_timeout = {:.0};\
         SET LOCAL plan_cache_mode = {mode};PREPARE {name} AS {}\n;EXPLAIN ({options}) EXECUTE {name}{arguments};\
         {leave};DEALLOCATE {name}",
        looked.timeout.0.max(1.0),
        looked.query.sql
    );
    match client.simple_query(&sql).await {
        Ok(messages) => read(messages, names).unwrap_or_default(),
        Err(error) => {
            let _ = client.batch_execute(leave).await;
            State {
                failure: error.as_db_error().map(failure),
                ..State::default()
            }
        }
    }
}

fn failure(error: &DbError) -> QueryFailure {
    QueryFailure {
        message: error.message().to_owned(),
        code: Some(error.code().code().to_owned()),
        position: None,
        hint: error.hint().map(str::to_owned),
    }
}

fn read(messages: Vec<SimpleQueryMessage>, names: &Names<'_>) -> Option<State> {
    let text = messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })?;
    let plan = parse::json(&text).ok()?.into_iter().next()?;
    let work = Work::of(&plan);
    Some(State::of(Some(&canonicalize(&plan, names)), Some(work)))
}

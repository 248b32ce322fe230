//! The audit of a catalog on real servers: which values parameters get, what is executed, and that nothing stays behind.

mod advice_corpus;
mod changes;
mod indexes;
mod memory;
mod parameters;
mod runs;
mod statistics;
mod survives;
mod together;
mod whole;

use std::sync::{Arc, OnceLock};

use pgproof::advise::{self, AdviceBudget, Audited};
use pgproof::catalog::{self, Query};
use pgproof::db::audit::{RunOptions, run_catalog};
use pgproof::db::connect::Session;
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::db::prove;
use pgproof::db::server::Cluster;
use pgproof::finding::Finding;
use pgproof::interrupt::Interrupt;
use pgproof::progress::{Event, Progress};
use pgproof::rules::{self, Policy};
use pgproof::run::{QueryRuns, Run};
use pgproof::schema::Schema;
use pgproof::source::Source;
use pgproof::units::Millis;
use tokio::sync::OnceCell;

use crate::server::private;
use crate::support::{self, TestDatabase};

const DATA: &str = include_str!("data.sql");

/// A copy of the test data on PostgreSQL 15.
async fn database() -> TestDatabase {
    static TEMPLATE: OnceCell<TestDatabase> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(|| filled(support::cluster(), DATA))
        .await;
    TestDatabase::copy_of(template.cluster(), template.url().database()).await
}

/// The test data in a new database.
async fn filled(cluster: Arc<Cluster>, data: &str) -> TestDatabase {
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    let session = database.session().await;
    // VACUUM refuses to run among other statements.
    let (data, vacuum) = data.rsplit_once("VACUUM").unwrap();
    session.client().batch_execute(data).await.unwrap();
    // VACUUM marks pages as visible to all only where their commits are flushed.
    session.client().batch_execute("CHECKPOINT").await.unwrap();
    session
        .client()
        .batch_execute(&format!("VACUUM{vacuum}"))
        .await
        .unwrap();
    session.close().await;
    database
}

/// The test data at a tenth.
fn less_data() -> String {
    DATA.replace("0000)", "000)").replace("% 60000", "% 6000")
}

/// Queries as a catalog file has them.
fn queries(text: &str) -> Vec<Query> {
    let parsed = catalog::parse(&[Source::new("queries/test.sql", text)]).strict();
    parsed.unwrap_or_else(|errors| panic!("{errors:?}")).queries
}

fn options() -> RunOptions {
    RunOptions {
        runs: 1,
        timeout: Millis(20_000.0),
        access: Access::PrivateCopy,
    }
}

/// An audited catalog.
struct Audit {
    session: Session,
    schema: Schema,
    queries: Vec<Query>,
    runs: Vec<QueryRuns>,
}

impl Audit {
    async fn of(database: &TestDatabase, catalog: &str) -> Self {
        Self::with(database, catalog, &options()).await
    }

    async fn with(database: &TestDatabase, catalog: &str, options: &RunOptions) -> Self {
        let session = database.session().await;
        let schema = introspect::schema(&session).await.unwrap();
        let queries = queries(catalog);
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        let runs = run_catalog(&session, &schema, &queries, options, &progress, &interrupt)
            .await
            .unwrap();
        Self {
            session,
            schema,
            queries,
            runs,
        }
    }

    /// All findings, proven indexes among them.
    async fn findings(&self) -> Vec<Finding> {
        self.findings_and_notes().await.0
    }

    /// The findings, and what was noted on the way.
    async fn findings_and_notes(&self) -> (Vec<Finding>, Vec<String>) {
        let policy_for = |_: &Query| Policy::default();
        let audited = Audited {
            queries: &self.queries,
            runs: &self.runs,
            schema: &self.schema,
            policy_for: &policy_for,
        };
        let (progress, seen) = private::listening();
        let interrupt = Interrupt::new();
        let advice = prove::advise(
            &self.session,
            audited,
            &options(),
            &AdviceBudget::default(),
            (&progress, &interrupt),
        )
        .await
        .unwrap();
        let mut findings = rules::judge(
            &self.queries,
            &self.runs,
            &self.schema,
            &policy_for,
            &Policy::default(),
        );
        let built = (&advice.tried[..], &advice.harmful[..]);
        advise::tell_of_trials(&mut findings, built, &advice.findings, audited);
        advise::drop_answered(&mut findings, &advice.chosen, &advice.used, audited.schema);
        findings.extend(advice.findings);
        let findings = rules::settle(findings, &self.queries, &self.runs);
        let events = std::mem::take(&mut *seen.lock().unwrap());
        let notes = events.into_iter().filter_map(|event| match event {
            Event::Note(note) => Some(note),
            _ => None,
        });
        (findings, notes.collect())
    }

    fn runs_of(&self, name: &str) -> &QueryRuns {
        let at = self
            .queries
            .iter()
            .position(|query| query.name == name)
            .unwrap();
        let runs = self.runs.iter().find(|runs| runs.query == at).unwrap();
        assert_eq!(runs.failure, None, "{name}");
        runs
    }

    fn run(&self, name: &str, label: &str) -> &Run {
        let runs = &self.runs_of(name).runs;
        let labels: Vec<String> = runs.iter().map(|run| run.id.to_string()).collect();
        runs.iter()
            .find(|run| run.id.to_string() == label)
            .unwrap_or_else(|| panic!("{name} has {labels:?}, not {label}"))
    }
}

/// The values of a run, `-` for NULL.
fn values(run: &Run) -> Vec<&str> {
    run.parameters
        .iter()
        .map(|parameter| parameter.value.as_deref().unwrap_or("-"))
        .collect()
}

/// One for the whole process, for what must not be run side by side.
fn alone() -> &'static tokio::sync::Mutex<()> {
    static ALONE: OnceLock<tokio::sync::Mutex<()>> = OnceLock::new();
    ALONE.get_or_init(Default::default)
}

//! The labelled set: plan pairs made on real servers, with the verdict and the named differences that each must get. Run
//! with `PGPROOF_PRINT_PAIRS=1 cargo test --test it diff::pairs -- --nocapture` it prints both trees of every pair.

use std::sync::Arc;

use pgproof::db::connect::Session;
use pgproof::db::introspect;
use pgproof::db::server::Cluster;
use pgproof::diff::names::{Names, Renames};
use pgproof::diff::outcome::{Fate, RunDiff, Side};
use pgproof::diff::verdict::{Limits, Verdict};
use pgproof::plan::parse;
use pgproof::run::{Outcome, QueryFailure, Run, Sample};
use pgproof::schema::Schema;
use pgproof::units::Millis;
use serde::Deserialize;

use crate::support::{self, TestDatabase};

#[derive(Deserialize)]
struct Pairs {
    pair: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    #[serde(default)]
    settings: String,
    query: String,
    #[serde(default)]
    change: String,
    after: Option<String>,
    verdict: String,
    changes: Vec<String>,
    /// OIDs say nothing: the change makes new objects under old names.
    #[serde(default = "yes")]
    renames: bool,
}

fn yes() -> bool {
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_on_14() {
    run(support::cluster_of(14)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_on_15() {
    run(Some(support::cluster())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_on_18() {
    run(support::cluster_of(18)).await;
}

async fn run(cluster: Option<Arc<Cluster>>) {
    let Some(cluster) = cluster else { return };
    let pairs: Pairs = toml::from_str(&file("pairs.toml")).unwrap();
    assert!(pairs.pair.len() >= 60);
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    database.execute(&file("pairs_base.sql")).await;
    database.execute("VACUUM ANALYZE").await;
    let session = database.session().await;
    // Every pair rolls back: all begin with the same schema.
    let schema = introspect::schema(&session).await.unwrap();
    let mut wrong = Vec::new();
    for pair in &pairs.pair {
        let found = judge(&session, &schema, pair).await;
        let names: Vec<&str> = found.changes.iter().map(|change| change.name()).collect();
        let verdict = serde_json::to_value(found.verdict).unwrap();
        if std::env::var_os("PGPROOF_PRINT_PAIRS").is_some() {
            let after = found
                .after
                .as_ref()
                .map(|side| side.tree.join("\n"))
                .unwrap_or_default();
            eprintln!(
                "== {}: {verdict} {names:?}\n{}\n--\n{after}\n{:?}",
                pair.name,
                found.before.tree.join("\n"),
                found.changes
            );
        }
        if verdict != pair.verdict.as_str() || names != pair.changes {
            let works = (
                found.before.work,
                found.after.as_ref().map(|side| side.work),
            );
            wrong.push(format!(
                "{}: expected {} {:?}, found {verdict} {names:?}\n  {works:?}\n  {}",
                pair.name,
                pair.verdict,
                pair.changes,
                found
                    .changes
                    .iter()
                    .map(|change| change.describe())
                    .collect::<Vec<_>>()
                    .join("\n  ")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "PostgreSQL {}: {} of {} pairs\n{}",
        cluster.version(),
        wrong.len(),
        pairs.pair.len(),
        wrong.join("\n")
    );
}

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/diff")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether it changes settings and no table: looking at the schema again takes longer than the pair itself.
fn sets_alone(sql: &str) -> bool {
    sql.split(';')
        .all(|sql| sql.trim().is_empty() || sql.trim().starts_with("SET LOCAL "))
}

async fn judge(session: &Session, schema: &Schema, pair: &Pair) -> RunDiff {
    let client = session.client();
    client
        .batch_execute(&format!("BEGIN; {}", pair.settings))
        .await
        .unwrap();
    let before_schema = if sets_alone(&pair.settings) {
        schema.clone()
    } else {
        introspect::schema_within(session).await.unwrap()
    };
    let before = explain(session, &pair.query)
        .await
        .unwrap_or_else(|failure| panic!("{}: {failure:?}", pair.name));
    client
        .batch_execute(&pair.change)
        .await
        .unwrap_or_else(|error| panic!("{}: {error:?}", pair.name));
    // The change may have set a timeout that is meant for the statement.
    let after_schema = if sets_alone(&pair.change) {
        before_schema.clone()
    } else {
        introspect::schema_within(session).await.unwrap()
    };
    let after = explain(session, pair.after.as_deref().unwrap_or(&pair.query)).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    let renames = if pair.renames {
        Renames::between(&before_schema, &after_schema)
    } else {
        Renames::default()
    };
    let side = Side::of(
        &before,
        &Names {
            schema: Some(&before_schema),
            renames: Some(&renames),
            ..Names::UNKNOWN
        },
    );
    let names = Names {
        schema: Some(&after_schema),
        renames: None,
        ..Names::UNKNOWN
    };
    let fate = match &after {
        Ok(run) => Fate::of(run, &names),
        Err(failure) => Fate::Failed(failure.clone()),
    };
    RunDiff::judge(&before, side, &fate, None, &renames, &Limits::default())
}

async fn explain(session: &Session, sql: &str) -> Result<Run, QueryFailure> {
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) {sql}");
    let mut json = serde_json::Value::Null;
    // The first execution warms the caches of the catalog.
    for _ in 0..2 {
        let row = session
            .client()
            .query_one(&sql, &[])
            .await
            .map_err(|error| {
                let refusal = error.as_db_error().unwrap_or_else(|| panic!("{error}"));
                QueryFailure {
                    message: refusal.message().to_owned(),
                    code: Some(refusal.code().code().to_owned()),
                    position: None,
                    hint: None,
                }
            })?;
        json = row.get(0);
    }
    let plan = parse::json_value(&json).unwrap().remove(0);
    let sample = Sample {
        execution: plan.execution_ms.unwrap_or_default(),
        planning: Millis(0.0),
        blocks: plan.root().buffers.unwrap_or_default().touched(),
        temp_blocks: plan.root().buffers.unwrap_or_default().temp(),
    };
    Ok(Run {
        id: pgproof::run_id::SetId::base("as written").custom(),
        parameters: Vec::new(),
        plan,
        explain_json: json,
        outcome: Outcome::Completed {
            samples: vec![sample],
        },
    })
}

#[test]
fn verdicts_have_an_order() {
    assert!(Verdict::Error < Verdict::MajorRegression && Verdict::Improvement < Verdict::Unchanged);
}

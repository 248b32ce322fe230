//! The corpus's plans, made on real servers. Writes `tests/corpus/plans/<major>/<rule>/<case>.json` and the schemas that
//! they share.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use pgproof::catalog::{self, Query};
use pgproof::db::connect::{DatabaseUrl, Session};
use pgproof::db::introspect;
use pgproof::interrupt::Interrupt;
use pgproof::source::Source;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::Error;
use super::case::{Case, corpus};

const DATABASE: &str = "pgproof_corpus";
const COPY: &str = "pgproof_corpus_copy";
/// What every case starts from: parallel plans and JIT only where a case asks for them, so that plans repeat.
const DEFAULTS: &str = "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1; \
    SET LOCAL statement_timeout = '60s'; SET LOCAL client_min_messages = warning;";
/// The first is a warm-up.
const EXECUTIONS: usize = 3;

/// Plans of every case that `only` begins, on every server; what no case has any more is removed.
pub(super) async fn make(only: &str, urls: &[String]) -> Result<(), Error> {
    let corpus = corpus();
    let cases = Case::all(&corpus)?;
    let mut failed = 0;
    for url in urls {
        let url = DatabaseUrl::parse(url)?;
        let major = prepare_database(&url, &corpus).await?;
        let meant = |case: &&Case| format!("{}/{}", case.rule, case.name).starts_with(only);
        for case in cases
            .iter()
            .filter(meant)
            .filter(|case| case.versions.contains(&major))
        {
            let started = Instant::now();
            match made(&url, case).await {
                Ok((plans, schema)) => write(&corpus, case, major, plans, &schema)?,
                Err(error) => {
                    failed += 1;
                    eprintln!(
                        "{}/{} on {major}: {}",
                        case.rule,
                        case.name,
                        described(&*error)
                    );
                    continue;
                }
            }
            eprintln!(
                "{major} {}/{} {:.1?}",
                case.rule,
                case.name,
                started.elapsed()
            );
        }
    }
    prune(&corpus, &cases)?;
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} cases could not be made").into())
    }
}

/// Most cases see the same schema: it is kept once, by its hash, and named by each plan.
fn write(
    corpus: &Path,
    case: &Case,
    major: u32,
    mut plans: Vec<Value>,
    schema: &Value,
) -> Result<(), Error> {
    let schema = format!("{schema}\n");
    let hash: String = Sha256::digest(&schema)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for plan in &mut plans {
        plan["schema"] = Value::from(hash.clone());
    }
    let path = case.plans_path(corpus, major);
    std::fs::create_dir_all(path.parent().ok_or("no directory")?)?;
    let lines: Vec<String> = plans.iter().map(Value::to_string).collect();
    std::fs::write(&path, format!("[{}]\n", lines.join(",\n")))?;
    std::fs::write(Case::schema_path(corpus, major, &hash), schema)?;
    Ok(())
}

/// Removes plans of cases that are no more, and schemas that no plan names.
fn prune(corpus: &Path, cases: &[Case]) -> Result<(), Error> {
    let mut kept = BTreeSet::new();
    for case in cases {
        for major in &case.versions {
            kept.insert(case.plans_path(corpus, *major));
            let Ok(hash) = case.schema_hash(corpus, *major) else {
                continue;
            };
            kept.insert(Case::schema_path(corpus, *major, &hash));
        }
    }
    for file in walkdir::WalkDir::new(corpus.join("plans")) {
        let file = file?;
        if file.file_type().is_file() && !kept.contains(file.path()) {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

fn described(error: &(dyn std::error::Error + 'static)) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

async fn connect(url: &DatabaseUrl) -> Result<Session, Error> {
    Ok(Session::open(url, &Interrupt::default()).await?)
}

/// A fresh database with the base tables, unless it is there with the same ones; the server's major.
async fn prepare_database(url: &DatabaseUrl, corpus: &Path) -> Result<u32, Error> {
    let base = std::fs::read_to_string(corpus.join("base.sql"))?;
    let server = connect(url).await?;
    let hash = base.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let found = format!(
        "SELECT 1 FROM pg_database d WHERE datname = '{DATABASE}' AND shobj_description(d.oid, 'pg_database') = '{hash}'"
    );
    if rows(server.client(), &found).await?.is_empty() {
        server
            .client()
            .batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            .await?;
        server
            .client()
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
        let session = connect(&url.with_database(DATABASE)).await?;
        session.client().batch_execute(&base).await?;
        session
            .client()
            .batch_execute("VACUUM (FREEZE, ANALYZE)")
            .await?;
        session.close().await;
        server
            .client()
            .batch_execute(&format!("COMMENT ON DATABASE {DATABASE} IS '{hash}'"))
            .await?;
    }
    Ok(server.version().major())
}

async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    let messages = client.simple_query(sql).await?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect())
}

/// A case that writes gets a copy of the database: dead rows would change the plans of those after it.
async fn made(url: &DatabaseUrl, case: &Case) -> Result<(Vec<Value>, Value), Error> {
    let text = format!("{} {}", case.setup, case.queries);
    let writes = ["UPDATE", "DELETE", "INSERT", "ALTER", "ANALYZE"]
        .iter()
        .any(|word| text.contains(word));
    if !writes {
        let session = connect(&url.with_database(DATABASE)).await?;
        let made = plans(&session, case).await;
        session.close().await;
        return made;
    }
    let server = connect(url).await?;
    server
        .client()
        .batch_execute(&format!("DROP DATABASE IF EXISTS {COPY} WITH (FORCE)"))
        .await?;
    server
        .client()
        .batch_execute(&format!("CREATE DATABASE {COPY} TEMPLATE {DATABASE}"))
        .await?;
    let copy = connect(&url.with_database(COPY)).await?;
    let made = plans(&copy, case).await;
    copy.close().await;
    server
        .client()
        .batch_execute(&format!("DROP DATABASE {COPY} WITH (FORCE)"))
        .await?;
    made
}

/// All runs of a case's queries, in a transaction that is rolled back.
async fn plans(session: &Session, case: &Case) -> Result<(Vec<Value>, Value), Error> {
    let client = session.client();
    let source = Source::new(format!("{}.sql", case.name), case.queries.clone());
    let catalog = catalog::parse(&[source])
        .strict()
        .map_err(|errors| format!("{}", errors[0]))?;
    client.batch_execute("BEGIN").await?;
    client.batch_execute(DEFAULTS).await?;
    client.batch_execute(&case.setup).await?;
    let mut plans = Vec::new();
    for query in &catalog.queries {
        for (label, values) in case.runs_of(&query.name) {
            plans.push(run(client, query, &label, &values).await?);
        }
    }
    let schema = schema(session).await?;
    client.batch_execute("ROLLBACK").await?;
    client.batch_execute("DEALLOCATE ALL").await?;
    Ok((plans, schema))
}

/// The schema as the case sees it, without the values that ANALYZE found.
async fn schema(session: &Session) -> Result<Value, Error> {
    let mut schema = introspect::schema(session).await?;
    for column in schema
        .tables
        .iter_mut()
        .flat_map(|table| &mut table.columns)
    {
        column.stats = None;
    }
    Ok(serde_json::to_value(&schema)?)
}

/// One parameter set: warmed up, then executed; the plan of the median sample.
async fn run(client: &Client, query: &Query, label: &str, values: &str) -> Result<Value, Error> {
    let mode = if label.starts_with("generic") {
        "force_generic_plan"
    } else {
        "force_custom_plan"
    };
    client
        .batch_execute(&format!(
            "SET LOCAL plan_cache_mode = {mode}; DEALLOCATE ALL; PREPARE q AS {}",
            query.sql
        ))
        .await?;
    let arguments = if values.is_empty() {
        String::new()
    } else {
        format!("({values})")
    };
    let explain =
        format!("EXPLAIN (ANALYZE, VERBOSE, BUFFERS, SETTINGS, FORMAT JSON) EXECUTE q{arguments}");
    let mut samples = Vec::new();
    for _ in 0..EXECUTIONS {
        client.batch_execute("SAVEPOINT s").await?;
        let text = rows(client, &explain).await?.concat();
        client.batch_execute("ROLLBACK TO s").await?;
        let value: Value = serde_json::from_str(&text)?;
        let number = |key: &str| value[0][key].as_f64().unwrap_or_default();
        samples.push((number("Execution Time"), number("Planning Time"), value));
    }
    samples.remove(0);
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let times: Vec<[f64; 2]> = samples
        .iter()
        .map(|(execution, planning, _)| [*execution, *planning])
        .collect();
    let explain = &samples[samples.len() / 2].2;
    Ok(json!({ "query": query.name, "label": label, "samples": times, "explain": explain }))
}

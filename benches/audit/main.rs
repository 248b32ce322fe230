//! What an audit costs beyond its EXPLAIN runs: the catalog audited and judged, against the same EXPLAIN statements sent
//! alone. `cargo bench --bench audit [-- QUERIES]`; PostgreSQL 15.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::Path;
use std::time::Instant;

use pgproof::advise::{self, Audited};
use pgproof::catalog::{self, Query};
use pgproof::db::audit::{RunOptions, run_catalog};
use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::Session;
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::db::server::{Cluster, ClusterOptions};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::rules::{self, Policy};
use pgproof::run::{Outcome, QueryRuns};
use pgproof::source::Source;
use pgproof::units::Millis;
use tokio_postgres::Client;

type Error = Box<dyn std::error::Error>;

const DATA: &str = include_str!("../../tests/it/audit/data.sql");
const QUERIES: usize = 100;
/// The best of so many counts: what is slower was disturbed.
const REPETITIONS: usize = 3;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let wanted = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(QUERIES);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(".pgproof");
    let options = ClusterOptions {
        directory,
        major: Some(15),
        binaries: None,
        settings: Vec::new(),
        offline: true,
    };
    let interrupt = Interrupt::new();
    let cluster = Cluster::start(&options, &Progress::default(), &interrupt).await?;
    let database = DatabaseClone::of(&cluster.url("postgres"), "template1", &interrupt).await?;
    let session = Session::open(database.url(), &interrupt).await?;
    let (data, vacuum) = DATA
        .rsplit_once("VACUUM")
        .ok_or("the data is vacuumed last")?;
    session.client().batch_execute(data).await?;
    session
        .client()
        .batch_execute(&format!("VACUUM{vacuum}"))
        .await?;
    let result = measure(&session, &queries(wanted)?, &interrupt).await;
    session.close().await;
    drop(database);
    result
}

async fn measure(session: &Session, queries: &[Query], interrupt: &Interrupt) -> Result<(), Error> {
    let options = RunOptions {
        runs: 3,
        timeout: Millis(30_000.0),
        access: Access::PrivateCopy,
    };
    let policy_for = |_: &Query| Policy::default();
    let (mut audits, mut judgements, mut explains) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    let (mut executed, mut findings) = (0, 0);
    for _ in 0..REPETITIONS {
        let schema = introspect::schema(session).await?;
        let start = Instant::now();
        let runs = run_catalog(
            session,
            &schema,
            queries,
            &options,
            &Progress::default(),
            interrupt,
        )
        .await?;
        audits = audits.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let judged = rules::judge(queries, &runs, &schema, &policy_for, &Policy::default());
        let audited = Audited {
            queries,
            runs: &runs,
            schema: &schema,
            policy_for: &policy_for,
        };
        let candidates = advise::candidates(&audited);
        judgements = judgements.min(start.elapsed().as_secs_f64());
        findings = judged.len() + candidates.len();
        let (time, statements) = explain_alone(session.client(), queries, &runs).await?;
        explains = explains.min(time);
        executed = statements;
    }
    let whole = audits + judgements;
    println!("queries                          {:>10}", queries.len());
    println!("EXPLAIN ANALYZE statements       {executed:>10}");
    println!("findings and index candidates    {findings:>10}");
    println!("EXPLAIN ANALYZE alone            {explains:>10.3} s");
    println!("audit: values, EXPLAIN, plans    {audits:>10.3} s");
    println!("audit: rules, index candidates   {judgements:>10.3} s");
    println!(
        "audit over EXPLAIN               {:>+10.1} %",
        (whole / explains - 1.0) * 100.0
    );
    Ok(())
}

/// The same statements as the audit executed, warm-ups included, and nothing else: seconds, and how many they are.
async fn explain_alone(
    client: &Client,
    queries: &[Query],
    runs: &[QueryRuns],
) -> Result<(f64, usize), Error> {
    let (mut seconds, mut statements) = (0.0, 0);
    for query_runs in runs {
        let query = &queries[query_runs.query];
        client
            .batch_execute(&format!("PREPARE bench AS {}", query.sql))
            .await?;
        for run in &query_runs.runs {
            let Outcome::Completed { samples } = &run.outcome else {
                continue;
            };
            let values: Vec<String> = run
                .parameters
                .iter()
                .map(|bound| literal(bound.value.as_deref()))
                .collect();
            let arguments = if values.is_empty() {
                String::new()
            } else {
                format!("({})", values.join(", "))
            };
            let mode = if run.is_generic() {
                "force_generic_plan"
            } else {
                "force_custom_plan"
            };
            let sql = format!(
                "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT JSON) EXECUTE bench{arguments}"
            );
            for _ in 0..=samples.len() {
                client
                    .batch_execute(&format!("BEGIN; SET LOCAL plan_cache_mode = {mode}"))
                    .await?;
                let start = Instant::now();
                client.simple_query(&sql).await?;
                seconds += start.elapsed().as_secs_f64();
                client.batch_execute("ROLLBACK").await?;
                statements += 1;
            }
        }
        client.batch_execute("DEALLOCATE bench").await?;
    }
    Ok((seconds, statements))
}

fn literal(value: Option<&str>) -> String {
    value.map_or_else(
        || "NULL".to_owned(),
        |value| format!("'{}'", value.replace('\'', "''")),
    )
}

/// What an application asks, in equal parts: look-ups, lists, searches, aggregates over ranges, joins.
const FORMS: [&str; 10] = [
    "SELECT \"Id\", total FROM \"Order\" WHERE \"Customer\" = $1 ORDER BY placed_at DESC LIMIT {n};",
    "SELECT count(*), sum(total) FROM \"Order\" WHERE placed_at BETWEEN $1 AND $2 AND total > {n};",
    "SELECT id, name FROM accounts WHERE email = $1 OR id = {n};",
    "SELECT kind, count(*) FROM events WHERE actor % 100 = {n} % 100 GROUP BY kind;",
    "SELECT a.id, count(*) FROM accounts a JOIN \"Order\" o ON o.\"Customer\" = a.id WHERE a.tier = $1 AND o.total > {n} GROUP BY a.id ORDER BY 2 DESC LIMIT 20;",
    "SELECT id FROM accounts WHERE name ILIKE '%{n}%' ORDER BY created_at DESC LIMIT 10;",
    "SELECT * FROM \"Order\" WHERE status = $1 ORDER BY total DESC, \"Id\" LIMIT {n};",
    "SELECT o.\"Id\", l.sku FROM \"Order\" o JOIN lines l ON l.order_id = o.\"Id\" WHERE o.number = $1 AND l.line < {n};",
    "SELECT date_trunc('month', placed_at), sum(total) FROM \"Order\" WHERE total % {n} = 0 GROUP BY 1 ORDER BY 1;",
    "SELECT * FROM accounts ORDER BY created_at, id LIMIT 20 OFFSET {n} * 100;",
];

fn queries(wanted: usize) -> Result<Vec<Query>, Error> {
    let text: String = (0..wanted)
        .map(|n| {
            let form = FORMS[n % FORMS.len()].replace("{n}", &(n / FORMS.len() + 2).to_string());
            format!("-- name: Query{n} :many\n{form}\n\n")
        })
        .collect();
    let parsed = catalog::parse(&[Source::new("bench.sql", text)]).strict();
    Ok(parsed.map_err(|errors| errors[0].to_string())?.queries)
}

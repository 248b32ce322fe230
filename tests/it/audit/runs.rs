//! What is executed, and what it leaves behind: nothing.

use pgproof::db::audit::{RunOptions, run_catalog};
use pgproof::db::explain::Access;
use pgproof::db::introspect;
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::run::{Outcome, QueryFailure};
use pgproof::units::Millis;

use super::{Audit, alone, database, options, queries, values};
use crate::support::TestDatabase;

/// Everything that a write could change: rows, sequences, prepared statements.
async fn fingerprint(database: &TestDatabase) -> String {
    let session = database.session().await;
    let sql = r#"SELECT (SELECT md5(string_agg(o::text, '' ORDER BY "Id")) FROM "Order" o) || (SELECT count(*) FROM lines)
        || (SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM accounts a) || (SELECT count(*) FROM links)
        || (SELECT string_agg(coalesce(last_value, 0)::text, ',' ORDER BY sequencename) FROM pg_sequences)"#;
    session.client().query_one(sql, &[]).await.unwrap().get(0)
}

const WRITES: &str = r#"
-- name: NewOrder :one
INSERT INTO "Order" ("Customer", number, status, placed_at, total) VALUES ($1, $2, $3, $4, $5) RETURNING "Id";

-- name: NewLink :exec
INSERT INTO links (account_id, order_id) VALUES ($1, $2);

-- name: NewLine :exec
INSERT INTO lines VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: Several :exec
INSERT INTO lines (order_id, line, sku) VALUES ($1, $2, $3), ($4, $5, $6);

-- name: Renumber :exec
UPDATE "Order" SET number = $2, total = total + $3 WHERE "Id" = $1;

-- name: Remove :exec
DELETE FROM lines WHERE order_id = $1;

-- name: Locked :many
SELECT "Id" FROM "Order" WHERE "Id" = $1 FOR UPDATE;

-- name: Draws :one
SELECT nextval('"Order_Id_seq"');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn writes_get_valid_values_and_are_rolled_back() {
    let database = database().await;
    let audit = Audit::of(&database, WRITES).await;
    for query in &audit.queries {
        let runs = audit.runs_of(&query.name);
        assert!(
            runs.runs
                .iter()
                .all(|run| matches!(run.outcome, Outcome::Completed { .. })),
            "{}: {:?}",
            query.name,
            runs.runs
                .iter()
                .map(|run| (&run.id, &run.outcome))
                .collect::<Vec<_>>()
        );
    }
    let rows = |table: &str| format!("SELECT count(*) FROM {table}");
    for (table, count) in [
        ("\"Order\"", 200_000_i64),
        ("lines", 100_000),
        ("links", 5_000),
    ] {
        let found: i64 = audit
            .session
            .client()
            .query_one(&rows(table), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(found, count, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_is_left_as_it_was() {
    let database = database().await;
    let before = fingerprint(&database).await;
    let read_only = RunOptions {
        access: Access::ReadOnly,
        ..options()
    };
    let audit = Audit::with(&database, WRITES, &read_only).await;
    assert_eq!(fingerprint(&database).await, before);
    let new_order = audit.runs_of("NewOrder");
    assert!(
        new_order
            .runs
            .iter()
            .all(|run| run.outcome == Outcome::Estimated),
        "{new_order:?}"
    );
    // No rollback moves a sequence back.
    let draws = audit
        .runs
        .iter()
        .find(|runs| audit.queries[runs.query].name == "Draws")
        .unwrap();
    assert!(
        draws
            .runs
            .iter()
            .all(|run| run.outcome == Outcome::Estimated),
        "{draws:?}"
    );
    assert!(
        draws
            .notes
            .iter()
            .any(|note| note.starts_with("planned only")),
        "{draws:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_where_and_what() {
    let database = database().await;
    let catalog = r#"
-- name: NoSuchColumn :one
SELECT id, totl FROM accounts WHERE id = $1;

-- name: NoSuchValue :many
SELECT id FROM accounts WHERE abs(id) > 5 AND pg_snapshot_xmin($1::pg_snapshot) IS NULL;

-- name: BadLiteral :one
-- @param $1: 'seven'
SELECT id FROM accounts WHERE id = $1;

-- name: Fine :one
SELECT id FROM accounts WHERE id = $1;
"#;
    let audit = Audit::of(&database, catalog).await;
    let failures: Vec<Option<QueryFailure>> =
        audit.runs.iter().map(|runs| runs.failure.clone()).collect();
    let [Some(column), Some(value), Some(literal), None] = &failures[..] else {
        panic!("{failures:#?}")
    };
    assert_eq!(
        (column.message.as_str(), column.position),
        ("column \"totl\" does not exist", Some(12))
    );
    assert_eq!(column.code.as_deref(), Some("42703"));
    assert!(
        value
            .message
            .starts_with("no value for parameter $1 of type pg_snapshot"),
        "{value:?}"
    );
    assert_eq!(
        value.hint.as_deref(),
        Some("say what to try above the query: -- @param $1: '…'")
    );
    assert_eq!(
        literal.message,
        "invalid input syntax for type bigint: \"seven\""
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_cancelled_and_its_estimate_kept() {
    let database = database().await;
    let catalog = "-- name: Slow :many\nSELECT count(*) FROM generate_series(1, 4) n, LATERAL (SELECT pg_sleep(1 + n * 0)) s;\n\
                   -- name: Quick :one\nSELECT 1 FROM accounts WHERE id = $1;\n";
    let limited = RunOptions {
        timeout: Millis(300.0),
        ..options()
    };
    let audit = Audit::with(&database, catalog, &limited).await;
    let slow = &audit.runs_of("Slow").runs[0];
    assert_eq!(
        slow.outcome,
        Outcome::TimedOut {
            after: Millis(300.0)
        }
    );
    assert!(slow.plan.execution_ms.is_none() && slow.time().is_none());
    assert!(audit.run("Quick", "typical").time().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_gets_its_parents_values() {
    let database = database().await;
    let catalog = r#"
-- name: Child :many
-- @for-each Parent.customer -> $1
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Parent :many
SELECT id AS customer, name FROM accounts ORDER BY created_at DESC LIMIT 20;

"#;
    let audit = Audit::of(&database, catalog).await;
    assert_eq!(values(audit.run("Child", "given")), ["60000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_audit() {
    let database = database().await;
    let interrupt = Interrupt::new();
    let session = pgproof::db::connect::Session::open(database.url(), &interrupt)
        .await
        .unwrap();
    let schema = introspect::schema(&session).await.unwrap();
    let queries = queries("-- name: Sleeps :one\nSELECT pg_sleep(30);\n");
    let later = interrupt.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        later.set();
    });
    let started = std::time::Instant::now();
    let result = run_catalog(
        &session,
        &schema,
        &queries,
        &options(),
        &Progress::default(),
        &interrupt,
    )
    .await;
    assert!(
        matches!(result, Err(pgproof::db::audit::AuditError::Interrupted(_))),
        "{result:?}"
    );
    assert!(started.elapsed().as_secs() < 10);
}

/// What must not change from one audit to the next: values and plans; and pages, of which parallel workers under a LIMIT
/// may read one more or less.
fn verdicts(audit: &Audit) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for runs in &audit.runs {
        for run in &runs.runs {
            let pages = run.measurement().map_or(0, |measured| measured.blocks.0);
            let shape = pgproof::plan::shape::shape(&run.plan);
            all.push((
                format!(
                    "{} {} {:?} {shape}",
                    audit.queries[runs.query].name,
                    run.id,
                    values(run)
                ),
                pages,
            ));
        }
    }
    all.sort();
    all
}

const READS: &str = r#"
-- name: Orders :many
SELECT "Id", total FROM "Order" WHERE "Customer" = $1 ORDER BY placed_at DESC LIMIT 10;

-- name: Join :many
SELECT o."Id", a.name FROM "Order" o JOIN accounts a ON a.id = o."Customer" WHERE o.status = $1 AND a.tier = $2 LIMIT 50;

-- name: Window :many
SELECT count(*) FROM events WHERE kind = $1 AND at >= $2 AND at < $3;

-- name: Report :many
SELECT status, count(*), sum(total) FROM "Order" GROUP BY status;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn ten_audits_of_the_same_data_are_the_same() {
    let _alone = alone().lock().await;
    let database = database().await;
    let first = verdicts(&Audit::of(&database, READS).await);
    assert!(first.len() >= 8, "{first:#?}");
    for _ in 1..10 {
        let again = verdicts(&Audit::of(&database, READS).await);
        assert_eq!(again.len(), first.len());
        for ((said, pages), (said_first, pages_first)) in again.iter().zip(&first) {
            assert_eq!(said, said_first);
            assert!(
                pages.abs_diff(*pages_first) <= pages_first / 50,
                "{said}: {pages}, {pages_first} before"
            );
        }
    }
}

//! A finished query's result is never lost: whatever one query does to its session, the others are audited.

use pgproof::db::audit::{Seen, run_whole};
use pgproof::run::{EndedEarly, QueryFailure};

use super::*;

const CATALOG: &str = "
-- name: First :one
SELECT 1;
-- name: Strange :one
SELECT strange();
-- name: Last :one
SELECT 3;
";

/// A database with a function that does what `body` says.
async fn with_function(body: &str) -> TestDatabase {
    let database = support::database().await;
    database
        .execute(&format!(
            "CREATE FUNCTION strange() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN {body} RETURN 1; END $body$"
        ))
        .await;
    database
}

async fn seen(database: &TestDatabase, options: &RunOptions, interrupt: &Interrupt) -> Seen {
    let mut session = Session::open(database.url(), interrupt).await.unwrap();
    let schema = introspect::schema(&session).await.unwrap();
    let queries = queries(CATALOG);
    let url = database.url().clone();
    let reconnect = async || Session::open(&url, interrupt).await.ok();
    run_whole(
        &mut session,
        (&schema, &queries),
        options,
        (&Progress::default(), interrupt),
        reconnect,
    )
    .await
}

fn failures(seen: &Seen) -> Vec<Option<&QueryFailure>> {
    seen.runs.iter().map(|runs| runs.failure.as_ref()).collect()
}

/// The failure of the query in the middle, the only one.
fn middle(seen: &Seen) -> &QueryFailure {
    let failures = failures(seen);
    assert!(
        failures[0].is_none() && failures[2].is_none(),
        "{failures:?}"
    );
    assert_eq!(seen.ended_early, None);
    failures[1].expect("it fails")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_any_class_is_one_querys() {
    for code in [
        "53200", "53100", "57014", "58030", "XX000", "22012", "P0001",
    ] {
        let database = with_function(&format!(
            "RAISE EXCEPTION 'no luck' USING ERRCODE = '{code}';"
        ))
        .await;
        let seen = seen(&database, &options(), &Interrupt::new()).await;
        let failure = middle(&seen);
        assert_eq!(failure.code.as_deref(), Some(code));
        assert!(failure.message.contains("no luck"), "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_loses_its_session_loses_no_other() {
    let database = with_function("PERFORM pg_terminate_backend(pg_backend_pid());").await;
    let seen = seen(&database, &options(), &Interrupt::new()).await;
    let failure = middle(&seen);
    assert!(
        failure
            .message
            .starts_with("the server was lost while it ran: "),
        "{failure:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_stays_away_the_rest_is_named() {
    let database = with_function("PERFORM pg_terminate_backend(pg_backend_pid());").await;
    let mut session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    let queries = queries(CATALOG);
    let interrupt = Interrupt::new();
    let seen = run_whole(
        &mut session,
        (&schema, &queries),
        &options(),
        (&Progress::default(), &interrupt),
        async || None,
    )
    .await;
    assert!(matches!(
        seen.ended_early,
        Some(EndedEarly::ServerLost { .. })
    ));
    let failures = failures(&seen);
    assert!(failures[0].is_none());
    assert!(
        failures[2].is_some_and(|failure| failure
            .message
            .starts_with("it was not reached, the server was lost")),
        "{failures:?}"
    );
}

/// Waits until the statement of the database sleeps, then does something about it from another session.
async fn while_it_sleeps(database: &TestDatabase, act: impl AsyncFn(&Session, i32)) {
    let other = database.session().await;
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    loop {
        if let Some(row) = other.client().query_opt(sql, &[]).await.unwrap() {
            return act(&other, row.get(0)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_by_somebody_else_is_no_timeout() {
    let database = with_function("PERFORM pg_sleep(600);").await;
    let (options, interrupt) = (options(), Interrupt::new());
    let (seen, ()) = tokio::join!(
        seen(&database, &options, &interrupt),
        while_it_sleeps(&database, async |other, pid| {
            let cancel = "SELECT pg_cancel_backend($1)";
            other.client().execute(cancel, &[&pid]).await.unwrap();
        })
    );
    let failure = middle(&seen);
    assert_eq!(failure.code.as_deref(), Some("57014"));
    assert!(
        failure
            .message
            .contains("by somebody else (pg_cancel_backend"),
        "{failure:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_keeps_what_was_finished() {
    let database = with_function("PERFORM pg_sleep(600);").await;
    let interrupt = Interrupt::new();
    let options = options();
    let (seen, ()) = tokio::join!(
        seen(&database, &options, &interrupt),
        while_it_sleeps(&database, async |_, _| interrupt.set())
    );
    assert_eq!(seen.ended_early, Some(EndedEarly::Interrupted));
    let failures = failures(&seen);
    assert!(failures[0].is_none() && !seen.runs[0].runs.is_empty());
    for failure in &failures[1..] {
        assert!(
            failure.is_some_and(
                |failure| failure.message == "it was not reached, the audit was interrupted"
            ),
            "{failures:?}"
        );
    }
}

/// An event trigger is the server's own way to fail a build as a full lock table or disk would.
const BUILDS_FAIL: &str = "
CREATE TABLE boxed (id int PRIMARY KEY, kind int NOT NULL, note text NOT NULL);
CREATE TABLE loose (id int PRIMARY KEY, kind int NOT NULL, note text NOT NULL);
INSERT INTO boxed SELECT n, n % 20000, repeat('x', 60) FROM generate_series(1, 100000) n;
INSERT INTO loose SELECT n, n % 20000, repeat('x', 60) FROM generate_series(1, 100000) n;
CREATE FUNCTION no_room() RETURNS event_trigger LANGUAGE plpgsql AS $body$ BEGIN
  IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() c JOIN pg_index i ON i.indexrelid = c.objid WHERE i.indrelid = 'boxed'::regclass) THEN
    RAISE EXCEPTION 'no room for this index' USING ERRCODE = 'SQLSTATE';
  END IF; END $body$;
CREATE EVENT TRIGGER no_room ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION no_room();
ANALYZE;
";

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_the_server_cannot_finish_is_a_note() {
    for code in ["53200", "53100", "58030", "XX000"] {
        let database = support::database().await;
        database
            .execute(&BUILDS_FAIL.replace("SQLSTATE", code))
            .await;
        let catalog = "-- name: Boxed :many\nSELECT note FROM boxed WHERE kind = $1;\n\n\
                       -- name: Loose :many\nSELECT note FROM loose WHERE kind = $1;\n";
        let audit = Audit::of(&database, catalog).await;
        let (findings, notes) = audit.findings_and_notes().await;
        let advised: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.fix.is_some())
            .filter_map(|finding| finding.query.as_deref())
            .collect();
        assert_eq!(advised, ["Loose"], "{code}");
        let boxed = findings
            .iter()
            .find(|finding| finding.query.as_deref() == Some("Boxed"));
        assert!(boxed.is_some(), "{code}: the scan remains a finding");
        assert!(
            notes.iter().any(|note| note.contains("could not be tried")
                && note.contains("no room for this index")
                && note.contains(code)),
            "{code}: {notes:?}"
        );
    }
}

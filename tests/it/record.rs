//! `pgproof record`: what real clients send in both protocols becomes the catalog, and nothing stays behind.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use pgproof::db::connect::TlsMode;
use serde_json::Value;

use crate::server::private::bare_project;
use crate::support;
use crate::support::recording::{self, LOOP_OVER_ROWS};

const SCHEMA: &str = "CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL, title text NOT NULL);\n\
     CREATE INDEX ON posts (author_id);\n";

pub(crate) fn project() -> tempfile::TempDir {
    let project = bare_project();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_posts.sql"), SCHEMA).unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "fail-on = \"never\"\n[server]\nversion = \"15\"\n[dataset]\ntarget-size = \"2MB\"\n",
    )
    .unwrap();
    project
}

pub(crate) fn pgproof(project: &Path, arguments: &[&str]) -> Output {
    command(project, arguments).output().unwrap()
}

/// With the server's own clients on the path.
pub(crate) fn command(project: &Path, arguments: &[&str]) -> Command {
    let programs = support::binaries_of(support::MAJOR).unwrap();
    let path = format!(
        "{}:{}",
        programs.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .args(arguments)
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("PATH", path)
        .env("NO_COLOR", "1");
    command
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A client that puts its values into the text (psql) and one that prepares its statements (pgbench); a database of its own, as
/// some test suites make one.
const SCRIPT: &str = r#"
set -e
{ echo "BEGIN;"; for n in 1 2 3 4 5 6 7; do echo "SELECT title FROM posts WHERE author_id = $n ORDER BY 1;"; done; echo "COMMIT;"; } |
    psql -q -o /dev/null
psql -q -o /dev/null "$DATABASE_URL" -c "BEGIN" -c "UPDATE posts SET title = 'b' WHERE id = 3" -c "COMMIT"
echo 'SELECT count(*) FROM posts WHERE id > :id;' > bench.sql
pgbench -n -M prepared -D id=5 -f bench.sql -t 20 -c 2 > /dev/null 2>&1
createdb suite
psql -q -d suite -o /dev/null -c "SELECT relname FROM pg_class"
"#;

#[test]
fn what_clients_send_in_both_protocols_is_the_catalog() {
    let project = project();
    let output = pgproof(project.path(), &["record", "--", "sh", "-c", SCRIPT]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = std::fs::read_to_string(project.path().join("queries/recorded.sql")).unwrap();
    for expected in [
        "SELECT title FROM posts WHERE author_id = $1 ORDER BY 1;",
        "UPDATE posts SET title = $1 WHERE id = $2;",
        "SELECT count(*) FROM posts WHERE id > $1;",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(
        !text.contains("BEGIN") && !text.contains("pg_class"),
        "{text}"
    );
    let shown = said(&output);
    for expected in [
        "(3 queries)",
        "executed 7 times in one unit of work",
        "dropped suite",
        "next: pgproof audit",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }

    let audited = pgproof(
        project.path(),
        &["audit", "queries/recorded.sql", "--format", "json"],
    );
    assert_eq!(audited.status.code(), Some(0), "{}", said(&audited));
    let report: Value = serde_json::from_slice(&audited.stdout).unwrap();
    assert_eq!(report["summary"]["queries"], 3, "{}", said(&audited));
    assert_eq!(report["summary"]["not_audited"], 0, "{}", said(&audited));

    let again = pgproof(project.path(), &["record", "--", "true"]);
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
}

#[test]
fn a_command_that_fails_or_sends_nothing_says_so_and_keeps_what_was_sent() {
    let project = project();
    let failed = pgproof(
        project.path(),
        &[
            "record",
            "--out",
            "a.sql",
            "--",
            "sh",
            "-c",
            "psql -q -o /dev/null -c 'SELECT id FROM posts'; exit 7",
        ],
    );
    assert_eq!(failed.status.code(), Some(3), "{}", said(&failed));
    assert!(
        said(&failed).contains("the command ended with 7"),
        "{}",
        said(&failed)
    );
    assert!(project.path().join("a.sql").exists());
    let silent = pgproof(project.path(), &["record", "--out", "b.sql", "--", "true"]);
    assert_eq!(silent.status.code(), Some(0), "{}", said(&silent));
    assert!(said(&silent).contains("DATABASE_URL"), "{}", said(&silent));
    let missing = pgproof(
        project.path(),
        &["record", "--out", "c.sql", "--", "no-such-program"],
    );
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
}

/// Runs a script's statements, and gives the report.
fn recorded(flags: &[&str], statements: &str) -> Value {
    let project = project();
    std::fs::write(
        project.path().join("migrations/1_posts.sql"),
        "CREATE TABLE authors (id bigint PRIMARY KEY, name text NOT NULL);\n\
         CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES authors, title text NOT NULL);\n\
         CREATE INDEX ON posts (author_id);\n",
    )
    .unwrap();
    std::fs::write(project.path().join("script.sh"), statements).unwrap();
    let command = ["--", "sh", "-e", "script.sh"];
    let arguments = [&["record", "--format", "json"], flags, &command].concat();
    let output = pgproof(project.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Findings of a rule.
pub(crate) fn of_rule<'r>(report: &'r Value, rule: &str) -> Vec<&'r Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|found| found["rule"] == rule).collect()
}

#[test]
fn a_loop_over_rows_is_proven_by_its_values_and_its_batch_is_measured() {
    let report = recorded(
        &[],
        r#"
list="SELECT id, author_id FROM posts ORDER BY title, id LIMIT 15;"
{
    echo "$list"
    psql -At -F ' ' -c "$list" | while read id author; do
        echo "SELECT name FROM authors WHERE id = $author;"
        echo "SELECT title FROM posts WHERE id = $id ORDER BY title LIMIT 1;"
    done
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let loops = of_rule(&report, "n-plus-one");
    assert_eq!(loops.len(), 2, "{report:#}");
    for (query, column, form) in [
        ("select-authors", "author_id", "= ANY ($1)"),
        ("select-posts", "id", "LATERAL"),
    ] {
        let found = loops
            .iter()
            .find(|found| found["query"].as_str().unwrap().starts_with(query))
            .unwrap_or_else(|| panic!("{query}: {report:#}"));
        let evidence = &found["evidence"];
        assert_eq!(found["severity"], "error", "{found:#}");
        assert_eq!(
            (
                &evidence["grade"],
                &evidence["calls"],
                &evidence["values_matched"]
            ),
            (&"proven".into(), &15.into(), &15.into()),
            "{found:#}"
        );
        let condition = evidence["condition"].as_str().unwrap();
        assert!(
            condition.ends_with(&format!(".{column} -> $1")),
            "{condition}"
        );
        assert!(
            found["fix"]["sql"].as_str().unwrap().contains(form),
            "{found:#}"
        );
        let proof = &found["fix"]["proof"];
        assert_eq!(proof["before"]["rows"], proof["after"]["rows"], "{found:#}");
    }
}

#[test]
fn a_loop_of_a_tests_own_rows_is_projected_to_those_of_the_dataset() {
    let report = recorded(
        &[],
        r#"
{
    echo "BEGIN;"
    echo "INSERT INTO authors SELECT 900000 + n, 'of the test' FROM generate_series(1, 6) AS n;"
    echo "INSERT INTO posts SELECT 9000000 + n * 7, 900000 + n, 'of the test' FROM generate_series(1, 6) AS n;"
    echo "SELECT id, author_id FROM posts ORDER BY id DESC LIMIT 6;"
    for n in 6 5 4 3 2 1; do echo "SELECT name FROM authors WHERE id = $((900000 + n));"; done
    echo "SELECT author_id FROM posts WHERE author_id > 900000 ORDER BY author_id;"
    for n in 1 2 3 4 5 6; do echo "SELECT count(*) FROM posts WHERE author_id = $((900000 + n)) AND title <> 'x';"; done
    echo "ROLLBACK;"
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let loops = of_rule(&report, "n-plus-one");
    let of = |query: &str| {
        let is_it = |found: &&&Value| found["query"].as_str().unwrap().starts_with(query);
        *loops
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{report:#}"))
    };
    // A page stays a page.
    let page = of("select-authors");
    assert_eq!(page["evidence"]["calls"], 6, "{page:#}");
    assert_eq!(page["evidence"]["most_calls_at_scale"], 6, "{page:#}");
    assert!(!page["message"].as_str().unwrap().contains("dataset"));
    // A list without a limit grows with the rows of the dataset.
    let list = of("select-posts");
    let most = list["evidence"]["most_calls_at_scale"].as_f64().unwrap();
    assert!(most > 6.0, "{list:#}");
    let cost = list["evidence"]["at_scale_at_1_ms"].as_f64().unwrap();
    assert!(cost >= most, "{list:#}");
    assert!(
        list["message"]
            .as_str()
            .unwrap()
            .contains("with the rows of the dataset"),
        "{list:#}"
    );
}

#[test]
fn a_loop_that_writes_is_measured_beside_one_statement() {
    let report = recorded(
        &[],
        r#"
list="SELECT id, author_id FROM posts ORDER BY title, id LIMIT 15;"
{
    echo "$list"
    psql -At -F ' ' -c "$list" | while read id author; do
        echo "UPDATE posts SET title = upper(title) WHERE id = $id;"
    done
    echo "$list"
    psql -At -F ' ' -c "$list" | while read id author; do
        echo "UPDATE authors SET name = 'writer of $id' WHERE id = $author;"
    done
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let loops = of_rule(&report, "missing-batch");
    let of = |table: &str| {
        let begins = format!("update-{table}");
        let mut loops = loops.iter();
        let found = loops.find(|found| found["query"].as_str().unwrap().starts_with(&begins));
        *found.unwrap_or_else(|| panic!("{table}: {report:#}"))
    };
    let measured = of("posts");
    assert_eq!(measured["evidence"]["grade"], "proven", "{measured:#}");
    assert_eq!(
        measured["fix"]["sql"],
        "UPDATE posts SET title = upper(title) WHERE id = ANY ($1)"
    );
    let proof = &measured["fix"]["proof"];
    assert_eq!(
        (&proof["before"]["rows"], &proof["after"]["rows"]),
        (&15.0.into(), &15.0.into())
    );
    for side in ["before", "after"] {
        assert!(proof[side]["blocks"].as_u64().unwrap() > 0, "{measured:#}");
    }
    // Each execution brings a value of its own: they come with their keys.
    let own = of("authors");
    assert_eq!(
        own["fix"]["sql"],
        "UPDATE authors SET name = batch.v1 FROM unnest($1::text[], $2::bigint[]) AS batch (v1, v2) WHERE id = batch.v2"
    );
    let proof = &own["fix"]["proof"];
    assert_eq!(proof["before"]["rows"], proof["after"]["rows"], "{own:#}");
}

#[test]
fn a_loop_of_inserts_is_measured_beside_one_statement() {
    let report = recorded(
        &[],
        r#"
for id in 900001 900002 900003 900004 900005 900006 900007 900008 900009 900010; do
    echo "INSERT INTO posts (id, author_id, title) VALUES ($id, 3, 'about $id');"
done > inserts.sql
psql -q -f inserts.sql
"#,
    );
    let loops = of_rule(&report, "missing-batch");
    let [found] = loops.as_slice() else {
        panic!("{report:#}");
    };
    assert_eq!(
        found["fix"]["sql"],
        "INSERT INTO posts (id, author_id, title) SELECT batch.v1, batch.v2, batch.v3 FROM unnest($1::bigint[], $2::bigint[], \
         $3::text[]) AS batch (v1, v2, v3)"
    );
    let proof = &found["fix"]["proof"];
    assert_eq!(
        (&proof["before"]["rows"], &proof["after"]["rows"]),
        (&10.0.into(), &10.0.into())
    );
    assert!(
        proof["after"]["blocks"].as_u64() <= proof["before"]["blocks"].as_u64(),
        "{found:#}"
    );
}

#[test]
fn a_foreign_key_decides_where_identities_are_counted_from_one() {
    let report = recorded(
        &[],
        r#"
{
    echo "SELECT id FROM authors ORDER BY id LIMIT 12;"
    for id in $(psql -At -c "SELECT id FROM authors ORDER BY id LIMIT 12"); do
        echo "SELECT count(*) FROM posts WHERE author_id = $id;"
    done
    for page in 1 2 3 4 5 6 7 8; do
        echo "SELECT title FROM posts ORDER BY id LIMIT 10 OFFSET $page;"
    done
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let proven: Vec<&Value> = of_rule(&report, "n-plus-one")
        .into_iter()
        .filter(|found| found["evidence"]["grade"] == "proven")
        .collect();
    assert_eq!(proven.len(), 1, "pages are no rows: {report:#}");
    assert_eq!(
        proven[0]["evidence"]["calls"], 12,
        "a key leads from the list to the counts"
    );
}

#[test]
fn what_is_loaded_at_once_and_what_counts_alone_is_quiet() {
    let report = recorded(
        &[],
        r#"
{
    echo "SELECT id, author_id FROM posts ORDER BY title, id LIMIT 15;"
    echo "SELECT id, name FROM authors WHERE id IN ($(psql -At -c "SELECT author_id FROM posts ORDER BY title, id LIMIT 15" | paste -sd,));"
    for id in 900001 900005 900013 900027 900044 900071; do
        echo "SELECT name FROM authors WHERE id = $id;"
    done
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let loud = of_rule(&report, "n-plus-one")
        .into_iter()
        .filter(|found| found["severity"] != "info");
    assert_eq!(loud.count(), 0, "{report:#}");
}

#[test]
fn a_recording_that_is_saved_gives_the_same_findings_again_and_holds_no_values() {
    let project = project();
    let save = [
        "record",
        "--format",
        "json",
        "--save",
        "run.recording",
        "--",
        "sh",
        "-ec",
        LOOP_OVER_ROWS,
    ];
    let output = pgproof(project.path(), &save);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let first: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = recording::text_of(project.path());
    assert!(
        text.contains("SELECT author_id FROM posts WHERE title = $1"),
        "{text}"
    );
    assert!(!text.contains("nobody knows"), "{text}");

    let again = pgproof(
        project.path(),
        &["trace", "run.recording", "--format", "json"],
    );
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let second: Value = serde_json::from_slice(&again.stdout).unwrap();
    for key in ["executions", "statements", "sessions"] {
        assert_eq!(first["traffic"][key], second["traffic"][key], "{key}");
    }
    let proven = |report: &Value| -> Vec<Value> {
        let found = of_rule(report, "n-plus-one").into_iter();
        found
            .map(|found| found["evidence"]["values_matched"].clone())
            .collect()
    };
    assert_eq!(proven(&first), [Value::from(12)], "{first:#}");
    assert_eq!(proven(&first), proven(&second), "{second:#}");
}

#[test]
fn a_test_that_sends_more_than_it_may_fails() {
    let project = project();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "[server]\nversion = \"15\"\n[dataset]\ntarget-size = \"2MB\"\n",
    )
    .unwrap();
    let script = |list: u32| {
        format!(
            "for n in $(seq {list}); do echo \"SELECT title FROM posts WHERE id = 1 /*test='test_list'*/;\"; done | psql -q -o /dev/null; \
             psql -q -o /dev/null -c \"SELECT count(*) FROM posts /*test='test_count'*/\"; \
             psql -q -o /dev/null -c \"DO \\$\\$ BEGIN RAISE NOTICE 'pgproof: test=test_notice'; END \\$\\$\" -c 'SELECT max(id) FROM posts' -c 'SELECT min(id) FROM posts' 2> /dev/null"
        )
    };
    let run = |flags: &[&str], list: u32| {
        let script = script(list);
        let command = ["--", "sh", "-ec", script.as_str()];
        let arguments = [&["record", "--force", "--per", "test"], flags, &command].concat();
        pgproof(project.path(), &arguments)
    };
    let over = run(&["--max-queries", "3"], 4);
    assert_eq!(over.status.code(), Some(1), "{}", said(&over));
    let message = "test_list executes 4 statements, 3 are allowed";
    assert!(said(&over).contains(message), "{}", said(&over));
    let within = run(&["--max-queries", "4", "--counts", "counts.txt"], 4);
    assert_eq!(within.status.code(), Some(0), "{}", said(&within));
    let counts = std::fs::read_to_string(project.path().join("counts.txt")).unwrap();
    assert_eq!(counts, "1 psql\n1 test_count\n4 test_list\n2 test_notice\n");
    let more = run(&["--counts", "counts.txt"], 5);
    assert_eq!(more.status.code(), Some(1), "{}", said(&more));
    assert!(said(&more).contains("test_list executes 5 statements, 4 are allowed"));
}

#[test]
fn what_grows_with_the_rows_is_proven_and_what_stays_is_not() {
    let report = recorded(
        &["--twice"],
        r#"
list="SELECT p.id FROM posts p WHERE p.author_id IN (SELECT a.id FROM authors a ORDER BY a.id LIMIT 5) ORDER BY p.id"
{
    echo "BEGIN;"
    echo "$list;"
    for id in $(psql -At -c "$list"); do
        echo "SELECT md5(title) FROM posts WHERE md5(id::text) = md5('$id');"
    done
    for id in 900001 900005 900013 900027 900044 900071; do
        echo "SELECT name FROM authors WHERE id = $id;"
    done
    echo "COMMIT;"
} > both.sql
psql -q -o /dev/null -f both.sql
"#,
    );
    let loops = of_rule(&report, "n-plus-one");
    let grown: Vec<&&Value> = loops
        .iter()
        .filter(|found| found["query"].as_str().unwrap().starts_with("select-posts"))
        .collect();
    assert_eq!(grown.len(), 1, "{report:#}");
    let evidence = &grown[0]["evidence"];
    assert_eq!(evidence["grade"], "proven", "{report:#}");
    let calls = |key: &str| evidence[key].as_u64().unwrap();
    assert!(
        calls("calls_after") * 2 >= calls("calls_before") * 3,
        "{evidence}"
    );
    assert_eq!(loops.len(), 1, "six constants are a fan-out: {report:#}");
}

/// A driver that prepares its statements, binds binary values and sends them before the answers are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_loop_of_a_driver_is_proven_and_an_array_is_not() {
    let database = support::database().await;
    let name = database.url().database().to_owned();
    let url = support::cluster().loopback_url(&name).unwrap();
    let proxy = pgproof::db::proxy::Proxy::before(&url).await.unwrap();
    let pgproof::db::proxy::ListenAt::Tcp(address) = proxy.at() else {
        panic!("a port");
    };
    let behind = url.behind_proxy("127.0.0.1", address.port(), TlsMode::Disable);
    let mut config = tokio_postgres::Config::new();
    for (variable, value) in behind.variables() {
        match variable {
            "PGHOST" => config.host(&value),
            "PGPORT" => config.port(value.parse().unwrap()),
            "PGUSER" => config.user(&value),
            "PGPASSWORD" => config.password(&value),
            "PGDATABASE" => config.dbname(&value),
            _ => &mut config,
        };
    }
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client
        .batch_execute(
            "CREATE TABLE crews (id bigint PRIMARY KEY, name text);
             CREATE TABLE ships (id bigint PRIMARY KEY, crew bigint);
             INSERT INTO crews SELECT n * 7919 % 90001, 'crew ' || n FROM generate_series(1, 300) n;
             INSERT INTO ships SELECT n, n * 7919 % 90001 FROM generate_series(1, 300) n;",
        )
        .await
        .unwrap();
    let ships = client
        .query(
            "SELECT id, crew FROM ships ORDER BY id LIMIT $1",
            &[&40_i64],
        )
        .await
        .unwrap();
    let crews: Vec<i64> = ships.iter().map(|ship| ship.get(1)).collect();
    let of_crew = client
        .prepare("SELECT name FROM crews WHERE id = $1")
        .await
        .unwrap();
    let loops = crews.iter().map(|crew| {
        let client = &client;
        let of_crew = &of_crew;
        async move { client.query_one(of_crew, &[crew]).await.unwrap() }
    });
    futures_util::future::join_all(loops).await;
    client
        .query("SELECT id, name FROM crews WHERE id = ANY($1)", &[&crews])
        .await
        .unwrap();
    drop(client);
    let _ = connection.await;
    let found = proxy.recording().loops();
    assert_eq!(found.len(), 1, "{found:?}");
    let source = found[0].source.as_ref().unwrap();
    assert_eq!(
        (
            found[0].grade,
            found[0].executions,
            &*source.column,
            source.matched
        ),
        (pgproof::trace::flow::Grade::Proven, 40, "crew", 40)
    );
    assert_eq!(proxy.recording().losses(), 0);
}

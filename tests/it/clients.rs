//! Applications of other languages with a planted loop and its eager-loaded twin: what each client puts on the wire, into the
//! server's log and into spans. `scripts/clients` installs the clients and runs this.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use pgproof::db::connect::DatabaseUrl;
use serde_json::Value;

use crate::record::{of_rule, pgproof, said};

const SCHEMA: &str = "CREATE TABLE authors (id bigint PRIMARY KEY, name text NOT NULL);\n\
     CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES authors, title text NOT NULL);\n\
     CREATE INDEX ON posts (author_id);\n";
const CONFIGURATION: &str = "fail-on = \"never\"\n[server]\nversion = \"15\"\n\
     settings = { log_min_duration_statement = \"0\" }\n[dataset]\ntarget-size = \"2MB\"\n";
/// Rows of the list, and executions of the loop.
const ROWS: u64 = 15;

/// Clients whose statements say in a comment where they come from, and the file that they name.
const CALL_SITES: [(&str, &str); 3] = [
    ("SQLAlchemy", "sqlalchemy_.py:"),
    ("Django", "django_.py:"),
    ("sqlx", "src/main.rs:"),
];

/// What runs a client's program; its last argument says `loop` or `eager`.
fn clients() -> Vec<(&'static str, Vec<String>)> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let installed = PathBuf::from(
        std::env::var("PGPROOF_CLIENTS")
            .expect("PGPROOF_CLIENTS is the folder that scripts/clients installs into"),
    );
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let python = text(installed.join("python/bin/python"));
    let modules = format!("NODE_PATH={}", text(installed.join("node/node_modules")));
    let node = |program: &str| {
        vec![
            "env".to_owned(),
            modules.clone(),
            "node".to_owned(),
            text(programs.join(program)),
        ]
    };
    let script = |program: &str| vec![python.clone(), text(programs.join(program))];
    let classes = format!(
        "{}:/usr/share/java/postgresql.jar",
        text(installed.join("java"))
    );
    vec![
        ("psycopg 3", script("psycopg3.py")),
        ("psycopg 2", script("psycopg2_.py")),
        ("asyncpg", script("asyncpg_.py")),
        ("SQLAlchemy", script("sqlalchemy_.py")),
        ("Django", script("django_.py")),
        ("node-postgres", node("node_pg.js")),
        ("Drizzle", node("drizzle.js")),
        ("Sequelize", node("sequelize_.js")),
        ("Postgres.js", node("postgres_js.js")),
        (
            "JDBC",
            vec![
                "java".to_owned(),
                "-cp".to_owned(),
                classes,
                "Jdbc".to_owned(),
            ],
        ),
        (
            "Ruby's pg",
            vec!["ruby".to_owned(), text(programs.join("ruby_pg.rb"))],
        ),
        ("pgx", vec![text(installed.join("go/pgx"))]),
        ("sqlx", vec![text(installed.join("sqlx/debug/sqlx-client"))]),
        ("OpenTelemetry", node("node_otlp.js")),
    ]
}

fn project() -> tempfile::TempDir {
    let project = crate::server::private::bare_project();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_posts.sql"), SCHEMA).unwrap();
    std::fs::write(project.path().join("pgproof.toml"), CONFIGURATION).unwrap();
    project
}

fn report(project: &Path, arguments: &[&str]) -> Value {
    let output = pgproof(project, arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        said(&output)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn loops(report: &Value) -> Vec<&Value> {
    let rules = ["n-plus-one", "duplicate-query", "missing-batch"];
    rules
        .iter()
        .flat_map(|rule| of_rule(report, rule))
        .collect()
}

#[test]
#[ignore = "installs clients of six languages: scripts/clients"]
fn a_loop_of_each_client_is_proven_and_its_twin_is_quiet() {
    let project = project();
    let spans = project.path().join("spans.json");
    for (name, command) in clients() {
        for mode in ["loop", "eager"] {
            let mut arguments = vec!["record", "--force", "--format", "json", "--"];
            let with_spans = format!("SPANS={}", spans.display());
            arguments.extend(["env", &with_spans]);
            arguments.extend(command.iter().map(String::as_str));
            arguments.push(mode);
            let report = report(project.path(), &arguments);
            assert_eq!(
                report["traffic"]["inconclusive"],
                Value::Array(Vec::new()),
                "{name}"
            );
            let found = loops(&report);
            if mode == "eager" {
                assert!(found.is_empty(), "{name}: {found:#?}");
                continue;
            }
            let [found] = found.as_slice() else {
                panic!("{name}: {found:#?}");
            };
            assert_eq!(
                (
                    &found["rule"],
                    &found["evidence"]["grade"],
                    &found["evidence"]["calls"]
                ),
                (&"n-plus-one".into(), &"proven".into(), &ROWS.into()),
                "{name}: {found:#}"
            );
            if let Some((_, file)) = CALL_SITES.iter().find(|(client, _)| *client == name) {
                let site = found["evidence"]["call_site"].as_str();
                assert!(
                    site.is_some_and(|site| site.contains(file)),
                    "{name}: {found:#}"
                );
            }
            let proof = &found["fix"]["proof"];
            assert_eq!(
                proof["before"]["rows"], proof["after"]["rows"],
                "{name}: {found:#}"
            );
            assert!(
                proof["after"]["rows"].as_f64() > Some(0.0),
                "{name}: {found:#}"
            );
        }
    }
}

/// The parts of a URL as libpq's variables.
fn variables(url: &str) -> Vec<(String, String)> {
    let url = DatabaseUrl::parse(url).unwrap();
    url.variables()
        .into_iter()
        .filter(|(name, _)| name.starts_with("PG"))
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}

#[test]
#[ignore = "installs clients of six languages: scripts/clients"]
fn a_loop_of_each_client_is_found_in_logs_and_spans() {
    let project = project();
    let started = pgproof(project.path(), &["server", "start"]);
    assert_eq!(started.status.code(), Some(0), "{}", said(&started));
    let url = said(&pgproof(project.path(), &["server", "url"]));
    let log = project.path().join(".pgproof/cluster-15/server.log");
    let (part, spans) = (
        project.path().join("part.log"),
        project.path().join("spans.json"),
    );
    for (name, command) in clients() {
        for mode in ["loop", "eager"] {
            let before = std::fs::metadata(&log).unwrap().len() as usize;
            let _ = std::fs::remove_file(&spans);
            let status = Command::new(&command[0])
                .args(&command[1..])
                .arg(mode)
                .env("DATABASE_URL", url.trim())
                .envs(variables(url.trim()))
                .env("SPANS", &spans)
                .status()
                .unwrap();
            assert!(status.success(), "{name}");
            std::fs::write(&part, &std::fs::read(&log).unwrap()[before..]).unwrap();
            let mut sources = vec![&part];
            sources.extend(spans.exists().then_some(&spans));
            for source in sources {
                let report = report(
                    project.path(),
                    &["trace", "--format", "json", source.to_str().unwrap()],
                );
                assert_eq!(
                    report["traffic"]["inconclusive"],
                    Value::Array(Vec::new()),
                    "{name}"
                );
                let found: Vec<(&str, u64)> = loops(&report)
                    .iter()
                    .map(|found| {
                        (
                            found["rule"].as_str().unwrap(),
                            found["evidence"]["calls"].as_u64().unwrap(),
                        )
                    })
                    .collect();
                match mode {
                    "loop" => assert_eq!(
                        found,
                        [("n-plus-one", ROWS)],
                        "{name}, {}",
                        source.display()
                    ),
                    _ => assert!(found.is_empty(), "{name}, {}: {found:?}", source.display()),
                }
            }
        }
    }
    let stopped = pgproof(project.path(), &["server", "stop"]);
    assert_eq!(stopped.status.code(), Some(0), "{}", said(&stopped));
}

#[test]
#[ignore = "installs clients of six languages: scripts/clients"]
fn an_assistants_client_audits_a_statement() {
    let project = project();
    let installed = PathBuf::from(std::env::var("PGPROOF_CLIENTS").unwrap());
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/mcp_client.py");
    let output = Command::new(installed.join("python/bin/python"))
        .arg(client)
        .arg(env!("CARGO_BIN_EXE_pgproof"))
        .current_dir(project.path())
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        printed["tools"]
            .as_array()
            .unwrap()
            .contains(&"fixes".into()),
        "{printed:#}"
    );
    let (audited, refused) = (&printed["answers"][0], &printed["answers"][1]);
    assert_eq!(audited["error"], false, "{printed:#}");
    let report: Value = serde_json::from_str(audited["text"].as_str().unwrap()).unwrap();
    assert_eq!(report["queries"].as_array().unwrap().len(), 1, "{report:#}");
    assert!(
        refused["text"].as_str().unwrap().contains("nowhere"),
        "{printed:#}"
    );
}

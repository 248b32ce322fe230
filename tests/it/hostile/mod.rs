//! A hostile database and a hostile catalog: whatever they try, `pgproof audit --database-url` leaves the database, its
//! sessions, its server and its files as they were. Run as a superuser, whom no privilege stops.
//!
//! `cargo test --test it -- hostile --nocapture` prints each trick with what stopped it.

mod large;
mod server;
mod tricks;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgproof::db::connect::Session;
use pgproof::interrupt::Interrupt;
use serde_json::Value;

use self::tricks::{BASE, CATALOGS, Expect, QUERIES, Trick};
use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

/// Somebody else on the database: what a trick does to others shows here.
struct Stage {
    database: TestDatabase,
    files: tempfile::TempDir,
    major: u32,
}

impl Stage {
    async fn of(major: u32) -> Option<Self> {
        let cluster = support::cluster_of(major)?;
        let files = bare_project();
        // The server runs as another user.
        std::fs::set_permissions(files.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        let stage = Self {
            database,
            files,
            major,
        };
        let role = format!("hostile_{major}");
        stage
            .database
            .execute(&format!(
                "DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ))
            .await;
        stage.database.execute(&stage.filled(BASE)).await;
        Some(stage)
    }

    /// A trick's text for this server.
    fn filled(&self, text: &str) -> String {
        let database = format!("\"{}\"", self.database.url().database());
        text.replace("FILES", &self.files.path().display().to_string())
            .replace("MAJOR", &self.major.to_string())
            .replace(":database", &database)
    }

    async fn set_up(&self, tricks: &[Trick]) {
        for trick in tricks.iter().filter(|trick| !trick.setup.is_empty()) {
            self.database.execute(&self.filled(trick.setup)).await;
        }
    }

    /// Everything that a trick could change, as text.
    async fn state(&self) -> BTreeMap<&'static str, String> {
        let mut state = BTreeMap::new();
        state.insert("dump", self.dump());
        let mut files: Vec<String> = std::fs::read_dir(self.files.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        state.insert("files", files.join(" "));
        let session = self.database.session().await;
        let role = format!("'hostile_{}'", self.major);
        let questions = [
            ("role", format!("SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = {role}")),
            ("slots", format!("SELECT count(*)::text FROM pg_catalog.pg_replication_slots WHERE slot_name = {role}")),
            ("configuration", "SELECT pg_catalog.pg_conf_load_time()::text".to_owned()),
            ("large objects", "SELECT count(*)::text FROM pg_catalog.pg_largeobject_metadata".to_owned()),
            (
                "statistics",
                "SELECT d.stats_reset::text FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()"
                    .to_owned(),
            ),
            (
                "statistics of the server",
                "SELECT b.stats_reset::text FROM pg_catalog.pg_stat_bgwriter b".to_owned(),
            ),
            (
                "sequence",
                "SELECT pg_catalog.concat(last_value, ' ', is_called) FROM public.numbers".to_owned(),
            ),
            (
                "advisory locks",
                "SELECT count(*)::text FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database \
                 WHERE l.locktype = 'advisory' AND d.datname = pg_catalog.current_database()"
                    .to_owned(),
            ),
        ];
        // What a hostile search path holds is not asked.
        session
            .client()
            .batch_execute("SET search_path = pg_catalog, pg_temp")
            .await
            .unwrap();
        for (what, question) in questions {
            let answer = session
                .client()
                .query_typed_one(&question, &[])
                .await
                .unwrap();
            state.insert(what, answer.get::<_, Option<String>>(0).unwrap_or_default());
        }
        session.close().await;
        state
    }

    fn dump(&self) -> String {
        let program = support::binaries_of(self.major).unwrap().join("pg_dump");
        let output = Command::new(program)
            .arg(self.database.url().reveal())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        let text = String::from_utf8(output.stdout).unwrap();
        // Newer releases guard the script by a random word.
        let guarded =
            |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
        text.lines().filter(guarded).collect::<Vec<_>>().join("\n")
    }

    fn audit(&self, tricks: &[Trick], arguments: &[&str]) -> Audited {
        let project = bare_project();
        std::fs::create_dir(project.path().join("queries")).unwrap();
        let catalog: String = tricks
            .iter()
            .map(|trick| {
                format!(
                    "-- name: {} :many\n{};\n\n",
                    trick.name,
                    self.filled(trick.query)
                )
            })
            .collect();
        std::fs::write(project.path().join("queries/all.sql"), catalog).unwrap();
        std::fs::write(
            project.path().join("pgproof.toml"),
            "queries = [\"queries/*.sql\"]\n[audit]\nruns = 1\ntimeout = \"20s\"\n",
        )
        .unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
            .args(["audit", "--database-url", &self.database.url().reveal()])
            .args(["--format", "json=report.json"])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .current_dir(project.path())
            .output()
            .unwrap();
        let report = std::fs::read_to_string(project.path().join("report.json"));
        Audited {
            report: report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()),
            output,
        }
    }
}

struct Audited {
    report: Value,
    output: Output,
}

impl Audited {
    fn text(&self) -> String {
        let both = [&self.output.stdout[..], &self.output.stderr[..]].concat();
        String::from_utf8_lossy(&both).into_owned()
    }

    fn query(&self, name: &str) -> &Value {
        let queries = self.report["queries"].as_array();
        let found = queries.and_then(|queries| queries.iter().find(|query| query["name"] == name));
        found.unwrap_or_else(|| panic!("{name} is not in the report: {}", self.text()))
    }

    /// What stopped a trick, in the report's words; or what is wrong with that.
    fn stopped(&self, trick: &Trick) -> Result<String, String> {
        if self.report.is_null() {
            let text = self.text();
            let line = text.lines().find(|line| !line.trim().is_empty());
            let refusal = format!("not read: {}", line.unwrap_or_default().trim());
            return match trick.expect {
                Expect::Anything => Ok(refusal),
                _ => Err(text),
            };
        }
        let query = self.query(trick.name);
        let failure = query["failure"]["message"].as_str().unwrap_or_default();
        let notes: Vec<&str> = query["notes"]
            .as_array()
            .map(|notes| notes.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let notes = notes.join("; ");
        let runs = query["runs"].as_array().cloned().unwrap_or_default();
        let ran = runs.iter().any(|run| run["outcome"] != "estimated");
        let said = match (failure, ran) {
            ("", true) => format!("ran in a read-only transaction {notes}"),
            ("", false) => format!("planned only {notes}"),
            (failure, _) => format!("refused: {failure}"),
        };
        let right = match trick.expect {
            Expect::PlannedOnly(word) => {
                failure.is_empty()
                    && !ran
                    && !runs.is_empty()
                    && notes.contains("planned only")
                    && notes.contains(word)
            }
            Expect::Refused(word) => failure.contains(word),
            Expect::Runs => failure.is_empty() && ran && notes.is_empty(),
            Expect::Harmless => failure.is_empty() && !runs.is_empty(),
            Expect::TakenBack(word) => failure.is_empty() && notes.contains(word),
            Expect::Anything => true,
        };
        if right { Ok(said) } else { Err(said) }
    }
}

/// Whether somebody else's lock ever shows while `work` runs.
async fn watched<T: Send + 'static>(
    stage: &Arc<Stage>,
    work: impl FnOnce(&Stage) -> T + Send + 'static,
) -> (T, bool) {
    let canary = stage.database.session().await;
    canary
        .client()
        .batch_execute(
            "SET application_name = 'canary'; LISTEN canary; SET search_path = pg_catalog, pg_temp",
        )
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (at_work, ended) = (Arc::clone(stage), Arc::clone(&done));
    let working = std::thread::spawn(move || {
        let result = work(&at_work);
        ended.store(true, Ordering::SeqCst);
        result
    });
    let mut locked = false;
    while !done.load(Ordering::SeqCst) {
        let seen = canary
            .client()
            .query_typed_one(
                "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE l.locktype = 'advisory' AND d.datname = current_database() AND l.objid <> 4712",
                &[],
            )
            .await
            .expect("nobody ends or cancels the canary");
        locked |= seen.get::<_, i64>(0) > 0;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    canary.close().await;
    (working.join().unwrap(), locked)
}

fn judge(stage: &Stage, audited: &Audited, tricks: &[Trick]) {
    let mut wrong = Vec::new();
    for trick in tricks {
        match audited.stopped(trick) {
            Ok(said) => println!("PostgreSQL {}: {:<36} {said}", stage.major, trick.name),
            Err(said) => wrong.push(format!(
                "{}: expected {:?}, but: {said}",
                trick.name, trick.expect
            )),
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), audited.text());
    refusals_are_told(audited, tricks);
}

/// What was neither planned nor run is a finding of its own, with its reason, and no query that is fine.
fn refusals_are_told(audited: &Audited, tricks: &[Trick]) {
    if audited.report.is_null() {
        return;
    }
    let findings = audited.report["findings"].as_array().unwrap();
    let mut refused = 0;
    for trick in tricks {
        let Expect::Refused(word) = trick.expect else {
            continue;
        };
        refused += 1;
        let told = findings.iter().any(|finding| {
            finding["rule"] == "not-audited"
                && finding["query"] == trick.name
                && finding["message"].as_str().unwrap().contains(word)
        });
        assert!(told, "{}: {findings:#?}", trick.name);
    }
    let count = |key: &str| {
        audited.report["summary"][key]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}: {}", audited.report["summary"]))
    };
    assert!(
        count("not_audited") >= refused,
        "{}",
        audited.report["summary"]
    );
    let planned = tricks
        .iter()
        .filter(|trick| matches!(trick.expect, Expect::PlannedOnly(_)));
    assert!(
        count("planned_only") >= planned.count() as u64,
        "{}",
        audited.report["summary"]
    );
    assert!(
        count("fine") + count("not_audited") + count("planned_only") <= count("queries"),
        "{}",
        audited.report["summary"]
    );
}

fn assert_same(before: &BTreeMap<&str, String>, after: &BTreeMap<&str, String>, about: &str) {
    for (what, was) in before {
        // 14 keeps figures of a database from its first report on, and its autovacuum may forget those of a young one: without
        // a time on both sides there is nothing to compare.
        let is_unknown = was.is_empty() || after.get(what).is_some_and(String::is_empty);
        if *what == "statistics" && is_unknown {
            continue;
        }
        assert_eq!(after.get(what), Some(was), "{about}: {what} changed");
    }
}

/// As many as were promised.
#[test]
fn hostile_tricks_are_sixty_or_more() {
    let count = QUERIES.len() + CATALOGS.len();
    println!("{count} tricks on each of PostgreSQL 14 and 18");
    assert!(count >= 60, "{count}");
}

async fn one_catalog(major: u32) {
    let Some(stage) = Stage::of(major).await else {
        return;
    };
    let stage = Arc::new(stage);
    stage.set_up(QUERIES).await;
    let before = stage.state().await;
    let (audited, locked) = watched(&stage, |stage| stage.audit(QUERIES, &[])).await;
    judge(&stage, &audited, QUERIES);
    assert!(!locked, "an advisory lock was taken");
    assert_same(&before, &stage.state().await, "the catalog of tricks");
}

async fn many_catalogs(major: u32) {
    for trick in CATALOGS {
        let Some(stage) = Stage::of(major).await else {
            return;
        };
        let stage = Arc::new(stage);
        stage.set_up(std::slice::from_ref(trick)).await;
        let before = stage.state().await;
        let (audited, locked) = watched(&stage, |stage| {
            stage.audit(std::slice::from_ref(trick), &[])
        })
        .await;
        judge(&stage, &audited, std::slice::from_ref(trick));
        assert!(!locked, "{}: an advisory lock was taken", trick.name);
        assert_same(&before, &stage.state().await, trick.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_on_14() {
    one_catalog(14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_on_18() {
    one_catalog(18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_catalogs_on_14() {
    many_catalogs(14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_catalogs_on_18() {
    many_catalogs(18).await;
}

/// With --allow-writes: said beforehand, nothing but sequences moves, and a trigger with effects is not reached.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_triggers_where_writes_are_allowed() {
    const TRICKS: &[Trick] = &[
        Trick {
            name: "HonestUpdate",
            setup: "",
            query: "UPDATE victim SET word = 'x' WHERE id = $1",
            expect: Expect::Harmless,
        },
        Trick {
            name: "Trigger",
            setup: "CREATE TABLE app.watched (id bigint PRIMARY KEY);
                    CREATE FUNCTION app.on_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM app.harm(); RETURN NULL; END';
                    CREATE TRIGGER t AFTER INSERT ON app.watched FOR EACH ROW EXECUTE FUNCTION app.on_change();",
            query: "INSERT INTO app.watched VALUES (1)",
            expect: Expect::PlannedOnly("app.on_change()"),
        },
        Trick {
            name: "Constraint",
            setup: "CREATE TABLE app.constrained (id bigint CHECK (pg_try_advisory_lock(id)));",
            query: "INSERT INTO app.constrained VALUES (1)",
            expect: Expect::PlannedOnly("pg_try_advisory_lock"),
        },
        Trick {
            name: "PassedOnByKey",
            setup: "CREATE TABLE app.owner (id bigint PRIMARY KEY);
                    CREATE TABLE app.owned (id bigint REFERENCES app.owner ON DELETE CASCADE);
                    CREATE TRIGGER t AFTER DELETE ON app.owned FOR EACH ROW EXECUTE FUNCTION app.on_change();",
            query: "DELETE FROM app.owner WHERE id = 1",
            expect: Expect::PlannedOnly("app.on_change()"),
        },
        Trick {
            name: "ManyRows",
            setup: "CREATE TABLE app.large AS SELECT i FROM generate_series(1, 40000) i; ANALYZE app.large;",
            query: "UPDATE app.large SET i = i + 1",
            expect: Expect::PlannedOnly("it would write about 40,000 rows"),
        },
    ];
    let stage = Arc::new(Stage::of(support::MAJOR).await.unwrap());
    stage.set_up(TRICKS).await;
    let before = stage.state().await;
    let (audited, locked) = watched(&stage, |stage| stage.audit(TRICKS, &["--allow-writes"])).await;
    judge(&stage, &audited, TRICKS);
    let text = audited.text();
    assert!(
        text.contains("--allow-writes: 5 queries that write will run"),
        "{text}"
    );
    let honest = audited.query("HonestUpdate");
    assert_eq!(honest["runs"][0]["outcome"], "completed", "{honest}");
    assert!(!locked);
    assert_same(&before, &stage.state().await, "--allow-writes");
}

/// A table that somebody holds is named, not waited for; the rest is audited.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_locks_are_reported_and_not_waited_for() {
    const TRICKS: &[Trick] = &[
        Trick {
            name: "Held",
            setup: "CREATE TABLE app.held (id bigint PRIMARY KEY, at date DEFAULT current_date CHECK (at > '2000-01-01'));",
            query: "SELECT at FROM app.held WHERE id = 1",
            expect: Expect::Refused("lock"),
        },
        Trick {
            name: "Free",
            setup: "",
            query: "SELECT word FROM victim WHERE id = $1",
            expect: Expect::Harmless,
        },
    ];
    let stage = Stage::of(support::MAJOR).await.unwrap();
    stage.set_up(TRICKS).await;
    let holder = stage.database.session().await;
    holder
        .client()
        .batch_execute("BEGIN; LOCK TABLE app.held IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let audited = stage.audit(TRICKS, &[]);
    judge(&stage, &audited, TRICKS);
    let text = audited.text();
    assert!(
        text.contains("locked by another session (ACCESS EXCLUSIVE) and left out: app.held"),
        "{text}"
    );
    holder.client().batch_execute("ROLLBACK").await.unwrap();
    holder.close().await;
}

/// What is left of a session after an audit: nothing of it, and its setting.
#[tokio::test(flavor = "multi_thread")]
async fn a_given_session_is_read_only_and_is_reset() {
    let database = support::database().await;
    let interrupt = Interrupt::new();
    let session = Session::open_given(database.url(), &interrupt)
        .await
        .unwrap();
    let client = session.client();
    let refused = client
        .batch_execute("CREATE TABLE t (x int)")
        .await
        .unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().code().code(), "25006");
    client
        .batch_execute("SELECT pg_advisory_lock(1); SET work_mem = '1MB'; PREPARE p AS SELECT 1")
        .await
        .unwrap();
    session.reset(pgproof::units::Millis(1_000.0)).await;
    let row = client
        .query_typed_one(
            "SELECT current_setting('work_mem'), current_setting('default_transaction_read_only'),
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
                    (SELECT count(*) FROM pg_prepared_statements)",
            &[],
        )
        .await
        .unwrap();
    let found = (
        row.get::<_, &str>(0),
        row.get::<_, &str>(1),
        row.get::<_, i64>(2),
        row.get::<_, i64>(3),
    );
    assert_eq!((found.1, found.2, found.3), ("on", 0, 0));
    assert_ne!(found.0, "1MB");
    session.close().await;
}

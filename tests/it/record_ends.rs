//! The ends of a recorded connection: TLS and Unix sockets on both, who authenticates, cancel requests, a database that is there
//! already, and a recording without a command. With real clients of PostgreSQL 15 and 18.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use pgproof::db::connect::{DatabaseUrl, TlsMode};
use pgproof::db::proxy::{Certificate, ListenAt, Listening, Proxy};
use pgproof::db::server::Cluster;
use serde_json::Value;
use tokio_postgres::NoTls;

use crate::server::private::{self, bare_project};
use crate::support;

/// A client's own settings, beside where the proxy listens.
struct Psql<'a> {
    major: u32,
    settings: &'a [(&'a str, &'a str)],
}

const OF_15: Psql<'static> = Psql {
    major: 15,
    settings: &[],
};

impl Psql<'_> {
    async fn ask(&self, url: &DatabaseUrl, sql: &str) -> Output {
        let program = support::binaries_of(self.major).unwrap().join("psql");
        let mut command = Command::new(program);
        command
            .args(["-X", "-A", "-t", "-c", sql])
            .env_clear()
            .env("PGCONNECT_TIMEOUT", "20")
            .envs(url.variables())
            .envs(self.settings.iter().copied());
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn answer(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Where clients of the proxy connect to.
pub(crate) fn behind(server: &DatabaseUrl, proxy: &Proxy, mode: TlsMode) -> DatabaseUrl {
    match proxy.at() {
        ListenAt::Tcp(address) => server.behind_proxy("127.0.0.1", address.port(), mode),
        ListenAt::Socket(folder, port) => {
            server.behind_proxy(&folder.to_string_lossy(), *port, TlsMode::Disable)
        }
    }
}

/// The server's URL with another way to encrypt.
fn with_mode(cluster: &Cluster, mode: &str) -> DatabaseUrl {
    let plain = cluster.loopback_url("postgres").unwrap().reveal();
    let url = plain.replace("sslmode=disable", &format!("sslmode={mode}"));
    DatabaseUrl::parse_with(&url, |_| None).unwrap()
}

fn offering_tls() -> Listening {
    Listening {
        tls: Some(Certificate::OwnMade),
        ..Listening::default()
    }
}

const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn each_end_is_encrypted_as_it_is_asked_for_and_the_password_counts() {
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let _certificates = private::encrypt(&cluster, project.path()).await;
    for (server_mode, expected) in [("require", "t"), ("disable", "f")] {
        let server = with_mode(&cluster, server_mode);
        let proxy = Proxy::listening(&server, &offering_tls(), None)
            .await
            .unwrap();
        for client_mode in [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require] {
            let case = format!("{} then {server_mode}", client_mode.as_str());
            let url = behind(&server, &proxy, client_mode);
            let answered = OF_15.ask(&url, ENCRYPTED).await;
            assert_eq!(answer(&answered), expected, "{case}");
            let told = OF_15.ask(&url, "\\conninfo").await;
            let encrypted = client_mode != TlsMode::Disable;
            assert_eq!(said(&told).contains("SSL connection"), encrypted, "{case}");

            let mut wrong = url.variables();
            for (name, value) in &mut wrong {
                if *name == "PGPASSWORD" {
                    *value = "not-it".to_owned();
                }
            }
            let settings: Vec<(&str, &str)> = wrong.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let psql = Psql {
                major: 15,
                settings: &settings,
            };
            let refused = psql.ask(&url, "SELECT 1").await;
            assert!(!refused.status.success(), "{case}");
            assert!(
                said(&refused).contains("password authentication failed"),
                "{case}: {}",
                said(&refused)
            );
        }
        // Each client's questions were read, on its own session; those that were refused asked none.
        let sessions = proxy.sessions();
        let recording = proxy.take_recording().unwrap();
        assert_eq!(recording.losses(), 0, "{server_mode}");
        // One is a second try: where TLS is only preferred, libpq tries a refused password without it, too.
        assert_eq!(sessions, 10, "{server_mode}");
        let read: u64 = recording
            .statements()
            .iter()
            .map(|one| one.executions)
            .sum();
        assert_eq!(read, 3, "{server_mode}: {:?}", recording.statements());
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_clients_begin_with_tls_and_speak_a_newer_protocol() {
    let project = private::project();
    let options = pgproof::db::server::ClusterOptions {
        major: Some(18),
        binaries: support::binaries_of(18),
        ..private::options(project.path())
    };
    let cluster = private::start(&options).await.unwrap();
    let server = cluster.loopback_url("postgres").unwrap();
    let proxy = Proxy::listening(&server, &offering_tls(), None)
        .await
        .unwrap();
    let url = behind(&server, &proxy, TlsMode::Require);
    let psql = Psql {
        major: 18,
        settings: &[
            ("PGSSLNEGOTIATION", "direct"),
            ("PGMAXPROTOCOLVERSION", "latest"),
        ],
    };
    let told = psql.ask(&url, "\\conninfo").await;
    assert!(answer(&told).contains("3.2"), "{}", said(&told));
    assert_eq!(answer(&psql.ask(&url, "SELECT 40 + 2").await), "42");
    // Without TLS on offer it is told so, and does not hang.
    let plain = Proxy::before(&server).await.unwrap();
    let start = Instant::now();
    let refused = psql
        .ask(&behind(&server, &plain, TlsMode::Require), "SELECT 1")
        .await;
    assert!(!refused.status.success() && start.elapsed() < Duration::from_secs(15));
    let recording = proxy.take_recording().unwrap();
    assert_eq!(recording.losses(), 0);
    let read: u64 = recording
        .statements()
        .iter()
        .map(|one| one.executions)
        .sum();
    assert_eq!(read, 1, "{:?}", recording.statements());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unix_sockets_on_both_ends() {
    use std::os::unix::fs::PermissionsExt as _;

    let database = support::database().await;
    let server = database.url().clone();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let listening = Listening {
        at: folder.path().to_string_lossy().parse().unwrap(),
        ..Listening::default()
    };
    let file = folder.path().join(".s.PGSQL.5432");
    // What a killed proxy left.
    drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
    let proxy = Proxy::listening(&server, &listening, None).await.unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let url = behind(&server, &proxy, TlsMode::Disable);
    assert_eq!(answer(&OF_15.ask(&url, "SELECT 40 + 2").await), "42");
    // Somebody listens there.
    let second = Proxy::listening(&server, &listening, None).await;
    assert_eq!(
        second.unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse,
        "two proxies on one socket"
    );
    let recording = proxy.take_recording().unwrap();
    assert_eq!(recording.statements().len(), 1);
    private::eventually("the socket's file is gone", Duration::from_secs(5), || {
        !file.exists()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_through_the_proxy_and_a_dead_server_is_named() {
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let _certificates = private::encrypt(&cluster, project.path()).await;
    let server = with_mode(&cluster, "require");
    let proxy = Proxy::before(&server).await.unwrap();
    let url = behind(&server, &proxy, TlsMode::Disable);
    let (client, connection) = tokio_postgres::connect(&url.reveal(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let cancel = client.cancel_token();
    let start = Instant::now();
    let (slept, _) = tokio::join!(client.batch_execute("SELECT pg_sleep(60)"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cancel.cancel_query(NoTls).await.unwrap();
    });
    let error = slept.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57014");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(proxy.sessions(), 1, "a cancel request is no session");
    cluster.stop().await;
    let refused = OF_15.ask(&url, "SELECT 1").await;
    assert!(
        said(&refused).contains("pgproof's proxy cannot reach the server"),
        "{}",
        said(&refused)
    );
}

const SCHEMA: &str = "CREATE TABLE crews (id bigint PRIMARY KEY, name text);
    CREATE TABLE ships (id bigint PRIMARY KEY, crew bigint REFERENCES crews);";
const ROWS: &str = "
    INSERT INTO crews SELECT n * 7919 % 90001, 'crew ' || n FROM generate_series(1, 300) n;
    INSERT INTO ships SELECT n, n * 7919 % 90001 FROM generate_series(1, 300) n;";

/// Reads ships, then each one's crew.
const LOOP: &str = "psql -X -q -A -t -o ids -c 'SELECT crew FROM ships WHERE id <= 40 ORDER BY id'
    { echo 'SELECT crew FROM ships WHERE id <= 40 ORDER BY id;'
      while read -r crew; do echo \"SELECT name FROM crews WHERE id = $crew;\"; done < ids; } | psql -X -q -o /dev/null";

fn pgproof(folder: &Path) -> Command {
    let programs = support::binaries_of(support::MAJOR).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
    command
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("NO_COLOR", "1");
    command
}

/// Loops that are proven.
fn proven(report: &Value) -> usize {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|found| found["rule"] == "n-plus-one" && found["severity"] == "error")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_database_that_is_there_a_loop_is_proven_and_nothing_is_changed() {
    let database = support::database().await;
    database.execute(SCHEMA).await;
    database.execute(ROWS).await;
    let folder = tempfile::tempdir().unwrap();
    let url = database.url().reveal();
    let before = state(&database).await;
    let mut command = pgproof(folder.path());
    command.args([
        "record",
        "--database-url",
        &url,
        "--format",
        "json",
        "--fail-on",
        "never",
    ]);
    command.args(["--", "sh", "-e", "-c", LOOP]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(proven(&report), 1, "{report:#}");
    assert!(folder.path().join("queries/recorded.sql").exists());
    assert!(said(&output).contains("pgproof itself changes nothing"));
    assert_eq!(state(&database).await, before);

    let mut twice = pgproof(folder.path());
    twice.args([
        "record",
        "--twice",
        "--force",
        "--database-url",
        &url,
        "--",
        "true",
    ]);
    let refused = twice.output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
}

/// What may not change in a database: its relations, sizes and rows, and which databases there are.
async fn state(database: &support::TestDatabase) -> String {
    const STATE: &str = "SELECT concat_ws(' ',
        (SELECT string_agg(relname || relfilenode || relpages, ',' ORDER BY oid) FROM pg_class WHERE oid >= 16384),
        (SELECT md5(string_agg(crews::text, ',' ORDER BY id)) FROM crews),
        (SELECT md5(string_agg(ships::text, ',' ORDER BY id)) FROM ships))";
    let session = database.session().await;
    let row = session.client().query_one(STATE, &[]).await.unwrap();
    row.get(0)
}

/// A program that is ended with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            private::kill(i32::try_from(self.0.id()).unwrap(), "INT");
            let _ = self.0.wait();
        }
    }
}

#[test]
fn a_recording_without_a_command_ends_with_ctrl_c_and_its_report() {
    let project = bare_project();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(project.path().join("migrations/1_crews.sql"), SCHEMA).unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "fail-on = \"never\"\n[server]\nversion = \"15\"\n[dataset]\ntarget-size = \"1MB\"\n",
    )
    .unwrap();
    let mut command = pgproof(project.path());
    command.args(["record", "--listen", "0", "--format", "json=report.json"]);
    let mut child = Running(
        command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut errors = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    let url = loop {
        line.clear();
        assert_ne!(
            errors.read_line(&mut line).unwrap(),
            0,
            "it ended before it listened"
        );
        if let Some((_, rest)) = line.split_once("connect to ") {
            break rest.trim().to_owned();
        }
    };
    let script = format!("psql() {{ command psql -d '{url}' \"$@\"; }}\n{LOOP}");
    let programs = support::binaries_of(support::MAJOR).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = Command::new("sh")
        .args(["-e", "-c", &script])
        .current_dir(project.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
    private::kill(i32::try_from(child.0.id()).unwrap(), "INT");
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{rest}");
    let text = std::fs::read_to_string(project.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(proven(&report), 1, "{report:#}");
    // The statement in the loop's place is measured, although Ctrl-C came before it.
    assert!(text.contains("= ANY ($1)"), "{report:#}");
    assert!(
        project.path().join("queries/recorded.sql").exists(),
        "{rest}"
    );
}

//! Servers that stop answering, statements that are to stop, and a pooler in between.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgproof::db::connect::{DatabaseUrl, Session};
use pgproof::interrupt::Interrupt;

use super::tricks::BASE;
use crate::server::private::{self, bare_project};
use crate::support::{self, TestDatabase};

/// `pgproof audit` of one query.
fn audit(url: &str, query: &str) -> (Child, tempfile::TempDir) {
    let project = bare_project();
    std::fs::create_dir(project.path().join("queries")).unwrap();
    std::fs::write(
        project.path().join("queries/all.sql"),
        format!("-- name: Query :many\n{query};\n"),
    )
    .unwrap();
    std::fs::write(
        project.path().join("pgproof.toml"),
        "queries = [\"queries/*.sql\"]\n[audit]\nruns = 1\ntimeout = \"3000s\"\n",
    )
    .unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["audit", "--database-url", url])
        .env_remove("DATABASE_URL")
        .env("PGCONNECT_TIMEOUT", "2")
        .current_dir(project.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, project)
}

fn interrupt(child: &Child) {
    private::kill(i32::try_from(child.id()).unwrap(), "INT");
}

fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// The process on the server that sleeps for somebody.
async fn sleeper(database: &TestDatabase) -> i32 {
    let session = database.session().await;
    loop {
        let found = session
            .client()
            .query_opt(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                 AND state = 'active' AND wait_event = 'PgSleep'",
                &[],
            )
            .await
            .unwrap();
        if let Some(row) = found {
            session.close().await;
            return row.get(0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The statement would run for fifty minutes, and its process hears nothing: one Ctrl-C is enough.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_backends_that_are_stopped_hold_nobody() {
    let database = support::database().await;
    let (child, _project) = audit(&database.url().reveal(), "SELECT pg_sleep(3000)");
    let backend = sleeper(&database).await;
    private::kill(backend, "STOP");
    interrupt(&child);
    let (code, text) = ended(child);
    private::kill(backend, "CONT");
    assert_eq!(code, Some(130), "{text}");
}

/// What still runs at Ctrl-C is stopped on the server, too.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_statements_are_cancelled_on_the_server() {
    let database = support::database().await;
    let (child, _project) = audit(&database.url().reveal(), "SELECT pg_sleep(3000)");
    let backend = sleeper(&database).await;
    interrupt(&child);
    let (code, text) = ended(child);
    assert_eq!(code, Some(130), "{text}");
    let session = database.session().await;
    loop {
        let left: i64 = session
            .client()
            .query_one(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = 'active'",
                &[&backend],
            )
            .await
            .unwrap()
            .get(0);
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    session.close().await;
}

/// Whatever way the session is connected, Ctrl-C reaches its statement, and so does a session that gives one up.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_statements_are_cancelled_with_and_without_tls() {
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let certificates = private::encrypt(&cluster, project.path()).await;
    let root = certificates.path().join("root.pem").display().to_string();
    let plain = cluster
        .loopback_url("postgres")
        .unwrap()
        .reveal()
        .replace("?sslmode=disable", "")
        .replacen("127.0.0.1", "localhost", 1);
    let watching = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    for (mode, encrypted) in [
        ("disable".to_owned(), false),
        ("require".to_owned(), true),
        (format!("verify-full&sslrootcert={root}"), true),
    ] {
        let url = format!("{plain}?sslmode={mode}");
        // Ctrl-C.
        let (child, _project) = audit(&url, "SELECT pg_sleep(3000)");
        let asleep = asleep(&watching, 1).await;
        assert_eq!(asleep, Some(encrypted), "{mode}");
        let asked = Instant::now();
        interrupt(&child);
        let (code, text) = ended(child);
        assert_eq!(code, Some(130), "{mode}: {text}");
        assert!(asked.elapsed() < SECONDS, "{mode}: {:?}", asked.elapsed());
        self::asleep(&watching, 0).await;
        // A session that gives its statement up.
        let session = Session::open(&DatabaseUrl::parse(&url).unwrap(), &Interrupt::new())
            .await
            .unwrap();
        let sleeping = session.client().batch_execute("SELECT pg_sleep(3000)");
        let giving_up = async {
            self::asleep(&watching, 1).await;
            session.cancel().await;
        };
        let (slept, ()) = tokio::join!(sleeping, giving_up);
        let error = slept.unwrap_err();
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("57014"),
            "{mode}"
        );
        session.close().await;
    }
    watching.close().await;
    cluster.stop().await;
}

/// Ctrl-C ends pgproof within this, whatever the server does.
const SECONDS: Duration = Duration::from_secs(8);

/// Waits until so many sessions of the server sleep; whether one of them is encrypted.
async fn asleep(session: &Session, sessions: usize) -> Option<bool> {
    let start = Instant::now();
    loop {
        let rows = session
            .client()
            .query(
                "SELECT s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) \
                 WHERE a.state = 'active' AND a.wait_event = 'PgSleep'",
                &[],
            )
            .await
            .unwrap();
        if rows.len() == sessions {
            return rows.first().map(|row| row.get(0));
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{}", rows.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The whole server is frozen in the middle of a statement: one Ctrl-C ends pgproof, and when the server wakes up it finds the
/// request to stop the statement.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_servers_that_freeze_are_left_and_their_statements_stopped() {
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let watching = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let (child, _project) = audit(&cluster.url("postgres").reveal(), "SELECT pg_sleep(3000)");
    asleep(&watching, 1).await;
    let postmaster = private::postmaster(project.path()).unwrap();
    let mut frozen = children(postmaster);
    frozen.push(postmaster);
    frozen.iter().for_each(|pid| private::kill(*pid, "STOP"));
    let asked = Instant::now();
    interrupt(&child);
    let (code, text) = ended(child);
    let took = asked.elapsed();
    frozen.iter().for_each(|pid| private::kill(*pid, "CONT"));
    assert_eq!(code, Some(130), "{text}");
    assert!(took < SECONDS, "{took:?}");
    asleep(&watching, 0).await;
    watching.close().await;
    cluster.stop().await;
}

fn children(parent: i32) -> Vec<i32> {
    let listed = Command::new("ps")
        .args(["-o", "pid=", "--ppid", &parent.to_string()])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// A stopped server accepts connections, for its kernel does, and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_servers_that_are_stopped_are_named() {
    let project = private::project();
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    let url = cluster.url("postgres").reveal();
    let postmaster = private::postmaster(project.path()).unwrap();
    private::kill(postmaster, "STOP");
    let (child, _project) = audit(&url, "SELECT 1");
    let (code, text) = ended(child);
    private::kill(postmaster, "CONT");
    cluster.stop().await;
    assert_eq!(code, Some(3), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("does not answer within 2 s"), "{text}");
}

/// pgbouncer that hands each transaction to its only connection.
struct Bouncer {
    process: Child,
    directory: tempfile::TempDir,
}

impl Bouncer {
    fn before(database: &TestDatabase) -> Self {
        let directory = bare_project();
        let socket = database.url().address();
        let (server, port) = socket.rsplit_once("/.s.PGSQL.").unwrap();
        let name = database.url().database();
        let at = directory.path().display();
        let settings = format!(
            "[databases]\n{name} = host={server} port={port} dbname={name} user=postgres\n[pgbouncer]\nlisten_addr =\n\
             unix_socket_dir = {at}\nlisten_port = 6432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n\
             max_client_conn = 20\nlogfile = {at}/log\n"
        );
        let file = directory.path().join("pgbouncer.ini");
        std::fs::File::create(&file)
            .unwrap()
            .write_all(settings.as_bytes())
            .unwrap();
        let mut command = Command::new(program());
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777))
                .unwrap();
            // As whom the server runs: nobody else may use its socket.
            let owner = std::fs::metadata(server).unwrap().uid();
            let owner = uzers::get_user_by_uid(owner).unwrap();
            command.arg("-u").arg(owner.name());
        }
        let process = command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bouncer = Self { process, directory };
        private::eventually("pgbouncer listens", Duration::from_secs(60), || {
            bouncer.directory.path().join(".s.PGSQL.6432").exists()
        });
        bouncer
    }

    fn url(&self, database: &TestDatabase) -> String {
        format!(
            "postgres://postgres@/{}?host={}&port=6432",
            database.url().database(),
            self.directory.path().display()
        )
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> PathBuf {
    let places = [
        "/usr/sbin/pgbouncer",
        "/usr/local/bin/pgbouncer",
        "/opt/homebrew/bin/pgbouncer",
    ];
    let found = places.iter().map(Path::new).find(|path| path.exists());
    found
        .expect("pgbouncer is not here: install it (Debian: apt-get install pgbouncer)")
        .to_owned()
}

/// The application's next transaction on the pooled connection finds it as it was.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_behind_a_pooler_leave_its_sessions_alone() {
    let database = support::database().await;
    database
        .execute(&BASE.replace("FILES", "/nowhere").replace("MAJOR", "none"))
        .await;
    database
        .execute(
            "CREATE FUNCTION app.dynamic(k bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
               'BEGIN EXECUTE ''SELECT pg_adv'' || ''isory_lock(4713)''; RETURN 1; END'",
        )
        .await;
    let bouncer = Bouncer::before(&database);
    let url = bouncer.url(&database);
    let catalog = "SELECT id FROM victim WHERE id = app.dynamic(5);\n\n-- name: Plain :many\nSELECT word FROM victim WHERE id = $1;\n\n\
                   -- name: Broken :many\nSELECT wrod FROM victim;\n\n-- name: Lock :many\nSELECT pg_advisory_lock(4714)";
    let (child, _project) = audit(&url, catalog);
    let (_, text) = ended(child);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("advisory lock 4713 was still held and was released"),
        "{text}"
    );
    assert!(
        words.contains("planned only on a given database: it calls pg_advisory_lock()"),
        "{text}"
    );
    let client = Session::open(&DatabaseUrl::parse(&url).unwrap(), &Interrupt::new())
        .await
        .unwrap();
    let row = client
        .client()
        .query_typed_one(
            "SELECT current_setting('default_transaction_read_only'), current_setting('search_path'),
                    current_setting('statement_timeout'),
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
                    (SELECT count(*) FROM pg_prepared_statements),
                    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())",
            &[],
        )
        .await
        .unwrap();
    let text = |at: usize| row.get::<_, String>(at);
    let number = |at: usize| row.get::<_, i64>(at);
    assert_eq!(
        (text(0), text(1), text(2)),
        ("off".into(), "\"$user\", public".into(), "0".into())
    );
    assert_eq!((number(3), number(4), number(5)), (0, 0, 1));
    client
        .client()
        .batch_execute("INSERT INTO victim VALUES (-1, 'x')")
        .await
        .unwrap();
    client.close().await;
}

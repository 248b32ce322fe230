//! Clusters of a test's own, and processes that own one.

#![allow(unreachable_pub)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgproof::db::server::{Cluster, ClusterOptions, ServerError};
use pgproof::interrupt::Interrupt;
use pgproof::progress::{Event, Progress};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support;

/// A project directory of a test's own, where the server's account may enter, with no server in it yet.
pub fn bare_project() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// The same with a cluster that was stopped: copied, for making one takes longer.
pub fn project() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = bare_project();
        let options = options(made.path());
        let starting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { start(&options).await.unwrap().stop().await });
        });
        starting.join().unwrap();
        made
    });
    let project = bare_project();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(made.path().join(".pgproof"))
        .arg(project.path())
        .status();
    assert!(copied.unwrap().success());
    project
}

pub fn options(project: &Path) -> ClusterOptions {
    ClusterOptions {
        directory: project.join(".pgproof"),
        major: Some(support::MAJOR),
        binaries: support::binaries_of(support::MAJOR),
        settings: Vec::new(),
        offline: true,
    }
}

pub async fn start(options: &ClusterOptions) -> Result<Cluster, ServerError> {
    Cluster::start(options, &Progress::default(), &Interrupt::new()).await
}

/// Progress whose notes can be looked at.
pub fn listening() -> (Progress, std::sync::Arc<std::sync::Mutex<Vec<Event>>>) {
    let events = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&events);
    (
        Progress::to(move |event| sink.lock().unwrap().push(event)),
        events,
    )
}

pub async fn value(cluster: &Cluster, query: &str) -> String {
    let session = pgproof::db::connect::Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    session.client().query_one(query, &[]).await.unwrap().get(0)
}

pub async fn execute(cluster: &Cluster, sql: &str) {
    let session = pgproof::db::connect::Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    session.client().batch_execute(sql).await.unwrap();
}

/// Lets the server take encrypted connections, as `localhost`; the directory holds `root.pem`, which vouches for it.
pub async fn encrypt(cluster: &Cluster, project: &Path) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let certificates = tempfile::tempdir_in("/tmp").unwrap();
    let authority = {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
    };
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    std::fs::write(certificates.path().join("root.pem"), authority.pem()).unwrap();
    // Written by the server itself, so that it owns them.
    for (file, pem) in [
        ("server.crt", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let path = data(project).join(file);
        let text = pem.replace('\n', "|");
        let copy = format!("COPY (SELECT '{text}') TO '{}'", path.display());
        execute(cluster, &copy).await;
        let text = std::fs::read_to_string(&path).unwrap().replace('|', "\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    execute(cluster, "ALTER SYSTEM SET ssl = on").await;
    execute(cluster, "SELECT pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    certificates
}

/// The server's process id, as long as it lives.
pub fn postmaster(project: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data(project).join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.parse().ok()?;
    alive(pid).then_some(pid)
}

/// The process that watches the server's owners: the one shell that names the data directory.
pub fn watcher(project: &Path) -> Option<i32> {
    let processes = Command::new("ps")
        .args(["-eww", "-o", "pid=,args="])
        .output()
        .unwrap();
    let data = data(project).display().to_string();
    String::from_utf8_lossy(&processes.stdout)
        .lines()
        .find(|line| line.contains(&data) && line.contains("watcher.sh"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
}

pub fn data(project: &Path) -> PathBuf {
    project.join(format!(".pgproof/cluster-{}/data", support::MAJOR))
}

/// Not a zombie either: it may have nobody who waits for it.
pub fn alive(pid: i32) -> bool {
    let status = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8_lossy(&status.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

pub fn kill(pid: i32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{signal} {pid}");
}

/// Waits until something holds.
pub fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Another process that uses a project's server, until it is told to end or killed.
pub struct Owner(pub Child);

impl Owner {
    /// Starts one that has the server when this returns.
    pub fn ready(project: &Path) -> Self {
        let mut owner = Self::begin(project, "stay");
        let mut line = String::new();
        let mut output = BufReader::new(owner.0.stdout.take().unwrap());
        while !line.contains("HAVE IT") {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "the owner ended before it had the server"
            );
        }
        std::thread::spawn(move || output.lines().count());
        owner
    }

    /// Starts one and does not wait.
    pub fn begin(project: &Path, role: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "server::private::owner_process",
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("PGPROOF_TEST_OWNS", project)
            .env("PGPROOF_TEST_ROLE", role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    /// Kills it with no chance to clean up.
    pub fn kill(mut self) {
        kill(self.pid(), "KILL");
        self.0.wait().unwrap();
    }

    /// Lets it end by itself.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

/// Not a test: what [`Owner`] runs.
#[tokio::test]
#[ignore = "a process of other tests"]
async fn owner_process() {
    let Some(project) = std::env::var_os("PGPROOF_TEST_OWNS") else {
        return;
    };
    let role = std::env::var("PGPROOF_TEST_ROLE").unwrap();
    let options = options(Path::new(&project));
    if role == "keep" {
        let cluster =
            pgproof::db::server::daemon::start(&options, &Progress::default(), &Interrupt::new())
                .await
                .unwrap();
        cluster.stop().await;
        return;
    }
    let cluster = start(&options).await.unwrap();
    println!("HAVE IT");
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    wait.await.unwrap();
    cluster.stop().await;
}

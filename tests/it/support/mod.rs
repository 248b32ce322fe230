//! A real PostgreSQL for tests: one cluster per test process, a fresh database per test.
//!
//! The server lives below Cargo's temporary directory, is shared with other test processes that run at the same time,
//! and ends with them however they end. `cluster_of` gives the other supported versions.

// Every test binary uses its own part; a test that cannot be set up fails.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

pub mod recording;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::{DatabaseUrl, NEWEST_MAJOR, OLDEST_MAJOR, Session};
use pgproof::db::server::{Cluster, ClusterOptions, find_binaries};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;

/// The version that most tests run on.
pub const MAJOR: u32 = 15;
/// Set to 1, tests of versions that are not there are skipped, and say so.
const SKIP: &str = "PGPROOF_SKIP_VERSIONS";

/// A fresh, empty database on PostgreSQL 15. Dropped with the value.
pub async fn database() -> TestDatabase {
    TestDatabase::copy_of(&cluster(), "template1").await
}

/// A copy of a database of [`cluster`]. Dropped with the value.
pub async fn copy_of(template: &str) -> TestDatabase {
    TestDatabase::copy_of(&cluster(), template).await
}

/// The PostgreSQL 15 cluster of this process.
pub fn cluster() -> Arc<Cluster> {
    required_cluster(MAJOR)
}

/// A cluster of a version without which a test says nothing: where it is not there, the test fails.
pub fn required_cluster(major: u32) -> Arc<Cluster> {
    cluster_of(major).unwrap_or_else(|| panic!("PostgreSQL {major} cannot be skipped"))
}

/// A cluster of another version; `None` where it is not there and `PGPROOF_SKIP_VERSIONS=1` says that this is all right.
pub fn cluster_of(major: u32) -> Option<Arc<Cluster>> {
    static CLUSTERS: OnceLock<Mutex<BTreeMap<u32, Option<Arc<Cluster>>>>> = OnceLock::new();
    let mut clusters = CLUSTERS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    clusters
        .entry(major)
        .or_insert_with(|| start(major))
        .clone()
}

/// Every supported version that is there: all of them, unless `PGPROOF_SKIP_VERSIONS=1`.
pub fn every_cluster() -> Vec<Arc<Cluster>> {
    (OLDEST_MAJOR..=NEWEST_MAJOR)
        .filter_map(cluster_of)
        .collect()
}

/// The directory of a version's programs; fetched where it is missing.
pub fn binaries_of(major: u32) -> Option<PathBuf> {
    static FETCHING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = FETCHING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(found) = look_for(major) {
        return Some(found);
    }
    if std::env::var(SKIP).is_ok_and(|value| value == "1") {
        eprintln!("SKIPPED: PostgreSQL {major} is not here and {SKIP}=1");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-postgres");
    let fetched = Command::new(&script).arg(major.to_string()).status();
    let found = look_for(major);
    assert!(
        found.is_some(),
        "PostgreSQL {major} is not here and {} failed ({fetched:?}); install it, or set {SKIP}=1 to skip what needs it",
        script.display()
    );
    found
}

/// `PGPROOF_TEST_POSTGRES/<major>*/bin`, else what pgproof finds itself.
fn look_for(major: u32) -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("PGPROOF_TEST_POSTGRES") {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let found = entries
            .map(|entry| entry.path())
            .find(|path| matches!(find_binaries(Some(path), None), Ok(Some(found)) if found.version.major() == major));
        if let Some(path) = found {
            return Some(path.join("bin"));
        }
    }
    find_binaries(None, Some(major))
        .ok()
        .flatten()
        .map(|found| found.bin)
}

/// Where the test server of this build directory lives.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(".pgproof")
}

fn start(major: u32) -> Option<Arc<Cluster>> {
    let options = ClusterOptions {
        directory: directory(),
        major: Some(major),
        binaries: Some(binaries_of(major)?),
        settings: Vec::new(),
        offline: true,
    };
    // A runtime and a thread of its own: tests may be inside of one.
    let starting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(Cluster::start(
            &options,
            &Progress::default(),
            &Interrupt::new(),
        ))
    });
    let started = starting.join().expect("the start does not panic");
    Some(Arc::new(started.unwrap_or_else(|error| {
        panic!("PostgreSQL {major} does not start: {error}")
    })))
}

/// A database of a test's own.
pub struct TestDatabase {
    clone: DatabaseClone,
    // Kept running at least as long as the database is needed.
    cluster: Arc<Cluster>,
}

impl TestDatabase {
    /// A copy of `template` on `cluster`.
    pub async fn copy_of(cluster: &Arc<Cluster>, template: &str) -> Self {
        let clone = DatabaseClone::of(&cluster.url("postgres"), template, &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        Self {
            clone,
            cluster: Arc::clone(cluster),
        }
    }

    /// Where it is.
    pub fn url(&self) -> &DatabaseUrl {
        self.clone.url()
    }

    /// Its server.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// A session on it.
    pub async fn session(&self) -> Session {
        Session::open(self.url(), &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs statements on it.
    pub async fn execute(&self, sql: &str) {
        self.session()
            .await
            .client()
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?} in {sql}"));
    }

    /// The number that a query answers with.
    pub async fn count(&self, sql: &str) -> i64 {
        self.session()
            .await
            .client()
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|error| panic!("{error:?} in {sql}"))
            .get(0)
    }
}

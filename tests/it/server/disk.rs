//! Disks that are small or full: what does not fit is refused before it is written, and a server that filled its disk gets
//! up again.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::private;
use crate::support;

/// A small file system on a directory, gone with the value.
pub(crate) struct SmallDisk {
    pub(crate) directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, said aloud, where this user may not mount one.
    pub(crate) fn of(megabytes: u32) -> Option<Self> {
        let directory = private::bare_project();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=755")])
            .arg("tmpfs")
            .arg(directory.path())
            .output();
        let reason = match mounted {
            Ok(output) if output.status.success() => return Some(Self { directory }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("SKIPPED: this user may not mount a file system: {reason}");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.directory.path())
            .status();
    }
}

fn write(project: &Path, name: &str, text: &str) {
    let path = project.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A table of so many rows, about 90 bytes each with its index.
fn project(path: &Path, rows: u64) {
    write(
        path,
        "migrations/1_t.sql",
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n",
    );
    write(
        path,
        "queries/t.sql",
        "-- name: GetT :one\nSELECT name FROM t WHERE id = $1;\n",
    );
    write(
        path,
        "seeds/t.toml",
        &format!("[tables.t]\nrows = {rows}\n"),
    );
    write(path, "pgproof.toml", "[server]\nversion = \"15\"\n");
}

fn audit(project: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(["audit", "--fail-on", "never"])
        .current_dir(project)
        .env_remove("DATABASE_URL")
        .env("PGPROOF_PG_BIN", support::binaries_of(15).unwrap())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace("| ", " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_written() {
    let Some(disk) = SmallDisk::of(600) else {
        return;
    };
    project(disk.path(), 6_000_000);
    let refused = audit(disk.path());
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(
        said(&refused).contains("the dataset does not fit on the disk: it takes up to "),
        "{}",
        said(&refused)
    );
    // The remedy helps.
    project(disk.path(), 1_000);
    let smaller = audit(disk.path());
    assert_eq!(smaller.status.code(), Some(0), "{}", said(&smaller));
}

/// Whatever fills it: another program, or a statement that writes more than anybody could know.
#[test]
fn a_server_that_filled_its_disk_gets_up_again() {
    let Some(disk) = SmallDisk::of(600) else {
        return;
    };
    project(disk.path(), 1_000);
    write(
        disk.path(),
        "migrations/2_much.sql",
        "CREATE TABLE much (id bigint PRIMARY KEY, text text);\nINSERT INTO much SELECT n, repeat('x', 900) FROM \
         generate_series(1, 2000000) AS n;\n",
    );
    let full = audit(disk.path());
    assert_eq!(full.status.code(), Some(3), "{}", said(&full));
    let text = said(&full).to_lowercase();
    assert!(
        text.contains("no space left")
            || text.contains("disk is full")
            || text.contains("disk full"),
        "{text}"
    );
    std::fs::remove_file(disk.path().join("migrations/2_much.sql")).unwrap();
    let again = audit(disk.path());
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!(private::postmaster(disk.path()), None);
}

#[tokio::test]
async fn a_full_disk_costs_the_reserve_and_nothing_else() {
    let Some(disk) = SmallDisk::of(600) else {
        return;
    };
    let options = private::options(disk.path());
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE TABLE kept AS SELECT 1 AS n").await;
    // The server commits asynchronously: without this the crash may take the table with it.
    private::execute(&cluster, "CHECKPOINT").await;
    let home = private::data(disk.path()).parent().unwrap().to_path_buf();
    assert!(home.join("ballast").exists());
    let pid = private::postmaster(disk.path()).unwrap();
    // A crash with much to recover, on a disk that somebody else fills meanwhile.
    private::execute(
        &cluster,
        "CREATE TABLE more AS SELECT generate_series(1, 300000) AS n",
    )
    .await;
    private::kill(pid, "KILL");
    private::eventually("it is dead", Duration::from_secs(10), || {
        !private::alive(pid)
    });
    drop(cluster);
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let block = vec![7_u8; 64 << 10];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    drop(file);
    let (progress, events) = private::listening();
    let interrupt = pgproof::interrupt::Interrupt::new();
    let cluster = pgproof::db::server::Cluster::start(&options, &progress, &interrupt)
        .await
        .unwrap_or_else(|error| panic!("{error} {events:?}"));
    assert_eq!(
        private::value(&cluster, "SELECT count(*)::text FROM kept").await,
        "1"
    );
    assert!(!home.join("ballast").exists(), "it was given up");
    cluster.stop().await;
    std::fs::remove_file(filler).unwrap();
    private::start(&options).await.unwrap().stop().await;
    assert!(home.join("ballast").exists(), "there is room for it again");
}

/// The most that a directory took while something ran.
fn peak_of(directory: &Path, work: impl FnOnce() -> Output) -> (u64, Output) {
    let done = Arc::new(AtomicBool::new(false));
    let peak = Arc::new(Mutex::new(0_u64));
    let watching = {
        let (done, peak, directory) = (done.clone(), peak.clone(), directory.to_path_buf());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let now = size_of(&directory);
                let mut peak = peak.lock().unwrap();
                *peak = now.max(*peak);
                drop(peak);
                std::thread::sleep(Duration::from_millis(30));
            }
        })
    };
    let output = work();
    done.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    let peak = *peak.lock().unwrap();
    (peak, output)
}

fn size_of(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = walkdir::WalkDir::new(directory).into_iter().flatten();
    entries
        .filter(|entry| entry.file_name() != "ballast")
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.blocks() * 512)
        .sum()
}

fn copy_sample(to: &Path) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
    for part in ["migrations", "seeds", "queries", "pgproof.toml"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(sample.join(part))
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    }
}

fn events(path: &Path) {
    write(
        path,
        "migrations/1_events.sql",
        "CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, \
         created_at timestamptz NOT NULL);
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, \
         kind text NOT NULL, payload jsonb NOT NULL, happened_at timestamptz NOT NULL);
CREATE INDEX ON events (account_id, happened_at);
CREATE INDEX ON events (kind);
CREATE INDEX ON events USING gin (payload);
",
    );
    write(
        path,
        "queries/e.sql",
        "-- name: Recent :many\nSELECT * FROM events WHERE account_id = $1 ORDER BY happened_at DESC LIMIT 20;\n
-- name: OfTime :many\nSELECT id FROM events WHERE happened_at > $1;\n",
    );
    write(
        path,
        "seeds/e.toml",
        "[tables.accounts]\nrows = 50000\n[tables.events]\nrows = 600000\n",
    );
    write(path, "pgproof.toml", "[server]\nversion = \"15\"\n");
}

fn parts(path: &Path) {
    write(
        path,
        "migrations/1_readings.sql",
        "CREATE TABLE readings (sensor_id int NOT NULL, taken_at timestamptz NOT NULL, value double precision, note text)
  PARTITION BY HASH (sensor_id);
DO $$ BEGIN FOR n IN 0..7 LOOP EXECUTE format('CREATE TABLE readings_%s PARTITION OF readings FOR VALUES WITH (MODULUS 8, \
         REMAINDER %s)', n, n); END LOOP; END $$;
CREATE INDEX ON readings (sensor_id, taken_at);
",
    );
    write(
        path,
        "queries/r.sql",
        "-- name: OfSensor :many\nSELECT * FROM readings WHERE sensor_id = $1;\n",
    );
    write(path, "seeds/r.toml", "[tables.readings]\nrows = 2000000\n");
    write(path, "pgproof.toml", "[server]\nversion = \"15\"\n");
}

/// What is said before the load against what is used at the most.
#[test]
#[ignore = "seeds three schemas at full size; run by name, it prints what it measured"]
fn the_estimate_is_near_the_measured_peak() {
    type Make = fn(&Path);
    let schemas: [(&str, Make); 3] = [
        ("sample", copy_sample),
        ("events with a GIN index", events),
        ("partitions", parts),
    ];
    for (name, make) in schemas {
        let project = private::bare_project();
        make(project.path());
        let (peak, output) = peak_of(&project.path().join(".pgproof"), || audit(project.path()));
        let text = said(&output);
        let told = text
            .split("takes up to ")
            .nth(1)
            .and_then(|rest| rest.split(" of the disk").next())
            .unwrap_or_else(|| panic!("{text}"));
        println!(
            "{name}: told {told}, measured {} MB; {}",
            peak >> 20,
            text.split("takes up to ")
                .nth(1)
                .and_then(|rest| rest.split(" that are tried").next())
                .unwrap_or_default()
        );
        let (number, unit) = told.split_once(' ').unwrap();
        let factor = match unit {
            "GB" => 1024.0,
            "MB" => 1.0,
            other => panic!("{other}"),
        };
        let told = number.parse::<f64>().unwrap() * factor;
        let share = told / (peak >> 20) as f64;
        assert!((0.7..=1.3).contains(&share), "{name}: {share}");
    }
}

//! The dataset as a template: made once, by one at a time, whole or not at all, and not kept for ever.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::Session;
use pgproof::db::dataset::{self, Dataset, DatasetError, Recipe};
use pgproof::db::server::Cluster;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{History, Tree, history};
use pgproof::progress::{Event, Progress};
use pgproof::seed::Options;

use crate::server::private::{self, kill, postmaster};
use crate::support;

/// A schema of this test's own: its datasets meet nobody else's, nor those of the last run.
fn migrations(name: &str) -> History {
    migrations_with(name, "")
}

/// The same with more statements.
fn migrations_with(name: &str, more: &str) -> History {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("migrations")).unwrap();
    let sql = format!(
        "CREATE TABLE authors (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
         CREATE TABLE books (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             author_id bigint NOT NULL REFERENCES authors,
             title text NOT NULL
         );
         CREATE INDEX ON books (author_id);
         CREATE TABLE kinds (id int PRIMARY KEY, name text);
         INSERT INTO kinds VALUES (1, '{name} {now}');
         {more}"
    );
    std::fs::write(directory.path().join("migrations/1_books.sql"), sql).unwrap();
    history(
        &Tree::read(directory.path(), Path::new("migrations")).unwrap(),
        None,
    )
    .unwrap()
}

async fn ensure(
    cluster: &Cluster,
    migrations: &History,
    seed: u64,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Dataset, DatasetError> {
    let options = Options {
        seed,
        default_rows: pgproof::seed::DefaultRows::Fixed(20_000),
        ..Options::default()
    };
    dataset::ensure(
        cluster,
        Recipe {
            migrations,
            specs: &[],
            options: &options,
            demands: &[],
            lacking: pgproof::db::dataset::Lacking::Made,
        },
        progress,
        interrupt,
    )
    .await
}

async fn databases(cluster: &Cluster, pattern: &str) -> Vec<String> {
    let session = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE $1 ORDER BY 1";
    session
        .client()
        .query(sql, &[&pattern])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_partitions_a_program_makes_has_one_in_the_dataset() {
    let more = "CREATE TABLE visits (id bigint NOT NULL, day date NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE \"Shelves\" (id int PRIMARY KEY) PARTITION BY HASH (id);";
    let migrations = migrations_with("no partition", more);
    for cluster in support::every_cluster() {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notes);
        let progress = Progress::to(move |event| {
            if let Event::Note(text) = event {
                heard.lock().unwrap().push(text);
            }
        });
        let dataset = ensure(&cluster, &migrations, 1, &progress, &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("PostgreSQL {}: {error}", cluster.version()));
        for name in ["visits", "Shelves"] {
            let mut tables = dataset.tables.iter();
            let table = tables.find(|table| table.name.contains(name)).unwrap();
            assert_eq!(table.rows, 20_000, "{name} on {}", cluster.version());
        }
        let notes = notes.lock().unwrap();
        let is_told = |note: &String| {
            note.starts_with("no migration makes a partition of public.\"Shelves\", public.visits:")
        };
        assert!(notes.iter().any(is_told), "{notes:#?}");
    }
}

/// Index-only scans need the visibility map, of what migrations inserted, too, and however soon VACUUM comes after their commit.
#[tokio::test(flavor = "multi_thread")]
async fn what_migrations_insert_is_visible_to_all() {
    let more = "CREATE TABLE stamps (id int PRIMARY KEY, note text);
         INSERT INTO stamps SELECT i, 'stamp ' || i FROM generate_series(1, 20000) i;";
    let migrations = migrations_with("stamps", more);
    for cluster in support::every_cluster() {
        let interrupt = Interrupt::new();
        let dataset = ensure(&cluster, &migrations, 1, &Progress::default(), &interrupt)
            .await
            .unwrap();
        let admin = cluster.url("postgres");
        let copy = DatabaseClone::of(&admin, &dataset.database, &interrupt)
            .await
            .unwrap();
        let session = Session::open(copy.url(), &interrupt).await.unwrap();
        let sql =
            "SELECT relpages, relallvisible FROM pg_class WHERE relname IN ('stamps', 'kinds')";
        let pages = session.client().query(sql, &[]).await.unwrap();
        for row in &pages {
            let (pages, visible) = (row.get::<_, i32>(0), row.get::<_, i32>(1));
            assert!(pages > 0);
            assert_eq!(visible, pages, "PostgreSQL {}", cluster.version());
        }
        assert_eq!(pages.len(), 2);
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_makes_a_dataset() {
    let migrations = migrations("every version");
    for cluster in support::every_cluster() {
        let dataset = ensure(
            &cluster,
            &migrations,
            1,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap_or_else(|error| panic!("PostgreSQL {}: {error}", cluster.version()));
        let held: Vec<_> = dataset
            .tables
            .iter()
            .map(|table| (table.name.as_str(), table.rows, table.kept))
            .collect();
        assert_eq!(
            held,
            [
                ("authors", 20_000, false),
                ("books", 20_000, false),
                ("kinds", 1, true)
            ]
        );
        let again = ensure(
            &cluster,
            &migrations,
            1,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap();
        assert_eq!((again.made, again.tables), (None, dataset.tables));
        let copy = DatabaseClone::of(
            &cluster.url("postgres"),
            &dataset.database,
            &Interrupt::new(),
        )
        .await
        .unwrap();
        let session = Session::open(copy.url(), &Interrupt::new()).await.unwrap();
        // From 16 on, streams that write side by side extend a table by several pages: some stay empty at its end.
        let checks = "SELECT (SELECT count(*) FROM books JOIN authors ON authors.id = author_id), \
                             (SELECT count(*) FROM kinds WHERE name LIKE 'every version%'), \
                             (SELECT count(*) FROM pg_class WHERE relname IN ('authors', 'books') \
                              AND relallvisible * 2 > relpages AND reltuples = 20000)";
        let row = session.client().query_one(checks, &[]).await.unwrap();
        let counts: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        assert_eq!(counts, [20_000, 1, 2], "PostgreSQL {}", cluster.version());
        let closed = Session::open(&cluster.url(&dataset.database), &Interrupt::new()).await;
        assert!(closed.is_err(), "nobody connects to the template");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_builds_and_the_other_waits() {
    let (cluster, migrations) = (support::cluster(), migrations("two at once"));
    let notes = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notes);
    let progress = Progress::to(move |event| {
        if let Event::Note(note) = event {
            heard.lock().unwrap().push(note);
        }
    });
    let interrupt = Interrupt::new();
    let make = || ensure(&cluster, &migrations, 2, &progress, &interrupt);
    let (one, other) = tokio::join!(make(), make());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.database, other.database);
    assert_eq!(
        u8::from(one.made.is_some()) + u8::from(other.made.is_some()),
        1
    );
    // Datasets that other tests left may make room for it: their notes are theirs.
    let mut notes = notes.lock().unwrap().clone();
    notes.retain(|note| !note.starts_with("dropped dataset "));
    notes.sort();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert_eq!(
        notes[0],
        "another command is making this dataset; waiting for it"
    );
    assert!(
        notes[1].starts_with("making 40,000 rows in 2 tables"),
        "{notes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_leaves_nothing() {
    let (cluster, migrations) = (support::cluster(), migrations("interrupted"));
    let interrupt = Interrupt::new();
    let stop = interrupt.clone();
    let progress = Progress::to(move |event| {
        if matches!(event, Event::Advanced { by, .. } if by > 1000) {
            stop.set();
        }
    });
    let error = ensure(&cluster, &migrations, 3, &progress, &interrupt)
        .await
        .unwrap_err();
    assert!(matches!(error, DatasetError::Interrupted(_)), "{error}");
    let options = Options {
        seed: 3,
        default_rows: pgproof::seed::DefaultRows::Fixed(20_000),
        ..Options::default()
    };
    let recipe = Recipe {
        migrations: &migrations,
        specs: &[],
        options: &options,
        demands: &[],
        lacking: pgproof::db::dataset::Lacking::Made,
    };
    let fingerprint = dataset::fingerprint(recipe, cluster.version().major());
    assert_eq!(
        databases(&cluster, &format!("%{fingerprint}")).await,
        [""; 0]
    );
    let made = ensure(
        &cluster,
        &migrations,
        3,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await
    .unwrap();
    assert!(made.made.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_datasets_make_room() {
    let migrations = migrations("old ones");
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    let session = Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let mut made = Vec::new();
    for seed in 0..4 {
        // A command of its own: what a command uses, nobody drops as long as it runs.
        let user = private::start(&options).await.unwrap();
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        let dataset = ensure(&user, &migrations, seed, &progress, &interrupt).await;
        let dataset = dataset.unwrap();
        user.stop().await;
        if seed < 3 {
            // As if it had been used a while ago.
            let age = format!(
                "COMMENT ON DATABASE {} IS '{{\"used\": {}, \"tables\": []}}'",
                dataset.database,
                seconds_now() - 100 + seed
            );
            session.client().batch_execute(&age).await.unwrap();
        }
        made.push(dataset.database);
    }
    let left = databases(&cluster, "pgproof_%").await;
    made.remove(0);
    made.sort();
    assert_eq!(left, made, "the oldest one is gone");
}

fn seconds_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_in_use_is_not_dropped() {
    let migrations = migrations("in use");
    let project = private::project();
    let options = private::options(project.path());
    let user = private::start(&options).await.unwrap();
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let used = ensure(&user, &migrations, 0, &progress, &interrupt).await;
    let used = used.unwrap().database;
    let cluster = private::start(&options).await.unwrap();
    for seed in 1..5 {
        let made = ensure(&cluster, &migrations, seed, &progress, &interrupt).await;
        made.unwrap();
    }
    assert!(databases(&cluster, "pgproof_%").await.contains(&used));
}

/// A project of a test's own, with the sample's files.
struct Project {
    directory: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["migrations", "seeds", "queries"] {
            std::fs::create_dir(directory.path().join(folder)).unwrap();
            for entry in std::fs::read_dir(sample.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                std::fs::copy(
                    &path,
                    directory
                        .path()
                        .join(folder)
                        .join(path.file_name().unwrap()),
                )
                .unwrap();
            }
        }
        std::fs::copy(
            sample.join("pgproof.toml"),
            directory.path().join("pgproof.toml"),
        )
        .unwrap();
        Self { directory }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgproof"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null());
        command.env(
            "PGPROOF_PG_BIN",
            support::binaries_of(support::MAJOR).unwrap(),
        );
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// A database whose files are there: the server runs with this directory alone.
    fn wait_for_rows(&self) {
        let start = Instant::now();
        loop {
            let bytes: u64 = walkdir::WalkDir::new(self.directory.path().join(".pgproof"))
                .into_iter()
                .flatten()
                .filter(|entry| {
                    entry
                        .path()
                        .components()
                        .any(|part| part.as_os_str() == "base")
                })
                .filter_map(|entry| entry.metadata().ok().map(|metadata| metadata.len()))
                .sum();
            if bytes > 60 << 20 {
                return;
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "no rows after two minutes: {bytes} bytes"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_killed_build_is_made_anew() {
    let project = Project::new();
    let mut killed = project.start(&["seed", "--scale", "0.05"]);
    project.wait_for_rows();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (code, out, err) = project.run(&["seed", "--scale", "0.05"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("made in"), "{out}");
    let (code, out, err) = project.run(&["seed", "--scale", "0.05"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("it was there already"), "{out}");
}

/// The server goes away in the middle of the rows, as after a crash or by the system's hand.
#[test]
fn a_build_whose_server_dies_is_made_anew() {
    let project = Project::new();
    let building = project
        .command(&["seed", "--scale", "0.2"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    project.wait_for_rows();
    let pid = postmaster(project.directory.path()).expect("the server runs");
    kill(pid, "KILL");
    let output = building.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(
        told.contains("error: ") && !told.contains("panicked"),
        "{told}"
    );
    let (code, out, err) = project.run(&["seed", "--scale", "0.05"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("made in"), "{out}");
}

/// Needs the right to mount a small file system.
#[test]
fn a_build_that_does_not_fit_says_so_and_succeeds_when_there_is_room() {
    let project = Project::new();
    let state = project.directory.path().join(".pgproof");
    std::fs::create_dir(&state).unwrap();
    let mount = |options: &str| {
        let arguments = ["-t", "tmpfs", "-o", options, "tmpfs"];
        Command::new("mount")
            .args(arguments)
            .arg(&state)
            .status()
            .is_ok_and(|status| status.success())
    };
    if !rustix::process::geteuid().is_root() || !mount("size=250m,mode=755") {
        eprintln!("SKIPPED: this user may not mount a file system");
        return;
    }
    let full = project.run(&["seed", "--scale", "0.5"]);
    let room = mount("remount,size=3g");
    let after = project.run(&["seed", "--scale", "0.05"]);
    Command::new("umount")
        .arg("-l")
        .arg(&state)
        .status()
        .unwrap();
    assert!(room);
    assert_eq!(full.0, Some(3), "{}", full.2);
    // It is seen before a row is written. Lines are wrapped where the message's length has it.
    let said = full.2.replace("\n  | ", " ");
    assert!(
        said.contains("the dataset does not fit on the disk"),
        "{said}"
    );
    assert_eq!(after.0, Some(0), "{}", after.2);
    assert!(after.1.contains("made in"), "{}", after.1);
}

#[test]
fn a_signal_ends_a_build_with_its_code() {
    let project = Project::new();
    let mut stopped = project.start(&["seed", "--scale", "0.2"]);
    project.wait_for_rows();
    let pid = rustix::process::Pid::from_raw(i32::try_from(stopped.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(stopped.wait().unwrap().code(), Some(130));
    // No server is left that uses the directory.
    let pid_files = walkdir::WalkDir::new(project.directory.path())
        .into_iter()
        .flatten();
    assert_eq!(
        pid_files
            .filter(|entry| entry.file_name() == "postmaster.pid")
            .count(),
        0
    );
}

#[test]
fn a_plan_is_told_without_loading() {
    let project = Project::new();
    let (code, out, err) = project.run(&["seed", "--dry-run", "--rows", "orders=7000"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.lines()
            .any(|line| line.starts_with("orders ") && line.contains("7,000")),
        "{out}"
    );
    assert!(out.contains("; about "), "{out}");
    assert!(!err.contains("making "), "{err}");
    // Told before the rows are made, too.
    let (code, out, err) = project.run(&["seed", "--rows", "700"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("making ") && err.contains(" rows in ") && err.contains("; about "),
        "{err}"
    );
    assert!(out.contains(", made in "), "{out}");
    let (_, _, err) = project.run(&["seed", "--rows", "700", "--quiet"]);
    assert!(!err.contains("making "), "{err}");
}

#[test]
fn what_seed_must_not_fill_is_refused() {
    let project = Project::new();
    let config = project.directory.path().join("pgproof.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("database-url = \"env\"\n{text}")).unwrap();
    let run = |args: &[&str], url: &str| {
        let output = project
            .command(args)
            .env("DATABASE_URL", url)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, err) = run(&["seed"], "postgres://ann:s3cret@localhost:1/production");
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("seed fills no database that only the environment names")
            && !err.contains("s3cret"),
        "{err}"
    );
    std::fs::write(&config, text).unwrap();
    let (code, err) = run(&["seed", "--replace"], "");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--replace needs --database-url"), "{err}");
    let (code, err) = run(&["seed", "--rows", "ordres=5"], "");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("did you mean orders?"), "{err}");
}

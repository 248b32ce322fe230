//! A cluster that something happened to: what can be recovered is, what cannot is made anew, and what a person loses is
//! named. Also what a server sees of its caller.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgproof::db::server::{Cluster, ClusterOptions};
use pgproof::interrupt::Interrupt;
use pgproof::progress::Event;

use super::private::{self, eventually, kill, postmaster};

/// Starts the server and returns it with what was noted.
async fn noted(options: &ClusterOptions) -> (Cluster, Vec<String>) {
    let (progress, events) = private::listening();
    let cluster = Cluster::start(options, &progress, &Interrupt::new())
        .await
        .unwrap_or_else(|error| panic!("{error}; {events:?}"));
    (cluster, notes(&events))
}

fn notes(events: &Arc<Mutex<Vec<Event>>>) -> Vec<String> {
    let events = events.lock().unwrap();
    events
        .iter()
        .filter_map(|event| match event {
            Event::Note(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// Ends a server as a failure of the machine would: its pid file stays, and the next start is in another boot.
async fn fail_machine(project: &Path, cluster: Cluster) {
    let pid = postmaster(project).unwrap();
    kill(pid, "KILL");
    eventually("it is dead", Duration::from_secs(10), || {
        !private::alive(pid)
    });
    drop(cluster);
    std::fs::write(private::data(project).join("../boot"), "another boot").unwrap();
}

#[tokio::test]
async fn damaged_files_are_made_anew_and_said_to_be() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 10] = [
        ("another version", |data| {
            std::fs::write(data.join("PG_VERSION"), "11\n").unwrap();
        }),
        ("no version", |data| {
            std::fs::remove_file(data.join("PG_VERSION")).unwrap();
        }),
        ("control file", |data| {
            let control = data.join("global/pg_control");
            let mut bytes = std::fs::read(&control).unwrap();
            bytes[40..200].fill(7);
            std::fs::write(&control, bytes).unwrap();
        }),
        ("no control file", |data| {
            std::fs::remove_file(data.join("global/pg_control")).unwrap();
        }),
        ("no map of shared catalogs", |data| {
            std::fs::remove_file(data.join("global/pg_filenode.map")).unwrap();
        }),
        ("no log", |data| {
            std::fs::remove_dir_all(data.join("pg_wal")).unwrap();
        }),
        ("an empty log", |data| {
            for entry in std::fs::read_dir(data.join("pg_wal")).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    std::fs::write(path, "").unwrap();
                }
            }
        }),
        ("no transactions", |data| {
            std::fs::remove_dir_all(data.join("pg_xact")).unwrap();
        }),
        ("no databases", |data| {
            std::fs::remove_dir_all(data.join("base")).unwrap();
        }),
        ("no map of the database postgres", |data| {
            for entry in std::fs::read_dir(data.join("base")).unwrap() {
                let _ = std::fs::remove_file(entry.unwrap().path().join("pg_filenode.map"));
            }
        }),
    ];
    for (name, damage) in damages {
        let project = private::project();
        let options = private::options(project.path());
        damage(&private::data(project.path()));
        let (cluster, notes) = noted(&options).await;
        assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
        let (server, interrupt) = (cluster.url("postgres"), Interrupt::new());
        let copy = pgproof::db::clone::Clone::of(&server, "template0", &interrupt).await;
        copy.unwrap().discard().await.unwrap();
        cluster.stop().await;
        assert!(
            notes.iter().any(|note| {
                note.starts_with("making the embedded server in ")
                    && note.ends_with("; its datasets are made again when they are needed")
            }),
            "{name}: {notes:?}"
        );
    }
}

#[tokio::test]
async fn what_a_person_loses_is_named_and_kept() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    cluster.protect("dev", &Interrupt::new()).await.unwrap();
    private::execute(&cluster, "CREATE DATABASE dev").await;
    cluster.stop().await;
    let data = private::data(project.path());
    std::fs::remove_file(data.join("global/pg_filenode.map")).unwrap();
    let (cluster, notes) = noted(&options).await;
    assert_eq!(private::value(&cluster, "SHOW fsync").await, "off");
    drop(cluster);
    let aside = data.with_file_name("data.damaged-1");
    assert!(aside.join("PG_VERSION").exists());
    let lost = format!(
        "database dev is lost with all that was changed in it; its files are kept in {} until `pgproof server prune`",
        aside.canonicalize().unwrap().display()
    );
    assert!(notes.iter().any(|note| note.contains(&lost)), "{notes:?}");
}

#[tokio::test]
async fn a_persons_database_survives_a_failure_of_the_machine() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SHOW fsync").await, "off");
    cluster.protect("dev", &Interrupt::new()).await.unwrap();
    eventually_on(&cluster, "fsync").await;
    eventually_on(&cluster, "full_page_writes").await;
    private::execute(&cluster, "CREATE TABLE work AS SELECT 1 AS n").await;
    // Settings are still what they should be: another command joins.
    let joined = private::start(&options).await.unwrap();
    drop(joined);
    fail_machine(project.path(), cluster).await;
    let (cluster, notes) = noted(&options).await;
    assert_eq!(
        private::value(&cluster, "SELECT count(*)::text FROM work").await,
        "1"
    );
    assert_eq!(private::value(&cluster, "SHOW fsync").await, "on");
    assert!(
        notes
            .iter()
            .any(|note| note.ends_with("PostgreSQL recovers database dev")),
        "{notes:?}"
    );
}

async fn eventually_on(cluster: &Cluster, name: &str) {
    for _ in 0..100 {
        if private::value(cluster, &format!("SHOW {name}")).await == "on" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} stays off");
}

#[tokio::test]
async fn a_cluster_without_anybodys_work_is_made_anew_after_a_failure_of_the_machine() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    fail_machine(project.path(), cluster).await;
    let (_cluster, notes) = noted(&options).await;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the machine went down while it was running")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_alter_system_broke_is_put_aside() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE TABLE kept AS SELECT 1 AS n").await;
    private::execute(&cluster, "ALTER SYSTEM SET shared_buffers = '8000GB'").await;
    cluster.stop().await;
    let (cluster, notes) = noted(&options).await;
    assert_eq!(
        private::value(&cluster, "SELECT count(*)::text FROM kept").await,
        "1"
    );
    assert!(
        notes.iter().any(|note| note.contains("ALTER SYSTEM")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn backends_of_a_server_that_was_killed_end_with_the_next_start() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    let session = pgproof::db::connect::Session::open(&cluster.url("postgres"), &Interrupt::new())
        .await
        .unwrap();
    let row = session.client().query_one("SELECT pg_backend_pid()", &[]);
    let backend: i32 = row.await.unwrap().get(0);
    // It computes, and looks at nothing meanwhile; and it is stopped besides.
    let working = tokio::spawn(async move {
        let loops = "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$";
        session.client().batch_execute(loops).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill(backend, "STOP");
    let pid = postmaster(project.path()).unwrap();
    kill(pid, "KILL");
    eventually("it is dead", Duration::from_secs(10), || {
        !private::alive(pid)
    });
    assert!(private::alive(backend));
    let again = private::start(&options).await.unwrap();
    assert!(!private::alive(backend));
    assert_eq!(private::value(&again, "SELECT 'there'").await, "there");
    assert!(working.await.unwrap().is_err());
    drop((cluster, again));
}

/// A container's processes have the same numbers every time.
#[tokio::test]
async fn a_pid_file_that_names_the_server_that_is_started_is_stale() {
    let project = private::project();
    let options = private::options(project.path());
    private::start(&options).await.unwrap().stop().await;
    let data = private::data(project.path());
    let socket = data.parent().unwrap().join("socket");
    // Every number that the next processes may get.
    let me = std::process::id();
    let text = format!(
        "{}\n{}\n1763820000\n5433\n{}\n127.0.0.1\n  5433001  7\nready   \n",
        me + 40,
        data.display(),
        socket.display()
    );
    std::fs::write(data.join("postmaster.pid"), text).unwrap();
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
}

#[tokio::test]
async fn programs_of_the_server_see_nothing_of_the_callers_environment() {
    let project = private::project();
    let mut owner = std::process::Command::new(env!("CARGO_BIN_EXE_pgproof"));
    std::fs::write(
        project.path().join("pgproof.toml"),
        "[server]\nversion = \"15\"\n",
    )
    .unwrap();
    std::fs::create_dir(project.path().join("migrations")).unwrap();
    std::fs::write(
        project.path().join("migrations/1_seen.sql"),
        "CREATE TABLE seen (line text);\nCOPY seen FROM PROGRAM 'env';\n",
    )
    .unwrap();
    let output = owner
        .args(["server", "psql", "--", "-XAtc", "TABLE seen"])
        .current_dir(project.path())
        .env("PGPROOF_PG_BIN", crate::support::binaries_of(15).unwrap())
        .env(
            "DATABASE_URL_OF_PRODUCTION",
            "postgres://app:hunter2@db/shop",
        )
        .env("PGPASSWORD", "hunter2")
        .env("SECRET_KEY", "hunter2")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(text.contains("PATH="), "{text} {error}");
    assert!(!text.contains("hunter2"), "{text}");
}

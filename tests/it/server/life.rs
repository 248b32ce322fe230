//! A server's life: shared, left, killed, kept.

use std::time::{Duration, Instant};

use pgproof::db::clone::Clone as DatabaseClone;
use pgproof::db::connect::Session;
use pgproof::db::server::daemon;
use pgproof::interrupt::Interrupt;
use pgproof::progress::{Event, Progress};

use super::private::{self, Owner, eventually, kill, postmaster};
use crate::support;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_server_ends_with_its_last_user() {
    let project = private::project();
    let options = private::options(project.path());
    let first = private::start(&options).await.unwrap();
    let pid = postmaster(project.path()).unwrap();
    let second = private::start(&options).await.unwrap();
    assert_eq!(
        postmaster(project.path()),
        Some(pid),
        "the second one joins"
    );
    first.stop().await;
    assert_eq!(private::value(&second, "SELECT 'there'").await, "there");
    second.stop().await;
    assert_eq!(
        postmaster(project.path()),
        None,
        "stop returns when it is gone"
    );
}

#[tokio::test]
async fn two_that_start_at_once_get_one_server() {
    let project = private::bare_project();
    let options = private::options(project.path());
    let (one, two) = tokio::join!(private::start(&options), private::start(&options));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(
        private::value(&one, "SHOW port").await,
        private::value(&two, "SHOW port").await
    );
    drop(one);
    assert_eq!(private::value(&two, "SELECT 'there'").await, "there");
    drop(two);
    assert_eq!(postmaster(project.path()), None);
}

#[test]
fn a_server_whose_owner_is_killed_is_gone_in_seconds() {
    let project = private::project();
    let owner = Owner::ready(project.path());
    let pid = postmaster(project.path()).unwrap();
    owner.kill();
    let start = Instant::now();
    eventually("the server ends with its owner", SOON, || {
        !private::alive(pid)
    });
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_server_outlives_one_of_its_owners() {
    let project = private::project();
    let first = Owner::ready(project.path());
    let pid = postmaster(project.path()).unwrap();
    let second = Owner::ready(project.path());
    first.kill();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(postmaster(project.path()), Some(pid));
    second.end();
    assert_eq!(postmaster(project.path()), None);
}

#[test]
fn an_owner_killed_at_any_moment_of_the_start_leaves_no_server() {
    let project = private::bare_project();
    // The first round initializes; the later ones start.
    for delay in [50, 700, 60, 100, 150, 200, 250] {
        let owner = Owner::begin(project.path(), "stay");
        std::thread::sleep(Duration::from_millis(delay));
        owner.kill();
        std::thread::sleep(Duration::from_millis(100));
        let data = private::data(project.path()).display().to_string();
        eventually("no server is left", Duration::from_secs(15), || {
            let processes = std::process::Command::new("ps")
                .args(["-eww", "-o", "args="])
                .output()
                .unwrap();
            !String::from_utf8_lossy(&processes.stdout)
                .lines()
                .any(|line| line.contains(&data))
        });
    }
    Owner::ready(project.path()).end();
}

#[tokio::test]
async fn a_server_that_was_killed_is_started_again_with_its_data() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE TABLE kept AS SELECT 1 AS n").await;
    private::execute(&cluster, "CHECKPOINT").await;
    let pid = postmaster(project.path()).unwrap();
    kill(pid, "KILL");
    eventually("it is dead", SOON, || !private::alive(pid));
    assert!(
        private::data(project.path())
            .join("postmaster.pid")
            .exists(),
        "its pid file is stale"
    );
    drop(cluster);
    let again = private::start(&options).await.unwrap();
    assert_eq!(
        private::value(&again, "SELECT count(*)::text FROM kept").await,
        "1"
    );
}

#[tokio::test]
async fn a_pid_file_that_names_someone_elses_process_is_stale() {
    let project = private::project();
    let options = private::options(project.path());
    private::start(&options).await.unwrap().stop().await;
    // A process of the server's own account, which PostgreSQL would take for a server.
    let data = private::data(project.path());
    let owner = std::os::unix::fs::MetadataExt::uid(&data.metadata().unwrap());
    let mut command = std::process::Command::new("sleep");
    command.arg("60");
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) != owner {
        std::os::unix::process::CommandExt::uid(&mut command, owner);
    }
    let mut bystander = command.spawn().unwrap();
    let text = format!(
        "{}\n{}\n1763820000\n5433\n/nowhere\n127.0.0.1\n",
        bystander.id(),
        data.display()
    );
    std::fs::write(data.join("postmaster.pid"), text).unwrap();
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
    drop(cluster);
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "the other process is left alone"
    );
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

/// A server that was killed stays in the process table until its parent looks: PostgreSQL takes it for alive.
#[tokio::test]
async fn a_server_that_ended_and_was_not_waited_for_is_stale() {
    let project = private::project();
    let options = private::options(project.path());
    private::start(&options).await.unwrap().stop().await;
    let data = private::data(project.path());
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let socket = data.parent().unwrap().join("socket");
    let text = format!(
        "{}\n{}\n1763820000\n5433\n{}\n127.0.0.1\n",
        ended.id(),
        data.display(),
        socket.display()
    );
    std::fs::write(data.join("postmaster.pid"), text).unwrap();
    let lock = socket.join(".s.PGSQL.5433.lock");
    std::fs::write(&lock, format!("{}\n", ended.id())).unwrap();
    let cluster = private::start(&options).await.unwrap();
    assert_eq!(private::value(&cluster, "SELECT 'there'").await, "there");
    assert!(!lock.exists(), "nothing names the dead server any more");
    drop(cluster);
    ended.wait().unwrap();
}

#[test]
fn a_watcher_that_is_killed_is_replaced() {
    let project = private::project();
    let owner = Owner::ready(project.path());
    let pid = postmaster(project.path()).unwrap();
    let watcher = private::watcher(project.path()).unwrap();
    kill(watcher, "KILL");
    eventually("another one watches", SOON, || {
        private::watcher(project.path()).is_some_and(|now| now != watcher)
    });
    owner.kill();
    eventually("the server ends with its owner", SOON, || {
        !private::alive(pid)
    });
}

#[tokio::test]
async fn a_server_whose_owner_and_watcher_were_killed_is_used_again() {
    let project = private::project();
    let owner = Owner::ready(project.path());
    let pid = postmaster(project.path()).unwrap();
    let watcher = private::watcher(project.path()).unwrap();
    kill(owner.pid(), "STOP");
    kill(watcher, "KILL");
    owner.kill();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(postmaster(project.path()), Some(pid), "nobody stops it now");
    let cluster = private::start(&private::options(project.path()))
        .await
        .unwrap();
    assert_eq!(postmaster(project.path()), Some(pid));
    cluster.stop().await;
    assert_eq!(postmaster(project.path()), None);
}

#[tokio::test]
async fn a_server_that_was_frozen_is_let_on() {
    let project = private::project();
    let options = private::options(project.path());
    let first = private::start(&options).await.unwrap();
    let pid = postmaster(project.path()).unwrap();
    kill(pid, "STOP");
    let second = private::start(&options).await.unwrap();
    assert_eq!(postmaster(project.path()), Some(pid));
    drop(second);
    // Also by whoever stops it.
    kill(pid, "STOP");
    first.stop().await;
    assert_eq!(postmaster(project.path()), None);
}

#[tokio::test]
async fn a_kept_server_stays_until_it_is_stopped() {
    let project = private::project();
    let options = private::options(project.path());
    assert_eq!(daemon::status(&options).unwrap()[0].running, None);
    assert!(
        Owner::begin(project.path(), "keep")
            .0
            .wait()
            .unwrap()
            .success()
    );
    let pid = postmaster(project.path()).expect("it runs on without an owner");
    let status = daemon::status(&options).unwrap();
    let running = status[0].running.as_ref().unwrap();
    assert_eq!((running.pid, running.kept), (pid, true));
    // Its address works for other programs.
    let session = Session::open(&running.url, &Interrupt::new())
        .await
        .unwrap();
    session.close().await;
    // Commands come and go.
    private::start(&options).await.unwrap().stop().await;
    assert_eq!(postmaster(project.path()), Some(pid));
    // Other settings restart it, and it is kept still.
    let mut other = options.clone();
    other.settings = vec![("work_mem".to_owned(), "7MB".to_owned())];
    let cluster = private::start(&other).await.unwrap();
    assert_eq!(private::value(&cluster, "SHOW work_mem").await, "7MB");
    cluster.stop().await;
    assert_ne!(postmaster(project.path()), None);
    assert_eq!(
        daemon::stop(&options, &Progress::default(), &Interrupt::new()).unwrap(),
        [support::MAJOR]
    );
    assert_eq!(postmaster(project.path()), None);
    assert_eq!(daemon::status(&options).unwrap()[0].running, None);
    assert_eq!(
        daemon::stop(&options, &Progress::default(), &Interrupt::new()).unwrap(),
        [0_u32; 0]
    );
}

#[tokio::test]
async fn settings_are_applied_at_start_and_waited_for_while_others_use_the_server() {
    let project = private::project();
    let mut options = private::options(project.path());
    let first = private::start(&options).await.unwrap();
    private::execute(&first, "CREATE TABLE kept AS SELECT 1 AS n").await;
    options.settings = vec![
        ("work_mem".to_owned(), "9MB".to_owned()),
        ("random_page_cost".to_owned(), "1.1".to_owned()),
        ("fsync".to_owned(), "on".to_owned()),
    ];
    let (progress, events) = private::listening();
    let waiting = {
        let options = options.clone();
        tokio::spawn(async move {
            pgproof::db::server::Cluster::start(&options, &progress, &Interrupt::new())
                .await
                .unwrap()
        })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(
        !waiting.is_finished(),
        "the first one's plans must not change under it"
    );
    let told = Event::Note(
        "waiting for another pgproof that uses the embedded server with other settings".to_owned(),
    );
    assert!(events.lock().unwrap().contains(&told), "{events:?}");
    first.stop().await;
    let second = waiting.await.unwrap();
    assert_eq!(second.settings(), options.settings);
    for (name, value) in [
        ("work_mem", "9MB"),
        ("random_page_cost", "1.1"),
        ("fsync", "on"),
        ("autovacuum", "off"),
    ] {
        assert_eq!(
            private::value(&second, &format!("SHOW {name}")).await,
            value,
            "{name}"
        );
    }
    assert_eq!(
        private::value(&second, "SELECT count(*)::text FROM kept").await,
        "1",
        "the data stays"
    );
}

#[tokio::test]
async fn an_interrupt_cancels_the_running_statement() {
    let database = support::database().await;
    let interrupt = Interrupt::new();
    let session = Session::open(database.url(), &interrupt).await.unwrap();
    let start = Instant::now();
    let setter = interrupt.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        setter.set();
    });
    let error = session
        .client()
        .batch_execute("SELECT pg_sleep(30)")
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::QUERY_CANCELED)
    );
    assert!(start.elapsed() < SOON);
    assert!(
        Session::open(database.url(), &interrupt).await.is_err(),
        "nothing new is begun"
    );
}

#[tokio::test]
async fn a_database_of_ones_own_is_copied_and_dropped() {
    let database = support::database().await;
    database
        .execute("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
        .await;
    let name = database.url().database().to_owned();
    let discarded = DatabaseClone::of(database.url(), &name, &Interrupt::new())
        .await
        .unwrap();
    let dropped = DatabaseClone::of(database.url(), &name, &Interrupt::new())
        .await
        .unwrap();
    let session = Session::open(discarded.url(), &Interrupt::new())
        .await
        .unwrap();
    let count: i64 = session
        .client()
        .query_one("SELECT count(*) FROM t", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 10);
    let names = [
        discarded.url().database().to_owned(),
        dropped.url().database().to_owned(),
    ];
    // Although a session is connected to it.
    discarded.discard().await.unwrap();
    drop(dropped);
    let left = database.session().await;
    let rows = left
        .client()
        .query(
            "SELECT 1 FROM pg_database WHERE datname = ANY($1)",
            &[&&names[..]],
        )
        .await
        .unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn copies_that_nobody_uses_are_swept() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    let server = cluster.url("postgres");
    let used = DatabaseClone::of(&server, "template1", &Interrupt::new())
        .await
        .unwrap();
    // The second name is one of an earlier version, with a process id that lives.
    for left in ["pgproof_run_0123456789abcdef", "pgproof_run_1_1"] {
        private::execute(&cluster, &format!("CREATE DATABASE {left}")).await;
    }
    private::execute(&cluster, "CREATE DATABASE pgproof_run_mine").await;
    let again = private::start(&options).await.unwrap();
    let names = private::value(
        &again,
        "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'pgproof%'",
    );
    let expected = format!("{} pgproof_run_mine", used.url().database());
    assert_eq!(names.await, expected);
}

#[tokio::test]
async fn the_lock_table_grows_with_the_schema() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE TABLE kept AS SELECT 1 AS n").await;
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let few = cluster.provide_locks(10_000, &progress, &interrupt).await;
    assert!(!few.unwrap(), "every server has room for that");
    let user = private::start(&options).await.unwrap();
    let used = cluster.provide_locks(100_000, &progress, &interrupt).await;
    assert!(!used.unwrap(), "others would lose their sessions");
    drop(user);
    let many = cluster.provide_locks(200_000, &progress, &interrupt).await;
    assert!(many.unwrap());
    assert_eq!(
        private::value(&cluster, "SHOW max_locks_per_transaction").await,
        "12000"
    );
    assert_eq!(
        private::value(&cluster, "SELECT count(*)::text FROM kept").await,
        "1"
    );
    cluster.stop().await;
    assert_eq!(postmaster(project.path()), None);
    // It stays so.
    let again = private::start(&options).await.unwrap();
    assert_eq!(
        private::value(&again, "SHOW max_locks_per_transaction").await,
        "12000"
    );
}

#[tokio::test]
async fn a_copy_waits_for_a_template_that_is_in_use() {
    let database = support::database().await;
    let name = database.url().database().to_owned();
    let user = database.session().await;
    let leaving = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        user.close().await;
    });
    DatabaseClone::of(database.url(), &name, &Interrupt::new())
        .await
        .unwrap()
        .discard()
        .await
        .unwrap();
    leaving.await.unwrap();
}

#[tokio::test]
async fn every_supported_version_starts_and_copies() {
    for cluster in support::every_cluster() {
        let database = support::TestDatabase::copy_of(&cluster, "template1").await;
        database.execute("CREATE TABLE t AS SELECT 1 AS n").await;
        let name = database.url().database().to_owned();
        let copy = DatabaseClone::of(database.url(), &name, &Interrupt::new())
            .await
            .unwrap();
        let session = Session::open(copy.url(), &Interrupt::new()).await.unwrap();
        assert_eq!(session.version().major(), cluster.version().major());
        session
            .client()
            .query_one("SELECT n FROM t", &[])
            .await
            .unwrap();
    }
}

//! What a migration does while it runs, as seen on a real server.

use std::path::Path;

use pgproof::db::migration_observer::{BrokenBy, Lanes, inspect, measure, rehearse};
use pgproof::db::traffic::Probe;
use pgproof::diff::locks::LockMode;
use pgproof::diff::observation::StatementObservation;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{Layout, Migration, Tree, history};
use pgproof::progress::Progress;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};

async fn shop() -> TestDatabase {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE customers (id int PRIMARY KEY, email text);
             INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 1000) n;
             CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total int, note text);
             INSERT INTO orders SELECT n, 1 + n % 1000, n, repeat('x', 100) FROM generate_series(1, 200000) n;
             CREATE INDEX orders_total_idx ON orders (total);",
        )
        .await;
    database.execute("VACUUM ANALYZE").await;
    database
}

fn probes() -> Vec<Probe> {
    let probe = |name: &str, sql: &str| Probe {
        name: name.to_owned(),
        sql: sql.to_owned(),
        plan_only: false,
    };
    vec![
        probe("GetOrder", "SELECT * FROM orders WHERE id = 7"),
        probe("GetCustomer", "SELECT * FROM customers WHERE id = 7"),
        probe("AddOrder", "INSERT INTO orders VALUES (-1, 7, 1, '')"),
    ]
}

fn migrations(layout: Layout, sql: &str) -> Vec<Migration> {
    let name = if layout == Layout::Goose {
        "m/1_m.sql"
    } else {
        "m/1_m.up.sql"
    };
    let tree = Tree::new(
        Path::new("m"),
        false,
        vec![Source::new(name, sql)],
        false,
        false,
    );
    let found = history(&tree, Some(layout)).unwrap_or_else(|error| panic!("{error}"));
    found.migrations
}

/// Another database with the same in it.
async fn twin(database: &TestDatabase) -> TestDatabase {
    TestDatabase::copy_of(database.cluster(), database.url().database()).await
}

struct Observed {
    statements: Vec<StatementObservation>,
    broken: BrokenBy,
}

/// Quietly on a copy, then beside the probes.
async fn run(database: &TestDatabase, layout: Layout, sql: &str, probes: &[Probe]) -> Observed {
    let migrations = migrations(layout, sql);
    let interrupt = Interrupt::new();
    let quiet = twin(database).await;
    let mut statements = inspect(quiet.url(), &migrations, &interrupt)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let broken = measure(
        database.url(),
        &migrations,
        probes,
        &mut statements,
        &interrupt,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    Observed { statements, broken }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_blocks_readers_and_is_blamed_for_the_whole_transaction() {
    let database = shop().await;
    let sql = "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\nSELECT pg_sleep(0.4);";
    let observed = run(&database, Layout::Sqlx, sql, &probes()).await;
    let [rewrite, sleep] = observed.statements.as_slice() else {
        panic!("{:#?}", observed.statements)
    };
    assert_eq!((rewrite.place.line, sleep.place.line), (1, 2));
    assert_eq!(rewrite.rewritten, ["public.orders"]);
    assert!(
        rewrite
            .scanned
            .contains(&"building index orders_total_idx".to_owned()),
        "{:?}",
        rewrite.scanned
    );
    let lock = rewrite.strongest_lock().unwrap();
    assert_eq!(
        (lock.relation.as_str(), lock.mode),
        ("public.orders", LockMode::AccessExclusive)
    );
    assert!(
        rewrite.in_transaction && rewrite.locks_held.0 > sleep.duration.0,
        "{rewrite:#?}"
    );
    // 200 000 rows of 100 bytes and more are logged anew.
    assert!(rewrite.wal.0 > 20_000_000, "{:?}", rewrite.wal);
    // The sleep holds nothing itself: what waits during it waits for the ALTER TABLE.
    let queries: Vec<usize> = rewrite
        .blocked
        .iter()
        .map(|blocked| blocked.probe)
        .collect();
    assert!(
        queries.contains(&0) && queries.contains(&2) && !queries.contains(&1),
        "{rewrite:#?}"
    );
    // Who came when is chance; from the lock to its release is not.
    assert!(
        rewrite.longest_possible_wait().0 >= 400.0 && rewrite.longest_block().0 >= 200.0,
        "{rewrite:#?}"
    );
    assert!(
        rewrite.longest_possible_wait().0 >= rewrite.longest_block().0
            && sleep.worst_wait.is_none(),
        "{rewrite:#?}"
    );
    assert_eq!(sleep.blocked, []);
    // The sleep is what kept them waiting: it is told which lock it slept under, and whom it kept.
    assert_eq!(
        sleep
            .inherited
            .iter()
            .map(|inherited| inherited.taken_at)
            .collect::<Vec<_>>(),
        [1]
    );
    assert!(
        sleep
            .kept_waiting
            .iter()
            .any(|kept| kept.probe == 0 && kept.longest.0 >= 200.0),
        "{sleep:#?}"
    );
    assert_eq!(rewrite.inherited, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_build_stops_writers_and_concurrently_does_not() {
    let database = shop().await;
    let build = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX one ON orders (note, total, customer_id);\n\
                 CREATE INDEX CONCURRENTLY two ON orders (note, total, customer_id);";
    let observed = run(&database, Layout::Goose, build, &probes()).await;
    let [plain, concurrent] = observed.statements.as_slice() else {
        panic!("{:#?}", observed.statements)
    };
    assert_eq!(
        plain.strongest_lock().map(|lock| lock.mode),
        Some(LockMode::Share)
    );
    assert_eq!(
        plain
            .blocked
            .iter()
            .map(|blocked| blocked.probe)
            .collect::<Vec<_>>(),
        [2],
        "{plain:#?}"
    );
    assert_eq!(plain.scanned, ["building index one"]);
    assert!(
        plain.size_change > 1_000_000 && plain.wal.0 > 1_000_000,
        "{plain:#?}"
    );
    assert_eq!(
        concurrent.strongest_lock().map(|lock| lock.mode),
        Some(LockMode::ShareUpdateExclusive),
        "{concurrent:#?}"
    );
    assert_eq!(concurrent.blocked, []);
    // What came at the worst moment: a write behind the one, nobody behind the other.
    assert!(
        plain.longest_possible_wait().0 >= plain.duration.0 / 2.0
            && concurrent.worst_wait.is_none(),
        "{plain:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lock_is_met_on_the_table_itself_and_where_a_foreign_key_leads() {
    let database = shop().await;
    database.execute("ALTER TABLE orders ADD CONSTRAINT of FOREIGN KEY (customer_id) REFERENCES customers (id)").await;
    // Four hundred queries of other tables do not delay those that matter.
    let mut probes = probes();
    probes.extend((0..400).map(|n| Probe {
        name: format!("Other{n}"),
        sql: "SELECT 1".to_owned(),
        plan_only: false,
    }));
    let sql = "ALTER TABLE orders DROP CONSTRAINT of;\nSELECT pg_sleep(1.0);";
    let observed = run(&database, Layout::Sqlx, sql, &probes).await;
    let mut met: Vec<usize> = observed.statements[0]
        .blocked
        .iter()
        .map(|blocked| blocked.probe)
        .collect();
    met.sort_unstable();
    assert_eq!(met, [0, 1, 2], "{:#?}", observed.statements);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_reads_the_table_and_an_update_says_its_rows() {
    let database = shop().await;
    let sql = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);\n\
               ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);\nUPDATE orders SET note = 'y' WHERE id <= 500;";
    let observed = run(&database, Layout::Sqlx, sql, &[]).await;
    let [check, foreign, update] = observed.statements.as_slice() else {
        panic!("{:#?}", observed.statements)
    };
    assert_eq!(check.scanned, ["table orders"]);
    assert_eq!(foreign.scanned, ["foreign key orders_customer_id_fkey"]);
    let locks: Vec<(&str, LockMode)> = foreign
        .locks
        .iter()
        .map(|lock| (lock.relation.as_str(), lock.mode))
        .collect();
    assert_eq!(locks, [("public.customers", LockMode::ShareRowExclusive)]);
    assert_eq!((check.rows, update.rows), (None, Some(500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_long_reader_everybody_waits_unless_lock_timeout_is_set() {
    let database = shop().await;
    let interrupt = Interrupt::new();
    let sql = "SET LOCAL lock_timeout = '5s';\nALTER TABLE orders ADD COLUMN gift boolean;\n\
               ALTER TABLE orders ADD COLUMN card text;\nCREATE TABLE notes (id int PRIMARY KEY);\n\
               ALTER TABLE customers ADD COLUMN vat text;\nALTER TABLE notes ADD COLUMN line text;";
    let migrations = migrations(Layout::Sqlx, sql);
    let (quiet, one, other) = (
        twin(&database).await,
        twin(&database).await,
        twin(&database).await,
    );
    let mut statements = inspect(quiet.url(), &migrations, &interrupt).await.unwrap();
    assert_eq!(
        Lanes::wanted(&statements),
        1,
        "what follows waits under the first lock"
    );
    let urls = [one.url().clone(), other.url().clone()];
    let progress = Progress::default();
    let lanes = Lanes {
        urls: &urls,
        progress: &progress,
        interrupt: &interrupt,
    };
    rehearse(&lanes, &migrations, &probes(), &mut statements)
        .await
        .unwrap();
    let rehearsed: Vec<u32> = statements
        .iter()
        .filter(|statement| statement.pile_up.is_some())
        .map(|statement| statement.place.line)
        .collect();
    assert_eq!(rehearsed, [2]);
    let pile_up = statements[1].pile_up.as_ref().unwrap();
    let waited_for = pile_up.waited_for.as_ref().unwrap();
    assert_eq!(
        (waited_for.relation.as_str(), waited_for.mode),
        ("public.orders", LockMode::AccessExclusive)
    );
    // Queries that the reader itself would not have stopped.
    let longest = pile_up
        .blocked
        .first()
        .map_or(0.0, |blocked| blocked.longest.0);
    assert!(longest > pile_up.reader.0 / 2.0, "{pile_up:#?}");
    let retries = pile_up.with_timeout.as_ref().unwrap();
    assert!(
        retries.through && retries.tries > 1 && retries.longest.0 < longest,
        "{pile_up:#?}"
    );
    let columns = async |database: &TestDatabase| -> i64 {
        const GIFTS: &str = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'gift'";
        let session = database.session().await;
        session.client().query_one(GIFTS, &[]).await.unwrap().get(0)
    };
    assert_eq!(
        (columns(&quiet).await, columns(&one).await),
        (1, 0),
        "a rehearsal changes nothing, and it stops before what it rehearses"
    );
}

/// Sixteen statements of a moment, a setting and a comment: what is between them is pgproof's, not theirs.
#[tokio::test(flavor = "multi_thread")]
async fn what_pgproof_does_itself_is_no_statements_time() {
    let database = shop().await;
    let mut sql =
        "SET LOCAL lock_timeout = '2s';\nCOMMENT ON TABLE customers IS 'who buys';\n".to_owned();
    sql.extend((0..16).map(|n| format!("ALTER TABLE orders ADD COLUMN extra{n} int;\n")));
    let observed = run(&database, Layout::Sqlx, &sql, &probes()).await;
    let [setting, comment, first, ..] = observed.statements.as_slice() else {
        panic!("{:#?}", observed.statements)
    };
    for quiet in [setting, comment] {
        assert_eq!(
            (&quiet.blocked, &quiet.worst_wait),
            (&Vec::new(), &None),
            "{quiet:#?}"
        );
    }
    // Each query that waited is blamed on the first that took its table, and only there.
    let (first_lock, later) = (first.strongest_lock().unwrap(), &observed.statements[3..]);
    assert_eq!(first_lock.mode, LockMode::AccessExclusive);
    assert!(later.iter().all(|statement| statement.blocked.is_empty()));
    // Their own time, and the COMMIT's: no look at locks, sizes and WAL is in it.
    let own: f64 = observed.statements[2..].iter().map(|s| s.duration.0).sum();
    let quiet = inspect(
        twin(&shop().await).await.url(),
        &migrations(Layout::Sqlx, &sql),
        &Interrupt::new(),
    )
    .await
    .unwrap();
    let alone: f64 = quiet[2..]
        .iter()
        .map(|statement| statement.duration.0)
        .sum();
    assert!(
        (quiet[2].locks_held.0 - alone).abs() < 1e-6,
        "{own} {alone}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_the_file_made_hold_nobody_and_wal_is_the_statements_own() {
    let database = shop().await;
    database
        .execute("ALTER TABLE orders ADD COLUMN code varchar(40); CREATE INDEX ON orders (code)")
        .await;
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, order_id int REFERENCES orders);\n\
               CREATE INDEX notes_order ON notes (order_id);\nALTER TABLE notes ADD COLUMN line text;\n\
               ALTER TABLE orders ALTER COLUMN code TYPE varchar(80);";
    let observed = run(&database, Layout::Sqlx, sql, &probes()).await;
    let [made, index, column, wider] = observed.statements.as_slice() else {
        panic!("{:#?}", observed.statements)
    };
    let locked: Vec<&str> = made
        .locks
        .iter()
        .map(|lock| lock.relation.as_str())
        .collect();
    assert!(
        locked.contains(&"public.orders") && made.scanned.is_empty(),
        "{made:#?}"
    );
    assert!(
        index.locks.is_empty() && index.scanned.is_empty(),
        "{index:#?}"
    );
    assert!(
        column.locks.is_empty() && column.rewritten.is_empty(),
        "{column:#?}"
    );
    // The index of the column keeps its file.
    assert!(
        wider.wal.0 < 200_000 && wider.rewritten.is_empty(),
        "{wider:#?}"
    );
    assert!(wider.scanned.is_empty(), "{wider:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_rebuilt_is_closed_to_readers_though_its_table_is_not() {
    let database = shop().await;
    let sql = "REINDEX INDEX orders_total_idx;\nSELECT pg_sleep(0.3);";
    let observed = run(&database, Layout::Sqlx, sql, &probes()).await;
    let rebuilt = &observed.statements[0];
    let locks: Vec<(&str, LockMode)> = rebuilt
        .locks
        .iter()
        .map(|lock| (lock.relation.as_str(), lock.mode))
        .collect();
    assert_eq!(
        locks,
        [
            ("public.orders", LockMode::Share),
            ("public.orders_total_idx", LockMode::AccessExclusive)
        ]
    );
    // A planner opens every index of its tables: the query by another key waits, too.
    assert!(
        rebuilt.blocked.iter().any(|blocked| blocked.probe == 0),
        "{rebuilt:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scripts_own_transactions_are_kept() {
    let database = shop().await;
    let sql = "-- +goose NO TRANSACTION\n-- +goose Up\nBEGIN;\nLOCK TABLE customers IN SHARE MODE;\n\
               CREATE TEMP TABLE keep ON COMMIT DROP AS SELECT 1 AS n;\nSAVEPOINT a;\nROLLBACK TO SAVEPOINT a;\nCOMMIT;\n\
               DO $$ BEGIN UPDATE orders SET note = '' WHERE id = 1; COMMIT; END $$;";
    let observed = run(&database, Layout::Goose, sql, &probes()).await;
    let held: Vec<usize> = observed
        .statements
        .iter()
        .map(|s| s.inherited.len())
        .collect();
    assert_eq!(held, [0, 0, 1, 1, 1, 1, 0], "{:#?}", observed.statements);
    assert!(observed.statements[1].in_transaction && !observed.statements[6].in_transaction);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_breaks_on_the_way_is_told_with_the_statement() {
    let database = shop().await;
    let sql = "CREATE INDEX ON customers (email);\nALTER TABLE orders DROP COLUMN note;\nSELECT pg_sleep(0.5);";
    let probes = [Probe {
        name: "Notes".to_owned(),
        sql: "SELECT note FROM orders LIMIT 1".to_owned(),
        plan_only: false,
    }];
    let mut file = run(&database, Layout::GolangMigrate, "SELECT 1;", &probes).await;
    assert_eq!(file.broken, []);
    file = run(
        &database,
        Layout::Goose,
        &format!("-- +goose NO TRANSACTION\n-- +goose Up\n{sql}"),
        &probes,
    )
    .await;
    let [(statement, broken)] = file.broken.as_slice() else {
        panic!("{:#?}", file.broken)
    };
    assert!(
        statement.is_some_and(|statement| statement >= 1),
        "{:#?}",
        file.broken
    );
    assert!(
        broken.message.contains("column \"note\" does not exist"),
        "{broken:?}"
    );
}

/// A file that changes rows and asks for their table then: the server ends the query that waits for the rows, or the file, by whose
/// wait began later. Neither costs what is measured, nor is the query told to fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_with_the_traffic_is_told_and_costs_nothing_else() {
    let database = shop().await;
    let touch = [Probe {
        name: "TouchOrder".to_owned(),
        sql: "UPDATE orders SET total = total WHERE id = 7".to_owned(),
        plan_only: false,
    }];
    for pause in ["0.3", "1.4"] {
        let sql = format!(
            "UPDATE orders SET total = total + 1 WHERE id <= 50;\nSELECT pg_sleep({pause});\n\
             ALTER TABLE orders ADD COLUMN gift boolean;"
        );
        let migrations = migrations(Layout::Sqlx, &sql);
        let mut met = false;
        // On a busy machine the query may take long enough to be only planned, which holds no row: then there is no deadlock.
        for _ in 0..8 {
            let (quiet, beside) = (twin(&database).await, twin(&database).await);
            let interrupt = Interrupt::new();
            let mut statements = inspect(quiet.url(), &migrations, &interrupt).await.unwrap();
            let broken = measure(
                beside.url(),
                &migrations,
                &touch,
                &mut statements,
                &interrupt,
            )
            .await
            .unwrap_or_else(|error| panic!("{pause}: {error}"));
            assert!(broken.is_empty(), "{pause}: {broken:?}");
            assert!(!statements[0].deadlocked && !statements[1].deadlocked);
            met = statements[2].deadlocked;
            if met {
                break;
            }
        }
        assert!(met, "{pause}");
    }
}

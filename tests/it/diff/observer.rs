//! What a migration does while it runs, as seen on a real server.

use std::path::Path;

use pgproof::db::migration_observer::{Observed, Rehearsal, observe};
use pgproof::db::traffic::Probe;
use pgproof::diff::locks::LockMode;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{Layout, Tree, history};
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

async fn run(
    database: &TestDatabase,
    layout: Layout,
    sql: &str,
    probes: &[Probe],
    rehearsal: Rehearsal,
) -> Observed {
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
    observe(
        database.url(),
        &found.migrations,
        probes,
        rehearsal,
        &Interrupt::new(),
    )
    .await
    .unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrite_blocks_readers_and_is_blamed_for_the_whole_transaction() {
    let database = shop().await;
    let sql = "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\nSELECT pg_sleep(0.4);";
    let observed = run(&database, Layout::Sqlx, sql, &probes(), Rehearsal::Plain).await;
    let [rewrite, sleep] = observed.statements.as_slice() else {
        panic!("{observed:#?}")
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
    let observed = run(&database, Layout::Goose, build, &probes(), Rehearsal::Plain).await;
    let [plain, concurrent] = observed.statements.as_slice() else {
        panic!("{observed:#?}")
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
    let observed = run(&database, Layout::Sqlx, sql, &probes, Rehearsal::Plain).await;
    let mut met: Vec<usize> = observed.statements[0]
        .blocked
        .iter()
        .map(|blocked| blocked.probe)
        .collect();
    met.sort_unstable();
    assert_eq!(met, [0, 1, 2], "{observed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_reads_the_table_and_an_update_says_its_rows() {
    let database = shop().await;
    let sql = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);\n\
               ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);\nUPDATE orders SET note = 'y' WHERE id <= 500;";
    let observed = run(&database, Layout::Sqlx, sql, &[], Rehearsal::Plain).await;
    let [check, foreign, update] = observed.statements.as_slice() else {
        panic!("{observed:#?}")
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
    let sql = "ALTER TABLE orders ADD COLUMN gift boolean;";
    let observed = run(
        &database,
        Layout::Sqlx,
        sql,
        &probes(),
        Rehearsal::WithReader,
    )
    .await;
    let [add] = observed.statements.as_slice() else {
        panic!("{observed:#?}")
    };
    let pile_up = add.pile_up.as_ref().expect("it had to wait");
    let waited_for = pile_up.waited_for.as_ref().unwrap();
    assert_eq!(
        (waited_for.relation.as_str(), waited_for.mode),
        ("public.orders", LockMode::AccessExclusive)
    );
    // Queries that the reader itself would not have stopped. Which of them came by, and was seen, is chance on a busy machine.
    let near = pile_up.blocked.iter().find(|blocked| blocked.probe != 1);
    let longest = near.map_or(0.0, |blocked| blocked.longest.0);
    assert!(longest > 700.0, "{pile_up:#?}");
    let retries = pile_up.with_timeout.as_ref().unwrap();
    assert!(
        retries.through && retries.tries > 1 && retries.longest.0 < longest / 2.0,
        "{pile_up:#?}"
    );
    let session = database.session().await;
    let columns: i64 = session
        .client()
        .query_one("SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'gift'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        columns, 1,
        "the rehearsals changed nothing and the statement itself ran once"
    );
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
    let mut file = run(
        &database,
        Layout::GolangMigrate,
        "SELECT 1;",
        &probes,
        Rehearsal::Plain,
    )
    .await;
    assert_eq!(file.broken, []);
    file = run(
        &database,
        Layout::Goose,
        &format!("-- +goose NO TRANSACTION\n-- +goose Up\n{sql}"),
        &probes,
        Rehearsal::Plain,
    )
    .await;
    let [(statement, broken)] = file.broken.as_slice() else {
        panic!("{file:#?}")
    };
    assert!(
        statement.is_some_and(|statement| statement >= 1),
        "{file:#?}"
    );
    assert!(
        broken.message.contains("column \"note\" does not exist"),
        "{broken:?}"
    );
}

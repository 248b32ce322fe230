//! `pgproof seed --database-url`: filling databases that pgproof did not make.

use std::collections::BTreeMap;

use pgproof::db::connect::Session;
use pgproof::db::given::{self, Existing, GivenError};
use pgproof::interrupt::Interrupt;
use pgproof::progress::{Event, Progress};
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};

const SHOP: &str = "
    CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
    INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France'), ('PL', 'Poland');
    CREATE TABLE customers (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email text NOT NULL UNIQUE,
        country char(2) NOT NULL REFERENCES countries
    );
    CREATE TABLE orders (
        id serial PRIMARY KEY,
        customer_id bigint NOT NULL REFERENCES customers,
        at timestamptz NOT NULL
    ) ;
    CREATE INDEX orders_customer_id_idx ON orders (customer_id);
    COMMENT ON INDEX orders_customer_id_idx IS 'stays';
    CREATE TABLE log (n bigint);
    CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER counted AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION count_up();
";
const SPEC: &str =
    "[tables.customers]\nrows = 300\n[tables.orders]\nrows = 2000\n[tables.log]\nrows = 0\n";

async fn plan(database: &TestDatabase, existing: Existing) -> Result<given::Intent, GivenError> {
    let specs = [Source::new("seeds/shop.toml", SPEC)];
    given::plan(
        database.url(),
        &specs,
        &Options::default(),
        existing,
        &Interrupt::new(),
    )
    .await
}

async fn fill(database: &TestDatabase, existing: Existing) -> Result<given::Intent, GivenError> {
    let intent = plan(database, existing).await?;
    given::fill(
        database.url(),
        &intent,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await?;
    Ok(intent)
}

async fn number(session: &Session, sql: &str) -> i64 {
    session
        .client()
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{error:?} in {sql}"))
        .get(0)
}

async fn counts(session: &Session) -> BTreeMap<&'static str, i64> {
    let mut counts = BTreeMap::new();
    for table in ["countries", "customers", "orders", "log"] {
        counts.insert(
            table,
            number(session, &format!("SELECT count(*) FROM {table}")).await,
        );
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_filled_within_its_objects() {
    for cluster in support::every_cluster() {
        let database = TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(SHOP).await;
        let intent = fill(&database, Existing::Refuse)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let names = |tables: &[pgproof::schema::QualifiedName]| {
            tables.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&intent.kept), ["countries"]);
        assert_eq!(intent.notes, ["orders: trigger counted fires for its rows"]);
        let session = database.session().await;
        let expected = BTreeMap::from([
            ("countries", 3),
            ("customers", 300),
            ("log", 2000),
            ("orders", 2000),
        ]);
        assert_eq!(counts(&session).await, expected);
        assert_eq!(
            number(&session, "SELECT nextval('orders_id_seq')").await,
            2001
        );
        assert_eq!(
            number(
                &session,
                "SELECT nextval(pg_get_serial_sequence('customers', 'id'))"
            )
            .await,
            301
        );
        assert_eq!(
            number(
                &session,
                "SELECT count(*) FROM pg_description WHERE description = 'stays'"
            )
            .await,
            1
        );
        let analyzed = "SELECT count(*) FROM pg_class WHERE relname IN ('customers', 'orders') \
                        AND reltuples > 0";
        assert_eq!(number(&session, analyzed).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_there_are_refused_added_to_or_replaced() {
    let database = support::database().await;
    database.execute(SHOP).await;
    fill(&database, Existing::Refuse).await.unwrap();
    let session = database.session().await;
    let before = counts(&session).await;
    let refused = plan(&database, Existing::Refuse).await.unwrap_err();
    assert!(refused.is_configuration());
    let name = database.url().database();
    let expected = format!(
        "database \"{name}\" holds rows in customers, orders; --append adds to them, --replace empties these tables \
         and those that reference them"
    );
    assert_eq!(refused.to_string(), expected);
    assert_eq!(counts(&session).await, before);

    fill(&database, Existing::Append).await.unwrap();
    let expected = BTreeMap::from([
        ("countries", 3),
        ("customers", 600),
        ("log", 4000),
        ("orders", 4000),
    ]);
    assert_eq!(counts(&session).await, expected);
    assert_eq!(
        number(&session, "SELECT nextval('orders_id_seq')").await,
        4001
    );

    let intent = fill(&database, Existing::Replace).await.unwrap();
    assert_eq!(intent.emptied.len(), 3);
    let expected = BTreeMap::from([
        ("countries", 3),
        ("customers", 300),
        ("log", 2000),
        ("orders", 2000),
    ]);
    assert_eq!(counts(&session).await, expected);

    // A table of which no rows are wanted keeps those that it holds, and is in nobody's way.
    database.execute("TRUNCATE customers, orders").await;
    fill(&database, Existing::Refuse).await.unwrap();
    let expected = BTreeMap::from([
        ("countries", 3),
        ("customers", 300),
        ("log", 4000),
        ("orders", 2000),
    ]);
    assert_eq!(counts(&session).await, expected);
}

/// Keys without a sequence, and texts that must differ: added rows are others, however often rows are added.
#[tokio::test(flavor = "multi_thread")]
async fn added_rows_have_keys_of_their_own() {
    let database = support::database().await;
    let schema = "
        CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE, code numeric(8,0) NOT NULL UNIQUE);
        CREATE TABLE notes (person_id int NOT NULL REFERENCES people, number smallint, PRIMARY KEY (person_id, number));
    ";
    database.execute(schema).await;
    let spec = "[tables.people]\nrows = 4000\n[tables.notes]\nrows = 4000\n";
    let specs = [Source::new("seeds/people.toml", spec)];
    let options = Options::default();
    for existing in [
        Existing::Refuse,
        Existing::Append,
        Existing::Append,
        Existing::Append,
    ] {
        let intent = given::plan(
            database.url(),
            &specs,
            &options,
            existing,
            &Interrupt::new(),
        )
        .await
        .unwrap();
        given::fill(
            database.url(),
            &intent,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .unwrap();
    }
    let session = database.session().await;
    assert_eq!(
        number(&session, "SELECT count(*) FROM people").await,
        16_000
    );
    // By the numbers within them no two addresses can ever meet.
    let numbers = "SELECT count(DISTINCT substring(email FROM '[0-9]+@')) FROM people";
    assert_eq!(number(&session, numbers).await, 16_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_or_an_interrupt_leaves_the_database_as_it_was() {
    let database = support::database().await;
    database.execute(SHOP).await;
    let session = database.session().await;
    let before = counts(&session).await;

    // A rule that no plan can know, met by the last rows.
    let trap = "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN IF NEW.id > 1900 THEN RAISE 'order % is one too many', NEW.id; END IF; RETURN NEW; END $$; \
                CREATE TRIGGER trap BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION trap()";
    session.client().batch_execute(trap).await.unwrap();
    let error = fill(&database, Existing::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot fill table orders: order 1901 is one too many"),
        "{error}"
    );
    assert!(error.ends_with("nothing was changed"), "{error}");
    assert_eq!(counts(&session).await, before);
    session
        .client()
        .batch_execute("DROP TRIGGER trap ON orders")
        .await
        .unwrap();

    let interrupt = Interrupt::new();
    let intent = plan(&database, Existing::Refuse).await.unwrap();
    let stop = interrupt.clone();
    let progress = Progress::to(move |event| {
        if matches!(event, Event::Advanced { .. }) {
            stop.set();
        }
    });
    let error = given::fill(database.url(), &intent, &progress, &interrupt)
        .await
        .unwrap_err();
    assert!(matches!(error, GivenError::Interrupted(_)), "{error}");
    assert_eq!(counts(&session).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_leaves_the_database_as_it_was() {
    let database = support::database().await;
    database.execute(SHOP).await;
    let session = database.session().await;
    let before = counts(&session).await;
    let killing = "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS \
                   $$ BEGIN IF NEW.id = 1000 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$; \
                   CREATE TRIGGER cut BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION cut()";
    session.client().batch_execute(killing).await.unwrap();
    let error = fill(&database, Existing::Refuse).await.unwrap_err();
    assert!(!error.is_configuration(), "{error}");
    assert_eq!(counts(&session).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_point_to_later_tables_come_in_a_second_pass() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE departments (id int PRIMARY KEY, head int);
             CREATE TABLE people (id int PRIMARY KEY, department_id int NOT NULL REFERENCES departments, mentor int REFERENCES people);
             ALTER TABLE departments ADD FOREIGN KEY (head) REFERENCES people;
             CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL);
             CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a);
             ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b DEFERRABLE",
        )
        .await;
    let intent = given::plan(
        database.url(),
        &[],
        &Options::default(),
        Existing::Refuse,
        &Interrupt::new(),
    )
    .await;
    let intent = intent.unwrap_or_else(|error| panic!("{error}"));
    given::fill(
        database.url(),
        &intent,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    let session = database.session().await;
    for table in ["departments", "people", "a", "b"] {
        assert_eq!(
            number(&session, &format!("SELECT count(*) FROM {table}")).await,
            1000,
            "{table}"
        );
    }
    assert!(number(&session, "SELECT count(head) FROM departments").await > 100);

    let stuck = support::database().await;
    stuck
        .execute(
            "CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL);
             CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL CONSTRAINT b_to_a REFERENCES a);
             ALTER TABLE a ADD CONSTRAINT a_to_b FOREIGN KEY (b_id) REFERENCES b",
        )
        .await;
    let error = given::plan(
        stuck.url(),
        &[],
        &Options::default(),
        Existing::Refuse,
        &Interrupt::new(),
    )
    .await
    .unwrap_err();
    assert!(matches!(error, GivenError::Cycle { .. }), "{error}");
}

/// Codes of a pattern, fractions, days and moments: added rows are others here too, and what has no room is told before.
#[tokio::test(flavor = "multi_thread")]
async fn added_rows_have_codes_fractions_and_days_of_their_own() {
    let database = support::database().await;
    database
        .execute(
            r"
            CREATE TABLE things (
                code text PRIMARY KEY CHECK (code ~ '^[A-Z]{2}[0-9]{2}$'), weight numeric(12,3) NOT NULL UNIQUE,
                length double precision NOT NULL UNIQUE, day date NOT NULL UNIQUE, made_at timestamptz NOT NULL UNIQUE
            );
            CREATE TABLE days (day date PRIMARY KEY CHECK (day BETWEEN '2024-01-01' AND '2024-12-31'));
            CREATE TABLE pairs (a smallint CHECK (a BETWEEN 1 AND 10), b smallint CHECK (b BETWEEN 1 AND 10), PRIMARY KEY (a, b));
            ",
        )
        .await;
    let fill = async |spec: &str, existing| {
        let specs = [Source::new("seeds/things.toml", spec.to_owned())];
        let intent = given::plan(
            database.url(),
            &specs,
            &Options::default(),
            existing,
            &Interrupt::new(),
        )
        .await?;
        given::fill(
            database.url(),
            &intent,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
    };
    // A third of all codes each time: by chance most of the second time's would be there.
    let things =
        "[tables.things]\nrows = 20000\n[tables.days]\nrows = 0\n[tables.pairs]\nrows = 0\n";
    for existing in [Existing::Refuse, Existing::Append, Existing::Append] {
        fill(things, existing)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let session = database.session().await;
    assert_eq!(
        number(&session, "SELECT count(*) FROM things").await,
        60_000
    );
    let refused = fill(things, Existing::Append).await.unwrap_err();
    assert!(
        refused.is_configuration() && refused.to_string().contains("(code)"),
        "{refused}"
    );
    let days = "[tables.days]\nrows = 300\n[tables.pairs]\nrows = 0\n";
    for (spec, expected) in [(days, "(day)"), ("[tables.pairs]\nrows = 80\n", "(a, b)")] {
        fill(spec, Existing::Refuse)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let refused = fill(spec, Existing::Append).await.unwrap_err();
        assert!(
            refused.is_configuration() && refused.to_string().contains(expected),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_triggers_write_to_is_named_with_what_to_do() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE crates (id int PRIMARY KEY, name text);
             CREATE TABLE downloads (crate_id int PRIMARY KEY REFERENCES crates, count int NOT NULL);
             CREATE FUNCTION start() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO downloads VALUES (NEW.id, 0); RETURN NEW; END $$;
             CREATE TRIGGER start AFTER INSERT ON crates FOR EACH ROW EXECUTE FUNCTION start();",
        )
        .await;
    let try_fill = async |spec: &str| -> Result<(), GivenError> {
        let (specs, options) = ([Source::new("seeds/s.toml", spec)], Options::default());
        let intent = given::plan(
            database.url(),
            &specs,
            &options,
            Existing::Refuse,
            &Interrupt::new(),
        )
        .await?;
        given::fill(
            database.url(),
            &intent,
            &Progress::default(),
            &Interrupt::new(),
        )
        .await
        .map(|_| ())
    };
    let refused = try_fill("").await.unwrap_err().to_string();
    let remedy =
        "leave the table to them, `rows = 0` under [tables.downloads]; nothing was changed";
    assert!(
        refused.starts_with("cannot fill table downloads: duplicate key")
            && refused.ends_with(remedy),
        "{refused}"
    );
    try_fill("[tables.downloads]\nrows = 0\n")
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let session = database.session().await;
    assert_eq!(
        number(
            &session,
            "SELECT count(*) FROM downloads JOIN crates ON id = crate_id"
        )
        .await,
        1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_refuses_rows_is_named_and_put_aside_only_when_told() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE guests (id int PRIMARY KEY, banned boolean NOT NULL);
             CREATE TABLE keys (id int PRIMARY KEY, guest_id int NOT NULL REFERENCES guests);
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no keys for anybody'; END $$;
             CREATE TRIGGER no_keys BEFORE INSERT ON keys FOR EACH ROW EXECUTE FUNCTION refuse();
             CREATE TRIGGER asleep BEFORE INSERT ON keys FOR EACH ROW EXECUTE FUNCTION refuse();
             ALTER TABLE keys DISABLE TRIGGER asleep;
             ALTER TABLE keys ENABLE ALWAYS TRIGGER no_keys;",
        )
        .await;
    let plan = || async {
        given::plan(
            database.url(),
            &[],
            &Options::default(),
            Existing::Refuse,
            &Interrupt::new(),
        )
        .await
        .unwrap()
    };
    let filled = |intent: given::Intent| {
        let url = database.url().clone();
        async move { given::fill(&url, &intent, &Progress::default(), &Interrupt::new()).await }
    };
    let refused = filled(plan().await).await.unwrap_err().to_string();
    for part in [
        "no keys for anybody",
        "trigger no_keys",
        "--disable-triggers",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    let mut intent = plan().await;
    intent.put_triggers_aside();
    assert!(
        intent
            .notes
            .iter()
            .any(|note| note.contains("does not fire")),
        "{:?}",
        intent.notes
    );
    filled(intent).await.unwrap();
    let session = database.session().await;
    assert_eq!(number(&session, "SELECT count(*) FROM keys").await, 1000);
    // They are as they were.
    let states = "SELECT count(*) FROM pg_trigger WHERE (tgname, tgenabled) IN (('no_keys', 'A'), ('asleep', 'D'))";
    assert_eq!(number(&session, states).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_keys_that_may_be_null_is_filled_in_two_passes() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE coins (id serial PRIMARY KEY, minted_by int);
             CREATE TABLE mints (id serial PRIMARY KEY, opened_by int, coin int NOT NULL REFERENCES coins);
             CREATE TABLE smiths (id serial PRIMARY KEY, mint int NOT NULL REFERENCES mints);
             ALTER TABLE mints ADD FOREIGN KEY (opened_by) REFERENCES smiths;
             ALTER TABLE coins ADD FOREIGN KEY (minted_by) REFERENCES smiths;",
        )
        .await;
    let intent = given::plan(
        database.url(),
        &[],
        &Options::default(),
        Existing::Refuse,
        &Interrupt::new(),
    )
    .await
    .unwrap();
    given::fill(
        database.url(),
        &intent,
        &Progress::default(),
        &Interrupt::new(),
    )
    .await
    .unwrap();
    let session = database.session().await;
    for (table, column) in [
        ("coins", "minted_by"),
        ("mints", "opened_by"),
        ("smiths", "mint"),
    ] {
        let sql = format!("SELECT count({column}) FROM {table}");
        assert!(number(&session, &sql).await > 900, "{table}.{column}");
    }
}

/// What a load made is compared with what was planned: a trigger that refuses rows is noted.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_trigger_refuses_are_noted() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE readings (id int PRIMARY KEY, kind text NOT NULL);
             CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; NEW.kind := 'z'; RETURN NEW; END $$;
             CREATE TRIGGER odd BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION odd();",
        )
        .await;
    let spec = "[tables.readings]\nrows = 1000\n[tables.readings.columns]\nkind = { values = { a = 0.5, z = 0.5 } }\n";
    let specs = [Source::new("seeds/a.toml", spec)];
    let (options, interrupt) = (Options::default(), Interrupt::new());
    let intent = given::plan(
        database.url(),
        &specs,
        &options,
        Existing::Refuse,
        &interrupt,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    let report = given::fill(database.url(), &intent, &Progress::default(), &interrupt)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let why = "a constraint, a key or another wish of the spec stands against it";
    let expected = [
        "readings holds 500 rows, and 1000 were planned".to_owned(),
        format!(
            "readings: kind is \"a\" in 0 % of the rows that have one, and the spec says 50 %: {why}"
        ),
        format!(
            "readings: kind is \"z\" in 100 % of the rows that have one, and the spec says 50 %: {why}"
        ),
    ];
    assert_eq!(report.notes, expected);
}

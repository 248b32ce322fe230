//! Profiles of real servers: no value leaves, what cannot be read is said, the file is read back as it was written, and the rows
//! that are made of one have its statistics.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use pgproof::db::connect::{DatabaseUrl, Session};
use pgproof::db::profile;
use pgproof::interrupt::Interrupt;
use pgproof::profile::file;
use pgproof::profile::model::Profile;
use pgproof::profile::remap::{Key, Workload};
use pgproof::source::Source;

use crate::server::private::bare_project;
use crate::support::{self, TestDatabase};

mod audited;
mod likeness;
mod probed;
mod twin;

fn pgproof(directory: &Path, arguments: &[&str]) -> Output {
    let programs = support::binaries_of(support::MAJOR).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .env("PATH", format!("{}:{path}", programs.display()))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A database on each major whose views differ.
async fn databases() -> Vec<TestDatabase> {
    let mut found = Vec::new();
    for major in [14, 15, 18] {
        if let Some(cluster) = support::cluster_of(major) {
            found.push(TestDatabase::copy_of(&cluster, "template1").await);
        }
    }
    found
}

/// Sixteen capital letters; different numbers give different ones.
fn secret(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    (0..16)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'A' + (state >> 33) as u8 % 26)
        })
        .collect()
}

/// 500 secrets: the most common values, bounds of a histogram, elements of arrays, and combinations.
async fn plant(database: &TestDatabase) -> Vec<String> {
    let secrets: Vec<String> = (0..500).map(secret).collect();
    database
        .execute(
            "CREATE TABLE people (id bigint PRIMARY KEY, name text, mail text, tags text[], city text, street text, \
             note jsonb, born date); CREATE STATISTICS together (mcv, ndistinct, dependencies) ON city, street FROM people",
        )
        .await;
    let lists = |range: std::ops::Range<usize>| format!("ARRAY['{}']", secrets[range].join("','"));
    let (names, mails, tags, places) = (
        lists(0..80),
        lists(80..300),
        lists(300..400),
        lists(400..500),
    );
    database
        .execute(&format!(
            "INSERT INTO people SELECT n, ({names})[1 + n % 80], ({mails})[1 + n % 220] || n, \
             ARRAY[({tags})[1 + n % 100], ({tags})[1 + n * 7 % 100]], ({places})[1 + n % 50], ({places})[51 + n % 50], \
             jsonb_build_object('k', ({names})[1 + n % 80]), date '1950-01-01' + n FROM generate_series(1, 6000) n; \
             ANALYZE people"
        ))
        .await;
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_planted_secret_is_in_a_profile() {
    for database in databases().await {
        let secrets = plant(&database).await;
        let parts: BTreeSet<&str> = secrets
            .iter()
            .flat_map(|secret| (0..=secret.len() - 4).map(|at| &secret[at..at + 4]))
            .collect();
        let session = database.session().await;
        // Letters that are drawn at random make a part of some secret now and then: what is there whatever the key is leaked.
        let mut found: Option<BTreeSet<&str>> = None;
        for number in 0..4_u8 {
            let key = Key::of(&[number; 32]);
            // With samples of the rows, too; the statement says which columns are used together, and no value.
            let said = Workload::by(
                ["SELECT id FROM people WHERE name = $1 AND city = $2 AND street = $3"].into_iter(),
            );
            let minute = std::time::Duration::from_secs(60);
            let profile = profile::probed(&session, &said, &key, minute)
                .await
                .unwrap();
            let text = file::print(&profile).unwrap();
            for secret in &secrets {
                assert!(!text.contains(&secret[..8]), "{secret}: {text}");
            }
            let here: BTreeSet<&str> = parts
                .iter()
                .copied()
                .filter(|part| text.contains(part))
                .collect();
            found = Some(match found {
                None => here,
                Some(before) => before.intersection(&here).copied().collect(),
            });
            let people = &profile.tables[0];
            let column = |name: &str| people.column(name, false).unwrap();
            assert_eq!(column("name").most_common.len(), 80);
            assert!(column("mail").histogram.len() > 50);
            assert!(
                !column("tags")
                    .elements
                    .as_ref()
                    .unwrap()
                    .most_common
                    .is_empty()
            );
            assert!(!people.extended[0].most_common.is_empty());
            // Their own bins, replaced like every value.
            assert!(
                people
                    .probed
                    .joints
                    .iter()
                    .any(|joint| joint.axes[0].common.len() == 50)
            );
            assert!(column("note").most_common.is_empty());
            let lost = profile.not_read.join("\n");
            assert!(lost.contains("note") && lost.contains("json"), "{lost}");
        }
        assert_eq!(found, Some(BTreeSet::new()));
        session.close().await;
    }
}

/// The server's own order holds, joins find their rows, and the shape of the numbers stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_map_keeps_the_order_of_the_server_and_joins_of_keys() {
    for database in databases().await {
        database
            .execute(
                "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY (START 700000 INCREMENT 7) PRIMARY KEY, name text); \
                 CREATE TABLE orders (customer_id bigint REFERENCES customers, total numeric(10, 2), placed timestamptz, \
                 status text CHECK (status IN ('open', 'paid', 'lost'))); \
                 INSERT INTO customers (name) SELECT initcap(md5(n::text)) || ' ' || n FROM generate_series(1, 3000) n; \
                 INSERT INTO orders SELECT 700000 + 7 * (n * n % 3000), (n * 37 % 10000)::numeric / 100, \
                 now() - n * interval '1 hour', CASE WHEN n % 10 = 0 THEN 'open' ELSE 'paid' END FROM generate_series(1, 8000) n; \
                 ANALYZE",
            )
            .await;
        let session = database.session().await;
        let read = profile::read(&session).await.unwrap();
        let mapped = profile::remapped(
            &session,
            &Workload::default(),
            &Key::of(b"one key for this test"),
        )
        .await
        .unwrap();
        let again = profile::remapped(
            &session,
            &Workload::default(),
            &Key::of(b"one key for this test"),
        )
        .await
        .unwrap();
        assert_eq!(file::print(&mapped).unwrap(), file::print(&again).unwrap());
        let table = |profile: &Profile, name: &str| {
            profile
                .tables
                .iter()
                .find(|table| table.name == name)
                .unwrap()
                .clone()
        };
        let (customers, orders) = (table(&mapped, "customers"), table(&mapped, "orders"));
        let names = &customers.column("name", false).unwrap().histogram;
        let ordered = session
            .client()
            .query_one(
                "SELECT bool_and(before < text) FROM (SELECT text, lag(text) OVER (ORDER BY at) AS before \
                 FROM unnest($1::text[]) WITH ORDINALITY AS u(text, at)) AS t",
                &[names],
            )
            .await
            .unwrap();
        assert!(ordered.get::<_, bool>(0), "{names:?}");
        let number = |text: &String| text.parse::<i64>().unwrap();
        let keys: Vec<i64> = customers
            .column("id", false)
            .unwrap()
            .histogram
            .iter()
            .map(number)
            .collect();
        assert_eq!((keys.first(), keys.last()), (Some(&1), Some(&3000)));
        let parents: Vec<i64> = orders
            .column("customer_id", false)
            .unwrap()
            .histogram
            .iter()
            .map(number)
            .collect();
        assert!(
            parents.iter().all(|key| (1..=3000).contains(key)),
            "{parents:?}"
        );
        let status = orders.column("status", false).unwrap();
        let labels: Vec<&str> = status
            .most_common
            .iter()
            .map(|(text, _)| text.as_str())
            .collect();
        assert_eq!(labels, ["paid", "open"]);
        let totals = |profile: &Profile| -> Vec<f64> {
            let orders = table(profile, "orders");
            let total = orders.column("total", false).unwrap();
            total
                .histogram
                .iter()
                .map(|text| text.parse().unwrap())
                .collect()
        };
        let (before, after) = (totals(&read), totals(&mapped));
        assert!(after.windows(2).all(|pair| pair[0] < pair[1]), "{after:?}");
        assert_ne!(before, after);
        let ratio = after[50] / before[50];
        assert!((0.7..1.4).contains(&ratio), "{ratio}");
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_file_is_read_back_as_it_was_written() {
    for database in databases().await {
        plant(&database).await;
        let session = database.session().await;
        for profile in [
            profile::read(&session).await.unwrap(),
            profile::remapped(
                &session,
                &Workload::default(),
                &Key::of(b"a key of this test"),
            )
            .await
            .unwrap(),
        ] {
            let text = file::print(&profile).unwrap();
            let back = file::parse(&Source::new("shop.profile", text)).unwrap();
            assert_eq!(back, profile);
        }
        session.close().await;
    }
    let wrong = file::parse(&Source::new(
        "shop.profile",
        "format = 1\nserver = 15\nday = 1\n[[table]]\nname = 3\n",
    ));
    let error = wrong.unwrap_err().to_string();
    assert!(error.starts_with("shop.profile:5:"), "{error}");
    let later = file::parse(&Source::new(
        "shop.profile",
        "format = 9\nserver = 15\nday = 1\n",
    ));
    assert!(later.unwrap_err().to_string().contains("format 9"));
}

/// What a role may not read is said; the roles of the documentation suffice.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_pg_monitor_and_pg_read_all_data_suffices_and_a_lesser_one_is_told_what_it_lacks()
{
    for database in databases().await {
        plant(&database).await;
        database
            .execute(
                "CREATE TABLE hidden (id int, secret text); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; \
                 INSERT INTO hidden SELECT n, md5(n::text) FROM generate_series(1, 500) n; CREATE TABLE fresh (id int); ANALYZE hidden; \
                 DO $$ BEGIN CREATE ROLE profile_reader LOGIN PASSWORD 'known'; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
                 DO $$ BEGIN CREATE ROLE profile_nobody LOGIN PASSWORD 'known'; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
                 GRANT pg_monitor, pg_read_all_data TO profile_reader",
            )
            .await;
        let folder = tempfile::tempdir().unwrap();
        let asked = |role: &str| {
            let url = as_role(database.url(), role);
            let output = pgproof(
                folder.path(),
                &["profile", "--database-url", &url, "-o", "shop.profile"],
            );
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            let text = std::fs::read_to_string(folder.path().join("shop.profile")).unwrap();
            file::parse(&Source::new("shop.profile", text)).unwrap()
        };
        let reader = asked("profile_reader");
        let lost = reader.not_read.join("\n");
        assert!(
            lost.contains("hidden (id, secret): row security hides"),
            "{lost}"
        );
        assert!(lost.contains("fresh: never analysed"), "{lost}");
        assert!(
            reader
                .tables
                .iter()
                .any(|table| table.name == "people" && table.columns.len() == 8)
        );
        let nobody = asked("profile_nobody");
        let lost = nobody.not_read.join("\n");
        assert!(
            lost.contains("people") && lost.contains("GRANT pg_read_all_data"),
            "{lost}"
        );
    }
}

/// The URL with another user in it.
fn as_role(url: &DatabaseUrl, role: &str) -> String {
    let shown = url.reveal();
    let (scheme, rest) = shown.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap_or(("", rest));
    format!("{scheme}://{role}:known@{place}")
}

/// What pg_dump 18 writes of a 14 gives the same file as the 14 itself, but for what a dump does not hold.
#[tokio::test(flavor = "multi_thread")]
async fn statistics_that_pg_dump_wrote_give_the_same_profile() {
    const SCHEMA: &str = "CREATE TABLE customers (id bigint PRIMARY KEY, name text, tags text[]); \
         CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers, note text, placed date); \
         CREATE INDEX orders_customer ON orders (customer_id);";
    let (Some(old), Some(programs)) = (support::cluster_of(14), support::binaries_of(18)) else {
        return;
    };
    let database = TestDatabase::copy_of(&old, "template1").await;
    database.execute(SCHEMA).await;
    database
        .execute(
            "INSERT INTO customers SELECT n, 'it''s \\ \"' || n % 60, ARRAY['a,b', 'c' || n % 5] FROM generate_series(1, 3000) n; \
             INSERT INTO orders SELECT n, 1 + n % 3000, md5(n::text), date '2026-01-01' + n % 300 FROM generate_series(1, 5000) n; \
             ANALYZE",
        )
        .await;
    let folder = bare_project();
    let dumped = Command::new(programs.join("pg_dump"))
        .args(["--statistics-only", "-f"])
        .arg(folder.path().join("stats.sql"))
        .arg(database.url().reveal())
        .output()
        .unwrap();
    assert!(dumped.status.success(), "{}", said(&dumped));
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    std::fs::write(folder.path().join("migrations/1_shop.sql"), SCHEMA).unwrap();
    std::fs::write(
        folder.path().join("pgproof.toml"),
        "[server]\nversion = \"15\"\n",
    )
    .unwrap();
    let from = [
        "profile",
        "--from",
        "stats.sql",
        "--key-file",
        "key",
        "-o",
        "dump.profile",
        "--offline",
    ];
    let output = pgproof(folder.path(), &from);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let url = database.url().reveal();
    let direct = [
        "profile",
        "--database-url",
        &url,
        "--key-file",
        "key",
        "-o",
        "direct.profile",
    ];
    let output = pgproof(folder.path(), &direct);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        file::parse(&Source::new(name, text)).unwrap()
    };
    let (dump, direct) = (read("dump.profile"), read("direct.profile"));
    assert_eq!(dump.server_major, 14);
    assert_eq!(dump.tables, direct.tables);
    assert!(direct.settings.len() > 40 && dump.settings.is_empty());
    assert!(
        dump.not_read
            .iter()
            .any(|line| line.starts_with("settings and calls"))
    );
    pgproof(folder.path(), &["server", "stop"]);
    // Neither of the two, and both.
    let none = pgproof(folder.path(), &["profile"]);
    assert_eq!(none.status.code(), Some(2), "{}", said(&none));
    assert!(said(&none).contains("--from"), "{}", said(&none));
}

/// A thousand tables: 5 s where nothing else runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tables_are_read_in_seconds() {
    let database = support::database().await;
    database
        .execute(
            "DO $$ BEGIN FOR t IN 1..1000 LOOP \
               EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text, b numeric, c timestamptz)', t); \
               EXECUTE format('INSERT INTO t%s SELECT n, md5(n::text), n * 1.5, now() - n * interval ''1 hour'' \
                               FROM generate_series(1, 300) n', t); \
             END LOOP; END $$",
        )
        .await;
    database.execute("ANALYZE").await;
    let session = Session::open(database.url(), &Interrupt::new())
        .await
        .unwrap();
    let start = Instant::now();
    let profile = profile::remapped(
        &session,
        &Workload::default(),
        &Key::of(b"a key of this test"),
    )
    .await
    .unwrap();
    let text = file::print(&profile).unwrap();
    let took = start.elapsed();
    println!("1,000 tables: {took:?}, {} bytes", text.len());
    assert_eq!(profile.tables.len(), 1000);
    assert!(took.as_secs() < 60, "{took:?}");
    session.close().await;
}

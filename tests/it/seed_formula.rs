//! Columns of a spec's `expression`: what is computed here and what the server computes, both as the server would.

use pgproof::db::given;
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::seed::Options;
use pgproof::source::Source;

use crate::support::{self, TestDatabase};

const EXPRESSIONS: [(&str, &str); 7] = [
    ("page", "(id - 1) / 100 + 1"),
    ("odd", "id % 2"),
    ("signed", "(500 - id) / 7"),
    ("rest", "(500 - id) % -7"),
    ("wide", "id * 3000000000"),
    ("maybe_twice", "-maybe * 2 - 1"),
    // A function is the server's.
    ("label", "md5(id::text)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn expressions_mean_what_the_server_means() {
    let cluster = support::cluster();
    let database = TestDatabase::copy_of(&cluster, "template1").await;
    let table = "CREATE TABLE points (id int PRIMARY KEY, maybe int, page int NOT NULL CHECK (page > 0), odd smallint, signed int,
                 rest int, wide bigint, maybe_twice int, label text)";
    database.execute(table).await;
    let columns: String = EXPRESSIONS
        .iter()
        .map(|(name, sql)| format!("{name} = {{ expression = \"{sql}\" }}\n"))
        .collect();
    let spec = format!(
        "[tables.points]\nrows = 1500\n[tables.points.columns]\nmaybe = {{ generator = \"integer\", min = -50, max = 50, \
         null = 0.3 }}\n{columns}"
    );
    let specs = [Source::new("seeds/points.toml", spec)];
    let (options, interrupt) = (Options::default(), Interrupt::new());
    let intent = given::plan(
        database.url(),
        &specs,
        &options,
        given::Existing::Refuse,
        &interrupt,
    )
    .await
    .unwrap();
    let left: Vec<&str> = intent.plan.tables[0]
        .expressions
        .iter()
        .map(|left| left.column.as_str())
        .collect();
    assert_eq!(left, ["label"], "what goes through the server");
    given::fill(database.url(), &intent, &Progress::default(), &interrupt)
        .await
        .unwrap();
    let session = database.session().await;
    for (name, sql) in EXPRESSIONS {
        let query = format!("SELECT count(*) FROM points WHERE {name} IS DISTINCT FROM ({sql})");
        let wrong: i64 = session
            .client()
            .query_one(&query, &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(wrong, 0, "{name} = {sql}");
    }
    let nulls: i64 = session
        .client()
        .query_one("SELECT count(*) FROM points WHERE maybe_twice IS NULL", &[])
        .await
        .unwrap()
        .get(0);
    assert!((300..600).contains(&nulls), "{nulls}");
}

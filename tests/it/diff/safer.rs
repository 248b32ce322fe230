//! Every safer form, run: it ends in the same schema and the same rows as the statement itself, and none of its statements
//! rewrites or reads a table under a lock that stops others.

use std::path::Path;

use pgproof::db::introspect;
use pgproof::db::migration_observer::inspect;
use pgproof::diff::observation::StatementObservation;
use pgproof::diff::report::SchemaDifference;
use pgproof::diff::safer::safer;
use pgproof::interrupt::Interrupt;
use pgproof::migrations::{Layout, Tree, history};
use pgproof::source::Source;

use crate::support::{self, TestDatabase};

const SHOP: &str = "CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL);
    INSERT INTO customers SELECT n, 'c' || n FROM generate_series(1, 500) n;
    CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, total int NOT NULL DEFAULT 7 CHECK (total > 0),
        code text, reference text, note text);
    INSERT INTO orders SELECT n, 1 + n % 500, n, 'o' || n, 'r' || n, repeat('x', n % 50) FROM generate_series(1, 25000) n;
    CREATE INDEX orders_note_idx ON orders (note);
    CREATE TABLE log (at int NOT NULL, line text);
    INSERT INTO log SELECT n, 'l' || n FROM generate_series(1, 5000) n;
    CREATE MATERIALIZED VIEW totals AS SELECT customer_id, max(id) AS newest FROM orders GROUP BY customer_id;
    CREATE UNIQUE INDEX totals_idx ON totals (customer_id);
    INSERT INTO orders VALUES (30000, 1, 5, 'late', 'late', '');
    CREATE INDEX customers_email_idx ON customers (email);
    CREATE TABLE keyless (line text);
    CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, region text DEFAULT 'r', customer_id bigint DEFAULT 3) PARTITION BY RANGE (at);
    CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
    CREATE TABLE events_rest PARTITION OF events DEFAULT;
    INSERT INTO events SELECT n, DATE '2025-01-01' + n % 300, 'r' || n FROM generate_series(1, 5000) n;
    CREATE TABLE events_2024 (LIKE events INCLUDING ALL);
    INSERT INTO events_2024 SELECT n, DATE '2024-01-01' + n % 300, 'r' FROM generate_series(1, 5000) n;
    CREATE TABLE places (id bigint NOT NULL, region text) PARTITION BY LIST (region);
    CREATE TABLE places_north (id bigint NOT NULL, region text NOT NULL);
    INSERT INTO places_north SELECT n, 'n' || n % 3 FROM generate_series(1, 5000) n;
    CREATE INDEX places_id_idx ON places (id);
    CREATE INDEX ON places (lower(region)) WHERE id > 5;
    ALTER TABLE places ADD PRIMARY KEY (id, region);
    CREATE TABLE readings (sensor int, taken int, customer_id bigint DEFAULT 5) PARTITION BY LIST (sensor);
    CREATE TABLE readings_one PARTITION OF readings FOR VALUES IN (1);
    CREATE TABLE \"Readings Two\" PARTITION OF readings FOR VALUES IN (2) PARTITION BY RANGE (taken);
    CREATE TABLE readings_two_a PARTITION OF \"Readings Two\" FOR VALUES FROM (0) TO (1000);
    CREATE TABLE readings_two_b PARTITION OF \"Readings Two\" FOR VALUES FROM (1000) TO (9000);
    INSERT INTO readings SELECT 1 + n % 2, n FROM generate_series(1, 5000) n;
    CREATE INDEX \"By Sensor\" ON readings_one USING btree (sensor, taken);
    ALTER TABLE readings_one ADD CONSTRAINT once UNIQUE (taken, sensor);";

/// What a shop's rows are, whichever order they lie in and their columns stand in.
const ROWS: &str = "SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
    SELECT (to_jsonb(o) - 'token')::text AS line FROM orders o UNION ALL SELECT to_jsonb(l)::text FROM log l
    UNION ALL SELECT to_jsonb(t)::text FROM totals t) lines";

/// What needs another form because the table is partitioned: on the oldest and the newest version.
const PARTITIONED: [&str; 16] = [
    "CREATE INDEX events_region_idx ON events (region)",
    "CREATE UNIQUE INDEX ON events USING btree (at, lower(region), (id + 1), id) INCLUDE (region) WHERE id > 0",
    "CREATE INDEX ON readings (sensor, taken DESC)",
    "CREATE INDEX ON readings (sensor, \"taken\" ASC)",
    "CREATE INDEX ON readings USING btree(sensor, taken)",
    "ALTER TABLE readings ADD UNIQUE (taken, sensor)",
    "ALTER TABLE events ADD CONSTRAINT named CHECK (id > 0)",
    "ALTER TABLE events ADD CONSTRAINT one_a_day UNIQUE (id, at)",
    "ALTER TABLE events ADD UNIQUE (at, id)",
    "ALTER TABLE readings ADD PRIMARY KEY (sensor, taken)",
    "ALTER TABLE events ALTER COLUMN region SET NOT NULL",
    "ALTER TABLE events ADD FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE",
    "ALTER TABLE readings ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)",
    "ALTER TABLE events ADD COLUMN owner bigint DEFAULT 7 REFERENCES customers CHECK (owner > 0)",
    "ALTER TABLE events ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "ALTER TABLE places ATTACH PARTITION places_north FOR VALUES IN ('n0', 'n1', 'n2')",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_safer_form_ends_in_the_same_and_works_under_no_lock() {
    let template = support::database().await;
    template.execute(SHOP).await;
    let statements = [
        "CREATE INDEX orders_customer_idx ON orders (customer_id)",
        "CREATE UNIQUE INDEX orders_code_idx ON orders (code)",
        "DROP INDEX orders_note_idx",
        "DROP INDEX IF EXISTS orders_note_idx, customers_email_idx",
        "REINDEX INDEX orders_note_idx",
        "REFRESH MATERIALIZED VIEW totals",
        "ALTER TABLE orders ADD CONSTRAINT sane CHECK (total < 1000000)",
        "ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)",
        "ALTER TABLE orders ADD CONSTRAINT one_code UNIQUE (code)",
        "ALTER TABLE orders ADD UNIQUE (code, reference)",
        "ALTER TABLE orders ADD CHECK (total < 1000000)",
        "ALTER TABLE orders ADD CHECK (total < id + 1000000)",
        "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers",
        "ALTER TABLE log ADD PRIMARY KEY (at)",
        "ALTER TABLE log ADD PRIMARY KEY (line)",
        "ALTER TABLE orders ALTER COLUMN reference SET NOT NULL",
        "ALTER TABLE orders ALTER COLUMN total TYPE bigint",
        "ALTER TABLE orders ADD COLUMN token double precision NOT NULL DEFAULT random()",
        "ALTER TABLE orders ADD COLUMN owner bigint DEFAULT 7 REFERENCES customers (id) ON DELETE SET NULL",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web' CHECK (channel IN ('web', 'shop'))",
        "ALTER TABLE orders ADD COLUMN weight numeric(8, 2) CONSTRAINT light CHECK (weight < total), ADD COLUMN \"Height\" int DEFAULT 3 CHECK (\"Height\" > 0)",
        "ALTER TABLE orders ADD COLUMN slug text COLLATE \"C\" UNIQUE",
        "ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE CHECK (token IS NOT NULL)",
        "ALTER TABLE orders ADD CONSTRAINT a CHECK (total < 1000000), ADD CONSTRAINT b CHECK (id > 0)",
        "UPDATE orders SET note = 'y' WHERE id % 2 = 0",
        "DELETE FROM orders WHERE id % 2 = 0",
        "ALTER TABLE keyless ADD COLUMN id int PRIMARY KEY",
    ];
    all_hold(&template, &statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_partitioned_tables_hold_on_14() {
    on(14).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_partitioned_tables_hold_on_18() {
    on(18).await;
}

async fn on(major: u32) {
    let Some(cluster) = support::cluster_of(major) else {
        return;
    };
    let template = TestDatabase::copy_of(&cluster, "template1").await;
    template.execute(SHOP).await;
    all_hold(&template, &PARTITIONED).await;
}

async fn all_hold(template: &TestDatabase, statements: &[&str]) {
    let mut wrong = Vec::new();
    for sql in statements {
        if let Err(message) = compare(template, sql).await {
            wrong.push(format!("{sql}: {message}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "PostgreSQL {}: {}",
        template.cluster().version(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_sql_is_safer_the_advice_says_what_is_used_instead() {
    let database = support::database().await;
    database.execute(SHOP).await;
    let statements = [
        ("VACUUM FULL orders", "pg_repack"),
        ("CLUSTER orders USING orders_pkey", "pg_repack"),
        ("ALTER TABLE orders SET UNLOGGED", "pg_repack"),
        ("ALTER TABLE log ADD COLUMN id bigserial", "in batches"),
        (
            "ALTER TABLE log ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY",
            "in batches",
        ),
        (
            "ALTER TABLE log ADD CONSTRAINT one EXCLUDE USING btree (at WITH =)",
            "quiet hour",
        ),
    ];
    let schema = introspect::schema(&database.session().await).await.unwrap();
    for (sql, word) in statements {
        let form = safer(sql, &schema).unwrap_or_else(|| panic!("{sql}"));
        assert!(
            form.statements.is_empty() && form.why.contains(word),
            "{sql}: {}",
            form.why
        );
        // It is said of what does hold the table at work.
        let copy = TestDatabase::copy_of(database.cluster(), database.url().database()).await;
        let observed = run(&copy, &[sql.to_owned()]).await.unwrap();
        let [statement] = observed.as_slice() else {
            panic!("{observed:#?}")
        };
        assert!(
            !statement.rewritten.is_empty() || !statement.scanned.is_empty(),
            "{statement:#?}"
        );
    }
}

async fn compare(template: &TestDatabase, sql: &str) -> Result<(), String> {
    let copy = async || TestDatabase::copy_of(template.cluster(), template.url().database()).await;
    let (plain, careful) = (copy().await, copy().await);
    let before = introspect::schema(&plain.session().await).await.unwrap();
    let form = safer(sql, &before).ok_or("no safer form")?;
    if form.statements.is_empty() {
        return Err(format!("advice alone: {}", form.why));
    }
    run(&plain, &[sql.to_owned()]).await?;
    let observed = run(&careful, &form.statements).await?;
    if let Some(statement) = observed
        .iter()
        .find(|statement| statement.works_under_lock())
    {
        return Err(format!(
            "{} works under a lock: {statement:#?}",
            statement.place.sql
        ));
    }
    let (wanted, is) = (plain.session().await, careful.session().await);
    let difference = SchemaDifference::between(
        &introspect::schema(&wanted).await.unwrap(),
        &introspect::schema(&is).await.unwrap(),
    );
    if !difference.is_none() {
        return Err(format!("{difference:?}"));
    }
    let rows = async |session: &pgproof::db::connect::Session| -> Option<String> {
        session.client().query_one(ROWS, &[]).await.unwrap().get(0)
    };
    if rows(&wanted).await == rows(&is).await {
        Ok(())
    } else {
        Err("other rows".to_owned())
    }
}

/// Statement by statement, each outside a transaction of its neighbours.
async fn run(
    database: &TestDatabase,
    statements: &[String],
) -> Result<Vec<StatementObservation>, String> {
    let body: String = statements
        .iter()
        .map(|sql| format!("-- +goose StatementBegin\n{sql};\n-- +goose StatementEnd\n"))
        .collect();
    let text = format!("-- +goose NO TRANSACTION\n-- +goose Up\n{body}");
    let tree = Tree::new(
        Path::new("m"),
        false,
        vec![Source::new("m/1_m.sql", text)],
        false,
        false,
    );
    let found = history(&tree, Some(Layout::Goose)).map_err(|error| error.to_string())?;
    let observed = inspect(database.url(), &found.migrations, &Interrupt::new()).await;
    observed.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_a_partitioned_table_is_dropped_with_lock_timeout() {
    let database = support::database().await;
    database.execute(SHOP).await;
    let schema = introspect::schema(&database.session().await).await.unwrap();
    for sql in [
        "DROP INDEX places_id_idx",
        "DROP INDEX orders_note_idx, public.places_id_idx",
    ] {
        let form = safer(sql, &schema).unwrap();
        assert!(
            form.statements.is_empty() && form.why.contains("lock_timeout"),
            "{form:?}"
        );
    }
    // What the advice and the forms rest on: the server does not take these.
    for (sql, refusal) in [
        (
            "DROP INDEX CONCURRENTLY places_id_idx",
            "cannot drop partitioned index \"places_id_idx\" concurrently",
        ),
        (
            "CREATE INDEX CONCURRENTLY ON places (region)",
            "cannot create index on partitioned table \"places\" concurrently",
        ),
        (
            "DROP INDEX CONCURRENTLY orders_note_idx, customers_email_idx",
            "dropping multiple objects",
        ),
    ] {
        let refused = run(&database, &[sql.to_owned()]).await.unwrap_err();
        assert!(refused.contains(refusal), "{sql}: {refused}");
    }
}

//! Schemas that were refused, or filled with rows that a key does not take: tenants' keys, keys that may differ, arrays,
//! addresses and documents, gaps between partitions, references that no key declares.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::db::dataset;
use pgproof::interrupt::Interrupt;
use pgproof::seed::describe::describe;
use pgproof::seed::{DefaultRows, Options, SeedPlan};
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

async fn filled(database: &TestDatabase, spec: &str) -> SeedPlan {
    let specs: Vec<Source> = (!spec.is_empty())
        .then(|| Source::new("seeds/spec.toml", spec))
        .into_iter()
        .collect();
    let plan = torture::try_fill_with(database, &specs, &Options::default())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn junctions_of_composite_keys_take_every_pair_of_a_tenant() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE firms (id int PRIMARY KEY);
             CREATE TABLE drivers (id int PRIMARY KEY, firm int NOT NULL REFERENCES firms, UNIQUE (firm, id));
             CREATE TABLE vans (id int PRIMARY KEY, firm int NOT NULL REFERENCES firms, UNIQUE (firm, id));
             CREATE TABLE routes (id int PRIMARY KEY, firm int NOT NULL REFERENCES firms, UNIQUE (firm, id));
             CREATE TABLE shifts (firm int NOT NULL, driver int NOT NULL, van int NOT NULL, PRIMARY KEY (driver, van),
                 FOREIGN KEY (firm, driver) REFERENCES drivers (firm, id),
                 FOREIGN KEY (firm, van) REFERENCES vans (firm, id));
             CREATE TABLE plans (firm int NOT NULL, driver int NOT NULL, van int NOT NULL, route int NOT NULL,
                 PRIMARY KEY (driver, van, route),
                 FOREIGN KEY (firm, driver) REFERENCES drivers (firm, id),
                 FOREIGN KEY (firm, van) REFERENCES vans (firm, id),
                 FOREIGN KEY (firm, route) REFERENCES routes (firm, id));
             CREATE TABLE swaps (id int PRIMARY KEY, firm int NOT NULL, giver int NOT NULL, taker int NOT NULL,
                 FOREIGN KEY (firm, giver) REFERENCES drivers (firm, id),
                 FOREIGN KEY (firm, taker) REFERENCES drivers (firm, id), CHECK (taker <> giver));",
        )
        .await;
    // 20 firms with 10 drivers, 8 vans and 6 routes each: 1,600 pairs and 9,600 triples, all but a few asked for.
    filled(
        &database,
        "[tables.firms]\nrows = 20\n[tables.drivers]\nrows = 200\n[tables.vans]\nrows = 160\n[tables.routes]\nrows = 120\n\
         [tables.shifts]\nrows = 1500\n[tables.plans]\nrows = 9000\n[tables.swaps]\nrows = 3000\n",
    )
    .await;
    assert_eq!(database.count("SELECT count(*) FROM shifts").await, 1500);
    assert_eq!(database.count("SELECT count(*) FROM plans").await, 9000);
    assert_eq!(
        database
            .count("SELECT count(DISTINCT firm) FROM plans")
            .await,
        20
    );
    assert_eq!(database.count("SELECT count(*) FROM swaps").await, 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_key_with_more_rows_than_parents_is_null_in_the_others() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE desks (id text PRIMARY KEY);
             CREATE TABLE staff (id int PRIMARY KEY, desk text UNIQUE REFERENCES desks);
             CREATE TABLE keys (id int PRIMARY KEY, desk text NOT NULL UNIQUE REFERENCES desks);",
        )
        .await;
    filled(
        &database,
        "[tables.desks]\nrows = 300\n[tables.staff]\nrows = 5000\n[tables.keys]\nrows = 300\n",
    )
    .await;
    let seated = database.count("SELECT count(desk) FROM staff").await;
    assert!((250..=300).contains(&seated), "{seated}");
    assert_eq!(database.count("SELECT count(*) FROM staff").await, 5000);
    // Where it may not be NULL, it is refused before a row is made.
    database.execute("TRUNCATE desks CASCADE").await;
    let specs = [Source::new(
        "seeds/spec.toml",
        "[tables.desks]\nrows = 300\n[tables.keys]\nrows = 301\n",
    )];
    let refused = torture::try_fill_with(&database, &specs, &Options::default())
        .await
        .unwrap_err();
    assert!(refused.contains("keys_desk_key"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_without_numbers_keep_orders_and_keys() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TYPE sense AS ENUM ('sight', 'none', 'touch');
             CREATE TABLE nets (id int PRIMARY KEY, first inet NOT NULL, last inet NOT NULL, low uuid NOT NULL, high uuid NOT NULL,
                 a macaddr, b macaddr, CHECK (first <= last), CHECK (low < high), CHECK (b >= a));
             CREATE TABLE robots (id int PRIMARY KEY, senses sense[] NOT NULL, roles text[] NOT NULL, CHECK (NOT ('none' = ANY (senses))),
                 CHECK (roles <@ ARRAY['cook', 'clean']), CHECK (cardinality(senses) >= 1));
             CREATE TABLE texts (id int PRIMARY KEY, title jsonb NOT NULL UNIQUE, tags text[] NOT NULL UNIQUE, marks int[] NOT NULL UNIQUE);",
        )
        .await;
    filled(&database, "").await;
    for table in ["nets", "robots", "texts"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(database.count(&sql).await, 1000, "{table}");
    }
    assert_eq!(
        database
            .count("SELECT count(DISTINCT first) FROM nets")
            .await,
        1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_to_partitions_that_exist() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE meters (id int PRIMARY KEY, zone text NOT NULL CHECK (zone IN ('n', 's', 'w')), UNIQUE (id, zone));
             CREATE TABLE readings (meter int NOT NULL, zone text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (meter, zone, at),
                 FOREIGN KEY (meter, zone) REFERENCES meters (id, zone)) PARTITION BY RANGE (at);
             CREATE TABLE r1 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2025-02-01') PARTITION BY LIST (zone);
             CREATE TABLE r1_n PARTITION OF r1 FOR VALUES IN ('n');
             CREATE TABLE r3 PARTITION OF readings FOR VALUES FROM ('2025-03-01') TO ('2025-04-01');
             CREATE TABLE r4 PARTITION OF readings FOR VALUES FROM ('2025-04-01') TO ('2025-05-01') PARTITION BY LIST (zone);
             CREATE TABLE r4_rest PARTITION OF r4 DEFAULT;
             CREATE TABLE days (zone text NOT NULL, day date NOT NULL, n int NOT NULL, PRIMARY KEY (zone, day, n)) PARTITION BY LIST (zone);
             CREATE TABLE d_n PARTITION OF days FOR VALUES IN ('n') PARTITION BY RANGE (day);
             CREATE TABLE d_n1 PARTITION OF d_n FOR VALUES FROM ('2025-01-01') TO ('2025-01-11');
             CREATE TABLE d_s PARTITION OF days FOR VALUES IN ('s') PARTITION BY RANGE (day);
             CREATE TABLE d_s1 PARTITION OF d_s FOR VALUES FROM ('2025-06-01') TO ('2025-06-21');
             CREATE TABLE d_rest PARTITION OF days DEFAULT PARTITION BY RANGE (day);
             CREATE TABLE d_rest1 PARTITION OF d_rest FOR VALUES FROM ('2025-02-01') TO ('2025-02-05');
             CREATE TABLE kinds (a text NOT NULL, b text NOT NULL, n int NOT NULL) PARTITION BY LIST (a);
             CREATE TABLE k_x PARTITION OF kinds FOR VALUES IN ('x') PARTITION BY LIST (b);
             CREATE TABLE k_x1 PARTITION OF k_x FOR VALUES IN ('1');
             CREATE TABLE k_y PARTITION OF kinds FOR VALUES IN ('y') PARTITION BY LIST (b);
             CREATE TABLE k_y2 PARTITION OF k_y FOR VALUES IN ('2', '3');",
        )
        .await;
    filled(
        &database,
        "[tables.meters]\nrows = 300\n[tables.readings]\nrows = 20000\n[tables.days]\nrows = 2000\n[tables.kinds]\nrows = 500\n",
    )
    .await;
    assert_eq!(
        database.count("SELECT count(*) FROM readings").await,
        20_000
    );
    assert!(database.count("SELECT count(*) FROM r1_n").await > 1000);
    assert!(
        database
            .count("SELECT count(*) FROM readings WHERE zone = 'w'")
            .await
            > 1000
    );
    assert_eq!(database.count("SELECT count(*) FROM days").await, 2000);
    assert_eq!(database.count("SELECT count(*) FROM kinds").await, 500);
    database
        .execute(
            "CREATE TABLE spread (id int PRIMARY KEY) PARTITION BY HASH (id);
             CREATE TABLE spread0 PARTITION OF spread FOR VALUES WITH (MODULUS 4, REMAINDER 0);
             CREATE TABLE spread2 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
             CREATE TABLE parts (id int PRIMARY KEY, spread_id int NOT NULL REFERENCES spread);",
        )
        .await;
    let refused = torture::try_fill_with(&database, &[], &Options::default())
        .await
        .unwrap_err();
    assert!(
        refused.contains("no partition for modulus 4, remainder 2"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn references_that_no_key_declares_lead_to_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL);
             CREATE TABLE albums (id bigserial PRIMARY KEY, user_id bigint NOT NULL, title text NOT NULL, cover text);
             CREATE TABLE videos (id bigserial PRIMARY KEY, owner_id bigint NOT NULL, title text NOT NULL, length int);
             CREATE TABLE remarks (id bigserial PRIMARY KEY, remarkable_type varchar NOT NULL, remarkable_id bigint NOT NULL,
                 author_id int, agent_id bigint NOT NULL, body text NOT NULL);
             CREATE INDEX ON albums (user_id);",
        )
        .await;
    let plan = filled(
        &database,
        "[tables.users]\nrows = 150\n[tables.albums]\nrows = 2500\n[tables.videos]\nrows = 700\n[tables.remarks]\nrows = 3000\n\
         [tables.remarks.columns]\nagent_id = { references = \"users.id\" }\n",
    )
    .await;
    for (table, column) in [
        ("albums", "user_id"),
        ("videos", "owner_id"),
        ("remarks", "author_id"),
        ("remarks", "agent_id"),
    ] {
        let sql = format!(
            "SELECT count(*) FROM {table} AS t WHERE {column} IS NOT NULL \
             AND NOT EXISTS (SELECT FROM users AS u WHERE u.id = t.{column})"
        );
        assert_eq!(database.count(&sql).await, 0, "{table}.{column}");
    }
    let sql = "SELECT count(*) FROM remarks WHERE NOT CASE remarkable_type \
               WHEN 'Album' THEN EXISTS (SELECT FROM albums WHERE id = remarkable_id) \
               WHEN 'Video' THEN EXISTS (SELECT FROM videos WHERE id = remarkable_id) ELSE false END";
    assert_eq!(database.count(sql).await, 0);
    assert_eq!(
        database
            .count("SELECT count(DISTINCT remarkable_type) FROM remarks")
            .await,
        2
    );
    let told = plan
        .notes
        .iter()
        .find(|note| note.contains("no foreign key declares"));
    assert!(
        told.is_some_and(|note| note.contains("albums.user_id → users.id")),
        "{:?}",
        plan.notes
    );
    // What misleads is switched off.
    let plan = filled(
        &database,
        "[tables.albums.columns]\nuser_id = { references = \"none\" }\n",
    )
    .await;
    assert!(
        !plan
            .notes
            .iter()
            .any(|note| note.contains("albums.user_id")),
        "{:?}",
        plan.notes
    );
    let specs = [Source::new(
        "seeds/spec.toml",
        "[tables.albums.columns]\nuser_id = { references = \"people.id\" }\n",
    )];
    let refused = torture::try_fill_with(&database, &specs, &Options::default())
        .await
        .unwrap_err();
    assert!(refused.contains("there is no people.id"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_key_without_a_declared_tenant_still_leads_to_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE clubs (id text PRIMARY KEY, name text NOT NULL);
             CREATE TABLE teams (id uuid PRIMARY KEY, club_code text NOT NULL, UNIQUE (club_code, id));
             CREATE TABLE goals (id uuid PRIMARY KEY, club_code text NOT NULL REFERENCES clubs, team uuid, kind text NOT NULL,
                 FOREIGN KEY (club_code, team) REFERENCES teams (club_code, id));",
        )
        .await;
    filled(
        &database,
        "[tables.clubs]\nrows = 40\n[tables.teams]\nrows = 400\n",
    )
    .await;
    assert!(database.count("SELECT count(team) FROM goals").await > 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_the_spec_hold_beside_a_constraint() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE runs (id int PRIMARY KEY, state text NOT NULL CHECK (state IN ('waiting', 'going', 'over')),
                 over_at timestamptz, ok boolean, CHECK ((state = 'over') = (over_at IS NOT NULL)),
                 CHECK (ok IS NULL OR state = 'over'));",
        )
        .await;
    filled(
        &database,
        "[tables.runs]\nrows = 20000\n[tables.runs.columns]\nstate = { values = { waiting = 0.35, going = 0.25, over = 0.4 } }\n",
    )
    .await;
    for (state, wanted) in [("waiting", 7000), ("going", 5000), ("over", 8000)] {
        let sql = format!("SELECT count(*) FROM runs WHERE state = '{state}'");
        let found = database.count(&sql).await;
        assert!(
            (found - wanted).abs() < 400,
            "{state}: {found} for {wanted}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_row_of_the_migrations_is_filled_up() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE people (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE);
             INSERT INTO people (email) VALUES ('system@example.com');
             CREATE TABLE letters (id bigserial PRIMARY KEY, person_id bigint NOT NULL REFERENCES people);",
        )
        .await;
    let spec = "[tables.people]\nrows = 500\n[tables.letters]\nrows = 3000\n";
    let plan = filled(&database, spec).await;
    assert_eq!(database.count("SELECT count(*) FROM people").await, 500);
    let kept = "SELECT count(*) FROM people WHERE email = 'system@example.com'";
    assert_eq!(database.count(kept).await, 1);
    assert!(
        database
            .count("SELECT count(DISTINCT person_id) FROM letters")
            .await
            > 300
    );
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("1 row that the migrations inserted, and 499 more")),
        "{:?}",
        plan.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_texts_arrays_and_long_decimals_are_met() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE calls (id int PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('make', 'use')), made text, used text,
                 shown text NOT NULL, CHECK ((kind = 'make' AND shown = made) OR (kind = 'use' AND shown = used)),
                 CHECK (kind <> 'make' OR made IS NOT NULL), CHECK (kind <> 'use' OR used IS NOT NULL),
                 CHECK (made IS NULL OR made ~ '^0x[a-f0-9]{40}$'), CHECK (used IS NULL OR used ~ '^0x[a-f0-9]{40}$'));
             CREATE TABLE lockers (id int PRIMARY KEY, queues text[] NOT NULL, amount numeric(65, 30) NOT NULL,
                 CHECK (array_ndims(queues) = 1 AND array_length(queues, 1) IS NOT NULL));",
        )
        .await;
    filled(&database, "").await;
    let sql =
        "SELECT count(*) FROM calls WHERE shown = CASE kind WHEN 'make' THEN made ELSE used END";
    assert_eq!(database.count(sql).await, 1000);
}

/// Each of these was refused, or lost nearly all of its rows.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_share_columns_and_constraints_over_keys_are_met() {
    let database = support::database().await;
    database
        .execute(
            r"CREATE TABLE songs (id uuid PRIMARY KEY, title text NOT NULL);
             CREATE TABLE alike (one uuid NOT NULL REFERENCES songs, other uuid NOT NULL REFERENCES songs, score float8 NOT NULL,
                 PRIMARY KEY (one, other), CHECK (one <> other), CHECK (one < other));
             CREATE TABLE pupils (id int PRIMARY KEY, age int NOT NULL);
             CREATE TABLE groups (id int PRIMARY KEY, size int NOT NULL);
             CREATE TABLE marks (id int PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('oral', 'written', 'test', 'exam')),
                 pupil int REFERENCES pupils, class int REFERENCES groups, UNIQUE (pupil, kind), UNIQUE (class, kind),
                 CHECK ((pupil IS NOT NULL AND class IS NULL) OR (pupil IS NULL AND class IS NOT NULL)));
             CREATE TABLE seats (id bigint PRIMARY KEY);
             CREATE TABLE shows (id bigint PRIMARY KEY, hall text NOT NULL);
             CREATE TABLE bookings (id bigint PRIMARY KEY, show_id bigint REFERENCES shows, paid boolean NOT NULL);
             CREATE TABLE tickets (id bigint PRIMARY KEY, booking_id bigint REFERENCES bookings, show_id bigint REFERENCES shows,
                 seat_id bigint REFERENCES seats, void boolean DEFAULT false);
             CREATE UNIQUE INDEX ON tickets (seat_id, show_id) WHERE NOT void;
             CREATE TABLE transfers (id int PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('send', 'make')),
                 target text, made text, effective text,
                 CHECK (target IS NULL OR target ~ '^K[0-9]{6}$'), CHECK (made IS NULL OR made ~ '^K[0-9]{6}$'),
                 CHECK (effective IS NULL OR effective ~ '^K[0-9]{6}$'), CHECK (kind <> 'send' OR target IS NOT NULL),
                 CHECK ((kind = 'make' AND effective = made) OR (kind = 'send' AND effective = target)));
             CREATE TABLE bills (id int PRIMARY KEY, total numeric(10,2) NOT NULL, tax numeric(10,2) NOT NULL, net numeric(10,2) NOT NULL,
                 CHECK (net + tax = total), CHECK (net >= 0 AND tax >= 0));
             CREATE TABLE depots (id int PRIMARY KEY, name text);
             CREATE TABLE trucks (id int PRIMARY KEY, depot_id int REFERENCES depots);
             CREATE TABLE trips (id int PRIMARY KEY, truck_id bigint NOT NULL REFERENCES trucks, depot_id bigint REFERENCES depots);
             CREATE TABLE blocks (number bigint PRIMARY KEY);
             CREATE TABLE receipts (id int PRIMARY KEY, block bigint NOT NULL REFERENCES blocks, status int,
                 CHECK ((block <= 900000000 AND status IS NULL) OR (block > 900000000 AND status = 1)));",
        )
        .await;
    let options = Options {
        all_rows: Some(1000),
        ..Options::default()
    };
    torture::try_fill_with(&database, &[], &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    for table in [
        "alike",
        "marks",
        "tickets",
        "transfers",
        "bills",
        "trips",
        "receipts",
    ] {
        let rows = database
            .count(&format!("SELECT count(*) FROM {table}"))
            .await;
        assert_eq!(rows, 1000, "{table}");
    }
    // Both ways of an exclusive key are taken.
    let both = "SELECT least(count(pupil), count(class)) FROM marks";
    assert!(database.count(both).await > 100);
}

/// Names say what no key declares.
#[tokio::test(flavor = "multi_thread")]
async fn undeclared_references_of_every_spelling_name_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL);
             CREATE TABLE tags (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
             CREATE TABLE photos (id uuid PRIMARY KEY, owner uuid NOT NULL, tag_ids int[] NOT NULL, viewer_ids uuid[] NOT NULL,
                 country_code char(2) NOT NULL, min_zoom int NOT NULL, max_zoom int NOT NULL);
             CREATE TABLE stories (id uuid PRIMARY KEY, title text NOT NULL, body text NOT NULL);
             CREATE TABLE letters (id int PRIMARY KEY, sender uuid NOT NULL, recipient uuid NOT NULL, reply_to int);
             CREATE TABLE folders (id int PRIMARY KEY, parent int, name text NOT NULL);
             CREATE TABLE likes (id uuid PRIMARY KEY, user_id uuid NOT NULL, likeable_type text NOT NULL, likeable_id uuid NOT NULL,
                 UNIQUE (user_id, likeable_type, likeable_id));",
        )
        .await;
    let options = Options {
        all_rows: Some(600),
        ..Options::default()
    };
    torture::try_fill_with(&database, &[], &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let orphans = [
        "SELECT count(*) FROM photos WHERE owner NOT IN (SELECT id FROM users)",
        "SELECT count(*) FROM photos WHERE country_code NOT IN (SELECT code FROM countries)",
        "SELECT count(*) FROM photos, unnest(tag_ids) AS tag WHERE tag NOT IN (SELECT id FROM tags)",
        "SELECT count(*) FROM photos WHERE max_zoom < min_zoom",
        "SELECT count(*) FROM letters WHERE sender NOT IN (SELECT id FROM users) OR recipient NOT IN (SELECT id FROM users)",
        "SELECT count(*) FROM letters WHERE reply_to NOT IN (SELECT id FROM letters)",
        "SELECT count(*) FROM folders WHERE parent NOT IN (SELECT id FROM folders)",
        "SELECT count(*) FROM likes WHERE user_id NOT IN (SELECT id FROM users)",
        "SELECT count(*) FROM likes WHERE CASE likeable_type WHEN 'Photo' THEN likeable_id NOT IN (SELECT id FROM photos) \
         WHEN 'Story' THEN likeable_id NOT IN (SELECT id FROM stories) ELSE true END",
    ];
    for sql in orphans {
        assert_eq!(database.count(sql).await, 0, "{sql}");
    }
    assert!(database.count("SELECT count(reply_to) FROM letters").await > 0);
    assert!(
        database
            .count("SELECT count(DISTINCT likeable_type) FROM likes")
            .await
            == 2
    );
}

/// Partition keys that cut a time off, and addresses that must not overlap.
#[tokio::test]
async fn expressions_of_partition_keys_and_addresses_that_exclude_each_other() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE readings (id bigint NOT NULL, at timestamp NOT NULL, value int) PARTITION BY RANGE (date_trunc('month', at));
             CREATE TABLE readings_1 PARTITION OF readings FOR VALUES FROM ('2019-03-01') TO ('2019-05-01');
             CREATE TABLE readings_2 PARTITION OF readings FOR VALUES FROM ('2019-06-01') TO ('2019-07-01');
             CREATE TABLE visits (id bigint NOT NULL, at timestamp NOT NULL) PARTITION BY RANGE ((at::date));
             CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2018-01-01') TO ('2018-01-04');
             CREATE TABLE leases (id int PRIMARY KEY, pool int NOT NULL, address inet NOT NULL,
                 EXCLUDE USING gist (address inet_ops WITH &&));
             CREATE TABLE subnets (id int PRIMARY KEY, network cidr NOT NULL, EXCLUDE USING gist (network inet_ops WITH &&));
             CREATE TABLE hosts (id int PRIMARY KEY, address inet NOT NULL UNIQUE, note text);",
        )
        .await;
    filled(
        &database,
        "[tables.hosts]\nrows = 120_000\n[tables.leases]\nrows = 3000\n[tables.subnets]\nrows = 3000\n\
         [tables.readings]\nrows = 2000\n[tables.visits]\nrows = 500\n",
    )
    .await;
    let session = database.session().await;
    torture::prove(&session).await;
    let counts = "SELECT format('%s %s %s %s %s', (SELECT count(*) FROM readings_1) > 200, (SELECT count(*) FROM readings_2) > 200, \
                  (SELECT count(*) FROM visits), (SELECT count(DISTINCT address) FROM leases), \
                  (SELECT count(DISTINCT address) FROM hosts))";
    let row = session.client().query_one(counts, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "t t 500 3000 120000");
    session.close().await;
}

/// A tenant that may be NULL is part of the key that other tables point to.
#[tokio::test]
async fn a_referenced_key_of_several_columns_is_never_null() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE users (id int PRIMARY KEY, tenant_id int REFERENCES tenants, email text NOT NULL, UNIQUE (tenant_id, id));
             CREATE TABLE verifications (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, user_id int,
                 FOREIGN KEY (user_id, tenant_id) REFERENCES users (id, tenant_id));",
        )
        .await;
    filled(&database, "").await;
    let users = "SELECT count(*) FROM users WHERE tenant_id IS NULL";
    assert_eq!(database.count(users).await, 0);
    let named = "SELECT count(*) FROM verifications WHERE user_id IS NOT NULL";
    assert!(database.count(named).await > 100);
}

/// A junction of a tenant's rows that also names who made it: the pair groups the rows, whoever comes first by name.
#[tokio::test]
async fn a_junction_with_its_author_is_filled() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
             CREATE TABLE users (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, UNIQUE (tenant_id, id));
             CREATE TABLE tags (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, UNIQUE (tenant_id, id));
             CREATE TABLE posts (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, UNIQUE (tenant_id, id));
             CREATE TABLE post_tags (tag_id int NOT NULL, post_id int NOT NULL, created_by_id int NOT NULL,
                 tenant_id int NOT NULL REFERENCES tenants, PRIMARY KEY (tag_id, post_id),
                 FOREIGN KEY (created_by_id, tenant_id) REFERENCES users (id, tenant_id),
                 FOREIGN KEY (post_id, tenant_id) REFERENCES posts (id, tenant_id),
                 FOREIGN KEY (tag_id, tenant_id) REFERENCES tags (id, tenant_id));",
        )
        .await;
    let spec = "[tables.tenants]\nrows = 20\n[tables.users]\nrows = 200\n[tables.tags]\nrows = 200\n[tables.posts]\nrows = 400\n\
                [tables.post_tags]\nrows = 1000\n";
    filled(&database, spec).await;
    assert_eq!(database.count("SELECT count(*) FROM post_tags").await, 1000);
}

const GRANTS: &str = "CREATE DOMAIN area_id AS text CHECK (length(trim(VALUE)) > 10 OR VALUE = 'everywhere');
     CREATE DOMAIN actor_id AS text CHECK (length(trim(VALUE)) > 10 OR VALUE IN ('nobody', 'anybody'));
     CREATE TABLE grants (id bigint PRIMARY KEY, area_id area_id NOT NULL, actor_id actor_id NOT NULL,
         release_version text CHECK (release_version = '' OR length(trim(release_version)) >= 8),
         total integer NOT NULL DEFAULT 0 CHECK (total >= 0), done integer NOT NULL DEFAULT 0,
         CHECK (done <= total));";

/// What a CHECK makes of a generator in some rows is not written as that generator, and one that is written keeps to the way
/// that it can be fitted to.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_or_a_constant_is_met_by_a_spec_that_names_the_generator() {
    let database = support::database().await;
    database.execute(GRANTS).await;
    let spec = "[tables.grants]\nrows = 400\n[tables.grants.columns]\narea_id = { generator = \"id\" }\n\
                actor_id = { generator = \"word\" }\nrelease_version = { generator = \"version\" }\n";
    let plan = filled(&database, spec).await;
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
    assert_eq!(database.count("SELECT count(*) FROM grants").await, 400);
    let constants = "SELECT count(*) FROM grants WHERE area_id = 'everywhere' OR actor_id = 'nobody' OR release_version = ''";
    assert_eq!(database.count(constants).await, 0);

    let empty = support::database().await;
    empty.execute(GRANTS).await;
    let planned = dataset::plan(empty.url(), &[], &Options::default(), &Interrupt::new()).await;
    let (schema, plan) = planned.unwrap_or_else(|error| panic!("{error}"));
    let written = describe(&schema, &plan, &[]);
    assert!(!written.contains("generator = \"version\""), "{written}");
    assert!(
        written.contains("# done: ") || written.contains("# total: "),
        "{written}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_are_a_table_of_words_are_told_apart_by_checks() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE area_kinds (word text PRIMARY KEY);
             INSERT INTO area_kinds VALUES ('unknown'), ('world'), ('country'), ('town');
             CREATE TABLE areas (id text PRIMARY KEY, kind text NOT NULL REFERENCES area_kinds,
                 parent_id text REFERENCES areas, name text, UNIQUE (parent_id, name),
                 CHECK ((kind = 'world' AND parent_id IS NULL) OR (kind = 'country' AND parent_id = 'world')
                     OR (kind = 'town' AND parent_id IS NOT NULL AND parent_id <> 'world')));
             INSERT INTO areas VALUES ('world', 'world', NULL, 'World');
             CREATE TABLE permits (id bigint PRIMARY KEY, kind text NOT NULL REFERENCES area_kinds, town text,
                 CHECK (kind <> 'town' OR town IS NOT NULL));",
        )
        .await;
    filled(
        &database,
        "[tables.areas]\nrows = 300\n[tables.permits]\nrows = 500\n",
    )
    .await;
    assert_eq!(database.count("SELECT count(*) FROM areas").await, 300);
    assert!(
        database
            .count("SELECT count(*) FROM areas WHERE kind = 'town'")
            .await
            > 50
    );
    assert_eq!(
        database
            .count("SELECT count(DISTINCT kind) FROM permits")
            .await,
        4
    );
}

/// The root of a tree is not the whole tree; a list of a few words is.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_whose_root_a_migration_inserted_is_filled_up() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE folders (id bigserial PRIMARY KEY, parent_id bigint REFERENCES folders, title text NOT NULL);
             INSERT INTO folders (title) VALUES ('root');
             CREATE TABLE colours (id bigserial PRIMARY KEY, title text NOT NULL);
             INSERT INTO colours (title) VALUES ('none');
             CREATE TABLE files (id bigserial PRIMARY KEY, folder_id bigint NOT NULL REFERENCES folders,
                 colour_id bigint NOT NULL REFERENCES colours);",
        )
        .await;
    let options = Options {
        default_rows: DefaultRows::ByRole(1.0),
        ..Options::default()
    };
    let plan = torture::try_fill_with(&database, &[], &options).await;
    plan.unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    assert!(database.count("SELECT count(*) FROM folders").await > 20);
    assert!(
        database
            .count("SELECT count(DISTINCT folder_id) FROM files")
            .await
            > 20
    );
    assert_eq!(database.count("SELECT count(*) FROM colours").await, 1);
}

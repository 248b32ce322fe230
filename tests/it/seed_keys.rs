//! Foreign and unique keys that other constraints, or the spec, make narrower than the rows that they could point to.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use pgproof::seed::{Options, SeedPlan};
use pgproof::source::Source;

use crate::support::{self, TestDatabase};
use crate::torture;

async fn filled(database: &TestDatabase, spec: &str) -> SeedPlan {
    let specs: Vec<Source> = (!spec.is_empty())
        .then(|| Source::new("seeds/spec.toml", spec))
        .into_iter()
        .collect();
    let options = Options {
        default_rows: pgproof::seed::DefaultRows::Fixed(1000),
        ..Options::default()
    };
    let plan = torture::try_fill_with(database, &specs, &options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    torture::prove(&database.session().await).await;
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nulls_are_equal_a_key_leaves_them_to_what_need_not_tell_rows_apart() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, deleted_at timestamptz,
                UNIQUE NULLS NOT DISTINCT (email, deleted_at));
             CREATE TABLE teams (id int PRIMARY KEY);
             CREATE TABLE members (id int PRIMARY KEY, team_id int NOT NULL REFERENCES teams, person_id int NOT NULL REFERENCES people,
                deleted_at timestamptz, UNIQUE NULLS NOT DISTINCT (team_id, person_id, deleted_at));
             CREATE TABLE slots (a int, UNIQUE NULLS NOT DISTINCT (a));",
        )
        .await;
    filled(&database, "").await;
    for table in ["people", "members"] {
        let there = format!("SELECT count(*) FROM {table} WHERE deleted_at IS NULL");
        let kept = database.count(&there).await;
        assert!(
            (500..1000).contains(&kept),
            "{table}: {kept} of 1000 rows are not deleted"
        );
    }
    // Alone it has to tell all rows apart.
    assert!(
        database
            .count("SELECT count(*) FROM slots WHERE a IS NULL")
            .await
            <= 1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_points_only_to_rows_that_its_own_domain_takes() {
    let database = support::database().await;
    database
        .execute(
            "CREATE DOMAIN scope_id AS text CHECK (length(trim(VALUE)) > 10 OR VALUE = 'global');
             CREATE DOMAIN public_id AS text CHECK (length(trim(VALUE)) > 10);
             CREATE DOMAIN late AS int CHECK (VALUE > 900);
             CREATE TABLE scopes (id scope_id PRIMARY KEY, number int NOT NULL UNIQUE);
             INSERT INTO scopes VALUES ('global', 1), ('o_1234567890', 2), ('o_1234567891', 3);
             CREATE TABLE users (id int PRIMARY KEY, scope public_id NOT NULL REFERENCES scopes);
             CREATE TABLE owners (scope public_id PRIMARY KEY REFERENCES scopes, note text);
             CREATE TABLE days (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
             CREATE TABLE stays (id int PRIMARY KEY, day late NOT NULL REFERENCES days);
             CREATE TABLE trips (id int PRIMARY KEY, day int NOT NULL REFERENCES days CHECK (day > 990));",
        )
        .await;
    let plan = filled(&database, "").await;
    assert_eq!(
        plan.notes,
        ["owners: 2 rows instead of 3, because its constraints allow 2 rows of scopes"]
    );
    assert_eq!(
        database
            .count("SELECT count(DISTINCT scope) FROM users")
            .await,
        2
    );
    assert_eq!(database.count("SELECT count(*) FROM stays").await, 1000);
    assert_eq!(
        database
            .count("SELECT count(DISTINCT day) FROM trips")
            .await,
        10
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_nothing_to_point_to_leaves_its_table_empty_and_tells() {
    let database = support::database().await;
    database
        .execute(
            "CREATE DOMAIN public_id AS text CHECK (length(trim(VALUE)) > 10);
             CREATE TABLE scopes (id text PRIMARY KEY);
             INSERT INTO scopes VALUES ('global');
             CREATE TABLE users (id int PRIMARY KEY, scope public_id NOT NULL REFERENCES scopes);
             CREATE TABLE visits (id int PRIMARY KEY, by_user int NOT NULL REFERENCES users);
             CREATE TABLE groups (id int PRIMARY KEY, scope public_id REFERENCES scopes);
             CREATE TABLE posts (id int PRIMARY KEY, visit int REFERENCES visits, UNIQUE (id, visit));
             CREATE TABLE likes (id int PRIMARY KEY, post int, visit int,
                                 FOREIGN KEY (post, visit) REFERENCES posts (id, visit));
             CREATE TABLE badges (id int PRIMARY KEY, of_user int UNIQUE REFERENCES users);
             CREATE TABLE notes (id int PRIMARY KEY, of_user int REFERENCES users, of_group int REFERENCES groups,
                                 CHECK (num_nonnulls(of_user, of_group) = 1));",
        )
        .await;
    // Rows that somebody asked for do not go without an error.
    let asked = [Source::new(
        "seeds/spec.toml",
        "[tables.users]\nrows = 500\n",
    )];
    let refused = torture::try_fill_with(&database, &asked, &Options::default())
        .await
        .unwrap_err();
    let why = "foreign key users_scope_fkey cannot be met: what scope allows is in none of the 1 rows of scopes";
    assert!(refused.contains(why), "{refused}");
    let plan = filled(&database, "").await;
    for note in [
        "users: no rows, because what scope allows is in none of the 1 rows of scopes",
        "badges: of_user is NULL in every row, because foreign key badges_of_user_fkey points to users, which has no rows",
        "groups: scope is NULL in every row, because what scope allows is in none of the 1 rows of scopes",
        "visits: no rows, because foreign key visits_by_user_fkey needs one of users, which has none",
    ] {
        assert!(
            plan.notes.iter().any(|other| other == note),
            "{:?}",
            plan.notes
        );
    }
    for table in ["groups", "badges", "notes", "posts", "likes"] {
        assert_eq!(
            database
                .count(&format!("SELECT count(*) FROM {table}"))
                .await,
            1000,
            "{table}"
        );
    }
    assert_eq!(
        database.count("SELECT count(of_group) FROM notes").await,
        1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_names_one_of_its_own_children_names_one_of_them() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE logins (id text PRIMARY KEY);
             CREATE TABLE accounts (id text PRIMARY KEY, login text NOT NULL REFERENCES logins, UNIQUE (login, id));
             CREATE TABLE methods (id text PRIMARY KEY REFERENCES logins, conf text NOT NULL, name text);
             CREATE TABLE confs (id text PRIMARY KEY, method text NOT NULL REFERENCES methods DEFERRABLE INITIALLY DEFERRED,
                                 UNIQUE (method, id));
             ALTER TABLE methods ADD FOREIGN KEY (id, conf) REFERENCES confs (method, id)
                                 DEFERRABLE INITIALLY DEFERRED;
             CREATE TABLE passwords (account text PRIMARY KEY, login text NOT NULL, conf text NOT NULL,
                                 FOREIGN KEY (login, account) REFERENCES accounts (login, id),
                                 FOREIGN KEY (login, conf) REFERENCES confs (method, id),
                                 UNIQUE (login, conf, account));
             CREATE TABLE long_confs (id text PRIMARY KEY REFERENCES confs, method text NOT NULL, UNIQUE (method, id),
                                 FOREIGN KEY (method, id) REFERENCES confs (method, id));
             CREATE TABLE long_passwords (account text PRIMARY KEY, login text NOT NULL, conf text NOT NULL,
                                 FOREIGN KEY (login, conf, account) REFERENCES passwords (login, conf, account),
                                 FOREIGN KEY (login, conf) REFERENCES long_confs (method, id));",
        )
        .await;
    filled(
        &database,
        "[tables.confs]\nrows = 3000\n[tables.long_confs]\nrows = 3000",
    )
    .await;
    assert_eq!(
        database
            .count("SELECT count(DISTINCT conf) FROM methods")
            .await,
        1000
    );
    assert_eq!(database.count("SELECT count(*) FROM confs").await, 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_a_part_of_a_foreign_key_is_met_by_its_other_columns() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE scopes (id text PRIMARY KEY);
             INSERT INTO scopes VALUES ('global');
             CREATE TABLE methods (id text PRIMARY KEY, scope text NOT NULL REFERENCES scopes, UNIQUE (scope, id));
             CREATE TABLE remote (id text PRIMARY KEY, scope text NOT NULL, name text, issuer text, client text NOT NULL,
                                  FOREIGN KEY (scope, id) REFERENCES methods (scope, id),
                                  UNIQUE (scope, name), UNIQUE (scope, issuer, client), UNIQUE (scope, id));",
        )
        .await;
    filled(&database, "").await;
    assert_eq!(database.count("SELECT count(*) FROM remote").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_made_so_that_a_stricter_key_can_point_to_them() {
    let database = support::database().await;
    database
        .execute(
            "CREATE DOMAIN host AS text CHECK (VALUE ~ '^(?!-)[a-z0-9-]{0,20}[a-z0-9]$')
                 CHECK (substring(VALUE, '[^-]*$') !~ '^[0-9]+$');
             CREATE DOMAIN name AS text CHECK (VALUE ~ '^[a-z0-9-]{0,62}[a-z0-9](\\.([a-z0-9-]{0,62}[a-z0-9]))*$')
                 CHECK (length(VALUE) < 254);
             CREATE TABLE names (name name PRIMARY KEY);
             CREATE TABLE aliases (id int PRIMARY KEY, value text NOT NULL UNIQUE);
             CREATE TABLE hosts (id int PRIMARY KEY, value host NOT NULL REFERENCES aliases (value));",
        )
        .await;
    let plan = filled(&database, "").await;
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
    assert_eq!(database.count("SELECT count(*) FROM hosts").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_obeys_the_weights_that_the_spec_gives_its_values() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE kinds (name text PRIMARY KEY);
             INSERT INTO kinds VALUES ('a'), ('b'), ('c');
             CREATE TABLE things (id int PRIMARY KEY, kind text NOT NULL REFERENCES kinds);",
        )
        .await;
    filled(
        &database,
        "[tables.things.columns]\nkind = { values = { a = 0.9, b = 0.1 } }",
    )
    .await;
    let share = database
        .count("SELECT count(*) FROM things WHERE kind = 'a'")
        .await;
    assert!((870..930).contains(&share), "{share}");
    assert_eq!(
        database
            .count("SELECT count(*) FROM things WHERE kind = 'c'")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_left_open_for_a_circle_is_told() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE scopes (id int PRIMARY KEY, method int);
             CREATE TABLE methods (id int PRIMARY KEY, scope int NOT NULL REFERENCES scopes, UNIQUE (scope, id));
             ALTER TABLE scopes ADD CONSTRAINT main_method FOREIGN KEY (id, method) REFERENCES methods (scope, id);",
        )
        .await;
    let plan = filled(&database, "").await;
    assert_eq!(
        plan.notes,
        [
            "scopes: method is NULL in every row, for foreign key main_method gets its values from rows that get theirs from it"
        ]
    );
    assert_eq!(database.count("SELECT count(method) FROM scopes").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_some_rows_only_cost_no_rows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE plans (id uuid PRIMARY KEY);
             CREATE TABLE subscriptions (id uuid PRIMARY KEY);
             CREATE TABLE thresholds (id uuid PRIMARY KEY, plan uuid REFERENCES plans, amount bigint NOT NULL,
                recurring boolean NOT NULL DEFAULT false, deleted_at timestamp, subscription uuid REFERENCES subscriptions,
                CHECK ((plan IS NOT NULL) <> (subscription IS NOT NULL)));
             CREATE UNIQUE INDEX ON thresholds (amount, plan, recurring) WHERE deleted_at IS NULL AND plan IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (amount, subscription, recurring)
                WHERE deleted_at IS NULL AND subscription IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (plan, recurring)
                WHERE recurring IS TRUE AND deleted_at IS NULL AND plan IS NOT NULL;
             CREATE UNIQUE INDEX ON thresholds (subscription, recurring)
                WHERE recurring IS TRUE AND deleted_at IS NULL AND subscription IS NOT NULL;",
        )
        .await;
    filled(&database, "").await;
    assert_eq!(
        database.count("SELECT count(*) FROM thresholds").await,
        1000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_index_of_one_partition_holds() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE tracks (is_own boolean NOT NULL, artist smallint NOT NULL CHECK (artist BETWEEN 1 AND 30),
                release smallint NOT NULL CHECK (release BETWEEN 1 AND 50)) PARTITION BY LIST (is_own);
             CREATE TABLE tracks_own PARTITION OF tracks FOR VALUES IN (true);
             CREATE TABLE tracks_other PARTITION OF tracks FOR VALUES IN (false);
             CREATE UNIQUE INDEX ON tracks_other (release, artist);",
        )
        .await;
    filled(&database, "").await;
    assert_eq!(database.count("SELECT count(*) FROM tracks").await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_count_was_lowered_is_told_where_other_tables_were_planned_again_for_it() {
    let database = support::database().await;
    // Whichever of a pair is planned first: its links are made again when the other turns out to have two rows only.
    database
        .execute(
            "CREATE TABLE a_flags (id boolean PRIMARY KEY, favourite int);
             CREATE TABLE b_things (id int PRIMARY KEY, flag boolean NOT NULL);
             ALTER TABLE a_flags ADD FOREIGN KEY (favourite) REFERENCES b_things;
             ALTER TABLE b_things ADD FOREIGN KEY (flag) REFERENCES a_flags;
             CREATE TABLE c_things (id int PRIMARY KEY, flag boolean);
             CREATE TABLE d_flags (id boolean PRIMARY KEY, favourite int NOT NULL);
             ALTER TABLE c_things ADD FOREIGN KEY (flag) REFERENCES d_flags;
             ALTER TABLE d_flags ADD FOREIGN KEY (favourite) REFERENCES c_things;",
        )
        .await;
    let plan = filled(&database, "").await;
    for name in ["a_flags", "d_flags"] {
        let told: Vec<_> = plan
            .notes
            .iter()
            .filter(|note| note.starts_with(&format!("{name}: 2 rows instead of")))
            .collect();
        assert_eq!(told.len(), 1, "{:#?}", plan.notes);
    }
}

/// `id` alone is the child's key, and a part of what points to the parent: no two parents have the same one.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_a_part_of_a_foreign_key_makes_parents_differ() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE depots (firm int NOT NULL, id int NOT NULL, PRIMARY KEY (firm, id));
             CREATE TABLE permits (firm int NOT NULL, id int PRIMARY KEY, text text, FOREIGN KEY (firm, id) REFERENCES depots);
             CREATE TABLE doors (firm int NOT NULL, depot int NOT NULL UNIQUE, FOREIGN KEY (firm, depot) REFERENCES depots);",
        )
        .await;
    filled(&database, "").await;
    for table in ["depots", "permits", "doors"] {
        assert_eq!(
            database
                .count(&format!("SELECT count(*) FROM {table}"))
                .await,
            1000,
            "{table}"
        );
    }
}

/// Measurements by sensor and time lie over all of the time, also where its partitions leave gaps.
#[tokio::test(flavor = "multi_thread")]
async fn times_of_a_key_lie_over_all_of_the_time() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE scales (id int PRIMARY KEY, hall text NOT NULL CHECK (hall IN ('a', 'b', 'c')), UNIQUE (id, hall));
             CREATE TABLE weighings (scale int NOT NULL REFERENCES scales, at timestamptz NOT NULL, grams int,
                                     PRIMARY KEY (scale, at));
             CREATE TABLE sealed (scale int NOT NULL REFERENCES scales, at timestamptz(0) NOT NULL, PRIMARY KEY (scale, at));
             CREATE TABLE daily (scale int NOT NULL REFERENCES scales, day date NOT NULL, PRIMARY KEY (scale, day));
             CREATE TABLE placed (scale int NOT NULL, hall text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (scale, hall, at),
                                  FOREIGN KEY (scale, hall) REFERENCES scales (id, hall)) PARTITION BY RANGE (at);
             CREATE TABLE placed_3 PARTITION OF placed FOR VALUES FROM ('2025-03-01') TO ('2025-04-01') PARTITION BY LIST (hall);
             CREATE TABLE placed_3_a PARTITION OF placed_3 FOR VALUES IN ('a');
             CREATE TABLE placed_4 PARTITION OF placed FOR VALUES FROM ('2025-04-01') TO ('2025-05-01');
             CREATE TABLE placed_5 PARTITION OF placed FOR VALUES FROM ('2025-05-01') TO ('2025-06-01');",
        )
        .await;
    filled(
        &database,
        "[tables.scales]\nrows = 60\n[tables.weighings]\nrows = 6000\n[tables.sealed]\nrows = 6000\n\
         [tables.daily]\nrows = 6000\n[tables.placed]\nrows = 6000\n",
    )
    .await;
    for (table, column) in [("weighings", "at"), ("sealed", "at"), ("daily", "day")] {
        let sql = format!(
            "SELECT count(DISTINCT date_trunc('month', {column})) FROM {table} WHERE {column} > now() - interval '10 years'"
        );
        let months = database.count(&sql).await;
        assert!(months >= 30, "{table}: {months} months");
    }
    let parts = database
        .count("SELECT count(DISTINCT tableoid) FROM placed")
        .await;
    assert_eq!(parts, 3, "every partition has rows");
    let days = database
        .count("SELECT count(DISTINCT at::date) FROM placed")
        .await;
    assert!(days > 80, "{days} days of 92");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_share_a_column_hold_side_by_side() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TABLE members (id uuid PRIMARY KEY);
             CREATE TABLE rooms (id uuid PRIMARY KEY);
             CREATE TABLE desks (id uuid PRIMARY KEY);
             CREATE TABLE lockers (id uuid PRIMARY KEY);
             CREATE TABLE stars (id bigserial PRIMARY KEY, member uuid NOT NULL REFERENCES members,
                 room uuid REFERENCES rooms, desk uuid REFERENCES desks, locker uuid REFERENCES lockers,
                 friend uuid REFERENCES members, spare uuid REFERENCES rooms,
                 UNIQUE (member, room), UNIQUE (member, desk), UNIQUE (member, locker), UNIQUE (member, friend),
                 UNIQUE (member, spare));",
        )
        .await;
    let spec = "[tables.members]\nrows = 300\n[tables.rooms]\nrows = 300\n[tables.desks]\nrows = 300\n\
                [tables.lockers]\nrows = 300\n[tables.stars]\nrows = 900\n";
    filled(&database, spec).await;
    assert_eq!(database.count("SELECT count(*) FROM stars").await, 900);
    let most = "SELECT max(n) FROM (SELECT count(*) AS n FROM stars GROUP BY member) AS each";
    assert!(database.count(most).await > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scale_makes_of_a_count_is_lowered_to_what_a_key_allows() {
    let database = support::database().await;
    database
        .execute(
            "CREATE TYPE watch AS ENUM ('dawn', 'noon', 'dusk', 'night');
             CREATE TABLE crews (id int PRIMARY KEY);
             CREATE TABLE shifts (crew int NOT NULL REFERENCES crews, watch watch NOT NULL, UNIQUE (crew, watch));
             CREATE TABLE turns (id int PRIMARY KEY, crew int NOT NULL, watch watch NOT NULL,
                                 FOREIGN KEY (crew, watch) REFERENCES shifts (crew, watch));",
        )
        .await;
    // At scale 1 the number is the spec's own: one that cannot be is refused.
    let many = Source::new(
        "seeds/crews.toml",
        "[tables.crews]\nrows = 50\n[tables.shifts]\nrows = 900",
    );
    let refused = torture::try_fill_with(&database, &[many], &Options::default()).await;
    assert!(refused.is_err_and(|error| error.contains("900 rows are wanted")));
    // Counts below 1,000 are not scaled: 50 crews have 200 shifts at most.
    let spec = Source::new(
        "seeds/crews.toml",
        "[tables.crews]\nrows = 1000\n[tables.shifts]\nrows = 900\n[tables.turns]\nrows = 2000",
    );
    let scaled = Options {
        scale: 0.05,
        ..Options::default()
    };
    let plan = torture::try_fill_with(&database, std::slice::from_ref(&spec), &scaled)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        plan.notes,
        ["shifts: 200 rows instead of 900, because crew has 50 rows and each allows 4"]
    );
    assert_eq!(database.count("SELECT count(*) FROM shifts").await, 200);
    assert_eq!(database.count("SELECT count(*) FROM turns").await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_the_counts_of_a_spec_do_not_come_to_is_noted() {
    let database = support::database().await;
    database
        .execute("CREATE TABLE crates (id int PRIMARY KEY, label text NOT NULL)")
        .await;
    let counted = Source::new("seeds/crates.toml", "[tables.crates]\nrows = 1000");
    let asked = Options {
        default_rows: pgproof::seed::DefaultRows::Asked(50 << 20),
        ..Options::default()
    };
    let plan = torture::try_fill_with(&database, &[counted], &asked)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        matches!(&plan.notes[..], [note] if note.contains("not to target-size = 50 MB") && note.contains("--target-size")),
        "{:?}",
        plan.notes
    );
}

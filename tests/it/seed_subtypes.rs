//! Tables that are subtypes of others: their key is their supertype's, and composite keys say that both have the same
//! owner, or that the supertype's row is of their kind.

#![allow(clippy::unwrap_used, clippy::panic)] // the helpers are tests too

use crate::support;
use crate::torture;

const SCHEMA: &str = "
    CREATE EXTENSION IF NOT EXISTS btree_gist;
    CREATE TABLE purposes (name text PRIMARY KEY);
    INSERT INTO purposes VALUES ('brokered'), ('injected');
    CREATE TABLE states (name text PRIMARY KEY);
    INSERT INTO states VALUES ('pending'), ('active'), ('ended');
    CREATE TABLE transitions (prior text REFERENCES states, next text REFERENCES states, PRIMARY KEY (prior, next));
    INSERT INTO transitions VALUES ('pending', 'active'), ('active', 'ended'), ('pending', 'ended');

    CREATE TABLE catalogs (id text PRIMARY KEY, project int NOT NULL, UNIQUE (project, id));
    CREATE TABLE hosts (id text PRIMARY KEY, catalog text NOT NULL REFERENCES catalogs, UNIQUE (catalog, id));
    CREATE TABLE sets (id text PRIMARY KEY, catalog text NOT NULL, project int NOT NULL, UNIQUE (catalog, id),
        UNIQUE (project, catalog, id), FOREIGN KEY (project, catalog) REFERENCES catalogs (project, id));
    CREATE TABLE static_catalogs (id text PRIMARY KEY, project int NOT NULL,
        FOREIGN KEY (project, id) REFERENCES catalogs (project, id));
    CREATE TABLE static_hosts (id text PRIMARY KEY, catalog text NOT NULL REFERENCES static_catalogs, UNIQUE (catalog, id),
        FOREIGN KEY (catalog, id) REFERENCES hosts (catalog, id));
    CREATE TABLE static_sets (id text PRIMARY KEY, catalog text NOT NULL REFERENCES static_catalogs, project int NOT NULL,
        UNIQUE (catalog, id), FOREIGN KEY (project, catalog, id) REFERENCES sets (project, catalog, id));
    CREATE TABLE members (host text, set text, catalog text NOT NULL, PRIMARY KEY (host, set),
        FOREIGN KEY (catalog, host) REFERENCES static_hosts (catalog, id),
        FOREIGN KEY (catalog, set) REFERENCES static_sets (catalog, id));
    CREATE TABLE uses (host text, set text, catalog text, purpose text NOT NULL REFERENCES purposes,
        PRIMARY KEY (catalog, host, set, purpose),
        FOREIGN KEY (catalog, host) REFERENCES static_hosts (catalog, id),
        FOREIGN KEY (catalog, set) REFERENCES static_sets (catalog, id));

    CREATE TABLE animals (id int PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('cat', 'dog')), UNIQUE (id, kind));
    CREATE TABLE dogs (id int PRIMARY KEY, kind text NOT NULL CHECK (kind = 'dog'), FOREIGN KEY (id, kind) REFERENCES animals (id, kind));
    CREATE TABLE cats (id int PRIMARY KEY, kind text NOT NULL CHECK (kind = 'cat'), FOREIGN KEY (id, kind) REFERENCES animals (id, kind));
    CREATE TABLE walks (animal int, day date, kind text NOT NULL CHECK (kind = 'dog'), PRIMARY KEY (animal, day),
        FOREIGN KEY (animal, kind) REFERENCES animals (id, kind));
    CREATE TABLE walk_places (animal int, kind text NOT NULL CHECK (kind = 'dog'), purpose text REFERENCES purposes,
        PRIMARY KEY (animal, purpose), FOREIGN KEY (animal, kind) REFERENCES animals (id, kind));

    CREATE TABLE versions (name text NOT NULL CHECK (length(name) BETWEEN 8 AND 9), during tstzrange NOT NULL,
        EXCLUDE USING gist (name WITH =, during WITH &&));

    CREATE TABLE jobs (id int PRIMARY KEY);
    CREATE TABLE endpoints (id int REFERENCES jobs, condition text NOT NULL, UNIQUE (id, condition),
        CHECK (left(trim(condition), 4) = 'dns:' OR left(trim(condition), 5) = 'cidr:'), CHECK (position('|' in condition) = 0),
        CHECK (length(trim(condition)) > 6));
    CREATE TABLE plans (id int PRIMARY KEY);
    CREATE TABLE thresholds (id int PRIMARY KEY, plan int NOT NULL REFERENCES plans, amount bigint NOT NULL,
        recurring boolean NOT NULL DEFAULT false, deleted_at timestamp);
    CREATE UNIQUE INDEX thresholds_amount ON thresholds (amount, plan, recurring) WHERE (deleted_at IS NULL);
    CREATE UNIQUE INDEX thresholds_recurring ON thresholds (plan, recurring) WHERE ((recurring IS TRUE) AND (deleted_at IS NULL));
    CREATE TABLE settings (version int NOT NULL);
    CREATE UNIQUE INDEX settings_one_row ON settings ((version IS NOT NULL));
    CREATE TABLE codes (code text PRIMARY KEY CHECK (code ~ '^(a|ab)([0-9]|b[0-9])[0-9]{1,3}$'));

    CREATE TABLE job_states (job int NOT NULL REFERENCES jobs, prior text NOT NULL REFERENCES states,
        state text NOT NULL REFERENCES states, FOREIGN KEY (prior, state) REFERENCES transitions (prior, next));

    CREATE TABLE scopes (id int PRIMARY KEY, main int);
    CREATE TABLE methods (id int PRIMARY KEY, scope int NOT NULL REFERENCES scopes, UNIQUE (scope, id));
    ALTER TABLE scopes ADD CONSTRAINT scopes_main FOREIGN KEY (id, main) REFERENCES methods (scope, id);";

#[tokio::test(flavor = "multi_thread")]
async fn subtypes_are_filled_on_every_server() {
    for cluster in support::every_cluster() {
        let database = support::TestDatabase::copy_of(&cluster, "template1").await;
        database.execute(SCHEMA).await;
        let plan = torture::fill(&database, 300).await;
        let session = database.session().await;
        torture::prove(&session).await;
        let rows = |name: &str| {
            plan.tables
                .iter()
                .find(|table| table.name.name == name)
                .unwrap()
                .rows
        };
        for table in [
            "static_hosts",
            "static_sets",
            "walks",
            "endpoints",
            "versions",
            "thresholds",
            "codes",
            "job_states",
            "scopes",
            "methods",
        ] {
            assert_eq!(rows(table), 300, "{table}: {:?}", plan.notes);
        }
        // A subtype has as many rows as its supertype has of its kind, and no kind is left out.
        assert_eq!(rows("dogs") + rows("cats"), 300, "{:?}", plan.notes);
        assert!(rows("dogs") > 50 && rows("cats") > 50, "{:?}", plan.notes);
        // As many members as catalogs of one host and one set allow, at least.
        assert!(
            rows("members") >= 100 && rows("uses") >= 200,
            "{} {}",
            rows("members"),
            rows("uses")
        );
    }
}

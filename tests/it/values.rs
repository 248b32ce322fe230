//! Constants of the catalog are in the data, as a user sees it: every query of a catalog without a seed spec finds rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pgproof::finding::RuleId;
use pgproof::report::json::{self, SavedReport};

use crate::support;

const MIGRATION: &str = "
CREATE TABLE tasks (id int PRIMARY KEY, state text NOT NULL DEFAULT 'waiting', lane varchar(12) NOT NULL, tries int NOT NULL,
    due date NOT NULL, note text);
CREATE TABLE lanes (id int PRIMARY KEY, title text NOT NULL, continent text NOT NULL);
CREATE INDEX tasks_stuck ON tasks (due) WHERE state = 'stuck';
";

const QUERIES: &str = "
-- name: Waiting :many
SELECT id FROM tasks WHERE state = 'waiting' AND tries < $1 ORDER BY id LIMIT 5;

-- name: Stuck :many
SELECT t.id FROM tasks AS t WHERE t.state = 'stuck' ORDER BY t.due LIMIT 10;

-- name: Held :one
SELECT count(*) FROM tasks WHERE state IN ('held', 'parked');

-- name: OldOnes :one
SELECT count(*) FROM tasks WHERE due <= date '1987-03-04';

-- name: Express :many
SELECT id FROM tasks WHERE lane LIKE 'XP%' AND tries > 4000;

-- name: Northern :one
SELECT count(*) FROM lanes WHERE lower(continent) = 'arctica';

-- name: Release :exec
UPDATE tasks SET state = 'waiting' WHERE id = $1 AND state = 'parked';
";

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

fn pgproof(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .env(
            "PGPROOF_PG_BIN",
            support::binaries_of(support::MAJOR).unwrap(),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn report(directory: &Path) -> (SavedReport, String) {
    let output = pgproof(
        directory,
        &[
            "audit",
            "--fail-on",
            "never",
            "--verbose",
            "--format",
            "json=report.json",
            "--format",
            "terminal",
        ],
    );
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = fs::read_to_string(directory.join("report.json"))
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (json::read(&text).unwrap(), shown)
}

/// Values and outcome of every run: what must be the same on an equal dataset.
fn shown(report: &SavedReport) -> Vec<String> {
    let runs = report
        .queries
        .iter()
        .flat_map(|query| query.runs.iter().map(move |run| (query, run)));
    let mut lines: Vec<String> = runs
        .map(|(query, run)| {
            let values: Vec<_> = run
                .parameters
                .iter()
                .map(|parameter| &parameter.value)
                .collect();
            format!("{} {} {values:?} {:?}", query.name, run.label, run.rows)
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn every_query_finds_rows_without_a_spec_and_the_same_ones_again() {
    let files = [
        ("pgproof.toml", "[audit]\nruns = 1\n"),
        ("migrations/0001_tasks.sql", MIGRATION),
        ("queries/tasks.sql", QUERIES),
    ];
    let first = project(&files);
    let (report_of_first, terminal) = report(first.path());
    let summary = report_of_first.summary.clone();
    assert_eq!(
        (
            summary.queries,
            summary.executed,
            summary.found_rows,
            summary.not_proven
        ),
        (7, 7, 7, 0),
        "{terminal}"
    );
    assert!(
        terminal.contains("largest table ")
            && terminal.contains("7 queries executed, 7 of them found rows"),
        "{terminal}"
    );
    let second = project(&files);
    let (report_of_second, _) = report(second.path());
    assert_eq!(
        report_of_second.dataset.fingerprint,
        report_of_first.dataset.fingerprint
    );
    assert_eq!(shown(&report_of_second), shown(&report_of_first));
}

const NAMED: &str = "
CREATE TABLE kinds (code text PRIMARY KEY, label text NOT NULL);
CREATE TABLE offices (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE CHECK (slug <> ''), email varchar(60) NOT NULL UNIQUE);
CREATE TABLE desks (id int PRIMARY KEY, office uuid NOT NULL REFERENCES offices, kind text NOT NULL REFERENCES kinds, label text NOT NULL,
    owner uuid NOT NULL, UNIQUE (office, label));
";

const BY_NAME: &str = "
-- name: Main :one
SELECT id FROM offices WHERE slug = 'main-office';
-- name: Zero :many
SELECT d.id FROM desks d JOIN offices o ON o.id = d.office WHERE o.id = '00000000-0000-0000-0000-00000000000a' LIMIT 5;
-- name: Robot :one
SELECT id FROM offices WHERE email = 'robot@example.org' AND slug = $1;
-- name: Standing :many
SELECT id FROM desks WHERE kind = 'standing' AND office = $1;
-- name: FirstDesk :many
SELECT id FROM desks WHERE office = $1 AND label = 'First';
-- name: Nobodys :many
SELECT id FROM desks WHERE owner = '00000000-0000-0000-0000-00000000000b' LIMIT 5;
-- name: Rename :exec
UPDATE kinds SET label = $1 WHERE code IN ('standing', 'seated');
";

/// What queries name of a column whose values all differ is a row's, and what points to it has rows.
#[test]
fn constants_of_unique_keys_are_a_rows() {
    let directory = project(&[
        ("pgproof.toml", "[audit]\nruns = 1\n"),
        ("migrations/0001_offices.sql", NAMED),
        ("queries/offices.sql", BY_NAME),
        (
            "seeds/offices.toml",
            "[tables.kinds]\nrows = 12\n[tables.offices]\nrows = 500\n[tables.desks]\nrows = 9000\n",
        ),
    ]);
    let (report, terminal) = report(directory.path());
    let summary = &report.summary;
    assert_eq!(
        (summary.queries, summary.executed, summary.found_rows),
        (7, 7, 7),
        "{terminal}"
    );
    let rows = |name: &str| {
        let mut queries = report.queries.iter();
        let query = queries.find(|query| query.name == name).unwrap();
        let rows = query.runs.iter().filter_map(|run| run.rows);
        rows.fold(0.0, f64::max)
    };
    assert_eq!((rows("Main"), rows("Robot")), (1.0, 1.0));
}

const DOCUMENTS: &str = "
CREATE TABLE crates (id int PRIMARY KEY, code text NOT NULL UNIQUE, hall text NOT NULL, sealed_at timestamptz,
    body jsonb NOT NULL, marks text[] NOT NULL);
CREATE TABLE weighings (crate_id int NOT NULL REFERENCES crates, at timestamptz NOT NULL, grams int NOT NULL,
    scale varchar(20) NOT NULL, PRIMARY KEY (crate_id, at));
";

const OF_DOCUMENTS: &str = "
-- name: ByCodes :many
SELECT id FROM crates WHERE code IN ($1, $2, $3);
-- name: ByLowerCodes :many
SELECT id FROM crates WHERE lower(code) IN (lower($1), lower($2));
-- name: EitherCode :many
SELECT id FROM crates WHERE code = $1 OR code = $2;
-- name: ByScales :many
SELECT grams FROM weighings WHERE crate_id = $1 AND scale IN ($2, $3);
-- name: ByPairs :many
SELECT grams FROM weighings WHERE (crate_id, scale) IN (($1, $2), ($3, $4));
-- name: JoinedCodes :many
SELECT w.grams FROM weighings w JOIN crates c ON c.id = w.crate_id WHERE c.code IN ($1, $2);
-- name: Recent :many
SELECT grams FROM weighings WHERE at > now() - interval '30 days' LIMIT 5;
-- name: Unsealed :many
SELECT id FROM crates WHERE sealed_at IS NULL LIMIT 5;
-- name: Fragile :many
SELECT id FROM crates WHERE body->>'handling' = 'fragile' LIMIT 5;
-- name: Nested :many
SELECT id FROM crates WHERE body->'route'->>'via' IN ('sea', 'rail') LIMIT 5;
-- name: Deep :many
SELECT id FROM crates WHERE body #>> '{owner,city}' = 'Ulm' LIMIT 5;
-- name: Insured :many
SELECT id FROM crates WHERE body ? 'insured' LIMIT 5;
-- name: Heavy :many
SELECT id FROM crates WHERE (body->>'kilos')::int > 700 LIMIT 5;
-- name: Contained :many
SELECT id FROM crates WHERE body @> '{\"seal\": {\"kind\": \"wax\", \"count\": 3}}' LIMIT 5;
-- name: Agents :many
SELECT DISTINCT CASE WHEN body->'agent'->>'ref' IS NOT NULL THEN (body->'agent'->>'ref')::uuid END AS ref FROM crates;
-- name: ByVendor :many
SELECT id FROM crates WHERE body->>'vendor' = $1 LIMIT 5;
-- name: Marked :many
SELECT id FROM crates WHERE 'upright' = ANY (marks) LIMIT 5;
-- name: MarkedToo :many
SELECT id FROM crates WHERE marks @> ARRAY['cold'] LIMIT 5;
";

/// Members of documents, elements of lists and the values of `IN ($1, $2)`: each is a value that rows have, and another one.
#[test]
fn documents_lists_and_alternatives_find_rows() {
    let directory = project(&[
        ("pgproof.toml", "[audit]\nruns = 1\n"),
        ("migrations/0001_crates.sql", DOCUMENTS),
        ("queries/crates.sql", OF_DOCUMENTS),
        (
            "seeds/crates.toml",
            "[tables.crates]\nrows = 3000\n[tables.weighings]\nrows = 30000\n",
        ),
    ]);
    let (report, terminal) = report(directory.path());
    let summary = report.summary;
    assert_eq!(
        (summary.queries, summary.executed, summary.found_rows),
        (18, 18, 18),
        "{terminal}"
    );
    for (name, rows) in [
        ("ByCodes", 3.0),
        ("ByLowerCodes", 2.0),
        ("EitherCode", 2.0),
        ("ByPairs", 2.0),
    ] {
        let query = report
            .queries
            .iter()
            .find(|query| query.name == name)
            .unwrap();
        let most = query
            .runs
            .iter()
            .filter_map(|run| run.rows)
            .fold(0.0, f64::max);
        assert!(
            most >= rows,
            "{name} finds {most} rows, of {rows} different values\n{terminal}"
        );
    }
}

/// Another constant is another dataset; a query without one is not.
#[test]
fn constants_are_part_of_what_a_dataset_is_made_of() {
    let more = format!(
        "{QUERIES}\n-- name: Lost :many\nSELECT id FROM tasks WHERE state = 'lost' LIMIT 3;\n"
    );
    let same = format!("{QUERIES}\n-- name: ById :one\nSELECT note FROM tasks WHERE id = $1;\n");
    let directory = project(&[
        ("pgproof.toml", "[audit]\nruns = 1\n"),
        ("migrations/0001_tasks.sql", MIGRATION),
        ("queries/tasks.sql", QUERIES),
        (
            "seeds/tasks.toml",
            "[tables.tasks]\nrows = 2000\n[tables.lanes]\nrows = 2000\n",
        ),
    ]);
    let fingerprint = |queries: &str| {
        fs::write(directory.path().join("queries/tasks.sql"), queries).unwrap();
        let (report, _) = report(directory.path());
        assert_eq!(report.summary.not_proven, 0);
        report.dataset.fingerprint
    };
    let first = fingerprint(QUERIES);
    assert_eq!(fingerprint(&same), first);
    assert_ne!(fingerprint(&more), first);
}

const NOTES: &str = "
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE notes (id int PRIMARY KEY, owner int NOT NULL REFERENCES people, body text NOT NULL);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes TO values_reader USING (owner = current_setting('app.person')::int);
GRANT SELECT ON people, notes TO values_reader;
";

/// Who asks is part of the data: policies hold for the role that pgproof.toml names, and are missed aloud without it.
#[test]
fn the_role_that_asks_sees_its_policies() {
    let settings = "[server]\nroles = [\"values_reader\"]\n[audit]\nruns = 1\n";
    let directory = project(&[
        ("pgproof.toml", settings),
        ("migrations/0001_notes.sql", NOTES),
        (
            "queries/notes.sql",
            "-- name: Notes :many\nSELECT id, body FROM notes ORDER BY id LIMIT 3;\n",
        ),
        (
            "seeds/notes.toml",
            "[tables.people]\nrows = 50\n[tables.notes]\nrows = 3000\n",
        ),
    ]);
    let rules = |report: &SavedReport| -> Vec<String> {
        let findings = report.findings.iter();
        findings
            .filter(|finding| finding.rule == RuleId::BypassedPolicies)
            .map(|finding| finding.message.clone())
            .collect()
    };
    let (as_superuser, _) = report(directory.path());
    assert!(
        rules(&as_superuser)[0].contains("notes has row level security"),
        "{:?}",
        rules(&as_superuser)
    );
    let asked =
        format!("{settings}role = \"values_reader\"\nsettings = {{ \"app.person\" = \"7\" }}\n");
    fs::write(directory.path().join("pgproof.toml"), asked).unwrap();
    let (as_reader, terminal) = report(directory.path());
    assert_eq!(rules(&as_reader), [""; 0], "{terminal}");
    let plan = as_reader.queries[0].runs[0].plan.to_string();
    assert!(plan.contains("app.person"), "{plan}");
    assert_eq!(as_reader.summary.found_rows, 1);
}

const TENANTS: &str = "
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE bills (id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants, cents int NOT NULL);
ALTER TABLE bills ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_bills ON bills TO values_clerk USING (tenant_id = current_setting('app.tenant')::int);
GRANT SELECT ON tenants, bills TO values_clerk;
";

const ASKED: &str = r#"
-- name: Everyone :one
SELECT count(*), sum(cents) FROM bills;
-- name: Clerk :many
-- @role: values_clerk
-- @set: app.tenant = 7       -- the largest
SELECT id, cents FROM bills WHERE cents > $1;
-- name: Hostile :one
-- @set: app.note = 'it''s "7"\''); DROP TABLE bills; --'
SELECT count(*) FROM tenants WHERE name <> current_setting('app.note');
-- name: Stranger :many
-- @role: values_nobody
SELECT id FROM tenants LIMIT 3;
-- name: Forbidden :many
-- @set: data_directory = /tmp
SELECT id FROM tenants LIMIT 4;
"#;

/// `@role` and `@set` say who asks one query: its policies hold, the others' are missed aloud, and values are values.
#[test]
fn one_query_is_asked_by_its_own_role_with_its_own_settings() {
    let settings = "[server]\nroles = [\"values_clerk\"]\n[audit]\nruns = 1\n";
    let directory = project(&[
        ("pgproof.toml", settings),
        ("migrations/0001_bills.sql", TENANTS),
        ("queries/bills.sql", ASKED),
        (
            "seeds/bills.toml",
            "[tables.tenants]\nrows = 50\n[tables.bills]\nrows = 5000\n",
        ),
    ]);
    let (first, terminal) = report(directory.path());
    let query = |report: &SavedReport, name: &str| {
        let mut queries = report.queries.iter();
        queries.find(|query| query.name == name).unwrap().clone()
    };
    let bypassed: Vec<_> = first
        .findings
        .iter()
        .filter(|finding| finding.rule == RuleId::BypassedPolicies)
        .map(|finding| finding.evidence["relation"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(bypassed, ["bills"], "{terminal}");
    let clerk = query(&first, "Clerk");
    assert_eq!(
        clerk.asked_by.to_string(),
        "role values_clerk, app.tenant = 7"
    );
    assert!(
        clerk
            .runs
            .iter()
            .all(|run| run.plan.to_string().contains("app.tenant")),
        "{:?}",
        clerk.runs
    );
    assert!(
        !query(&first, "Everyone").runs[0]
            .plan
            .to_string()
            .contains("app.tenant")
    );
    assert_eq!(
        query(&first, "Hostile").runs[0].rows,
        Some(1.0),
        "{terminal}"
    );
    let refused = |name: &str| query(&first, name).failure.unwrap();
    assert_eq!(
        refused("Stranger").message,
        "it cannot be asked as its `@role` and `@set` say: role \"values_nobody\" does not exist (SQLSTATE 22023)"
    );
    assert!(refused("Stranger").hint.unwrap().contains("[server] roles"));
    assert!(
        refused("Forbidden").message.contains("SQLSTATE 55P02"),
        "{:?}",
        refused("Forbidden")
    );
    assert_eq!((first.summary.executed, first.summary.not_audited), (3, 2));

    // What is kept is kept by who asked; the report and a redacted one say who did.
    let reused = |report: &SavedReport| report.reused.as_ref().map(|reused| reused.queries);
    let (again, _) = report(directory.path());
    assert_eq!(reused(&again), Some(3));
    let other = ASKED.replace("app.tenant = 7 ", "app.tenant = 8 ");
    fs::write(directory.path().join("queries/bills.sql"), other).unwrap();
    let (second, terminal) = report(directory.path());
    assert_eq!(reused(&second), Some(2), "{terminal}");
    assert!(
        terminal.contains("asked by role values_clerk, app.tenant = 8"),
        "{terminal}"
    );
    let redacted = pgproof(
        directory.path(),
        &[
            "audit",
            "--fail-on",
            "never",
            "--redact",
            "--format",
            "json",
        ],
    );
    let redacted = json::read(&String::from_utf8(redacted.stdout).unwrap()).unwrap();
    assert_eq!(
        query(&redacted, "Clerk").asked_by.to_string(),
        "role values_clerk, app.tenant = [redacted]"
    );
}

const FUNCTIONS_OF_POLICIES: &str = "\
CREATE SCHEMA who;
CREATE FUNCTION who.shop() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.shop')::int; END $$;
CREATE FUNCTION who.sees(shop int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN shop = who.shop(); END $$;
CREATE TABLE shops (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE sales (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shops, cents int NOT NULL);
CREATE TABLE returns (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shops, cents int NOT NULL);
CREATE TABLE visits (id int PRIMARY KEY, shop_id int NOT NULL REFERENCES shops, seconds int NOT NULL);
ALTER TABLE sales ENABLE ROW LEVEL SECURITY;
ALTER TABLE returns ENABLE ROW LEVEL SECURITY;
ALTER TABLE visits ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_sales ON sales TO shop_keeper USING (shop_id = who.shop());
CREATE POLICY own_returns ON returns TO shop_keeper USING (shop_id = (SELECT who.shop()));
CREATE POLICY own_visits ON visits TO shop_keeper USING (who.sees(shop_id));
GRANT USAGE ON SCHEMA who TO shop_keeper;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_keeper;
";

/// A policy's function is called for each row, unless it stands in a subquery; what was measured is in the finding.
#[test]
fn policies_that_call_a_function_for_each_row_are_found() {
    let settings = "[server]\nroles = [\"shop_keeper\"]\n[audit]\nruns = 3\n";
    let directory = project(&[
        ("pgproof.toml", settings),
        ("migrations/0001_shops.sql", FUNCTIONS_OF_POLICIES),
        (
            "queries/shops.sql",
            "-- name: Sales :one\nSELECT sum(cents) FROM sales;\n-- name: Returns :one\nSELECT sum(cents) FROM returns;\n\
             -- name: Visits :one\nSELECT sum(seconds) FROM visits;\n",
        ),
        (
            "seeds/shops.toml",
            "[tables.shops]\nrows = 40\n[tables.sales]\nrows = 60000\n[tables.returns]\nrows = 60000\n\
             [tables.visits]\nrows = 60000\n",
        ),
    ]);
    let found = |report: &SavedReport| -> Vec<(String, bool, bool)> {
        let findings = report.findings.iter();
        let mut found: Vec<(String, bool, bool)> = findings
            .filter(|finding| finding.rule == RuleId::PerRowPolicy)
            .map(|finding| {
                let fix = finding.fix.as_ref();
                let is_subquery = fix.is_some_and(|fix| fix.sql.contains("(SELECT who.shop())"));
                let proven = fix.is_some_and(|fix| fix.proof.is_some());
                (finding.message.clone(), is_subquery, proven)
            })
            .collect();
        found.sort();
        found
    };
    let asked =
        format!("{settings}role = \"shop_keeper\"\nsettings = {{ \"app.shop\" = \"7\" }}\n");
    fs::write(directory.path().join("pgproof.toml"), asked).unwrap();
    let (as_keeper, terminal) = report(directory.path());
    let seen = found(&as_keeper);
    let expected = [
        (
            "the policy own_sales on sales calls who.shop() for each of 60,000 rows",
            true,
            true,
        ),
        (
            "the policy own_visits on visits calls who.sees(shop_id) for each of 60,000 rows",
            false,
            false,
        ),
    ];
    let expected =
        expected.map(|(message, subquery, proven)| (message.to_owned(), subquery, proven));
    assert_eq!(seen, expected, "{terminal}");
    // The superuser bypasses them, and the role that the policy names may not ask without the setting: found, not proven.
    fs::write(directory.path().join("pgproof.toml"), settings).unwrap();
    let (as_superuser, terminal) = report(directory.path());
    let seen = found(&as_superuser);
    assert!(
        seen.len() == 2 && seen[0].1 && !seen[0].2,
        "{seen:?}\n{terminal}"
    );
}

/// What runs on empty tables proves nothing, and DATABASE_URL alone names no database.
#[test]
fn a_database_without_rows_is_refused() {
    let directory = project(&[
        ("pgproof.toml", ""),
        ("migrations/0001_tasks.sql", MIGRATION),
        ("queries/tasks.sql", QUERIES),
        (
            "seeds/tasks.toml",
            "[tables.tasks]\nrows = 0\n[tables.lanes]\nrows = 0\n",
        ),
    ]);
    let output = Command::new(env!("CARGO_BIN_EXE_pgproof"))
        .arg("audit")
        .current_dir(directory.path())
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .env(
            "PGPROOF_PG_BIN",
            support::binaries_of(support::MAJOR).unwrap(),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("tables and no rows") && error.contains("DATABASE_URL is set and not used"),
        "{error}"
    );
}

/// The first member is not all of them; a list is what migrations wrote.
#[test]
fn a_row_of_the_migrations_is_not_the_whole_table_where_it_is_somebody() {
    let migration = "
CREATE TABLE members (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, nick text NOT NULL UNIQUE);
INSERT INTO members (nick) VALUES ('robot');
CREATE TABLE colours (code text PRIMARY KEY, label text NOT NULL);
INSERT INTO colours VALUES ('r', 'red'), ('g', 'green');
";
    let query = "-- name: ByNick :one\nSELECT id FROM members WHERE nick = $1;\n";
    let directory = project(&[
        (
            "pgproof.toml",
            "[audit]\nruns = 1\n[dataset]\nscale = 0.05\n",
        ),
        ("migrations/0001_members.sql", migration),
        ("queries/members.sql", query),
    ]);
    let (report, terminal) = report(directory.path());
    let tables = report.dataset.tables.iter();
    let rows: BTreeMap<&str, u64> = tables
        .map(|table| (table.name.as_str(), table.rows))
        .collect();
    assert_eq!(rows["colours"], 2, "{terminal}");
    assert!(rows["members"] > 1000, "{terminal}");
}

/// What a query casts a text to is no column's affair: the values are such that the cast takes them.
#[test]
fn texts_that_a_query_casts_get_values_that_the_cast_takes() {
    let migration = "
CREATE TYPE mood AS ENUM ('calm', 'angry', 'glad');
CREATE TABLE moods (id int PRIMARY KEY, mood mood NOT NULL, colors text[] NOT NULL, seen timestamptz NOT NULL);
CREATE FUNCTION at_hand(day date) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF day < CURRENT_DATE - 3 THEN RAISE EXCEPTION 'partition moods_% is gone', day; END IF;
    RETURN 1;
END $$;
";
    let queries = "
-- name: ByLabel :many
SELECT id, CASE WHEN $1::text::mood = 'angry' THEN 1 ELSE 0 END FROM moods WHERE id > $2 LIMIT 5;

-- name: ByLabels :many
SELECT id FROM moods WHERE mood = ANY (@moods::text[]::mood[]) LIMIT 5;

-- name: Optional :many
SELECT id FROM moods WHERE mood = coalesce(sqlc.narg('mood')::text::mood, mood) LIMIT 5;

-- name: Within :many
SELECT id FROM moods WHERE seen > now() - CAST(CAST(@span AS text) AS interval) LIMIT 5;

-- name: StoreMany :exec
INSERT INTO moods (id, mood, colors, seen)
SELECT n.id, n.mood::mood, string_to_array(n.colors, ','), now()
FROM (SELECT unnest(@ids::int[]) AS id, unnest(@moods::text[]) AS mood, unnest(@colors::text[]) AS colors) AS n;

-- name: FromDocuments :many
SELECT item ->> 'name' FROM jsonb_array_elements(@items::text::jsonb) AS item;

-- name: ByHour :many
SELECT date_trunc(@unit::text, seen AT TIME ZONE @zone::text), count(*) FROM moods GROUP BY 1 LIMIT 5;

-- name: OfADay :one
SELECT at_hand(@day::date);

-- name: JoinedToAList :many
SELECT m.id FROM (SELECT unnest(@ids::int[]) AS id) AS asked JOIN moods AS m ON m.id = asked.id;

-- name: Wrong :many
SELECT id FROM moods WHERE no_such_column = $1;
";
    let directory = project(&[
        ("migrations/1_moods.sql", migration),
        ("queries/moods.sql", queries),
        ("pgproof.toml", ""),
        ("seeds/moods.toml", "[tables.moods]\nrows = 2000\n"),
    ]);
    let (report, shown) = report(directory.path());
    let refused: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.rule == RuleId::NotAudited)
        .filter_map(|finding| finding.query.as_deref())
        .collect();
    assert_eq!(refused, ["Wrong"], "{shown}");
}

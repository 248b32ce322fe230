//! Values that belong together, new values for what is unique, and the verdict on queries that meet no row.

use pgproof::finding::{RuleId, Severity};
use pgproof::run::Outcome;

use super::{Audit, values};
use crate::support::{self, TestDatabase};

const LIBRARY: &str = "
CREATE TABLE authors (id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE books (id int PRIMARY KEY, author int NOT NULL REFERENCES authors, title text NOT NULL, lang text NOT NULL,
    printed date NOT NULL, UNIQUE (author, title));
CREATE TABLE shelves (id int PRIMARY KEY, room text);
CREATE TABLE copies (id int PRIMARY KEY, shelf int NOT NULL REFERENCES shelves, book int NOT NULL REFERENCES books);
CREATE TABLE seals (id uuid PRIMARY KEY, digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32));
INSERT INTO authors SELECT i, 'author ' || i FROM generate_series(1, 500) i;
INSERT INTO books SELECT i, 1 + i % 500, 'title ' || i / 500, CASE i % 7 WHEN 0 THEN 'fr' ELSE 'en' END,
    date '2015-01-01' + (i % 500) * 7 FROM generate_series(1, 5000) i;
INSERT INTO shelves SELECT i, 'room ' || i % 9 FROM generate_series(1, 300) i;
INSERT INTO copies SELECT i, 1 + i % 290, i FROM generate_series(1, 5000) i;
INSERT INTO seals SELECT gen_random_uuid(), sha256(i::text::bytea) FROM generate_series(1, 500) i;
ANALYZE;
";

const QUERIES: &str = "
-- name: BookOfAuthor :many
SELECT b.id FROM authors a JOIN books b ON b.author = a.id WHERE a.name = $1 AND b.title = $2 AND b.lang = 'fr';

-- name: PrintedSince :many
SELECT b.id FROM books b JOIN authors a ON a.id = b.author WHERE a.name = $1 AND b.printed > $2;

-- name: NamesThatBegin :many
SELECT id FROM authors WHERE $1 LIKE name || '%';

-- name: InRoomWithBook :many
SELECT id FROM shelves WHERE room = $1 AND EXISTS (SELECT FROM copies c JOIN books b ON b.id = c.book WHERE c.shelf = shelves.id AND b.id = $2);

-- name: InRoomOfCopies :many
SELECT id FROM shelves WHERE room = $1 AND id IN (SELECT shelf FROM copies WHERE book = $2);

-- name: TitledByName :one
SELECT id, lang FROM books WHERE title = $1 AND author = (SELECT id FROM authors WHERE name = $2);

-- name: ShelvedCopies :many
SELECT id FROM copies WHERE book = (SELECT id FROM books WHERE title = $1 AND author = (SELECT id FROM authors WHERE name = $2))
AND shelf = ANY (SELECT id FROM shelves WHERE room = $3);

-- name: MoveCopy :exec
UPDATE copies SET shelf = $1 WHERE copies.id = $2 AND copies.shelf = (SELECT id FROM shelves WHERE room = $3 AND shelves.id = copies.shelf);

-- name: RemoveCopies :exec
DELETE FROM copies WHERE book = (SELECT id FROM books WHERE title = $1 AND author = (SELECT id FROM authors WHERE name = $2));

-- name: ForgetShelf :exec
DELETE FROM shelves WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM copies WHERE shelf = $1);

-- name: UnshelvedBook :many
SELECT s.id FROM shelves s WHERE s.room = $1 AND s.id > $2 AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.shelf > $2 AND c.shelf = s.id);

-- name: LatestByName :one
SELECT id FROM books WHERE lang = $1 AND printed = (SELECT max(printed) FROM books WHERE lang = $1);

-- name: PageOfBooks :many
SELECT id FROM books WHERE ($1::text IS NULL OR lang = $1) AND ($2::date IS NULL OR printed < $2)
AND id > $3 ORDER BY id LIMIT 5;

-- name: PageInOneRow :many
WITH page AS (SELECT b.id FROM books b JOIN authors a ON a.id = b.author
    WHERE a.name = $1 AND COALESCE((b.printed, b.id) > ($3, $2), $2 IS NULL) ORDER BY b.printed, b.id LIMIT $4)
SELECT id FROM page;

-- name: SameRoom :many
SELECT id FROM shelves WHERE room IS NOT DISTINCT FROM $1 AND id >= $2;

-- name: RemoveShelf :exec
DELETE FROM shelves WHERE id = $1;

-- name: Seal :exec
INSERT INTO seals (id, digest) VALUES ($1, $2);

-- name: SealMany :exec
INSERT INTO seals (id, digest) SELECT unnest($1::uuid[]), unnest($2::bytea[]);

-- name: Switched :many
SELECT id FROM books WHERE id = $1 AND ($2::boolean IS FALSE OR lang = 'fr');

-- name: ByUnit :many
SELECT date_trunc($1, b.printed::timestamp), count(*) FROM books b JOIN authors a ON a.id = b.author
WHERE a.name = $2 AND b.printed >= $3 GROUP BY 1;

-- name: NamesBefore :many
SELECT id FROM authors WHERE name LIKE $1 || ' %';

-- name: NamesBehind :many
SELECT id FROM authors WHERE name LIKE '% ' || $1;

-- name: Nobody :one
SELECT count(*) FROM books WHERE lang = 'xx';
";

async fn library() -> TestDatabase {
    let database = support::database().await;
    database.execute(LIBRARY).await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_rows_of_several_tables_finds_one() {
    let database = library().await;
    let audit = Audit::of(&database, QUERIES).await;
    for query in &audit.queries {
        let runs = audit.runs_of(&query.name);
        assert_eq!(runs.failure, None, "{}", query.name);
        assert_eq!(
            runs.found_nothing(),
            query.name == "Nobody",
            "{}: {:?}",
            query.name,
            runs.runs.iter().map(values).collect::<Vec<_>>()
        );
    }
    let both: Vec<String> = audit
        .runs_of("Switched")
        .runs
        .iter()
        .map(|run| values(run)[1].to_owned())
        .collect();
    assert!(both.contains(&"true".to_owned()), "{both:?}");
}

/// Plans differ from one ANALYZE to the next; what a query is asked for must not.
#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_join_do_not_depend_on_its_plan() {
    let database = library().await;
    let chosen = async || -> Vec<(String, Vec<String>)> {
        let audit = Audit::of(&database, QUERIES).await;
        let of = |name: &String| {
            // Which of the other sets are executed the plans decide.
            let runs = audit.runs_of(name).runs.iter();
            let runs = runs.filter(|run| run.id.set.name == "typical");
            let mut all: Vec<String> = runs.map(|run| values(run).join(", ")).collect();
            all.sort();
            all.dedup();
            all
        };
        let names = audit.queries.iter().map(|query| query.name.clone());
        // New values are new each time.
        let names = names.filter(|name| !name.starts_with("Seal"));
        names.map(|name| (name.clone(), of(&name))).collect()
    };
    let before = chosen().await;
    for setting in ["enable_hashjoin", "enable_nestloop"] {
        let set = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting} = off', current_database()); END $$"
        );
        database.execute(&set).await;
        for (now, before) in chosen().await.iter().zip(&before) {
            assert_eq!(now, before, "{setting}");
        }
    }
}

/// A call asks for what is new, or what is old; the wide range is tried as one that nobody may ask for.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_bound_is_a_recent_one() {
    const VISITS: &str = "
CREATE TABLE visits (id bigint PRIMARY KEY, reader int NOT NULL, at timestamptz NOT NULL, note text NOT NULL);
INSERT INTO visits SELECT i, i % 90, timestamptz '2025-01-01' + i * interval '10 minutes', repeat('n', 90) FROM generate_series(1, 52000) i;
CREATE INDEX visits_at ON visits (at);
ANALYZE;
";
    const CATALOG: &str = "
-- name: Since :many
SELECT id, note FROM visits WHERE at > $1;

-- name: SinceOfReader :many
SELECT id, note FROM visits WHERE at >= $1 AND reader = $2;

-- name: Until :many
SELECT id, note FROM visits WHERE at < $1;

-- name: After :many
SELECT id, note FROM visits WHERE id > $1;

-- name: Page :many
SELECT id, note FROM visits WHERE at < $1 ORDER BY at DESC LIMIT 10;
";
    let database = support::database().await;
    database.execute(VISITS).await;
    let audit = Audit::of(&database, CATALOG).await;
    let rows = |name: &str| audit.run(name, "typical").rows().unwrap();
    for name in ["Since", "Until", "After"] {
        // 144 a day, of 52,000.
        assert!(
            (1.0..=700.0).contains(&rows(name)),
            "{name}: {}",
            rows(name)
        );
    }
    assert!(rows("SinceOfReader") >= 1.0);
    assert_eq!(rows("Page"), 10.0);
    let wide = audit.run("Since", "wide at");
    assert!(wide.rows().unwrap() > 20_000.0 && wide.id.is_of_a_wide_range());
    let findings = audit.findings().await;
    let all = findings
        .iter()
        .flat_map(|one| std::iter::once(one).chain(&one.symptoms));
    let loud = all.filter(|one| one.severity > Severity::Info);
    assert_eq!(
        loud.map(|one| (one.rule, one.query.clone()))
            .collect::<Vec<_>>(),
        []
    );
}

/// Without a row it is called neither fine nor slow, and no index is proven by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_finds_nothing_is_not_proven() {
    let database = library().await;
    let audit = Audit::of(&database, QUERIES).await;
    let findings = audit.findings().await;
    let of_rule = |rule: RuleId| {
        let found = findings.iter().filter(move |found| found.rule == rule);
        found
            .filter_map(|found| found.query.as_deref())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_rule(RuleId::NotProven), ["Nobody"]);
    assert!(!of_rule(RuleId::MissingIndex).contains(&"Nobody"));
    let message = findings
        .iter()
        .find(|found| found.rule == RuleId::NotProven)
        .map(|found| format!("{} {}", found.message, found.advice));
    let message = message.unwrap();
    assert!(
        message.contains("returns no rows on this data: not proven") && message.contains("'xx'"),
        "{message}"
    );
}

/// What a function of the project reads is no catalog of PostgreSQL's, though its plan names no table.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_returns_nothing_is_not_proven() {
    const FUNCTION: &str =
        "CREATE FUNCTION lent(since int) RETURNS SETOF int LANGUAGE plpgsql STABLE AS
        'BEGIN RETURN QUERY SELECT id FROM books WHERE id < 0 AND id > since; END';";
    const CALLS: &str = "
-- name: Lent :many
SELECT lent FROM lent($1);
-- name: Idle :many
SELECT pid FROM pg_stat_activity WHERE application_name = 'nobody' AND backend_type = 'nothing';
";
    let database = library().await;
    database.execute(FUNCTION).await;
    let audit = Audit::of(&database, CALLS).await;
    let findings = audit.findings().await.into_iter();
    let found: Vec<_> = findings
        .filter(|found| found.rule == RuleId::NotProven)
        .map(|found| (found.query, found.severity, found.advice))
        .map(|(query, severity, advice)| {
            (
                query.unwrap_or_default(),
                severity,
                advice.contains("A function decides"),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("Lent".to_owned(), Severity::Warning, true),
            ("Idle".to_owned(), Severity::Info, false)
        ]
    );
}

/// Where every parent has children, the plan is shown and the key's message told.
#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_cannot_be_deleted_is_planned() {
    let database = library().await;
    database.execute("DELETE FROM shelves WHERE id > 290").await;
    let audit = Audit::of(&database, QUERIES).await;
    let runs = audit.runs_of("RemoveShelf");
    assert!(runs.only_planned() && !runs.found_nothing());
    assert!(
        runs.notes[0].contains("planned only") && runs.notes[0].contains("copies_shelf_fkey"),
        "{:?}",
        runs.notes
    );
    assert!(
        runs.runs
            .iter()
            .all(|run| run.outcome == Outcome::Estimated)
    );
}

/// The values do not change with the rows that ANALYZE happens to sample.
#[tokio::test(flavor = "multi_thread")]
async fn values_are_those_of_the_data_and_not_of_the_statistics() {
    let database = library().await;
    let shown = |audit: &Audit| -> Vec<String> {
        let runs = audit.runs.iter().flat_map(|runs| &runs.runs);
        runs.filter(|run| run.id.is_base())
            .map(|run| values(run).join(", "))
            .collect()
    };
    let first = shown(&Audit::of(&database, QUERIES).await);
    database
        .execute(
            "SET default_statistics_target = 7; ANALYZE books; ANALYZE authors; ANALYZE copies;",
        )
        .await;
    assert_eq!(shown(&Audit::of(&database, QUERIES).await), first);
}

const CONCERTS: &str = "
CREATE TABLE halls (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE stages (id int PRIMARY KEY, hall int NOT NULL REFERENCES halls ON DELETE CASCADE);
CREATE TABLE concerts (id int PRIMARY KEY, stage int NOT NULL REFERENCES stages, held date NOT NULL);
CREATE TABLE keepers (id int PRIMARY KEY, hall int NOT NULL UNIQUE REFERENCES halls ON DELETE CASCADE, name text NOT NULL,
    deputy int REFERENCES keepers);
INSERT INTO halls SELECT i, 'hall ' || i FROM generate_series(1, 400) i;
INSERT INTO stages SELECT i, 1 + i % 400 FROM generate_series(1, 800) i;
INSERT INTO concerts SELECT i, 1 + i % 799, CURRENT_DATE + i % 9 FROM generate_series(1, 3000) i WHERE 1 + i % 799 <> 400;
INSERT INTO keepers SELECT i, i, 'keeper ' || i FROM generate_series(2, 400) i;
ANALYZE;
";

const ABOUT_CONCERTS: &str = "
-- name: CloseHall :exec
DELETE FROM halls WHERE id = $1;

-- name: Appoint :exec
INSERT INTO keepers (id, hall, name, deputy) VALUES ($1, $2, $3, $4);

-- name: OtherStages :many
SELECT id FROM stages WHERE hall = $1 AND id <> $2;

-- name: ButThese :many
SELECT id FROM concerts WHERE stage = $1 AND NOT id = ANY($2::int[]);

-- name: Lately :many
SELECT id FROM concerts WHERE held > now() - ($1 || ' days')::interval;
";

/// A row that goes with others that nothing holds, a free referenced row, and what is left out being something else.
#[tokio::test(flavor = "multi_thread")]
async fn what_refuses_and_what_is_left_out_leaves_a_row() {
    let database = support::database().await;
    database.execute(CONCERTS).await;
    let audit = Audit::of(&database, ABOUT_CONCERTS).await;
    for query in &audit.queries {
        let runs = audit.runs_of(&query.name);
        let found = runs
            .runs
            .iter()
            .any(|run| run.rows_found().is_some_and(|rows| rows > 0.0));
        assert!(found && runs.notes.is_empty(), "{runs:?}");
    }
}

const ARCHIVE: &str = "
CREATE TABLE realms (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE);
CREATE TABLE boxes (id int PRIMARY KEY, realm uuid NOT NULL, label text NOT NULL, shelf int NOT NULL);
CREATE TABLE papers (id int PRIMARY KEY, realm uuid NOT NULL, box int NOT NULL REFERENCES boxes, code text NOT NULL,
    state text NOT NULL, filed timestamptz NOT NULL, holder text);
INSERT INTO realms SELECT md5('realm' || i)::uuid, 'realm-' || i FROM generate_series(1, 200) i;
INSERT INTO boxes SELECT i, md5('realm' || 1 + i % 200)::uuid, 'box ' || i / 200, i % 31 FROM generate_series(1, 2000) i;
-- Half of the papers are in a box of another realm.
INSERT INTO papers SELECT i, md5('realm' || 1 + (CASE i % 2 WHEN 0 THEN (1 + i % 2000) ELSE i * 7 END) % 200)::uuid, 1 + i % 2000,
    'code ' || i / 2000, CASE i % 50 WHEN 0 THEN 'held' ELSE 'open' END, timestamptz '2025-01-01' + i * interval '1 minute',
    CASE i % 50 WHEN 0 THEN 'holder ' || i END FROM generate_series(1, 20000) i;
ANALYZE;
";

const OF_ARCHIVE: &str = "
-- name: InBoxOfCte :many
WITH box AS (SELECT id, shelf FROM boxes WHERE label = $1 AND realm = $2)
SELECT p.id, box.shelf FROM papers p JOIN box ON box.id = p.box WHERE p.realm = $2 AND p.code = $3;

-- name: InBoxOfTwo :many
WITH box AS (SELECT id FROM boxes WHERE label = $1 AND realm = $2), found AS (SELECT p.id, p.code FROM papers p, box b
    WHERE p.box = b.id AND p.state = $4)
SELECT f.id FROM found AS f WHERE f.code = $3;

-- name: Counted :many
WITH counts AS (SELECT box, count(*) AS papers FROM papers WHERE realm = $1 AND code = $3 GROUP BY box)
SELECT b.id, c.papers FROM boxes b JOIN counts c ON c.box = b.id WHERE b.realm = $1 AND b.label = $2;

-- name: LatestOf :many
SELECT b.id FROM boxes b JOIN (SELECT DISTINCT ON (box) box, filed FROM papers WHERE realm = $1 AND code = $3 ORDER BY box, filed DESC) p
    ON p.box = b.id WHERE b.realm = $1 AND b.label = $2;

-- name: BySlug :one
SELECT p.id FROM papers p WHERE p.realm = (SELECT id FROM realms WHERE slug = $1) AND p.code = $2
AND p.box IN (SELECT id FROM boxes WHERE label = $3 AND realm = p.realm);

-- name: Both :many
SELECT p.id FROM papers p JOIN boxes b ON b.id = p.box WHERE p.realm = $1 AND b.realm = $1 AND p.code = $2;

-- name: Below :many
WITH RECURSIVE walk AS (SELECT id, shelf FROM boxes WHERE label = $1 AND realm = $2 UNION
    SELECT b.id, b.shelf FROM boxes b JOIN walk w ON b.id = w.shelf)
SELECT p.id FROM papers p JOIN walk ON walk.id = p.box WHERE p.realm = $2 AND p.code = $3;

-- name: Pairs :many
SELECT p.id FROM papers p JOIN unnest($1::uuid[], $2::text[]) AS asked (realm, code) ON p.realm = asked.realm AND p.code = asked.code;

-- name: PairsByRow :many
SELECT id FROM papers WHERE (box, code) IN (SELECT unnest($1::int[]), unnest($2::text[]));

-- name: PairsOfCte :many
WITH asked AS (SELECT unnest($1::int[]) AS box, unnest($2::text[]) AS code)
SELECT p.id FROM papers p JOIN asked a ON a.box = p.box AND a.code = p.code WHERE p.realm = $3;

-- name: PairsOfSubquery :exec
UPDATE papers SET holder = a.holder FROM (SELECT unnest($1::int[]) AS box, unnest($2::text[]) AS code, unnest($3::text[]) AS holder) AS a
WHERE papers.box = a.box AND papers.code = a.code;

-- name: PairsThere :many
SELECT p.id FROM papers p WHERE p.state = 'open' AND EXISTS (SELECT 1 FROM unnest($1::int[], $2::text[]) AS a (box, code)
    WHERE a.box = p.box AND a.code = p.code);

-- name: FilteredPage :many
SELECT p.id, p.filed FROM papers p JOIN boxes b ON b.id = p.box
WHERE p.realm = $1 AND ($2::text IS NULL OR p.code = $2) AND ($3::text IS NULL OR b.label = $3)
AND ($4::timestamptz IS NULL OR (p.filed, p.id) < ($4, $5)) ORDER BY p.filed DESC, p.id DESC LIMIT $6;

-- name: PageFrom :many
SELECT id FROM papers WHERE realm = $1 AND ($2::text = '' OR code = $2) AND (NOT $3::boolean OR filed < $4) ORDER BY filed DESC LIMIT 10;

-- name: Release :exec
UPDATE papers SET state = $3, holder = NULL WHERE id = $1 AND state = 'held' AND holder = $2;

-- name: Move :exec
WITH moved AS (UPDATE papers SET state = 'open' WHERE id = $1 AND state = 'held' AND realm = $2 RETURNING id, box)
UPDATE boxes SET shelf = shelf + 1 FROM moved WHERE boxes.id = moved.box;

-- name: Copy :exec
INSERT INTO papers (id, realm, box, code, state, filed) SELECT $1, p.realm, p.box, $2, p.state, now() FROM papers p JOIN boxes b ON b.id = p.box
WHERE p.code = $3 AND b.label = $4 AND b.realm = $5;

-- name: EitherSide :many
SELECT p.id FROM papers p JOIN boxes b ON b.id = p.box WHERE p.code = $1 AND b.label = $2 AND p.realm = $3
UNION ALL SELECT p.id FROM papers p WHERE p.holder = $1 AND p.realm = $3;
";

/// Parameters of CTEs, of subqueries and of the statement around them come from one row, and so do elements of arrays.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_at_several_levels_comes_from_one_row() {
    let database = support::database().await;
    database.execute(ARCHIVE).await;
    let audit = Audit::of(&database, OF_ARCHIVE).await;
    let finds_rows = |name: &str| {
        let runs = audit.runs_of(name).runs.iter();
        let mut typical = runs.filter(|run| run.id.is_base());
        typical.any(|run| run.rows_found().is_some_and(|rows| rows > 0.0))
    };
    let without: Vec<_> = audit
        .queries
        .iter()
        .filter(|query| !finds_rows(&query.name))
        .map(|query| {
            let runs = audit.runs_of(&query.name);
            let values: Vec<_> = runs.runs.iter().map(values).collect();
            (&query.name, values, &runs.failure, &runs.notes)
        })
        .collect();
    assert!(without.is_empty(), "{without:#?}");
}

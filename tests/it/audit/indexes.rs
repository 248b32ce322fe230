//! Indexes that are advised, and those that are not: each built, measured, applied, and then not advised again.

use pgproof::finding::{Finding, RuleId, Severity};

use super::{Audit, database};
use crate::support::TestDatabase;

/// `query: statement` of every proven index.
fn advised(findings: &[Finding]) -> Vec<String> {
    let proven = findings
        .iter()
        .filter(|finding| finding.rule == RuleId::MissingIndex);
    let mut shown: Vec<String> = proven
        .map(|finding| {
            let fix = finding.fix.as_ref().unwrap();
            assert!(finding.severity > Severity::Info);
            format!("{}: {}", finding.query.as_ref().unwrap(), fix.sql)
        })
        .collect();
    shown.sort();
    shown
}

/// Applies every fix and audits again: nothing may be left to advise.
async fn applied(database: &TestDatabase, catalog: &str, findings: &[Finding]) {
    let mut fixes: Vec<&str> = findings
        .iter()
        .filter_map(|finding| Some(finding.fix.as_ref()?.sql.as_str()))
        .collect();
    fixes.sort_unstable();
    fixes.dedup();
    for fix in fixes {
        database.execute(fix).await;
    }
    database.execute("ANALYZE").await;
    let left = advised(&Audit::of(database, catalog).await.findings().await);
    assert!(left.is_empty(), "still advised: {left:#?}");
}

const TRAPS: &str = r#"
-- name: VarcharIsNoCast :one
SELECT id, name FROM accounts WHERE email = $1;

-- name: DomainIsNoCast :one
SELECT id, name FROM accounts WHERE handle = $1;

-- name: FunctionAroundColumn :one
SELECT id, name FROM accounts WHERE lower(name) = lower($1);

-- name: QuotedNames :many
SELECT "Id", total FROM "Order" WHERE "Customer" = $1;

-- name: EqualityThenSort :many
SELECT "Id", number, total FROM "Order" WHERE status = $1 AND total > 900 ORDER BY placed_at DESC LIMIT 10;

-- name: ConstantFilter :many
SELECT "Id", number, placed_at FROM "Order" WHERE status = 'void' ORDER BY placed_at LIMIT 20;

-- name: MixedDirections :many
SELECT id, name FROM accounts ORDER BY tier, created_at DESC LIMIT 20;

-- name: PartitionedParent :many
SELECT at, kind FROM events WHERE actor = $1;

-- name: InnerSideOfJoin :many
-- @param $1: 'N77'
SELECT o.number, l.line, l.sku FROM "Order" o JOIN lines l ON l.sku = o.note WHERE o.number = $1;

-- name: ForeignKeyCheck :exec
-- @param $1: (SELECT max(id) FROM accounts a WHERE id % 6 = 1 AND NOT EXISTS (SELECT FROM links k WHERE k.account_id = a.id))
DELETE FROM accounts WHERE id = $1;

-- name: Containment :many
-- @param $1: '{"theme": "t77"}'
SELECT id, name FROM accounts WHERE settings @> $1;

-- name: ArrayContainment :many
-- @param $1: '{t77}'
SELECT id, name FROM accounts WHERE tags @> $1;

-- name: FullText :many
-- @param $1: 'word77'
SELECT at, body FROM events WHERE search @@ plainto_tsquery('simple', $1);

-- name: Prefix :many
-- @param $1: 'Name abc%'
SELECT id, name FROM accounts WHERE name LIKE $1;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn traps_of_index_advice() {
    let database = database().await;
    let findings = Audit::of(&database, TRAPS).await.findings().await;
    let expected = [
        "ArrayContainment: CREATE INDEX idx_accounts_tags ON accounts USING gin (tags);",
        "ConstantFilter: CREATE INDEX \"idx_Order_status_placed_at\" ON \"Order\" (status, placed_at);",
        "Containment: CREATE INDEX idx_accounts_settings ON accounts USING gin (settings jsonb_path_ops);",
        "DomainIsNoCast: CREATE INDEX idx_accounts_handle ON accounts (handle);",
        "EqualityThenSort: CREATE INDEX \"idx_Order_status_placed_at\" ON \"Order\" (status, placed_at);",
        "ForeignKeyCheck: CREATE INDEX \"idx_Order_Customer\" ON \"Order\" (\"Customer\");",
        "FullText: CREATE INDEX idx_events_search ON events USING gin (search);",
        "FunctionAroundColumn: CREATE INDEX idx_accounts_lower_name ON accounts (lower(name));",
        "InnerSideOfJoin: CREATE INDEX idx_lines_sku ON lines (sku);",
        "MixedDirections: CREATE INDEX idx_accounts_tier_created_at ON accounts (tier, created_at DESC);",
        "PartitionedParent: CREATE INDEX idx_events_actor ON events (actor);",
        "Prefix: CREATE INDEX idx_accounts_name_pattern ON accounts (name text_pattern_ops);",
        "QuotedNames: CREATE INDEX \"idx_Order_Customer\" ON \"Order\" (\"Customer\");",
        "VarcharIsNoCast: CREATE INDEX idx_accounts_email ON accounts (email);",
    ];
    assert_eq!(advised(&findings), expected);
    applied(&database, TRAPS, &findings).await;
}

const QUIET: &str = r#"
-- name: KeepsMost :many
SELECT "Id", total FROM "Order" WHERE status IN ('sent', 'paid');

-- name: NotNull :many
SELECT count(*) FROM "Order" WHERE closed_at IS NOT NULL;

-- name: ExistsAlready :one
SELECT "Id" FROM "Order" WHERE number = $1;

-- name: SmallTable :many
SELECT * FROM links WHERE order_id = $1;

-- name: WholeTable :one
SELECT sum(total) FROM "Order";

-- name: NoImmutableExpression :one
-- @param $1: '2024-03-03'
SELECT count(*) FROM "Order" WHERE placed_at::date = $1;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_advised_where_nothing_helps() {
    let database = database().await;
    let findings = Audit::of(&database, QUIET).await.findings().await;
    assert_eq!(advised(&findings), [""; 0]);
}

const TOGETHER: &str = r#"
-- name: One :many
SELECT "Id", total FROM "Order" WHERE "Customer" = $1;

-- name: Two :many
SELECT "Id", total FROM "Order" WHERE "Customer" = $1 ORDER BY placed_at DESC LIMIT 10;

-- name: Three :many
SELECT "Id", total FROM "Order" WHERE "Customer" = $1 AND status = 'open';

-- name: Four :many
SELECT count(*) FROM "Order" WHERE "Customer" = ANY($1::bigint[]);

-- name: Five :one
SELECT max(placed_at) FROM "Order" WHERE "Customer" = $1;

-- name: Six :many
SELECT o."Id", a.name FROM "Order" o JOIN accounts a ON a.id = o."Customer" WHERE a.id = $1;

-- name: Seven :many
SELECT a.id, (SELECT count(*) FROM "Order" o WHERE o."Customer" = a.id) FROM accounts a WHERE a.id < 50;

-- name: Eight :many
SELECT "Id" FROM "Order" WHERE "Customer" = $1 AND placed_at > '2024-06-01';
"#;

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_get_few_indexes() {
    let database = database().await;
    let findings = Audit::of(&database, TOGETHER).await.findings().await;
    let mut statements: Vec<String> = advised(&findings)
        .into_iter()
        .map(|line| line.split_once(": ").unwrap().1.to_owned())
        .collect();
    statements.sort();
    statements.dedup();
    let expected = [
        "CREATE INDEX \"idx_Order_Customer_placed_at\" ON \"Order\" (\"Customer\", placed_at);",
        // The largest customer has no open orders: without it all of his are read.
        "CREATE INDEX \"idx_Order_Customer_status\" ON \"Order\" (\"Customer\", status);",
    ];
    assert_eq!(statements, expected);
    applied(&database, TOGETHER, &findings).await;
}

const OTHER_METHODS: &str = r#"
-- name: Substring :many
-- @param $1: 'abc12'
SELECT id, handle FROM accounts WHERE name ILIKE '%' || $1 || '%';

-- name: EitherColumn :many
-- @param $2: 'User77@example.com'
SELECT id, handle FROM accounts WHERE id = $1 OR email = $2;

-- name: EitherOfTwo :many
-- @param $1: '77'
-- @param $2: 'Name x'
SELECT "Id", number FROM "Order" WHERE "Customer" = $1 OR note = $2;

-- name: MonthOfAll :one
SELECT sum(total) FROM "Order" WHERE placed_at >= '2024-02-01' AND placed_at < '2024-04-01';
"#;

/// Trigrams, the one index that an OR lacks, the two that another lacks, and a summary of a column that rows are in the order of.
#[tokio::test(flavor = "multi_thread")]
async fn other_methods_than_a_b_tree() {
    let database = database().await;
    let findings = Audit::of(&database, OTHER_METHODS).await.findings().await;
    let expected = [
        "EitherColumn: CREATE INDEX idx_accounts_email ON accounts (email);",
        "EitherOfTwo: CREATE INDEX \"idx_Order_Customer\" ON \"Order\" (\"Customer\");\n\
         CREATE INDEX \"idx_Order_note\" ON \"Order\" (note);",
        "MonthOfAll: CREATE INDEX \"idx_Order_placed_at_brin\" ON \"Order\" USING brin (placed_at);",
        "Substring: CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX idx_accounts_name_trgm ON accounts USING gin (name gin_trgm_ops);",
    ];
    assert_eq!(advised(&findings), expected);
    applied(&database, OTHER_METHODS, &findings).await;
}

/// What runs for each row of another scan costs as often, also where the plan has nothing but estimates.
#[tokio::test(flavor = "multi_thread")]
async fn a_subquery_that_never_ends_is_given_its_index() {
    const BAKERY: &str = "
CREATE TABLE ovens (id int PRIMARY KEY, kind text NOT NULL);
CREATE TABLE loaves (id int PRIMARY KEY, oven int NOT NULL REFERENCES ovens, weight int NOT NULL);
INSERT INTO ovens SELECT i, CASE i % 50 WHEN 0 THEN 'stone' ELSE 'steel' END FROM generate_series(1, 2000) i;
INSERT INTO loaves SELECT i, 1 + i % 2000, 400 + i * 7 % 300 FROM generate_series(1, 200000) i;
ANALYZE;
";
    const LIGHT: &str = "-- name: LightLoaves :one
SELECT sum(l.weight) FROM loaves l JOIN ovens o ON o.id = l.oven
WHERE o.kind = 'stone' AND l.weight < (SELECT avg(x.weight) FROM loaves x WHERE x.oven = o.id);
";
    let database = crate::support::database().await;
    database.execute(BAKERY).await;
    let limited = pgproof::db::audit::RunOptions {
        timeout: pgproof::units::Millis(400.0),
        ..super::options()
    };
    let audit = Audit::with(&database, LIGHT, &limited).await;
    assert!(matches!(
        audit.runs_of("LightLoaves").runs[0].outcome,
        pgproof::run::Outcome::TimedOut { .. }
    ));
    let findings = audit.findings().await;
    let advised = advised(&findings);
    assert!(
        matches!(&advised[..], [one] if one.contains("ON loaves (oven")),
        "{advised:?}"
    );
    let rules: Vec<RuleId> = findings.iter().map(|found| found.rule).collect();
    assert!(!rules.contains(&RuleId::Timeout), "{rules:?}");
}

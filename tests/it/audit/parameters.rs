//! The values that parameters get, by every way in which a statement uses them.

use super::{Audit, database, filled, less_data, values};
use crate::support;

const FORMS: &str = r#"
-- name: Equal :many
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Mirrored :many
SELECT "Id" FROM "Order" WHERE $1 = "Customer";

-- name: OneOf :many
SELECT "Id" FROM "Order" WHERE "Customer" = ANY($1::bigint[]);

-- name: Element :many
SELECT id FROM accounts WHERE $1 = ANY(tags);

-- name: Between :many
SELECT count(*) FROM "Order" WHERE placed_at BETWEEN $1 AND $2;

-- name: Since :many
SELECT count(*) FROM "Order" WHERE placed_at > $1;

-- name: Within :many
SELECT count(*) FROM "Order" WHERE placed_at > timestamptz '2025-03-01' - $1::interval;

-- name: Days :many
SELECT count(*) FROM "Order" WHERE placed_at > now() - $1 * interval '1 day';

-- name: Like :many
SELECT id FROM accounts WHERE name LIKE $1;

-- name: Search :many
SELECT id FROM accounts WHERE name ILIKE '%' || @term || '%';

-- name: StartsWith :many
SELECT id FROM accounts WHERE email LIKE @start || '%';

-- name: Page :many
SELECT id FROM accounts ORDER BY id LIMIT $1 OFFSET $2;

-- name: Contains :many
SELECT id FROM accounts WHERE settings @> $1;

-- name: JsonText :many
SELECT id FROM accounts WHERE settings ->> 'theme' = $1;

-- name: JsonNumber :many
SELECT id FROM accounts WHERE (settings ->> 'size')::int = $1;

-- name: HasKey :many
SELECT count(*) FROM accounts WHERE settings ? $1;

-- name: Words :many
SELECT count(*) FROM events WHERE search @@ plainto_tsquery('simple', $1);

-- name: OwnWords :many
SELECT count(*) FROM events WHERE to_tsvector('simple', body) @@ websearch_to_tsquery('simple', $1);

-- name: Optional :many
SELECT "Id" FROM "Order" WHERE ($1::varchar IS NULL OR status = $1) AND ($2::bigint IS NULL OR "Customer" = $2);

-- name: Coalesced :many
SELECT count(*) FROM "Order" WHERE status = coalesce(sqlc.narg(status), status);

-- name: Enum :many
SELECT count(*) FROM accounts WHERE tier = $1 AND active = $2;

-- name: Expression :one
SELECT id FROM accounts WHERE lower(email) = lower($1);

-- name: Truncated :many
SELECT count(*) FROM events WHERE date_trunc('day', at) = $1;

-- name: ThroughView :many
SELECT account FROM paying WHERE address = $1 AND since < $2;

-- name: ThroughCte :many
WITH big AS MATERIALIZED (SELECT "Customer", sum(total) AS spent FROM "Order" GROUP BY 1) SELECT * FROM big WHERE "Customer" = $1;

-- name: Keyset :many
SELECT "Id" FROM "Order" WHERE (placed_at, "Id") < ($1, $2) ORDER BY placed_at DESC, "Id" DESC LIMIT 20;

-- name: OnlyShown :many
SELECT id, $1::text AS label FROM accounts WHERE id = $2;

-- name: Pair :many
SELECT at FROM events WHERE actor = $1 AND kind = $2 AND at >= $3 AND at < $4;

-- name: Nested :many
SELECT "Id" FROM "Order" WHERE EXISTS (SELECT FROM accounts a WHERE a.email = $1) LIMIT 5;

-- name: Small :many
SELECT count(*) FROM lines WHERE line = $1;

-- name: Slice :many
SELECT id FROM accounts WHERE id IN (sqlc.slice('ids'));
"#;

/// `query label: how many values -> whether rows came` of the executed sets of a query. The values themselves change with
/// the rows that ANALYZE happens to sample, and with them which others are worth executing beside the typical ones.
fn shown(audit: &Audit, name: &str) -> Vec<String> {
    let runs = &audit.runs_of(name).runs;
    let came = |run: &pgproof::run::Run| {
        if run.rows().is_some_and(|rows| rows > 0.0) {
            "rows"
        } else {
            "no rows"
        }
    };
    let typical = runs.iter().filter(|run| run.id.is_base());
    let mut lines: Vec<String> = typical
        .map(|run| {
            format!(
                "{name} {}: {} values -> {}",
                run.id,
                values(run).len(),
                came(run)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push(format!(
            "{name}: {}",
            if runs.is_empty() {
                "not executed"
            } else {
                "executed"
            }
        ));
    }
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_gets_values_from_the_data() {
    let database = database().await;
    let audit = Audit::of(&database, FORMS).await;
    let lines: Vec<String> = audit
        .queries
        .iter()
        .flat_map(|query| shown(&audit, &query.name))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_works_on_every_version() {
    for cluster in support::every_cluster() {
        let database = filled(cluster, &less_data()).await;
        let audit = Audit::of(&database, FORMS).await;
        for query in &audit.queries {
            assert!(
                !audit.runs_of(&query.name).runs.is_empty(),
                "{}",
                query.name
            );
        }
        assert_eq!(values(audit.run("Equal", "hot Customer")), ["7"]);
        assert_eq!(values(audit.run("Small", "typical")), ["1"]);
    }
}

const MORE_FORMS: &str = r#"
-- name: Path :many
SELECT id FROM accounts WHERE settings #>> '{theme}' = $1;

-- name: PathExists :many
SELECT id FROM accounts WHERE settings @? $1;

-- name: PathHolds :many
SELECT id FROM accounts WHERE settings @@ $1::jsonpath;

-- name: Query :many
SELECT count(*) FROM events WHERE search @@ to_tsquery('simple', $1);

-- name: Range :many
SELECT "Id" FROM "Order" WHERE placed_at >= $1 AND placed_at < $2;

-- name: RangeUntil :many
-- @param until: '2024-03-01'
SELECT "Id" FROM "Order" WHERE placed_at >= @since AND placed_at < @until;

-- name: Typed :many
SELECT "Id" FROM "Order" WHERE total::numeric(5, 2) = $1::numeric(5, 2);

-- name: Insert :exec
INSERT INTO links (account_id, order_id) VALUES ($1, $2);

-- name: InsertReturning :one
INSERT INTO accounts (email, handle, name, tier, active, settings, tags, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id;

-- name: Update :exec
UPDATE "Order" SET status = $2, total = $3, closed_at = $4 WHERE "Id" = $1;

-- name: UpdateOptional :exec
UPDATE accounts SET name = coalesce(sqlc.narg(name), name), tier = coalesce(sqlc.narg(tier), tier) WHERE id = @id;

-- name: Delete :exec
DELETE FROM lines WHERE order_id = $1 AND line = $2;
"#;

/// Paths, ranges, writes; a range's bounds never leave it empty.
#[tokio::test(flavor = "multi_thread")]
async fn more_forms_work_on_every_version() {
    for cluster in support::every_cluster() {
        let database = filled(cluster, &less_data()).await;
        let audit = Audit::of(&database, MORE_FORMS).await;
        for query in &audit.queries {
            assert!(
                !audit.runs_of(&query.name).runs.is_empty(),
                "{}",
                query.name
            );
        }
        let rows = |name: &str, label: &str| audit.run(name, label).rows().unwrap();
        for name in [
            "Path",
            "PathExists",
            "PathHolds",
            "Query",
            "Range",
            "RangeUntil",
        ] {
            assert!(
                rows(name, "typical") > 0.0,
                "{name}: {:?}",
                values(audit.run(name, "typical"))
            );
        }
        assert!(rows("Range", "wide placed_at") > 3.0 * rows("Range", "typical"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_choose() {
    let database = database().await;
    let catalog = r#"
-- name: Hot :many
-- @param $1: hot
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Absent :many
-- @param customer: absent
SELECT "Id" FROM "Order" WHERE "Customer" = @customer;

-- name: Typical :many
-- @param $1: typical
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Literal :many
-- @param $1: '42'
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Chosen :many
-- @param $1: (SELECT max(id) FROM accounts -- the newest
-- )
SELECT "Id" FROM "Order" WHERE "Customer" = $1;

-- name: Nothing :many
-- @param $1: (SELECT NULL)
SELECT "Id" FROM "Order" WHERE "Customer" = $1;
"#;
    let catalog = catalog.replace(" -- the newest\n-- )", ")");
    let audit = Audit::of(&database, &catalog).await;
    assert_eq!(values(audit.run("Hot", "hot Customer")), ["7"]);
    assert_eq!(audit.run("Absent", "absent customer").rows(), Some(0.0));
    let typical = audit.run("Typical", "typical");
    assert!(typical.rows().unwrap() < 20.0 && values(typical) != ["7"]);
    assert_eq!(audit.runs_of("Typical").runs.len(), 1);
    assert_eq!(values(audit.run("Literal", "given")), ["42"]);
    assert_eq!(values(audit.run("Chosen", "given")), ["60000"]);
    assert_eq!(values(audit.run("Nothing", "given")), ["-"]);
}

/// Drivers that bind strings say `text` of each: for them such statements run.
#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_whose_type_nothing_says_is_a_text() {
    const CATALOG: &str = r#"
-- name: Search :many
SELECT id FROM accounts WHERE id < 1000 AND ($1 IS NULL OR name LIKE concat('%', $1, '%')) AND tier = $2;

-- name: Cast :many
SELECT id FROM accounts WHERE md5(name)::uuid = uuid($1);

-- name: Optional :many
SELECT "Id" FROM "Order" WHERE ($1 IS NULL OR placed_at >= $1) AND ($2 IS NULL OR "Customer" = $2);
"#;
    for cluster in support::every_cluster() {
        let database = filled(cluster, &less_data()).await;
        let audit = Audit::of(&database, CATALOG).await;
        for name in ["Search", "Cast", "Optional"] {
            let of = audit.runs_of(name);
            assert!(
                of.failure.is_none() && !of.runs.is_empty(),
                "{name}: {of:?}"
            );
        }
    }
}

/// A trigger that refuses what is written is a rule of the schema, as a constraint is.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_trigger_refuses_is_planned_and_says_so() {
    let database = database().await;
    database
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'names are for ever'; END $$; \
             CREATE TRIGGER refuse BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse();",
        )
        .await;
    let audit = Audit::of(
        &database,
        "-- name: Rename :exec\nUPDATE accounts SET name = $2 WHERE id = $1;\n",
    )
    .await;
    let of = audit.runs_of("Rename");
    assert!(of.failure.is_none(), "{:?}", of.failure);
    assert!(!of.runs.is_empty() && of.runs.iter().all(|run| run.rows().is_none()));
    assert!(
        of.notes
            .iter()
            .any(|note| note.contains("names are for ever")),
        "{:?}",
        of.notes
    );
}

//! The set of indexes as a whole: what makes another query worse is out, and named with that query.

use pgproof::finding::{Finding, RuleId};

use super::{Audit, filled};
use crate::support;

/// Alarms came late, and all at once: whoever walks the readings in their order to the first alarm reads nearly all of them,
/// where the planner expects to meet one soon.
const PLANT: &str = "
CREATE TABLE readings (id int PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL, value int NOT NULL, pad text NOT NULL);
INSERT INTO readings SELECT i, timestamptz '2025-01-01' + i * interval '1 minute',
    CASE WHEN i > 119880 THEN 'alarm' ELSE 'plain' END, i % 997, repeat('r', 90) FROM generate_series(1, 120000) i;
CREATE INDEX readings_kind ON readings (kind);
VACUUM ANALYZE;
";

const QUERIES: &str = "
-- name: FirstReadings :many
SELECT id, at FROM readings ORDER BY at LIMIT 10;

-- name: FirstAlarm :one
SELECT id, value FROM readings WHERE kind = 'alarm' ORDER BY at LIMIT 1;
";

fn of<'a>(findings: &'a [Finding], rule: RuleId, query: &str) -> Option<&'a Finding> {
    findings
        .iter()
        .find(|finding| finding.rule == rule && finding.query.as_deref() == Some(query))
}

const QUEUE: &str = "
CREATE TABLE jobs (id int PRIMARY KEY, tries int NOT NULL, due timestamptz NOT NULL, state text NOT NULL, pad text NOT NULL);
INSERT INTO jobs SELECT i, i % 7, timestamptz '2025-01-01' + (i * 7919::bigint % 90001) * interval '1 minute', 'open', repeat('j', 90)
  FROM generate_series(1, 90000) i;
VACUUM ANALYZE;
";

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_are_no_longer_hot_are_named() {
    let database = filled(support::cluster(), QUEUE).await;
    let catalog = "
-- name: NextJobs :many
SELECT id FROM jobs ORDER BY tries, due LIMIT 10;

-- name: TryAgain :exec
UPDATE jobs SET state = 'open', tries = tries + 1 WHERE id = $1;

-- name: Close :exec
UPDATE jobs SET state = 'done' WHERE id = $1;
";
    let audit = Audit::of(&database, catalog).await;
    let findings = audit.findings().await;
    audit.session.close().await;
    let index = of(&findings, RuleId::MissingIndex, "NextJobs").unwrap();
    assert!(
        index.advice.contains(
            "TryAgain changes tries, which no index holds today: its updates are no longer HOT."
        ),
        "{}",
        index.advice
    );
    assert!(!index.advice.contains("Close"), "{}", index.advice);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_makes_another_query_worse_is_out() {
    let database = filled(support::cluster(), PLANT).await;
    // That it would: the planner takes it for the first alarm.
    database
        .execute("CREATE INDEX readings_at ON readings (at)")
        .await;
    let audit = Audit::of(&database, QUERIES).await;
    let pages = |audit: &Audit| {
        let run = &audit.runs_of("FirstAlarm").runs[0];
        run.measurement().unwrap().blocks.0
    };
    assert!(pages(&audit) > 1000, "{}", pages(&audit));
    audit.session.close().await;
    database.execute("DROP INDEX readings_at").await;

    let audit = Audit::of(&database, QUERIES).await;
    assert!(pages(&audit) < 20, "{}", pages(&audit));
    let findings = audit.findings().await;
    audit.session.close().await;
    assert_eq!(of(&findings, RuleId::MissingIndex, "FirstReadings"), None);
    let sort = of(&findings, RuleId::TopNSort, "FirstReadings").unwrap();
    assert_eq!(
        sort.advice,
        "An index on readings (at) was built and makes FirstAlarm worse, so it is not advised: change that query first."
    );
}

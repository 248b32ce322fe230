//! What an index costs the statements of the catalog that write.

use pgproof::finding::{Finding, RuleId};

use super::{Audit, filled};
use crate::support;

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

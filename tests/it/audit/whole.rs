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

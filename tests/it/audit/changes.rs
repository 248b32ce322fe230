//! Fixes as changes of the schema: applied as they stand they are what the audit asked for, and taken back they leave nothing.

use std::collections::BTreeSet;

use pgproof::advise::changes::{Changes, changes, distinguish};
use pgproof::db::introspect;
use pgproof::finding::{Finding, RuleId};

use super::{Audit, filled};
use crate::support::{self, TestDatabase};

const WORKSHOP: &str = "
CREATE SCHEMA yard;
CREATE TABLE yard.parts (id int PRIMARY KEY, code text NOT NULL, bin int NOT NULL, pad text NOT NULL);
INSERT INTO yard.parts SELECT i, 'c' || i, i % 5000, repeat('p', 90) FROM generate_series(1, 60000) i;
CREATE INDEX parts_bin ON yard.parts (bin);
CREATE INDEX parts_bin_code ON yard.parts (bin, code);
CREATE TABLE moves (id int NOT NULL, day date NOT NULL, part_id int NOT NULL, qty int NOT NULL, pad text NOT NULL,
  PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE moves_1 PARTITION OF moves FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE moves_2 PARTITION OF moves FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO moves SELECT i, date '2025-01-01' + i % 59, i % 9000, i % 7, repeat('m', 60) FROM generate_series(1, 120000) i;
CREATE TABLE shifts (id int PRIMARY KEY, crew int NOT NULL, at timestamptz NOT NULL, pad text NOT NULL);
INSERT INTO shifts SELECT i, i % 8, timestamptz '2025-01-01' + i * interval '7 minutes', repeat('s', 80) FROM generate_series(1, 80000) i;
CREATE INDEX shifts_crew ON shifts (crew);
CREATE INDEX moves_qty ON moves (qty);
CREATE INDEX moves_qty_again ON moves (qty);
VACUUM ANALYZE;
";

const QUERIES: &str = "
-- name: PartByCode :one
SELECT id FROM yard.parts WHERE code = $1;

-- name: MovesOfPart :many
SELECT id, qty FROM moves WHERE part_id = $1;

-- name: NewestShifts :many
SELECT id, at FROM shifts WHERE crew = $1 ORDER BY at DESC LIMIT 20;

-- name: PartsOfBin :many
SELECT code FROM yard.parts WHERE bin = $1;
";

async fn definitions(database: &TestDatabase) -> BTreeSet<String> {
    let session = database.session().await;
    let schema = introspect::schema(&session).await.unwrap();
    session.close().await;
    let indexes = schema.tables.iter().flat_map(|table| &table.indexes);
    indexes.map(|index| index.definition.clone()).collect()
}

async fn audited(database: &TestDatabase) -> (Vec<Finding>, Changes) {
    let audit = Audit::of(database, QUERIES).await;
    let mut findings = audit.findings().await;
    distinguish(&mut findings);
    let made = changes(&findings, &audit.schema);
    audit.session.close().await;
    (findings, made)
}

/// What a change of the schema would answer.
fn fixable(findings: &[Finding]) -> Vec<&str> {
    let fixable = findings
        .iter()
        .filter(|finding| matches!(finding.rule, RuleId::MissingIndex | RuleId::DuplicateIndex));
    fixable.map(|finding| finding.message.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_is_found_no_more() {
    let database = filled(support::cluster(), WORKSHOP).await;
    let before = definitions(&database).await;
    let (findings, made) = audited(&database).await;
    // Two indexes, two that are there twice, and the one that a new one replaces.
    assert_eq!(fixable(&findings).len(), 5, "{:?}", fixable(&findings));
    let steps: Vec<_> = made.made.iter().flat_map(|change| &change.online).collect();
    // As people paste them: one by one, outside a transaction.
    for step in &steps {
        database.execute(&step.up).await;
    }
    let ups: Vec<&str> = steps.iter().map(|step| step.up.as_str()).collect();
    let is_online = |up: &&&str| up.contains("INDEX CONCURRENTLY");
    assert_eq!(ups.iter().filter(is_online).count(), 5, "{ups:#?}");
    let (findings, made) = audited(&database).await;
    assert!(made.is_empty(), "{made:#?}");
    assert_eq!(fixable(&findings), Vec::<&str>::new());
    let downs = steps.iter().rev().filter_map(|step| step.down.as_deref());
    for down in downs {
        database.execute(down).await;
    }
    assert_eq!(definitions(&database).await, before);
}

//! `unbounded-result`: a list without LIMIT that grows with the table.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::Command;
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{NodeId, NodeKind, Plan};
use crate::units::{Bytes, Rows};

const MAX_ROWS: Threshold = Threshold {
    rule: RuleId::UnboundedResult,
    key: "max-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "rows that a list may send without LIMIT",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::UnboundedResult,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a list without LIMIT sends more rows than anyone reads",
    condition: "A :many query that returned more than max-rows rows and has no LIMIT at its top.",
    why: "The client holds all of it in memory, and it grows with the table.",
    advice: "Page it by key, or stream it through a cursor where all of it is wanted.",
    bad: "-- name: ListOrders :many\nSELECT * FROM orders;",
    good: "-- name: ListOrders :many\nSELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT 100;",
    thresholds: &[MAX_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let is_list = context
        .query
        .is_some_and(|query| matches!(query.command, Command::Many | Command::BatchMany));
    let Some(rows) = context
        .run
        .rows()
        .filter(|rows| is_list && *rows > context.limit(&MAX_ROWS))
    else {
        return Vec::new();
    };
    if has_limit(context.plan()) {
        return Vec::new();
    }
    let root = context.plan().root();
    let bytes = Bytes((rows * root.estimate.width as f64) as u64);
    let mut evidence = context.evidence(NodeId(0));
    evidence.relation = None;
    let evidence = evidence
        .with("rows", Quantity::Rows(rows))
        .with("result_bytes", Quantity::Bytes(bytes));
    let words = Words {
        message: format!("sends {}, about {bytes}, and has no LIMIT", Rows(rows)),
        why: "The client holds all of it in memory, and it grows with the table.".to_owned(),
        advice:
            "Page it by key with a LIMIT, or stream it through a cursor where all of it is wanted."
                .to_owned(),
    };
    vec![context.finding(RuleId::UnboundedResult, Severity::Warning, evidence, words)]
}

fn has_limit(plan: &Plan) -> bool {
    let mut at = Some(NodeId(0));
    while let Some(id) = at {
        let kind = &plan.node(id).kind;
        if *kind == NodeKind::Limit {
            return true;
        }
        at = plan.outer(id).filter(|_| {
            matches!(
                kind,
                NodeKind::LockRows | NodeKind::SubqueryScan | NodeKind::Result
            )
        });
    }
    false
}

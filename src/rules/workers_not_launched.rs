//! `workers-not-launched`: a parallel plan ran with fewer workers than it was made for.

use super::context::{RunContext, Words};
use super::{Check, Rule, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::WorkersNotLaunched,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a parallel plan ran with fewer workers than it was made for",
    condition: "A Gather or Gather Merge that launched fewer workers than planned: a warning where it launched none, else information.",
    why: "The plan was cheap only because workers would share it; under load it runs in one process.",
    advice: "Raise max_parallel_workers, or lower max_parallel_workers_per_gather so that plans expect what there is.",
    bad: "SET max_parallel_workers = 0; SELECT sum(total) FROM orders;",
    good: "SET max_parallel_workers_per_gather = 0; SELECT sum(total) FROM orders;",
    thresholds: &[],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, node, _) in context.executed() {
        let (Some(planned), Some(launched)) = (node.workers_planned, node.workers_launched) else {
            continue;
        };
        if launched >= planned {
            continue;
        }
        let severity = if launched == 0 {
            Severity::Warning
        } else {
            Severity::Info
        };
        let evidence = context
            .evidence(id)
            .with("workers_planned", Quantity::Count(planned.into()))
            .with("workers_launched", Quantity::Count(launched.into()));
        let words = Words {
            message: format!("planned for {planned} workers, {launched} came"),
            why: "The plan was cheap only because workers would share it; with every connection busy there are none."
                .to_owned(),
            advice: "Raise max_parallel_workers (and max_worker_processes), or lower max_parallel_workers_per_gather."
                .to_owned(),
        };
        findings.push(context.finding(
            RuleId::WorkersNotLaunched,
            severity,
            context.with_cost(evidence, id),
            words,
        ));
    }
    findings
}

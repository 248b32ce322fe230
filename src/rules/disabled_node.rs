//! `disabled-node`: the planner took what a setting forbids, because there was nothing else.

use super::context::{RunContext, Words};
use super::{Check, Rule, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::label;

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::DisabledNode,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "the planner took what a setting forbids",
    condition: "A node that ran although an enable_ setting is off for it: `Disabled` from 18 on, before that a cost of 1e10 and more. \
        It is reported where it begins.",
    why: "Costs say nothing any more where everything is disabled: the planner compares plans that all look impossible, and takes a \
        poor one.",
    advice: "Take the setting away; where the planner then chooses wrongly, mend its estimates.",
    bad: "SET enable_seqscan = off; SELECT * FROM orders WHERE note LIKE '%x%';",
    good: "RESET enable_seqscan;    SELECT * FROM orders WHERE note LIKE '%x%';",
    thresholds: &[],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let disabled = context.executed().filter(|(id, node, _)| {
        // Up to 17 the cost of a disabled node is in all above it.
        node.disabled
            && plan
                .descendants(*id)
                .all(|below| !plan.node(below).disabled)
    });
    let off: Vec<String> = plan
        .settings
        .iter()
        .filter(|(name, value)| name.starts_with("enable_") && value == "off")
        .map(|(name, _)| format!("{name} = off"))
        .collect();
    let because = if off.is_empty() {
        "an enable_ setting is off".to_owned()
    } else {
        off.join(", ")
    };
    let found = disabled.map(|(id, node, _)| {
        let evidence = context.evidence(id).with(
            "estimated_rows",
            Quantity::Rows(node.estimate.rows.0),
        );
        let words = Words {
            message: format!("{} ran although it is disabled ({because})", label(node)),
            why: "With its kind switched off, the planner had nothing else, and weighed all plans as if they were impossible.".to_owned(),
            advice: "Take the setting away for this query. Where the planner then chooses wrongly, mend its estimates: statistics, \
                     random_page_cost, an index."
                .to_owned(),
        };
        context.finding(
            RuleId::DisabledNode,
            Severity::Warning,
            context.with_cost(evidence, id),
            words,
        )
    });
    found.collect()
}

//! `jit-overhead`: compiling the query takes longer than running it.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::units::Millis;

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::JitOverhead,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "share of the execution that compiling takes",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::JitOverhead,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 10.0,
    about: "time below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::JitOverhead,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
    summary: "compiling the query takes longer than running it",
    condition: "JIT's total is min-share of the execution and at least min-time.",
    why: "JIT pays for itself in queries of seconds. It is switched on by estimated cost alone, and a wrong estimate switches it on for nothing.",
    advice: "Raise jit_above_cost, or set jit = off for this role or query.",
    bad: "SET jit_above_cost = 0; SELECT count(*) FROM countries;",
    good: "SET jit = off;          SELECT count(*) FROM countries;",
    thresholds: &[MIN_SHARE, MIN_TIME],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let (Some(jit), Some(Millis(execution))) = (&plan.jit, plan.execution_ms) else {
        return Vec::new();
    };
    let Some(Millis(spent)) = jit.total_ms else {
        return Vec::new();
    };
    if spent < context.limit(&MIN_TIME) || spent < execution * context.limit(&MIN_SHARE) {
        return Vec::new();
    }
    let evidence = Evidence {
        run: Some(context.run.id.clone()),
        ..Evidence::default()
    }
    .with("time_ms", Quantity::Millis(Millis(spent)))
    .with("query_time_ms", Quantity::Millis(Millis(execution)))
    .with("functions", Quantity::Count(jit.functions));
    let words = Words {
        message: format!("compiling {} functions took {} of {}", jit.functions, Millis(spent), Millis(execution)),
        why: "JIT is switched on by estimated cost. Here it cost more than it could ever save.".to_owned(),
        advice: "Raise jit_above_cost above this query's estimated cost, or set jit = off for the role that runs it."
            .to_owned(),
    };
    vec![context.finding(RuleId::JitOverhead, Severity::Warning, evidence, words)]
}

//! `trigger-time`: a statement spends its time in triggers, outside of its plan.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Quantity, RuleId, Severity};
use crate::plan::Trigger;
use crate::units::{Count, Millis};

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::TriggerTime,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "share of the execution that a trigger takes",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::TriggerTime,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 100.0,
    about: "time below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::TriggerTime,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a statement spends its time in a trigger",
    condition: "A trigger that is no foreign key's took min-share of the execution and at least min-time. Those of foreign keys are \
        unindexed-foreign-key's.",
    why: "No node of the plan shows it, and it holds the statement's locks meanwhile. A row trigger is called once for each row.",
    advice: "Let a statement trigger do it for all rows at once (REFERENCING NEW TABLE AS …), or look at what each call does.",
    bad: "CREATE TRIGGER audit AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note_change();",
    good: "CREATE TRIGGER audit AFTER UPDATE ON orders REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changes();",
    thresholds: &[MIN_SHARE, MIN_TIME],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let own = plan
        .triggers
        .iter()
        .filter(|trigger| trigger.constraint.is_none());
    own.filter_map(|trigger| judge(context, trigger)).collect()
}

fn judge(context: &RunContext<'_>, trigger: &Trigger) -> Option<Finding> {
    let (time, total) = (trigger.time_ms?, context.plan().execution_ms?);
    if time.0 < context.limit(&MIN_TIME) || time.0 < total.0 * context.limit(&MIN_SHARE) {
        return None;
    }
    let calls = trigger.calls;
    let evidence = Evidence {
        run: Some(context.run.id.clone()),
        relation: trigger.relation.clone(),
        condition: Some(trigger.name.clone()),
        ..Evidence::default()
    }
    .with("trigger_calls", Quantity::Count(calls as u64))
    .with("time_ms", Quantity::Millis(time))
    .with("query_time_ms", Quantity::Millis(total));
    let each = Millis(time.0 / calls.max(1.0));
    let words = Words {
        message: format!(
            "the trigger {} takes {time} of {total}: {} calls of {each}",
            trigger.name,
            Count(calls)
        ),
        why: "The plan does not show it, and the statement holds its locks meanwhile.".to_owned(),
        advice: if calls >= 2.0 {
            "Let a statement trigger do the work for all rows at once (REFERENCING NEW TABLE AS …); or look at the statements of its \
             function, with auto_explain.log_nested_statements."
                .to_owned()
        } else {
            "Look at the statements of its function, with auto_explain.log_nested_statements."
                .to_owned()
        },
    };
    Some(context.finding(RuleId::TriggerTime, Severity::Warning, evidence, words))
}

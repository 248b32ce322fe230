//! `row-misestimate`: the planner expected far more or far fewer rows than came, and built a plan on it.

use super::context::{RunContext, Words};
use super::predicate;
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{Node, NodeId, NodeKind, Plan, Relationship};
use crate::units::{Count, Rows};

const FACTOR: Threshold = Threshold {
    rule: RuleId::RowMisestimate,
    key: "factor",
    unit: ThresholdUnit::Ratio,
    default: 10.0,
    about: "expected over actual rows, or the reverse",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::RowMisestimate,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 100.0,
    about: "rows per loop, expected or actual, below which an error does not matter",
};
const MIN_TOTAL_ROWS: Threshold = Threshold {
    rule: RuleId::RowMisestimate,
    key: "min-total-rows",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "rows over all loops from which an error matters although a loop has few",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::RowMisestimate,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "pages of the whole query below which it is information only",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::RowMisestimate,
    severity: Severity::Warning,
    summary: "the planner expected far more or far fewer rows than came",
    condition: "Expected and actual rows of a node differ by factor, the larger is at least min-rows in a loop (or min-total-rows \
        over all loops), and nothing below it is as wrong: it is told where it begins. A node that something above stopped early \
        may have had more rows, so too few rows there mean nothing; and a generic plan can only guess at a parameter: what \
        that costs is parameter-cliff's. Quiet where no join above was chosen by the number. A \
        warning where the query touches min-pages, else information.",
    why: "Join order, join method and memory follow from the expected rows. Wrong by ten, and the plan that was cheap on paper runs a \
        nested loop ten times as often as intended.",
    advice: "Tell the planner what it cannot know: extended statistics for columns that depend on each other, statistics on an \
        expression, a higher statistics target for skewed columns. ANALYZE alone helps only where statistics are old.",
    bad: "SELECT * FROM orders WHERE country = 'NZ' AND market = 'oceania';  -- the one follows from the other",
    good: "CREATE STATISTICS ON country, market FROM orders; ANALYZE orders;",
    thresholds: &[FACTOR, MIN_ROWS, MIN_TOTAL_ROWS, MIN_PAGES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let errors: Vec<Option<f64>> = plan.ids().map(|id| error_factor(context, id)).collect();
    let generic = is_generic(context);
    let mut findings = Vec::new();
    for (id, node, _) in context.executed() {
        let begins_here = errors[id.0].is_some() && plan.descendants(id).all(|below| errors[below.0].is_none());
        // Where no join was chosen by the number, it did no harm.
        let misled = plan.ancestors(id).find(|above| plan.node(*above).kind.is_join());
        if let (true, Some(join)) = (begins_here && !(generic && hangs_on_parameter(plan, id)), misled) {
            findings.push(told(context, id, node, join));
        }
    }
    findings
}

/// A plan that was made without the values: it can only guess at what hangs on them, and no statistics tell it more.
fn is_generic(context: &RunContext<'_>) -> bool {
    let plan = context.plan();
    match context.query {
        Some(_) => context.run.is_generic(),
        // Up to 16 a subplan's result is printed like a parameter.
        None => plan.ids().all(|id| !plan.node(id).is_subplan()),
    }
}

/// Whether a condition of the node, or of one below it, compares with a parameter.
fn hangs_on_parameter(plan: &Plan, id: NodeId) -> bool {
    plan.subtree(id).any(|at| condition(plan.node(at)).is_some_and(|text| !parse(&text).parameters().is_empty()))
}

/// How wrong the estimate is, where it matters.
fn error_factor(context: &RunContext<'_>, id: NodeId) -> Option<f64> {
    let node = context.plan().node(id);
    let actual = node.actual.filter(|actual| actual.loops > 0.0)?;
    if skipped(&node.kind) || reread_by_merge_join(context, id) {
        return None;
    }
    let (expected, seen) = (node.estimate.expected_rows()?.0.max(1.0), actual.rows.0.max(1.0));
    // Left early: there may have been as many as expected.
    if seen < expected && context.metrics.node(id).may_have_stopped {
        return None;
    }
    let (factor, larger) = (expected.max(seen) / expected.min(seen), expected.max(seen));
    let matters = larger >= context.limit(&MIN_ROWS) || larger * actual.loops >= context.limit(&MIN_TOTAL_ROWS);
    (factor >= context.limit(&FACTOR) && matters).then_some(factor)
}

/// Nodes that hand on what they get, or whose counts mean something else.
fn skipped(kind: &NodeKind) -> bool {
    kind.hands_rows_on()
        || matches!(
            kind,
            NodeKind::BitmapIndexScan
                | NodeKind::BitmapAnd
                | NodeKind::BitmapOr
                | NodeKind::ModifyTable
                | NodeKind::RecursiveUnion
                | NodeKind::WorkTableScan
                | NodeKind::Limit
                | NodeKind::FunctionScan
                | NodeKind::TableFunctionScan
                | NodeKind::CteScan
                | NodeKind::Unknown(_)
        )
}

/// A merge join reads rows of its inner side again for every equal outer row: they are counted each time.
fn reread_by_merge_join(context: &RunContext<'_>, id: NodeId) -> bool {
    let plan = context.plan();
    let mut at = id;
    for above in plan.ancestors(id) {
        if plan.node(above).kind == NodeKind::MergeJoin {
            return plan.node(at).relationship == Some(Relationship::Inner);
        }
        if plan.node(above).kind != NodeKind::Materialize {
            return false;
        }
        at = above;
    }
    false
}

fn told(context: &RunContext<'_>, id: NodeId, node: &Node, misled: NodeId) -> Finding {
    let plan = context.plan();
    let (expected, actual) = (node.estimate.rows.0, node.actual.map_or(0.0, |actual| actual.rows.0));
    let loops = node.actual.map_or(1.0, |actual| actual.loops);
    let large = context.metrics.blocks.is_none_or(|pages| pages.0 as f64 >= context.limit(&MIN_PAGES));
    let severity = if large { Severity::Warning } else { Severity::Info };
    let condition = condition(node);
    let label = crate::plan::label(node);
    let mut evidence = context.evidence(id);
    evidence.condition.clone_from(&condition);
    let evidence = evidence
        .with("expected_rows", Quantity::Rows(expected))
        .with("actual_rows", Quantity::Rows(actual))
        .with("factor", Quantity::Ratio(expected.max(actual).max(1.0) / expected.min(actual).max(1.0)))
        .with("loops", Quantity::Count(loops as u64));
    let each = if loops > 1.0 { format!(" in each of {} loops", Count(loops)) } else { String::new() };
    let why = format!("{} above it was chosen for that number.", crate::plan::label(plan.node(misled)));
    let words = Words {
        message: format!("{label}: {} expected, {} came{each}", Rows(expected), rows(actual)),
        why,
        advice: advice(context, node, condition.as_deref()),
    };
    context.finding(RuleId::RowMisestimate, severity, context.with_cost(evidence, id), words)
}

/// Fewer than ten rows with a decimal: averages of many loops.
fn rows(count: f64) -> String {
    if count > 0.0 && count < 10.0 && count.fract() != 0.0 { format!("{count:.1}") } else { Count(count).to_string() }
}

fn condition(node: &Node) -> Option<String> {
    let conditions = &node.conditions;
    let own = [
        &conditions.index,
        &conditions.recheck,
        &conditions.filter,
        &conditions.hash,
        &conditions.merge,
        &conditions.join_filter,
    ];
    let parts: Vec<&str> = own.into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() {
        return (!node.group_key.is_empty()).then(|| node.group_key.join(", "));
    }
    Some(parts.join(" AND "))
}

/// By what the planner could not know.
fn advice(context: &RunContext<'_>, node: &Node, condition: Option<&str>) -> String {
    if node.kind.is_join() {
        return "The planner takes the two sides for independent. Store what decides the match in one table, or give the join a \
                condition that statistics cover."
            .to_owned();
    }
    let relation = context.relation_name(node).unwrap_or_else(|| "the table".to_owned());
    let Some(condition) = condition else {
        return format!("ANALYZE {relation}; if the count stays wrong, raise its statistics target.");
    };
    let parsed = parse(condition);
    let mut columns: Vec<&str> = Vec::new();
    let mut expression = None;
    for conjunct in parsed.conjuncts() {
        for (_, column) in conjunct.columns() {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let alias = node.relation.as_ref().map(|relation| relation.alias.as_str()).unwrap_or_default();
        if let Some(comparison) = conjunct.comparison(alias)
            && (comparison.subject.as_column().is_none() || predicate::is_real_cast(comparison.subject))
        {
            expression.get_or_insert_with(|| comparison.subject.unqualified());
        }
    }
    if let Some(expression) = expression {
        return format!(
            "The planner guesses at {expression}. Tell it: CREATE STATISTICS ON ({expression}) FROM {relation}; ANALYZE {relation};"
        );
    }
    let quoted: Vec<String> = columns.iter().map(|column| crate::schema::quote_identifier(column)).collect();
    match quoted.as_slice() {
        [_, _, ..] => format!(
            "The planner multiplies the conditions as if the columns were independent. Tell it: CREATE STATISTICS ON {} FROM {relation}; \
             ANALYZE {relation};",
            quoted.join(", ")
        ),
        [one] => format!(
            "ANALYZE {relation}; if the count stays wrong: ALTER TABLE {relation} ALTER COLUMN {one} SET STATISTICS 1000;"
        ),
        [] => format!("ANALYZE {relation}; if the count stays wrong, raise its statistics target."),
    }
}

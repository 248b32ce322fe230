//! `wrong-order-index`: an index is walked whose order of columns does not lead to the rows.

use super::context::{RunContext, Words, pages_in_words};
use super::predicate;
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::{ExpressionKind, parse};
use crate::plan::{Node, NodeId, NodeKind, NodeMetrics};
use crate::schema::KeyPart;
use crate::units::{Count, Rows};

const MIN_REMOVED: Threshold = Threshold {
    rule: RuleId::WrongOrderIndex,
    key: "min-removed",
    unit: ThresholdUnit::Ratio,
    default: 0.9,
    about: "share of the rows that the filter throws away on the way to the LIMIT",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::WrongOrderIndex,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 1000.0,
    about: "rows thrown away below which it does not matter",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::WrongOrderIndex,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 500.0,
    about: "pages read of an index whose first column the condition leaves open; from twice as many on it is an error",
};
const ERROR_ROWS: Threshold = Threshold {
    rule: RuleId::WrongOrderIndex,
    key: "error-rows",
    unit: ThresholdUnit::Rows,
    default: 50_000.0,
    about: "rows thrown away from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::WrongOrderIndex,
    severity: Severity::Error,
    depth: Some(2),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "an index is walked whose order of columns does not lead to the rows",
    condition: "Under a LIMIT, an Index Scan without Index Cond whose filter throws away min-removed of its rows and at least \
        min-rows: the index gives the order, the filter finds the rows. Or an index scan whose condition leaves the index's first \
        column open and that read min-pages for few rows.",
    why: "The walk ends when the LIMIT is full. Where the wanted rows are rare or far away, it reads the whole table at random.",
    advice: "Put the columns that are compared for equality first, then the one that gives the order.",
    bad: "SELECT * FROM orders WHERE status = 'refunded' ORDER BY id LIMIT 50;  -- index on id alone",
    good: "CREATE INDEX ON orders (status, id);",
    thresholds: &[MIN_REMOVED, MIN_ROWS, MIN_PAGES, ERROR_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter_map(|(id, node, metrics)| {
            walked(context, id, node, metrics)
                .or_else(|| first_column_open(context, id, node, metrics))
        })
        .collect()
}

fn walked(
    context: &RunContext<'_>,
    id: NodeId,
    node: &Node,
    metrics: &NodeMetrics,
) -> Option<Finding> {
    if !context.walks_order_for_limit(id) {
        return None;
    }
    let removed = node.removed.filter?.0 * node.actual?.loops;
    let kept = metrics.rows?;
    if removed / (removed + kept) < context.limit(&MIN_REMOVED)
        || removed < context.limit(&MIN_ROWS)
    {
        return None;
    }
    let filter = node.conditions.filter.clone()?;
    let index = node.index_name.clone().unwrap_or_default();
    let severity = if removed >= context.limit(&ERROR_ROWS) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut evidence = context.evidence(id);
    evidence.condition = Some(filter.clone());
    let evidence = evidence
        .with("rows_read", Quantity::Rows(removed + kept))
        .with("rows_kept", Quantity::Rows(kept));
    let words = Words {
        message: format!("walks {index} for its order and reads {} to find {}", Rows(removed + kept), Count(kept)),
        why: "The LIMIT ends the walk only when it is full. The rarer the wanted rows, the more of the table it reads, row by row.".to_owned(),
        advice: advice(context, node, &filter),
    };
    Some(context.finding(
        RuleId::WrongOrderIndex,
        severity,
        context.with_cost(evidence, id),
        words,
    ))
}

/// An index, where a condition on columns is to be served; else what keeps every index from serving it.
fn advice(context: &RunContext<'_>, node: &Node, filter: &str) -> String {
    let alias = node
        .relation
        .as_ref()
        .map(|relation| relation.alias.as_str());
    let conjuncts = predicate::conjuncts(filter, alias.unwrap_or_default());
    if conjuncts.iter().any(|conjunct| conjunct.by.is_servable()) {
        return format!(
            "Create an index with the columns of {} first, then those of the order.",
            context.spelled(filter)
        );
    }
    let hides_bound = parse(filter).conjuncts().into_iter().any(|conjunct| {
        matches!(&conjunct.kind, ExpressionKind::Call { function, .. } if function == "coalesce")
    });
    let spelled = context.spelled(filter);
    if hides_bound {
        return format!(
            "COALESCE hides the comparison in {spelled} from every index. Write two statements, with the bound and without it, or \
             the bound beside OR value IS NULL, which a plan for the values can begin at."
        );
    }
    format!("No index serves {spelled} as it is written: compare columns with values in it.")
}

/// The condition says nothing of the index's first column: the index is read from end to end.
fn first_column_open(
    context: &RunContext<'_>,
    id: NodeId,
    node: &Node,
    metrics: &NodeMetrics,
) -> Option<Finding> {
    if !matches!(
        node.kind,
        NodeKind::IndexScan | NodeKind::IndexOnlyScan | NodeKind::BitmapIndexScan
    ) {
        return None;
    }
    let condition = node.conditions.index.clone()?;
    let index_name = node.index_name.as_deref()?;
    // A Bitmap Index Scan names its table above.
    let scan = if node.relation.is_some() {
        id
    } else {
        context
            .plan()
            .ancestors(id)
            .find(|above| context.plan().node(*above).relation.is_some())?
    };
    let table = context.table(context.plan().node(scan))?;
    let index = table
        .indexes
        .iter()
        .find(|index| index.name == index_name && index.method == "btree")?;
    let KeyPart::Column(first) = &index.keys.first()?.part else {
        return None;
    };
    let parsed = parse(&condition);
    let pages = metrics.exclusive_blocks?;
    let loops = node.actual?.loops;
    let rows = metrics.rows?;
    let open = parsed.columns().iter().all(|(_, column)| column != first);
    // A walk that finds a row on every page is worth its pages.
    if !open || (pages.0 as f64) / loops < context.limit(&MIN_PAGES) || rows > pages.0 as f64 {
        return None;
    }
    let mut evidence = context.evidence(id);
    evidence.relation = context.relation_name(context.plan().node(scan));
    evidence.condition = Some(condition.clone());
    let evidence = evidence.with("rows_kept", Quantity::Rows(rows));
    let words = Words {
        message: format!(
            "{index_name} begins with {first}, which the query leaves open: {} read for {}",
            pages_in_words(pages),
            Rows(rows)
        ),
        why: "Without its first column an index is read from end to end.".to_owned(),
        advice: format!(
            "Create an index that begins with the columns of {}.",
            context.spelled(&condition)
        ),
    };
    let severity = if (pages.0 as f64) / loops >= context.limit(&MIN_PAGES) * 2.0 {
        Severity::Error
    } else {
        Severity::Warning
    };
    Some(context.finding(
        RuleId::WrongOrderIndex,
        severity,
        context.with_cost(evidence, id),
        words,
    ))
}

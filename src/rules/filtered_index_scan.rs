//! `filtered-index-scan`: an index finds rows, and a filter throws most of them away.

use super::context::{RunContext, Words};
use super::predicate::{self, ServedBy};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, RuleId, Severity};
use crate::plan::NodeKind;
use crate::units::Rows;

const MIN_REMOVED: Threshold = Threshold {
    rule: RuleId::FilteredIndexScan,
    key: "min-removed",
    unit: ThresholdUnit::Ratio,
    default: 0.9,
    about: "share of the rows that the filter throws away",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::FilteredIndexScan,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 1000.0,
    about: "rows thrown away over all loops below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::FilteredIndexScan,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's work below which it does not matter",
};
const ERROR_ROWS: Threshold = Threshold {
    rule: RuleId::FilteredIndexScan,
    key: "error-rows",
    unit: ThresholdUnit::Rows,
    default: 50_000.0,
    about: "rows thrown away from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::FilteredIndexScan,
    severity: Severity::Error,
    depth: Some(3),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "an index finds rows of which a filter throws most away",
    condition: "An Index Scan, Index Only Scan or Bitmap Heap Scan whose filter throws away min-removed of its rows, at least min-rows \
        over all loops, doing min-share of the query's work. Error from error-rows thrown away on, else warning. Where it \
        walks an index for its order under a LIMIT, that is wrong-order-index.",
    why: "Each row that is thrown away was fetched from the table first, at a random place.",
    advice: "Add the filter's column to the index, or make the index partial by the filter.",
    bad: "SELECT * FROM orders WHERE customer_id = $1 AND status = 'open';  -- index on customer_id",
    good: "CREATE INDEX ON orders (customer_id, status);",
    thresholds: &[MIN_REMOVED, MIN_ROWS, MIN_SHARE, ERROR_ROWS],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    scans::all(context)
        .iter()
        .filter_map(|scan| judge(context, scan))
        .collect()
}

fn judge(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Finding> {
    let node = scan.node;
    if !matches!(
        node.kind,
        NodeKind::IndexScan | NodeKind::IndexOnlyScan | NodeKind::BitmapHeapScan
    ) {
        return None;
    }
    let (removed, kept) = (scan.removed?, scan.rows);
    let enough = removed / (removed + kept) >= context.limit(&MIN_REMOVED)
        && removed >= context.limit(&MIN_ROWS);
    if !enough || scan.share? < context.limit(&MIN_SHARE) || context.walks_order_for_limit(scan.id)
    {
        return None;
    }
    if is_quick(context) {
        return None;
    }
    let filter = node.conditions.filter.clone()?;
    let conjuncts = predicate::conjuncts(&filter, scan.alias()?);
    let relation = context
        .relation_name(node)
        .unwrap_or_else(|| "the table".to_owned());
    let severity = if removed >= context.limit(&ERROR_ROWS) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let evidence = scan.evidence(context, Some(filter.clone()), kept);
    let served: Vec<&ServedBy> = conjuncts
        .iter()
        .map(|conjunct| &conjunct.by)
        .filter(|by| by.is_servable())
        .collect();
    let spelled = context.spelled(&filter);
    let searched = index_searched(context, scan);
    let advice = match (served.as_slice(), &searched) {
        ([], _) => format!(
            "No index column serves {spelled}; a partial index with it as its WHERE does, where its constants are fixed."
        ),
        (_, Some(index)) if is_constraint(context, scan, index) => format!(
            "Create an index with the columns of {index} and what serves {spelled}, or a partial index; {index} itself is a \
             constraint and stays as it is."
        ),
        (_, Some(index)) => {
            format!(
                "Add what serves {spelled} to the columns of {index}, or make a partial index of it."
            )
        }
        (_, None) => format!(
            "Add what serves {spelled} to the index's columns, or make a partial index of it."
        ),
    };
    let words = Words {
        message: format!(
            "the index finds {} of {relation}{}, the filter keeps {}",
            Rows(removed + kept),
            scan.partitions_in_words(),
            scan.row_count
        ),
        why: if node.kind == NodeKind::IndexOnlyScan {
            "The filter is no place to begin in the index: all of its entries in the range are read and tested."
        } else {
            "Every row that the filter throws away was fetched from the table first."
        }
        .to_owned(),
        advice,
    };
    Some(context.finding(RuleId::FilteredIndexScan, severity, evidence, words))
}

/// The index of a scan, of a bitmap the only one that it is made by.
fn index_searched(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<String> {
    let plan = context.plan();
    let below = || plan.subtree(scan.id).map(|id| plan.node(id));
    let mut names = below().filter_map(|node| node.index_name.clone());
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

/// A query that ends at once on a few pages: no index saves enough to be advised (missing-index.min-pages). The time is far above
/// what so few pages take.
fn is_quick(context: &RunContext<'_>) -> bool {
    const QUICK_MS: f64 = 5.0;
    const FEW_PAGES: u64 = 500;
    let pages = context.metrics.blocks;
    pages.is_some_and(|pages| pages.0 < FEW_PAGES)
        && context.metrics.total.is_some_and(|time| time.0 < QUICK_MS)
}

/// Whether an index says which rows there may be: it must not get other columns.
fn is_constraint(context: &RunContext<'_>, scan: &Scan<'_>, index: &str) -> bool {
    let table = context.table(scan.node);
    let mut indexes = table.into_iter().flat_map(|table| &table.indexes);
    indexes.any(|known| known.name == index && (known.unique || known.constraint.is_some()))
}

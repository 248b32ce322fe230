//! `low-index-efficiency`: an index scan that reads many pages for each row that it finds.

use super::context::{RunContext, Words, pages_in_words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::{ExpressionKind, parse};
use crate::plan::{Node, NodeId, NodeKind, NodeMetrics};
use crate::schema::{Index, KeyPart};
use crate::units::{Count, Rows};

const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::LowIndexEfficiency,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 500.0,
    about: "pages below which it does not matter",
};
const PAGES_PER_ROW: Threshold = Threshold {
    rule: RuleId::LowIndexEfficiency,
    key: "pages-per-row",
    unit: ThresholdUnit::Ratio,
    default: 10.0,
    about: "pages that a found row may take; a descent into the index may take as many",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::LowIndexEfficiency,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's pages below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LowIndexEfficiency,
    severity: Severity::Warning,
    depth: Some(5),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "an index scan reads many pages for each row that it finds",
    condition: "An index scan with an Index Cond that touched min-pages or more, more than pages-per-row for each row that it found \
        and for each descent, and min-share of the query's pages. Rows that its filter threw away count as found.",
    why: "A row is a descent and one page of the table. More means that much of the index is read to find little: a range stands \
        before an equality in its key, or it is full of rows that are dead.",
    advice: "Put the columns that are compared for equality first. Where they are, VACUUM the table, and REINDEX the index.",
    bad: "CREATE INDEX ON orders (created_at, status);  -- WHERE created_at > $1 AND status = 'open'",
    good: "CREATE INDEX ON orders (status, created_at);",
    thresholds: &[MIN_PAGES, PAGES_PER_ROW, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter_map(|(id, node, metrics)| judge(context, id, node, metrics))
        .collect()
}

fn judge(
    context: &RunContext<'_>,
    id: NodeId,
    node: &Node,
    metrics: &NodeMetrics,
) -> Option<Finding> {
    let reads_index = matches!(
        node.kind,
        NodeKind::IndexScan | NodeKind::IndexOnlyScan | NodeKind::BitmapIndexScan
    );
    let condition = node.conditions.index.clone().filter(|_| reads_index)?;
    let pages = metrics.exclusive_blocks?;
    let loops = node.actual?.loops;
    let removed = node.removed.filter.map_or(0.0, |rows| rows.0 * loops)
        + node
            .removed
            .index_recheck
            .map_or(0.0, |rows| rows.0 * loops);
    let found = metrics.rows? + removed;
    let fair = (found + loops) * context.limit(&PAGES_PER_ROW);
    if (pages.0 as f64) < context.limit(&MIN_PAGES).max(fair)
        || context.metrics.block_share(id)? < context.limit(&MIN_SHARE)
    {
        return None;
    }
    let index = node.index_name.clone()?;
    let scan = scanned(context, id);
    let mut evidence = context.evidence(id);
    evidence.relation = scan.and_then(|scan| context.relation_name(scan));
    evidence.condition = Some(condition.clone());
    let evidence = evidence.with("rows_kept", Quantity::Rows(metrics.rows?));
    let known = scan
        .and_then(|scan| context.table(scan))
        .and_then(|table| table.indexes.iter().find(|one| one.name == index));
    // `wrong-order-index` says that nothing is asked of the first column.
    if known.is_some_and(|known| leaves_first_open(known, &condition)) {
        return None;
    }
    let words = Words {
        message: format!(
            "{index} gives {} from {}: {} for each",
            Rows(found),
            pages_in_words(pages),
            Count((pages.0 as f64 / found.max(1.0)).round())
        ),
        why: "A found row is worth one page of the index and one of the table; all others are read to be passed over.".to_owned(),
        advice: remedy(known, &condition),
    };
    Some(context.finding(
        RuleId::LowIndexEfficiency,
        Severity::Warning,
        context.with_cost(evidence, id),
        words,
    ))
}

fn leaves_first_open(index: &Index, condition: &str) -> bool {
    let Some(KeyPart::Column(first)) = index.keys.first().map(|key| &key.part) else {
        return false;
    };
    let asked = parse(condition);
    index.method == "btree" && asked.columns().iter().all(|(_, column)| column != first)
}

/// The node that names the table: a Bitmap Index Scan leaves that to the one above.
fn scanned<'a>(context: &RunContext<'a>, id: NodeId) -> Option<&'a Node> {
    let plan = context.plan();
    let own = plan.node(id);
    if own.relation.is_some() {
        return Some(own);
    }
    let mut above = plan.ancestors(id).map(|above| plan.node(above));
    above.find(|node| node.relation.is_some())
}

/// Another order of the key where its first column is not compared for equality; else what cleans an index.
fn remedy(index: Option<&Index>, condition: &str) -> String {
    const CLEAN: &str = "VACUUM the table: dead rows stay in the index until then. Where it reads as much after that, REINDEX INDEX \
                         CONCURRENTLY it.";
    let Some(index) = index.filter(|index| index.method == "btree" && index.keys.len() > 1) else {
        return CLEAN.to_owned();
    };
    let parsed = parse(condition);
    let equal: Vec<String> = parsed
        .conjuncts()
        .into_iter()
        .filter_map(|conjunct| match &conjunct.kind {
            ExpressionKind::Operator {
                operator,
                left: Some(left),
                ..
            } if operator == "=" => left.as_column().map(|(_, name)| name.to_owned()),
            _ => None,
        })
        .collect();
    let leads = |key: &KeyPart| matches!(key, KeyPart::Column(name) if equal.contains(name));
    match index.keys.first() {
        Some(first) if !leads(&first.part) && !equal.is_empty() => format!(
            "Create an index that begins with {}: the key's first column is a range here, and all of that is read.",
            equal.join(", ")
        ),
        _ => CLEAN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::IndexKey;

    #[test]
    fn an_index_whose_first_column_nobody_asks_is_the_other_rules() {
        let keys = ["pier", "name"].map(IndexKey::column).to_vec();
        let index = Index::btree(1, "berths_pier_name", keys);
        assert!(leaves_first_open(&index, "(b.name = 'north'::text)"));
        assert!(!leaves_first_open(
            &index,
            "((b.pier > 4) AND (b.name = 'north'::text))"
        ));
    }
}

//! `top-n-sort`: a whole table is sorted for the first few rows of the order.

use super::context::{RunContext, Words, pages_in_words};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{Node, NodeId, NodeKind};
use crate::units::{Count, Pages};

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::TopNSort,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 50_000.0,
    about: "rows sorted below which it does not matter",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::TopNSort,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "pages of the table below which it does not matter, where the plan has page counts",
};
const MAX_KEPT: Threshold = Threshold {
    rule: RuleId::TopNSort,
    key: "max-kept",
    unit: ThresholdUnit::Ratio,
    default: 0.01,
    about: "share of the sorted rows that the LIMIT keeps, above which the sort is needed",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::TopNSort,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.5,
    about: "share of the query's work, what lies below included, below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::TopNSort,
    severity: Severity::Warning,
    depth: Some(2),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a whole table is sorted for the first few rows of the order",
    condition: "A Sort under a LIMIT whose rows come from a Seq Scan of one table alone: min-rows or more of them, from min-pages or \
        more, with min-share of the query's work, of which the LIMIT keeps max-kept or less. Sorts of joins, groups and DISTINCT are \
        none.",
    why: "The sort keeps only the first rows, and still the table is read to its end each time: the first page costs as much as all.",
    advice: "Create an index in the sort's order, with its directions and NULLS; the scan then ends with the LIMIT.",
    bad: "SELECT * FROM articles ORDER BY published_at DESC LIMIT 10;  -- no index on published_at",
    good: "CREATE INDEX ON articles (published_at DESC);",
    thresholds: &[MIN_ROWS, MIN_PAGES, MAX_KEPT, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    let plan = context.plan();
    let scans = scans::all(context);
    let sorts = plan
        .ids()
        .filter(|id| plan.node(*id).kind == NodeKind::Sort);
    sorts
        .filter_map(|sort| {
            let input = plan.source_of_rows(plan.inputs(sort).next()?);
            let scan = scans.iter().find(|scan| {
                scan.id == input && scan.node.kind == NodeKind::SeqScan && scan.parts.len() == 1
            })?;
            judge(context, sort, scan)
        })
        .collect()
}

/// The LIMIT that a sort's rows go to, with nothing between them that needs all of them.
fn limit_above(context: &RunContext<'_>, sort: NodeId) -> Option<NodeId> {
    let plan = context.plan();
    let above = plan.ancestors(sort).find(|id| {
        !plan.node(*id).kind.hands_rows_on() || plan.node(*id).kind == NodeKind::Limit
    })?;
    (plan.node(above).kind == NodeKind::Limit).then_some(above)
}

fn judge(context: &RunContext<'_>, sort: NodeId, scan: &Scan<'_>) -> Option<Finding> {
    let limit = limit_above(context, sort)?;
    let kept = context.metrics.node(limit).rows?;
    let is_large = scan
        .pages
        .is_none_or(|Pages(pages)| pages as f64 >= context.limit(&MIN_PAGES));
    if !is_large
        || scan.rows < context.limit(&MIN_ROWS)
        || kept > scan.rows * context.limit(&MAX_KEPT)
        || context.metrics.inclusive_share(sort)? < context.limit(&MIN_SHARE)
    {
        return None;
    }
    let node = context.plan().node(sort);
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let order = in_words(context, node);
    let pages = scan
        .pages
        .map(|pages| format!(", {}", pages_in_words(pages)))
        .unwrap_or_default();
    let mut evidence = context.evidence(sort);
    evidence.relation = Some(relation.clone());
    evidence.condition = Some(node.sort_key.join(", "));
    let evidence = evidence
        .with("rows_read", Quantity::Rows(scan.rows))
        .with("rows_kept", Quantity::Rows(kept));
    let words = Words {
        message: format!(
            "sorts {} rows of {relation} by {order} to keep {}{pages}",
            scan.row_count,
            Count(kept)
        ),
        why: "The sort keeps only the first rows, and still the table is read to its end: the first page costs as much as all."
            .to_owned(),
        advice: remedy(node, &relation, &order),
    };
    Some(context.finding(
        RuleId::TopNSort,
        Severity::Warning,
        context.with_cost(evidence, sort),
        words,
    ))
}

/// The sort key without qualifiers, with parameters in place of their values.
fn in_words(context: &RunContext<'_>, sort: &Node) -> String {
    let keys = sort.sort_key.iter().map(|key| bare(&context.spelled(key)));
    keys.collect::<Vec<_>>().join(", ")
}

/// `abs((n - $1)) DESC` of `(abs((a.n - $1))) DESC`.
fn bare(key: &str) -> String {
    let words = key.find(" DESC").or_else(|| key.find(" NULLS "));
    let (expression, direction) = key.split_at(words.unwrap_or(key.len()));
    parse(expression).unqualified() + direction
}

fn remedy(sort: &Node, relation: &str, order: &str) -> String {
    let is_random = sort.sort_key.iter().any(|key| key.contains("random()"));
    let is_of_columns = sort.sort_key.iter().all(|key| {
        let end = key.find(" DESC").or_else(|| key.find(" NULLS "));
        let expression = &key[..end.unwrap_or(key.len())];
        parse(expression).as_column().is_some()
    });
    if is_random {
        return "No index gives a random order: take a sample (TABLESAMPLE), or start at a random value of an indexed key.".to_owned();
    }
    if is_of_columns {
        return format!(
            "An index on {relation} ({order}) hands out the first rows and lets the scan end with the LIMIT."
        );
    }
    format!(
        "An index gives the order of {order} only if it holds that expression, and a parameter's value is no part of one. Where it means \
         the nearest values, look up the next ones above and below by an index on the column (UNION ALL of two LIMITs), or order by an \
         operator that GiST serves (<->)."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    fn newest(kept: u32, key: &str, rows: u32) -> String {
        format!(
            "Limit  (cost=9.0..9.1 rows=10 width=36) (actual time=61.2..61.3 rows={kept} loops=1)\n  Buffers: shared hit=2470\n\
             \x20 ->  Sort  (cost=9.0..9.5 rows=200000 width=36) (actual time=61.1..61.2 rows={kept} loops=1)\n\
             \x20       Sort Key: {key}\n        Sort Method: top-N heapsort  Memory: 26kB\n        Buffers: shared hit=2470\n\
             \x20       ->  Seq Scan on articles a  (cost=0.0..4.0 rows=200000 width=36) (actual time=0.1..24.3 rows={rows} loops=1)\n\
             \x20             Buffers: shared hit=2470\nExecution Time: 61.4 ms\n"
        )
    }

    #[test]
    fn the_first_rows_of_an_order_that_no_index_has() {
        let columns = found(&newest(10, "a.published_at DESC", 200_000));
        assert_eq!(columns.len(), 1);
        assert_eq!(
            columns[0].message,
            "sorts 200,000 rows of articles by published_at DESC to keep 10, 2,470 pages (19 MB)"
        );
        assert!(
            columns[0]
                .advice
                .starts_with("An index on articles (published_at DESC)")
        );
        let random = found(&newest(10, "(random())", 200_000));
        assert!(
            random[0]
                .advice
                .starts_with("No index gives a random order")
        );
        let nearest = found(&newest(10, "(abs((a.score - 40)))", 200_000));
        assert!(
            nearest[0].advice.contains("above and below"),
            "{}",
            nearest[0].advice
        );
    }

    #[test]
    fn many_rows_kept_or_few_sorted_are_wanted() {
        assert_eq!(found(&newest(5_000, "a.id", 200_000)), []);
        assert_eq!(found(&newest(10, "a.id", 40_000)), []);
    }

    #[test]
    fn a_sort_is_of_many_rows_and_pages_of_which_a_hundredth_is_kept() {
        let number = |kept, rows, pages: &str| {
            let text = newest(kept, "a.id", rows).replace("hit=2470", pages);
            found(&text).len()
        };
        assert_eq!(number(10, 50_000, "hit=1000"), 1);
        assert_eq!(number(10, 49_999, "hit=1000"), 0);
        assert_eq!(number(10, 50_000, "hit=999"), 0);
        assert_eq!(number(500, 50_000, "hit=1000"), 1);
        assert_eq!(number(501, 50_000, "hit=1000"), 0);
    }
}

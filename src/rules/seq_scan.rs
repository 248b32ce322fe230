//! `seq-scan`: a table read from end to end for a few of its rows.

use super::context::{RunContext, Words, pages_in_words};
use super::predicate::{self, ServedBy};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind, NodeMetrics};
use crate::units::{Count, Pages};

const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::SeqScan,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "pages read below which a scan is cheap enough",
};
const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::SeqScan,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 50_000.0,
    about: "rows read below which a scan is cheap enough, where the plan has no page counts",
};
const MAX_KEPT: Threshold = Threshold {
    rule: RuleId::SeqScan,
    key: "max-kept",
    unit: ThresholdUnit::Ratio,
    default: 0.05,
    about: "share of the rows kept above which reading the whole table is right",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::SeqScan,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's pages (of its time, without page counts) below which the scan does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::SeqScan,
    severity: Severity::Error,
    summary: "a table is read from end to end for a few of its rows",
    condition: "A Seq Scan that read at least min-pages pages, kept less than max-kept of the rows that it read (or whose rows a \
        join threw away but for that share), and did at least min-share of the query's work, where an index could serve a \
        condition. A scan that keeps more is right today; it is told as information, because it grows with the table. \
        A LIMIT is no excuse: what counts is what was read.",
    why: "The scan reads every page of the table, however few rows it wants. Its time and its I/O grow with the table, and it \
        pushes other queries' pages out of the cache.",
    advice: "Create an index on the columns of the condition: equality first, then sort, then range.",
    bad: "SELECT * FROM orders WHERE tracking_code = $1;  -- no index on tracking_code",
    good: "CREATE INDEX ON orders (tracking_code);",
    thresholds: &[MIN_PAGES, MIN_ROWS, MAX_KEPT, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter(|(_, node, _)| node.kind == NodeKind::SeqScan)
        .filter_map(|(id, node, metrics)| judge(context, id, node, metrics))
        .collect()
}

/// What the rows of a scan were wanted for.
struct Use {
    kept: f64,
    condition: String,
    /// In words: `to keep 12`, `to join 40`.
    purpose: String,
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node, metrics: &NodeMetrics) -> Option<Finding> {
    let rows_read = metrics.rows_read?;
    let large = match metrics.exclusive_blocks {
        Some(Pages(pages)) => pages as f64 >= context.limit(&MIN_PAGES),
        None => rows_read >= context.limit(&MIN_ROWS),
    };
    let share = context.metrics.share(id)?;
    if !large || rows_read < 1.0 || share < context.limit(&MIN_SHARE) {
        return None;
    }
    let filtered = by_filter(node, metrics.rows?);
    let joined = || by_join(context, id, node, rows_read);
    let wanted = filtered
        .filter(|wanted| wanted.kept / rows_read < context.limit(&MAX_KEPT))
        .or_else(|| joined().filter(|wanted| wanted.kept / rows_read < context.limit(&MAX_KEPT)));
    Some(match wanted {
        Some(wanted) => selective(context, id, node, metrics, &wanted),
        None => growing(context, id, node, metrics),
    })
}

/// The scan's own filter, where an index could serve a part of it.
fn by_filter(node: &Node, kept: f64) -> Option<Use> {
    let condition = node.conditions.filter.clone()?;
    let alias = &node.relation.as_ref()?.alias;
    let servable = predicate::conjuncts(&condition, alias).iter().any(|conjunct| conjunct.by.is_servable());
    servable.then(|| Use { kept, purpose: format!("to keep {}", Count(kept)), condition })
}

/// A join that wanted few of the scan's rows, and so few rows on its other side that looking them up is cheaper.
fn by_join(context: &RunContext<'_>, id: NodeId, node: &Node, rows_read: f64) -> Option<Use> {
    let plan = context.plan();
    let alias = &node.relation.as_ref()?.alias;
    let join = plan.ancestors(id).find(|above| plan.node(*above).kind.is_join())?;
    let mut inputs = plan.inputs(join);
    let (side, other) = match (inputs.next()?, inputs.next()?) {
        (outer, inner) if plan.source_of_rows(outer) == id => (outer, inner),
        (outer, inner) if plan.source_of_rows(inner) == id => (inner, outer),
        _ => return None,
    };
    let conditions = &plan.node(join).conditions;
    let condition = conditions.hash.as_ref().or(conditions.merge.as_ref()).or(conditions.join_filter.as_ref())?;
    let column =
        predicate::conjuncts(condition, alias).iter().any(|conjunct| matches!(conjunct.by, ServedBy::Column(_)));
    // Rows that the outer join keeps whatever matches are all wanted.
    let kept_whole = context.metrics.node(join).rows? >= context.metrics.node(side).rows?;
    // A look-up costs about four pages; a scan of as many pages is no worse.
    let lookups = context.metrics.node(other).rows?;
    let pages = context.metrics.node(id).exclusive_blocks.map_or(rows_read / 50.0, |pages| pages.0 as f64);
    if !column || kept_whole || lookups * 8.0 > pages {
        return None;
    }
    let kept = context.metrics.node(join).rows?;
    Some(Use {
        kept,
        condition: condition.clone(),
        purpose: format!("to find the {} that join {} other rows", Count(kept), Count(lookups)),
    })
}

fn selective(context: &RunContext<'_>, id: NodeId, node: &Node, metrics: &NodeMetrics, wanted: &Use) -> Finding {
    let relation = context.relation_name(node).unwrap_or_else(|| "the table".to_owned());
    let rows_read = metrics.rows_read.unwrap_or_default();
    let mut message = format!("{relation} is read row by row: {} rows {}", Count(rows_read), wanted.purpose);
    if let Some(pages) = metrics.exclusive_blocks {
        message.push_str(&format!(", {}", pages_in_words(pages)));
    }
    if let Some(loops) = node.actual.map(|actual| actual.loops / metrics.processes).filter(|loops| *loops >= 2.0) {
        message.push_str(&format!(", {} times over", Count(loops)));
    }
    let time = context.time_in_words(id);
    if !time.is_empty() {
        message.push_str(&format!(", {time}"));
    }
    let mut evidence = context.evidence(id);
    evidence.condition = Some(wanted.condition.clone());
    let evidence = evidence.with("rows_read", Quantity::Rows(rows_read)).with("rows_kept", Quantity::Rows(wanted.kept));
    let evidence = context.with_cost(evidence, id);
    let words = Words {
        message,
        why: "Every execution reads the whole table, so its time grows with the table and its pages push others out of the cache."
            .to_owned(),
        advice: format!("Create an index on {relation} that serves {}.", wanted.condition),
    };
    context.finding(RuleId::SeqScan, Severity::Error, evidence, words)
}

fn growing(context: &RunContext<'_>, id: NodeId, node: &Node, metrics: &NodeMetrics) -> Finding {
    let relation = context.relation_name(node).unwrap_or_else(|| "the table".to_owned());
    let rows_read = metrics.rows_read.unwrap_or_default();
    let pages = metrics.exclusive_blocks.map(|pages| format!(", {}", pages_in_words(pages))).unwrap_or_default();
    let mut evidence = context.evidence(id).with("rows_read", Quantity::Rows(rows_read));
    evidence.condition.clone_from(&node.conditions.filter);
    if let Some(rows) = metrics.rows {
        evidence = evidence.with("rows_kept", Quantity::Rows(rows));
    }
    let words = Words {
        message: format!("{relation} is read whole: {} rows{pages}; most of them are wanted", Count(rows_read)),
        why: "The scan is the right plan for so large a part of the table. Its cost grows in step with the table."
            .to_owned(),
        advice: "Nothing today. If it must stay fast, keep a running total, or bound the rows by a range of time."
            .to_owned(),
    };
    context.finding(RuleId::SeqScan, Severity::Info, context.with_cost(evidence, id), words)
}

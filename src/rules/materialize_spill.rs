//! `materialize-spill`: rows that a plan keeps for reading them again do not fit in memory.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind, label};
use crate::sql::token::tokens;
use crate::units::Count;

const MIN_BYTES: Threshold = Threshold {
    rule: RuleId::MaterializeSpill,
    key: "min-bytes",
    unit: ThresholdUnit::Bytes,
    default: 8_388_608.0,
    about: "bytes written to and read from disk below which it does not matter",
};
const ERROR_BYTES: Threshold = Threshold {
    rule: RuleId::MaterializeSpill,
    key: "error-bytes",
    unit: ThresholdUnit::Bytes,
    default: 268_435_456.0,
    about: "bytes from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::MaterializeSpill,
    severity: Severity::Error,
    depth: Some(6),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "rows that are kept for reading them again go to disk",
    condition: "A Materialize, CTE Scan, WindowAgg, Function Scan or recursive query whose temporary files take min-bytes, read and \
        written. Error from error-bytes on.",
    why: "They are written once, and read again for every row of the other side.",
    advice: "Keep fewer columns and rows, write NOT MATERIALIZED, or give the join a condition that can be hashed.",
    bad: "WITH all_items AS MATERIALIZED (SELECT * FROM order_items) SELECT … FROM all_items a JOIN all_items b ON …;",
    good: "WITH all_items AS NOT MATERIALIZED (SELECT * FROM order_items) SELECT … FROM all_items a JOIN all_items b ON …;",
    thresholds: &[MIN_BYTES, ERROR_BYTES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node) -> Option<Finding> {
    let remedy = remedy(&node.kind)?;
    let temp = context.metrics.node(id).exclusive_temp?.bytes();
    if (temp.0 as f64) < context.limit(&MIN_BYTES) {
        return None;
    }
    let severity = if temp.0 as f64 >= context.limit(&ERROR_BYTES) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let loops = node.actual?.loops;
    let times = if loops >= 2.0 {
        format!(", gone through {} times", Count(loops))
    } else {
        String::new()
    };
    let evidence = context
        .evidence(id)
        .with("temp_bytes", Quantity::Bytes(temp))
        .with("loops", Quantity::Count(loops as u64));
    let words = Words {
        message: format!("{} keeps its rows on disk: {temp} of temporary files{times}", label(node)),
        why: "What does not fit in work_mem is written to temporary files, on the disk that all queries share, and read from there \
              each time."
            .to_owned(),
        advice: match node.kind {
            NodeKind::WindowAgg if counts_for_a_page(context, id) => COUNT_OF_A_PAGE.to_owned(),
            _ => remedy.to_owned(),
        },
    };
    Some(context.finding(
        RuleId::MaterializeSpill,
        severity,
        context.with_cost(evidence, id),
        words,
    ))
}

const COUNT_OF_A_PAGE: &str = "A window over all rows beside a LIMIT makes every page read, keep and write all of them: ask for the \
     total in a statement of its own (and only on the first page), or show whether there are more by asking for one row more than \
     the page has.";

/// Whether a window over all rows stands below a LIMIT: `count(*) OVER ()` of a page.
fn counts_for_a_page(context: &RunContext<'_>, id: NodeId) -> bool {
    let plan = context.plan();
    let is_limited = plan
        .ancestors(id)
        .any(|above| plan.node(above).kind == NodeKind::Limit);
    // Neither a partition nor an order below it: the frame is everything.
    let is_ordered = plan
        .inputs(id)
        .any(|input| plan.node(input).kind == NodeKind::Sort);
    is_limited
        && context
            .query
            .is_some_and(|query| has_whole_window(&query.sql))
        && !is_ordered
}

/// `OVER ()`.
fn has_whole_window(sql: &str) -> bool {
    let words: Vec<&str> = tokens(sql)
        .into_iter()
        .filter(|token| !token.is_trivia())
        .map(|token| &sql[token.span])
        .collect();
    words
        .windows(3)
        .any(|three| three[0].eq_ignore_ascii_case("over") && three[1] == "(" && three[2] == ")")
}

/// What to do instead, for the nodes that keep rows.
fn remedy(kind: &NodeKind) -> Option<&'static str> {
    match kind {
        NodeKind::Materialize => Some(
            "Give the join a condition that can be hashed, or the inner side an index, so that nothing is kept; else keep fewer \
             columns.",
        ),
        NodeKind::CteScan => Some(
            "Write NOT MATERIALIZED, so that conditions reach the tables, or let the WITH query select fewer columns and rows.",
        ),
        NodeKind::WindowAgg => {
            Some("Bound the frame, or let an inner query select fewer rows and columns.")
        }
        NodeKind::FunctionScan | NodeKind::TableFunctionScan => Some(
            "Call the function in the select list of a subquery: its rows then come one by one.",
        ),
        NodeKind::RecursiveUnion | NodeKind::WorkTableScan => {
            Some("Carry only keys through the recursion, and join the rest at the end.")
        }
        _ => None,
    }
}

//! `row-misestimate`: the planner expected far more or far fewer rows than came, and built a plan on it.

use super::context::{RunContext, Words};
use super::own_constants::OwnConstants;
use super::statistics::{self, Remedy};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Fix, Quantity, RuleId, Severity};
use crate::plan::condition::{Expression, parse};
use crate::plan::{JoinType, Node, NodeId, NodeKind, Plan, Relationship};
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
    depth: Some(4),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
    summary: "the planner expected far more or far fewer rows than came",
    condition: "Expected and actual rows of a node differ by factor, the larger is at least min-rows in a loop (or min-total-rows \
        over all loops), and nothing below it is as wrong: it is reported where it begins. A node that something above stopped early \
        may have had more rows, so too few rows there mean nothing; of an anti join it is information where no nested loop above it runs \
        more often for it; and a generic plan can only guess at a parameter: what \
        that costs is parameter-cliff's. Quiet where no join above was chosen by the number. A \
        warning where the query touches min-pages, and statistics mend it or the query reads 8,000 pages or 20,000 rows; else \
        information.",
    why: "Join order, join method and memory follow from the expected rows. Wrong by ten, and the plan that was cheap on paper runs a \
        nested loop ten times as often as intended.",
    advice: "Tell the planner what it cannot know: extended statistics for columns that depend on each other, statistics on an \
        expression, a higher statistics target for skewed columns. ANALYZE alone helps only where statistics are old.",
    bad: "SELECT * FROM orders WHERE country = 'NZ' AND market = 'oceania';  -- the one follows from the other",
    good: "CREATE STATISTICS orders_country_market_stat ON country, market FROM orders; ANALYZE orders;",
    thresholds: &[FACTOR, MIN_ROWS, MIN_TOTAL_ROWS, MIN_PAGES],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    if is_quick(context) {
        return Vec::new();
    }
    let plan = context.plan();
    let errors: Vec<Option<f64>> = plan.ids().map(|id| error_factor(context, id)).collect();
    let generic = is_generic(context);
    let mut findings = Vec::new();
    for (id, node, _) in context.executed() {
        let begins_here =
            errors[id.0].is_some() && plan.descendants(id).all(|below| errors[below.0].is_none());
        // Where no join was chosen by the number, it did no harm.
        let misled = plan
            .ancestors(id)
            .find(|above| plan.node(*above).kind.is_join());
        if let (true, Some(join)) = (
            begins_here && !(generic && hangs_on_parameter(plan, id)),
            misled,
        ) && !context.takes_little(join)
        {
            findings.push(report(context, id, node, join));
        }
    }
    findings
}

/// A query of few pages that ends at once: whatever the planner expected, it cost nothing.
fn is_quick(context: &RunContext<'_>) -> bool {
    const QUICK_MS: f64 = 5.0;
    let pages = context.metrics.blocks;
    pages.is_some_and(|pages| (pages.0 as f64) < context.limit(&MIN_PAGES))
        && context.metrics.total.is_some_and(|time| time.0 < QUICK_MS)
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
    plan.subtree(id).any(|at| {
        condition(plan.node(at)).is_some_and(|text| !parse(&text).parameters().is_empty())
    })
}

/// How wrong the estimate is, where it matters.
fn error_factor(context: &RunContext<'_>, id: NodeId) -> Option<f64> {
    let node = context.plan().node(id);
    let actual = node.actual.filter(|actual| actual.loops > 0.0)?;
    if skipped(&node.kind) || reread_by_merge_join(context, id) {
        return None;
    }
    let (expected, seen) = (
        node.estimate.expected_rows()?.0.max(1.0),
        actual.rows.0.max(1.0),
    );
    // Left early: there may have been as many as expected.
    if seen < expected && context.metrics.node(id).may_have_stopped {
        return None;
    }
    let (factor, larger) = (expected.max(seen) / expected.min(seen), expected.max(seen));
    let matters = larger >= context.limit(&MIN_ROWS)
        || larger * actual.loops >= context.limit(&MIN_TOTAL_ROWS);
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

fn report(context: &RunContext<'_>, id: NodeId, node: &Node, misled: NodeId) -> Finding {
    let plan = context.plan();
    let (expected, actual) = (
        node.estimate.rows.0,
        node.actual.map_or(0.0, |actual| actual.rows.0),
    );
    let loops = node.actual.map_or(1.0, |actual| actual.loops);
    let large = context
        .metrics
        .blocks
        .is_none_or(|pages| pages.0 as f64 >= context.limit(&MIN_PAGES));
    let condition = condition(node);
    let (advice, fix) = advice(context, id, node, condition.as_deref());
    // What statistics mend at no price is worth it in a quick query, too.
    let is_worth_it = fix.is_some() || !context.metrics.is_light();
    let severity = if large
        && is_worth_it
        && !known_too_late(context, id)
        && !costs_nothing(context, id, misled)
    {
        Severity::Warning
    } else {
        Severity::Info
    };
    let label = crate::plan::label(node);
    let mut evidence = context.evidence(id);
    evidence.condition.clone_from(&condition);
    let evidence = evidence
        .with("expected_rows", Quantity::Rows(expected))
        .with("actual_rows", Quantity::Rows(actual))
        .with(
            "factor",
            Quantity::Ratio(expected.max(actual).max(1.0) / expected.min(actual).max(1.0)),
        )
        .with("loops", Quantity::Count(loops as u64));
    let each = if loops > 1.0 {
        // EXPLAIN prints an average: no loop need have had just so many.
        format!(" on average over {} loops", Count(loops))
    } else {
        String::new()
    };
    let why = format!(
        "{} above it was chosen for that number.",
        crate::plan::label(plan.node(misled))
    );
    let words = Words {
        message: format!(
            "{label}: {} expected, {} came{each}",
            Rows(expected),
            rows(actual)
        ),
        why,
        advice,
    };
    let finding = context.finding(
        RuleId::RowMisestimate,
        severity,
        context.with_cost(evidence, id),
        words,
    );
    Finding { fix, ..finding }
}

/// Whether the node is found by a value that another part of the plan comes to: the planner can know nothing of it, and a scan
/// by an index is right for few rows as for many.
fn known_too_late(context: &RunContext<'_>, id: NodeId) -> bool {
    let node = context.plan().node(id);
    let by_index = matches!(node.kind, NodeKind::IndexScan | NodeKind::IndexOnlyScan);
    let found_by = node.conditions.index.as_deref();
    by_index
        && !context.run.is_generic()
        && found_by.is_some_and(|text| !parse(text).parameters().is_empty())
}

/// NOT EXISTS, or LEFT JOIN … IS NULL.
fn is_anti(node: &Node) -> bool {
    matches!(node.join_type, Some(JoinType::Anti | JoinType::RightAnti))
}

/// Whether an anti join was expected to leave more rows than it did, and what is above it had no more to do for that; or the other
/// way about, and it is no nested loop that runs once for each of them. There is no statistics of what has no partner.
fn costs_nothing(context: &RunContext<'_>, id: NodeId, misled: NodeId) -> bool {
    let (plan, node) = (context.plan(), context.plan().node(id));
    let came = node.actual.map_or(0.0, |actual| actual.rows.0);
    is_anti(node)
        && (came <= node.estimate.rows.0 || plan.node(misled).kind != NodeKind::NestedLoop)
}

/// Fewer than ten rows with a decimal: averages of many loops.
fn rows(count: f64) -> String {
    if count > 0.0 && count < 10.0 && count.fract() != 0.0 {
        format!("{count:.1}")
    } else {
        Count(count).to_string()
    }
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

/// By what the planner could not know, with the statements that tell it.
fn advice(
    context: &RunContext<'_>,
    id: NodeId,
    node: &Node,
    condition: Option<&str>,
) -> (String, Option<Fix>) {
    if is_anti(node) {
        return (OF_AN_ANTI_JOIN.to_owned(), None);
    }
    if node.kind.is_join() {
        let joins_tables = condition.is_none_or(|condition| compares_tables(context, condition));
        let words = if joins_tables {
            OF_A_JOIN
        } else {
            OF_ITS_INPUT
        };
        return (words.to_owned(), None);
    }
    let grouped = grouped_columns(context, id);
    let (scan, condition) = match &grouped {
        Some((scan, columns)) => (*scan, Some(columns.as_str())),
        None => (node, condition),
    };
    let Some(table) = context.qualified_name(scan) else {
        return (OF_ITS_INPUT.to_owned(), None);
    };
    let alias = scan
        .relation
        .as_ref()
        .map(|relation| relation.alias.as_str())
        .unwrap_or_default();
    let is_own = |expression: &Expression| {
        context.query.is_none_or(|query| {
            OwnConstants::of(query, context.run).holds_for_every_value(expression)
        })
    };
    let remedy =
        condition.and_then(|condition| statistics::remedy(&table, alias, condition, &is_own));
    match remedy {
        Some(Remedy { sql: None, why }) => (why, None),
        Some(Remedy {
            sql: Some(sql),
            why,
        }) => (
            format!("{why} Tell it by statistics."),
            Some(Fix { sql, proof: None }),
        ),
        None if condition.is_some_and(|condition| parse(condition).columns().len() > 1) => {
            (OF_A_JOIN.to_owned(), None)
        }
        None => (
            format!("ANALYZE {table}; if the count stays wrong, raise its statistics target."),
            None,
        ),
    }
}

/// Whether every column of a condition is one of a table that the plan scans: of what a subquery computes there are no statistics.
fn compares_tables(context: &RunContext<'_>, condition: &str) -> bool {
    let relations = || {
        context
            .plan()
            .nodes
            .iter()
            .filter_map(|node| node.relation.as_ref())
    };
    parse(condition).columns().iter().all(|(qualifier, _)| {
        qualifier.is_none_or(|qualifier| relations().any(|relation| relation.alias == qualifier))
    })
}

/// Where a node groups by several columns of one table: the table's scan, and the columns like conditions.
fn grouped_columns<'a>(context: &RunContext<'a>, id: NodeId) -> Option<(&'a Node, String)> {
    let (plan, node) = (context.plan(), context.plan().node(id));
    let keys: Vec<_> = node.group_key.iter().map(|key| parse(key)).collect();
    let columns: Option<Vec<(Option<&str>, &str)>> =
        keys.iter().map(|key| key.as_column()).collect();
    let columns = columns.filter(|columns| columns.len() > 1)?;
    let alias = columns[0].0;
    let scan = plan
        .descendants(id)
        .map(|below| plan.node(below))
        .find(|below| {
            let own = below
                .relation
                .as_ref()
                .map(|relation| relation.alias.as_str());
            below.kind.scans_table() && own.is_some() && (alias.is_none() || alias == own)
        })?;
    let is_one_table = columns.iter().all(|(qualifier, _)| *qualifier == alias);
    is_one_table.then(|| (scan, format!("({})", node.group_key.join(") AND ("))))
}

const OF_ITS_INPUT: &str = "The planner has no statistics of what is computed below it (a subquery, a CTE, an expression), and guesses. Where the \
    plan above it suffers, compute that part into a temporary table and ANALYZE it, or write the condition on columns of tables.";
const OF_AN_ANTI_JOIN: &str = "The planner takes what has no partner from the numbers of different values of both columns. Where the plan above \
    it suffers, compare n_distinct in pg_stats with count(DISTINCT …), and set it where it is far off (ALTER TABLE … ALTER COLUMN … SET \
    (n_distinct = …), ANALYZE); else keep the answer in a column of the table and ask for that.";
const OF_A_JOIN: &str = "The planner takes the two sides for independent. Store what decides the match in one table, or give the \
    join a condition that statistics cover.";

#[cfg(test)]
mod tests {
    use crate::finding::{Finding, RuleId, Severity};
    use crate::rules::given_plan::judged;

    fn misestimate(text: &str) -> Option<Finding> {
        let all = judged(text)
            .into_iter()
            .flat_map(|mut one| {
                let below = std::mem::take(&mut one.symptoms);
                std::iter::once(one).chain(below)
            })
            .collect::<Vec<_>>();
        all.into_iter()
            .find(|one| one.rule == RuleId::RowMisestimate)
    }

    /// Crates that no parcel is in, and their shelf by a join above.
    fn plan(join: &str, expected: u32, came: u32) -> String {
        format!(
            "{join}  (cost=0.00..9000.00 rows={expected} width=8) (actual time=1.000..900.000 rows={came} loops=1)\n  \
             Buffers: shared hit=40000\n  \
             ->  Hash Anti Join  (cost=0.00..5000.00 rows={expected} width=8) (actual time=1.000..500.000 rows={came} loops=1)\n        \
             Hash Cond: (c.id = p.crate_id)\n        Buffers: shared hit=20000\n        \
             ->  Seq Scan on crates c  (cost=0.00..2000.00 rows=90000 width=8) (actual time=0.010..40.000 rows=90000 loops=1)\n              \
             Buffers: shared hit=10000\n        \
             ->  Hash  (cost=2000.00..2000.00 rows=90000 width=8) (actual time=90.000..90.000 rows=90000 loops=1)\n              \
             Buffers: shared hit=10000\n              \
             ->  Seq Scan on parcels p  (cost=0.00..2000.00 rows=90000 width=8) (actual time=0.010..40.000 rows=90000 loops=1)\n                    \
             Buffers: shared hit=10000\n  \
             ->  Index Scan using shelves_pkey on shelves s  (cost=0.29..4.00 rows=1 width=4) (actual time=0.001..0.001 rows=1 loops={came})\n        \
             Index Cond: (id = c.shelf_id)\n        Buffers: shared hit=20000\nExecution Time: 910.000 ms\n"
        )
    }

    #[test]
    fn an_anti_join_matters_where_a_nested_loop_runs_for_each_row() {
        let found = misestimate(&plan("Nested Loop", 1, 60_000)).unwrap();
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.advice.contains("n_distinct") && found.fix.is_none());
        let fewer = misestimate(&plan("Nested Loop", 60_000, 1));
        assert!(fewer.is_none_or(|found| found.severity == Severity::Info));
    }
}

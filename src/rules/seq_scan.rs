//! `seq-scan`: a table read from end to end for a few of its rows.

use super::context::{RunContext, Words, pages_in_words};
use super::own_constants::OwnConstants;
use super::predicate::{self, Served, ServedBy};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, RuleId, Severity};
use crate::plan::condition::parse;
use crate::plan::{JoinType, NodeId, NodeKind, Plan};
use crate::units::{Count, Pages, Rows};

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
    depth: Some(3),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a table is read from end to end for a few of its rows",
    condition: "A Seq Scan that read at least min-pages pages, kept less than max-kept of the rows that it read (or whose rows a \
        join threw away but for that share), and did at least min-share of the query's work, where an index could serve a \
        condition. A scan that keeps more is right today; it is reported as a note, because it grows with the table. \
        A LIMIT is no excuse: what counts is what was read.",
    why: "The scan reads every page of the table, however few rows it needs. Its time and its I/O grow with the table, and it \
        pushes other queries' pages out of the cache.",
    advice: "Create an index on the columns of the condition: equality first, then sort, then range.",
    bad: "SELECT * FROM orders WHERE tracking_code = $1;  -- no index on tracking_code",
    good: "CREATE INDEX ON orders (tracking_code);",
    thresholds: &[MIN_PAGES, MIN_ROWS, MAX_KEPT, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    scans::all(context)
        .iter()
        .filter(|scan| scan.node.kind == NodeKind::SeqScan)
        .filter_map(|scan| judge(context, scan))
        .collect()
}

/// What the rows of a scan were wanted for.
struct Use {
    kept: f64,
    condition: String,
    /// In words: `to keep 12`, `to join 40`.
    purpose: String,
    remedy: Remedy,
}

/// What would spare the scan.
enum Remedy {
    /// An index that serves the condition.
    Index,
    /// A partial index whose WHERE is this condition.
    PartialIndex(String),
    /// GIN on an array column, once the condition is `column @> ARRAY[value]`.
    Containment(String),
    /// One SELECT for each side of an OR that names a subquery.
    Union,
    /// An index that serves it is there, and the planner left it aside.
    LeftAside(LeftAside),
}

/// An index that the planner held for dearer than reading the whole table.
struct LeftAside {
    index: String,
    /// Rows of the other side, as the planner expected them.
    expected: f64,
    /// As they came.
    came: f64,
}

/// An estimate that is so many times too high explains a plan by itself.
const MISTAKEN: f64 = 5.0;

impl Remedy {
    fn in_words(&self, relation: &str, condition: &str) -> String {
        match self {
            Self::Index => format!("Create an index on {relation} that serves {condition}."),
            Self::PartialIndex(conjunct) => {
                format!("Create a partial index on {relation} WHERE {conjunct}.")
            }
            Self::Containment(column) => format!(
                "Write value = ANY ({column}) as {column} @> ARRAY[value]: a GIN index on {relation} ({column}) serves that."
            ),
            Self::LeftAside(left) if left.expected >= left.came * MISTAKEN => format!(
                "{} on {relation} serves {condition} already. The planner expected {} on the other side, not {}, and so many look-ups \
                 cost more than the scan: fix that estimate (ANALYZE, extended statistics on the columns that are filtered together).",
                left.index,
                Rows(left.expected),
                Count(left.came)
            ),
            Self::LeftAside(left) => format!(
                "{} on {relation} serves {condition} already; by random_page_cost {} look-ups cost more than the scan. Where production \
                 has SSDs, random_page_cost = 1.1 is nearer to the truth: set it there, and under [server] in pgproof.toml.",
                left.index,
                Count(left.came)
            ),
            Self::Union => format!(
                "Write one SELECT for each side of the OR and join them with UNION: each then finds its rows by an index of its \
                 own. An OR of a column and a subquery is no join: the subquery's rows are compared with every row of {relation}."
            ),
        }
    }
}

fn judge(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Finding> {
    let large = match scan.pages {
        Some(Pages(pages)) => pages as f64 >= context.limit(&MIN_PAGES),
        None => scan.rows_read >= context.limit(&MIN_ROWS),
    };
    if !large || scan.rows_read < 1.0 || scan.share? < context.limit(&MIN_SHARE) {
        return None;
    }
    let few = |wanted: &Use| wanted.kept / scan.rows_read < context.limit(&MAX_KEPT);
    // Made without the values: what it keeps of one that is nowhere says nothing of it.
    let is_of_absent = context.run.is_generic() && context.run.id.is_absent();
    let wanted = by_filter(context, scan)
        .filter(|_| !is_of_absent)
        .filter(few)
        .or_else(|| by_join(context, scan).filter(few));
    Some(match wanted {
        Some(wanted) => selective(context, scan, &wanted),
        None => growing(context, scan),
    })
}

/// The scan's own filter, where an index could serve a part of it.
fn by_filter(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Use> {
    let condition = scan.node.conditions.filter.clone()?;
    let kept = scan.rows;
    let conjuncts = predicate::conjuncts(&condition, scan.alias()?);
    let remedy = remedy(context, &conjuncts).or_else(|| {
        predicate::or_with_subquery(&condition, scan.alias()?).then_some(Remedy::Union)
    })?;
    Some(Use {
        kept,
        purpose: format!("to keep {}", scan.row_count),
        condition,
        remedy,
    })
}

/// By the conjunct that is easiest to serve; `None` where nothing is.
fn remedy(context: &RunContext<'_>, conjuncts: &[Served]) -> Option<Remedy> {
    let is_own = |conjunct: &Served| {
        context.query.is_none_or(|query| {
            OwnConstants::of(query, context.run).holds_for_every_value(&parse(&conjunct.text))
        })
    };
    let mut found = None;
    for conjunct in conjuncts {
        match &conjunct.by {
            ServedBy::Column(_)
            | ServedBy::Expression(_)
            | ServedBy::Pattern(_)
            | ServedBy::Containment => return Some(Remedy::Index),
            ServedBy::Membership(column) => found = Some(Remedy::Containment(column.clone())),
            ServedBy::LeavingOut(_) if found.is_none() && is_own(conjunct) => {
                found = Some(Remedy::PartialIndex(parse(&conjunct.text).unqualified()));
            }
            ServedBy::LeavingOut(_) | ServedBy::Nothing => {}
        }
    }
    found
}

/// A join that wanted few of the scan's rows, and so few rows on its other side that looking them up is cheaper.
fn by_join(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Use> {
    let plan = context.plan();
    let (id, alias) = (scan.id, scan.alias()?);
    let join = plan
        .ancestors(id)
        .find(|above| plan.node(*above).kind.is_join())?;
    let mut inputs = plan.inputs(join);
    let (side, other) = match (inputs.next()?, inputs.next()?) {
        (outer, inner) if plan.source_of_rows(outer) == id => (outer, inner),
        (outer, inner) if plan.source_of_rows(inner) == id => (inner, outer),
        _ => return None,
    };
    let condition = plan.node(join).conditions.of_join()?;
    let column = predicate::conjuncts(condition, alias)
        .iter()
        .any(|conjunct| matches!(conjunct.by, ServedBy::Column(_)));
    // Rows that the outer join keeps whatever matches are all wanted.
    let kept_whole = context.metrics.node(join).rows? >= context.metrics.node(side).rows?;
    // A look-up costs about four pages; a scan of as many pages is no worse.
    let lookups = context.metrics.node(other).rows?;
    let pages = scan
        .pages
        .map_or(scan.rows_read / 50.0, |pages| pages.0 as f64);
    if !column || kept_whole || lookups * 8.0 > pages {
        return None;
    }
    let kept = context.metrics.node(join).row_count?;
    let others = context.metrics.node(other).row_count?;
    Some(Use {
        kept: kept.likely,
        condition: condition.clone(),
        purpose: format!("to find {kept} that join {others} of the other side",),
        remedy: left_aside(context, scan, condition, other)
            .map_or(Remedy::Index, Remedy::LeftAside),
    })
}

/// The index that serves the join already.
fn left_aside(
    context: &RunContext<'_>,
    scan: &Scan<'_>,
    condition: &str,
    other: NodeId,
) -> Option<LeftAside> {
    let table = context.table(scan.node)?;
    let index = predicate::index_that_serves(table, scan.alias()?, condition)?;
    Some(LeftAside {
        index: index.name.clone(),
        expected: context.plan().node(other).estimate.expected_rows()?.0,
        came: context.metrics.node(other).rows?,
    })
}

fn selective(context: &RunContext<'_>, scan: &Scan<'_>, wanted: &Use) -> Finding {
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let mut message = format!(
        "{relation} is read row by row{}: {} {}",
        scan.partitions_in_words(),
        Rows(scan.rows_read),
        wanted.purpose
    );
    if let Some(pages) = scan.pages {
        message.push_str(&format!(", {}", pages_in_words(pages)));
    }
    let processes = context.metrics.node(scan.id).processes;
    if let Some(loops) = scan
        .node
        .actual
        .map(|actual| actual.loops / processes)
        .filter(|loops| *loops >= 2.0)
    {
        message.push_str(&format!(", {} times over", Count(loops)));
    }
    let time = scan.time_in_words(context);
    if !time.is_empty() {
        message.push_str(&format!(", {time}"));
    }
    let evidence = scan.evidence(context, Some(wanted.condition.clone()), wanted.kept);
    let words = Words {
        message,
        why: "Every execution reads the whole table, so its time grows with the table and its pages push others out of the cache."
            .to_owned(),
        advice: wanted
            .remedy
            .in_words(&relation, &context.spelled(&wanted.condition)),
    };
    // What is there cannot be missing, and the planner may be right about its price.
    let severity = match wanted.remedy {
        Remedy::LeftAside(_) => Severity::Warning,
        Remedy::Index | Remedy::PartialIndex(_) | Remedy::Containment(_) | Remedy::Union => {
            Severity::Error
        }
    };
    context.finding(RuleId::SeqScan, severity, evidence, words)
}

/// What is thrown away further up of a scan's rows, if that is nearly all: `24 of them are left after Limit`. Whoever counts
/// rows uses all of them.
fn left_above(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<String> {
    let plan = context.plan();
    for id in plan.ancestors(scan.id) {
        let node = plan.node(id);
        if matches!(
            node.kind,
            NodeKind::Aggregate | NodeKind::Group | NodeKind::SetOp | NodeKind::ModifyTable
        ) {
            return None;
        }
        if checks_only(plan, id, scan.id) {
            return None;
        }
        // A sort for a LIMIT gives out what the LIMIT asks for.
        if node.kind.hands_rows_on() || node.kind == NodeKind::Sort {
            continue;
        }
        let rows = context.metrics.node(id).rows?;
        if rows < scan.rows * context.limit(&MAX_KEPT) {
            return Some(format!(
                "{} of them are left after {}",
                Count(rows),
                crate::plan::label(node)
            ));
        }
    }
    None
}

/// Whether a join only looks whether there is a partner among a scan's rows, and hands on those of its other side.
fn checks_only(plan: &Plan, join: NodeId, scan: NodeId) -> bool {
    let mut inputs = plan.inputs(join);
    let (Some(outer), Some(inner)) = (inputs.next(), inputs.next()) else {
        return false;
    };
    let is_below = |side: NodeId| side == scan || plan.is_above(side, scan);
    match plan.node(join).join_type {
        Some(JoinType::Semi | JoinType::Anti) => is_below(inner),
        Some(JoinType::RightSemi | JoinType::RightAnti) => is_below(outer),
        Some(
            JoinType::Inner
            | JoinType::Left
            | JoinType::Full
            | JoinType::Right
            | JoinType::Unknown(_),
        )
        | None => false,
    }
}

/// A WITH query above a scan that is computed whole before a condition on it is applied: its name and the condition.
fn fence(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<(String, String)> {
    let plan = context.plan();
    let above = plan
        .ancestors(scan.id)
        .map(|id| plan.node(id))
        .find(|node| !node.kind.hands_rows_on())?;
    let filter = above.conditions.filter.as_ref()?;
    Some((above.cte_name.clone()?, filter.clone()))
}

fn growing(context: &RunContext<'_>, scan: &Scan<'_>) -> Finding {
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let pages = scan
        .pages
        .map(|pages| format!(", {}", pages_in_words(pages)))
        .unwrap_or_default();
    let filter = scan.node.conditions.filter.clone();
    let left = left_above(context, scan);
    let kept = match &filter {
        _ if left.is_some() => left.clone().unwrap_or_default(),
        _ if scan.rows >= scan.rows_read => "all of them are used".to_owned(),
        Some(filter) if scan.rows / scan.rows_read < context.limit(&MAX_KEPT) => {
            let verb = if scan.row_count.is_one() { "is" } else { "are" };
            let table = context.table(scan.node);
            let alias = scan.alias().unwrap_or_default();
            match table.and_then(|table| predicate::index_that_serves(table, alias, filter)) {
                Some(index) => format!(
                    "{} {verb} kept, and {} is left aside: the planner expected more rows that meet {filter}",
                    scan.row_count, index.name
                ),
                None => format!(
                    "{} {verb} kept, but no index serves {filter}",
                    scan.row_count
                ),
            }
        }
        Some(_) | None => format!("{} of them are used", scan.row_count),
    };
    let words = Words {
        message: format!(
            "{relation} is read whole{}: {}{pages}; {kept}",
            scan.partitions_in_words(),
            scan.rows_in_words(context)
        ),
        why: "A scan is the right plan for this condition on this data. Its cost grows in step with the table."
            .to_owned(),
        advice: match (left, fence(context, scan)) {
            (Some(_), Some((cte, filter))) => format!(
                "{cte} is computed whole before {filter} is applied: write that condition into it, or NOT MATERIALIZED, so that it \
                 reaches {relation}."
            ),
            (Some(_), None) => "Let the query say earlier which rows it needs: a condition that an index serves, an index in the order \
                        of its LIMIT, one look-up for each group."
                .to_owned(),
            (None, _) if sums_up(context, scan) => {
                "Nothing today. If it must stay fast, keep a running total, or bound the rows by a range of time.".to_owned()
            }
            (None, _) => "Nothing today. If it must stay fast, let it ask for fewer rows: by key with a LIMIT, or by a range.".to_owned(),
        },
    };
    let evidence = scan.evidence(context, filter, scan.rows);
    context.finding(RuleId::SeqScan, Severity::Info, evidence, words)
}

/// Whether an aggregate above the scan takes its rows in: only then is there a total to keep.
fn sums_up(context: &RunContext<'_>, scan: &Scan<'_>) -> bool {
    let plan = context.plan();
    let mut above = plan.ancestors(scan.id);
    above.any(|id| plan.node(id).kind == NodeKind::Aggregate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    #[test]
    fn rows_that_an_anti_join_looks_through_are_used() {
        let text = "Hash Anti Join  (actual time=410.0..411.0 rows=7 loops=1)\n  Hash Cond: (m.id = l.member_id)\n\
            \x20 ->  Seq Scan on members m  (actual time=0.1..9.0 rows=20000 loops=1)\n\
            \x20 ->  Hash  (actual time=390.0..390.0 rows=700000 loops=1)\n\
            \x20       ->  Seq Scan on loans l  (actual time=0.1..160.0 rows=700000 loops=1)\nExecution Time: 412.0 ms\n";
        let found = found(text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            found[0].message,
            "loans is read whole: 700,000 rows; all of them are used"
        );
    }

    #[test]
    fn a_condition_behind_a_fence_is_named() {
        let text = "CTE Scan on recent  (actual time=80.0..91.0 rows=3 loops=1)\n  Filter: (branch = 4)\n\
            \x20 Rows Removed by Filter: 299997\n  CTE recent\n\
            \x20   ->  Seq Scan on loans  (actual time=0.1..60.0 rows=300000 loops=1)\nExecution Time: 92.0 ms\n";
        let found = found(text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            found[0].advice,
            "recent is computed whole before (branch = 4) is applied: write that condition into it, or NOT MATERIALIZED, so that it \
             reaches loans."
        );
    }

    #[test]
    fn without_page_counts_rows_decide() {
        let number = |rows: u32| {
            let text = format!(
                "Seq Scan on orders  (cost=0.00..900.00 rows=10 width=8) (actual time=0.1..30.0 rows={rows} loops=1)\nExecution Time: 31.0 ms\n"
            );
            crate::rules::given_plan::findings(check, &text).len()
        };
        assert_eq!((number(50_000), number(49_999)), (1, 0));
    }
}

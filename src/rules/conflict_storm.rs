//! `conflict-storm`: an INSERT … ON CONFLICT whose rows are nearly all there already.

use super::context::{RunContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, Quantity, RuleId, Severity};
use crate::plan::{Node, NodeId, NodeKind};
use crate::units::Count;

const MIN_CONFLICTS: Threshold = Threshold {
    rule: RuleId::ConflictStorm,
    key: "min-conflicts",
    unit: ThresholdUnit::Rows,
    default: 10_000.0,
    about: "rows of one statement that were there already below which it does not matter",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::ConflictStorm,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.9,
    about: "share of the rows that were there already",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::ConflictStorm,
    severity: Severity::Warning,
    depth: Some(7),
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "an INSERT … ON CONFLICT whose rows are nearly all there already",
    condition: "An INSERT with ON CONFLICT of which min-conflicts rows or more met a row of their key, and those are min-share of \
        all.",
    why: "DO NOTHING searches the index for each row, and draws its defaults: sequences run on for rows that are never stored. \
        DO UPDATE writes a new version of each row and of its index entries, also where nothing in it changes.",
    advice: "Send only rows that are new (NOT EXISTS in the SELECT); update only rows that differ (DO UPDATE … WHERE).",
    bad: "INSERT INTO prices SELECT * FROM feed ON CONFLICT (sku) DO UPDATE SET price = excluded.price;",
    good: "INSERT INTO prices SELECT * FROM feed ON CONFLICT (sku) DO UPDATE SET price = excluded.price\n  WHERE prices.price IS DISTINCT FROM excluded.price;",
    thresholds: &[MIN_CONFLICTS, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    context
        .executed()
        .filter(|(_, node, _)| node.kind == NodeKind::ModifyTable)
        .filter_map(|(id, node, _)| judge(context, id, node))
        .collect()
}

fn judge(context: &RunContext<'_>, id: NodeId, node: &Node) -> Option<Finding> {
    // The text format leaves numbers that it does not know as text.
    let count = |key: &str| {
        let value = node.extra.get(key)?;
        value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok())
    };
    let (inserted, conflicts) = (count("Tuples Inserted")?, count("Conflicting Tuples")?);
    let filtered = node.removed.conflict_filter.map_or(0.0, |rows| rows.0);
    if conflicts < context.limit(&MIN_CONFLICTS)
        || conflicts < (inserted + conflicts) * context.limit(&MIN_SHARE)
    {
        return None;
    }
    let does_nothing = node
        .extra
        .get("Conflict Resolution")
        .and_then(serde_json::Value::as_str)
        == Some("NOTHING");
    // Its WHERE leaves those alone that stay as they are.
    if !does_nothing && filtered >= conflicts / 2.0 {
        return None;
    }
    let relation = context
        .relation_name(node)
        .unwrap_or_else(|| "the table".to_owned());
    let evidence = context
        .evidence(id)
        .with("rows", Quantity::Rows(inserted + conflicts))
        .with("rows_kept", Quantity::Rows(inserted));
    let (why, advice) = if does_nothing {
        (
            "Each of them is searched for in the index and draws its defaults: a sequence runs on for rows that are never stored.",
            format!(
                "Send only rows that {relation} does not have: NOT EXISTS in the SELECT, or an anti-join with it."
            ),
        )
    } else {
        (
            "Each of them gets a new row version and new index entries, also where nothing in it changes.",
            "Update only rows that differ: DO UPDATE … WHERE (old.a, old.b) IS DISTINCT FROM (excluded.a, excluded.b)."
                .to_owned(),
        )
    };
    let words = Words {
        message: format!(
            "{} of {} rows for {relation} are there already",
            Count(conflicts),
            Count(inserted + conflicts)
        ),
        why: why.to_owned(),
        advice,
    };
    Some(context.finding(
        RuleId::ConflictStorm,
        Severity::Warning,
        context.with_cost(evidence, id),
        words,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(text: &str) -> Vec<Finding> {
        given_plan::findings(check, text)
    }

    fn insert(resolution: &str, inserted: u32, conflicting: u32, filter: &str) -> String {
        format!(
            "Insert on prices  (cost=0.0..900.0 rows=0 width=0) (actual time=480.1..480.1 rows=0 loops=1)\n\
             \x20 Conflict Resolution: {resolution}\n  Conflict Arbiter Indexes: prices_pkey\n{filter}\
             \x20 Tuples Inserted: {inserted}\n  Conflicting Tuples: {conflicting}\n\
             \x20 ->  Seq Scan on feed  (cost=0.0..900.0 rows=50000 width=12) (actual time=0.1..11.0 rows=50000 loops=1)\n\
             Execution Time: 480.4 ms\n"
        )
    }

    #[test]
    fn rows_that_are_there_already() {
        let nothing = found(&insert("NOTHING", 20, 49_980, ""));
        assert_eq!(nothing.len(), 1);
        assert_eq!(
            nothing[0].message,
            "49,980 of 50,000 rows for prices are there already"
        );
        assert!(nothing[0].advice.contains("NOT EXISTS"));
        let update = found(&insert("UPDATE", 20, 49_980, ""));
        assert!(update[0].advice.contains("IS DISTINCT FROM"));
    }

    #[test]
    fn new_rows_and_rows_that_a_condition_leaves_alone() {
        assert_eq!(found(&insert("NOTHING", 40_000, 10_000, "")), []);
        let filter = "  Conflict Filter: (prices.price IS DISTINCT FROM excluded.price)\n  Rows Removed by Conflict Filter: 49900\n";
        assert_eq!(found(&insert("UPDATE", 20, 49_980, filter)), []);
    }

    #[test]
    fn nine_of_ten_rows_and_ten_thousand_conflict() {
        let number =
            |inserted, conflicting| found(&insert("NOTHING", inserted, conflicting, "")).len();
        assert_eq!((number(0, 10_000), number(0, 9_999)), (1, 0));
        assert_eq!((number(2_000, 18_000), number(2_001, 17_999)), (1, 0));
    }
}

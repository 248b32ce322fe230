//! `unindexable-predicate`: a condition wraps its column, so that an index on the column cannot serve it.

use super::context::{RunContext, Words, pages_in_words};
use super::predicate::{self, Served, ServedBy};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit};
use crate::finding::{Finding, RuleId, Severity};
use crate::plan::Node;
use crate::plan::condition::{Expression, ExpressionKind, parse};
use crate::units::{Count, Rows};

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::UnindexablePredicate,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 20_000.0,
    about: "rows read below which it does not matter",
};
const MAX_KEPT: Threshold = Threshold {
    rule: RuleId::UnindexablePredicate,
    key: "max-kept",
    unit: ThresholdUnit::Ratio,
    default: 0.05,
    about: "share of the rows kept above which no index would help",
};
const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::UnindexablePredicate,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.1,
    about: "share of the query's work below which it does not matter",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::UnindexablePredicate,
    severity: Severity::Error,
    summary: "a condition wraps its column, so that an index on the column cannot serve it",
    condition: "A scan without Index Cond that read min-rows rows and kept less than max-kept of them, doing min-share of the query's work, by a filter with \
        a function, a cast or arithmetic around the column and no other condition that a plain index serves.",
    why: "An index holds the column's values. What the function makes of them is known only after reading every row.",
    advice: "Compare the bare column: turn a date into a range, move arithmetic to the other side. Else index the expression.",
    bad: "SELECT * FROM orders WHERE created_at::date = $1;",
    good: "SELECT * FROM orders WHERE created_at >= $1 AND created_at < $1 + 1;",
    thresholds: &[MIN_ROWS, MAX_KEPT, MIN_SHARE],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    scans::all(context)
        .iter()
        // Where an index finds the rows, a condition that only refines them is filtered-index-scan's.
        .filter(|scan| {
            scan.node.conditions.index.is_none() && scan.node.conditions.recheck.is_none()
        })
        .filter_map(|scan| judge(context, scan))
        .collect()
}

fn judge(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Finding> {
    let wasteful = scan.rows_read >= context.limit(&MIN_ROWS)
        && scan.rows / scan.rows_read < context.limit(&MAX_KEPT);
    if !wasteful || scan.share? < context.limit(&MIN_SHARE) {
        return None;
    }
    let filter = scan.node.conditions.filter.as_ref()?;
    let conjuncts = predicate::conjuncts(filter, scan.alias()?);
    let plain = |served: &Served| {
        matches!(
            served.by,
            ServedBy::Column(_) | ServedBy::Containment | ServedBy::Pattern(_)
        )
    };
    if conjuncts.iter().any(plain) {
        return None;
    }
    let wrapped = conjuncts
        .into_iter()
        .find(|served| matches!(served.by, ServedBy::Expression(_)))?;
    Some(told(context, scan, &wrapped))
}

fn told(context: &RunContext<'_>, scan: &Scan<'_>, wrapped: &Served) -> Finding {
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let alias = scan.alias().unwrap_or_default();
    let column = match &wrapped.by {
        ServedBy::Expression(column) => column.clone(),
        ServedBy::Column(_) | ServedBy::Pattern(_) | ServedBy::Containment | ServedBy::Nothing => {
            String::new()
        }
    };
    let parsed = parse(&wrapped.text);
    let subject = parsed
        .comparison(alias)
        .map_or(&parsed, |comparison| comparison.subject);
    let pages = scan
        .pages
        .map(|pages| format!(", {}", pages_in_words(pages)))
        .unwrap_or_default();
    let words = Words {
        message: format!(
            "{} hides {column} from every index on it: {} of {relation} read{}{pages}, {} kept",
            subject.unqualified(),
            Rows(scan.rows_read),
            scan.partitions_in_words(),
            Count(scan.rows)
        ),
        why: "An index holds the column's values; what the expression makes of them is known only after reading every row.".to_owned(),
        advice: remedy(context, scan.node, subject, &column, &relation),
    };
    let evidence = scan.evidence(context, Some(wrapped.text.clone()), scan.rows);
    context.finding(
        RuleId::UnindexablePredicate,
        Severity::Error,
        evidence,
        words,
    )
}

/// What to write instead, by what wraps the column.
fn remedy(
    context: &RunContext<'_>,
    node: &Node,
    subject: &Expression,
    column: &str,
    relation: &str,
) -> String {
    let text = subject.unqualified();
    let zoned = context
        .table(node)
        .and_then(|table| table.column(column))
        .is_some_and(|column| column.data_type.name.contains("with time zone"));
    let is_date = |name: &str| {
        matches!(
            name,
            "date" | "date_trunc" | "extract" | "date_part" | "timezone"
        )
    };
    let dated = match &subject.kind {
        ExpressionKind::Cast { type_name, .. } => {
            type_name == "date" || type_name.starts_with("timestamp")
        }
        ExpressionKind::Call { function, .. } => is_date(function),
        ExpressionKind::Column { .. }
        | ExpressionKind::Constant(_)
        | ExpressionKind::Parameter(_)
        | ExpressionKind::Subplan
        | ExpressionKind::Operator { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Or(_)
        | ExpressionKind::Not(_)
        | ExpressionKind::Test { .. }
        | ExpressionKind::Other(_) => false,
    };
    if dated {
        let note = if zoned {
            " An index on the expression is impossible: it depends on the session's time zone."
        } else {
            ""
        };
        return format!(
            "Compare {column} with a range instead: {column} >= start AND {column} < end.{note}"
        );
    }
    if matches!(subject.kind, ExpressionKind::Operator { .. }) {
        return format!(
            "Move the arithmetic to the other side, so that {column} stands alone; else CREATE INDEX ON {relation} (({text}));"
        );
    }
    format!(
        "Compare {column} itself, or index what is compared: CREATE INDEX ON {relation} (({text}));"
    )
}

//! `unindexable-predicate`: a condition wraps its column, so that an index on the column cannot serve it.

use super::context::{RunContext, Words, pages_in_words};
use super::immutability::{Volatility, volatility};
use super::own_constants::OwnConstants;
use super::predicate::{self, Served, ServedBy};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
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
    depth: Some(1),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
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
    let plain = |served: &Served| match &served.by {
        ServedBy::Column(column) => keeps_little(context, scan, column, &served.text),
        ServedBy::Containment | ServedBy::Membership(_) | ServedBy::Pattern(_) => true,
        ServedBy::Expression(_) | ServedBy::LeavingOut(_) | ServedBy::Nothing => false,
    };
    if conjuncts.iter().any(plain) {
        return None;
    }
    let wrapped = conjuncts.into_iter().find(|served| {
        matches!(served.by, ServedBy::Expression(_)) && !compares_a_row(scan, &served.text)
    })?;
    Some(report(context, scan, &wrapped))
}

/// `ROW(a, b) < ROW($1, $2)`: an index on the columns serves it as it is.
fn compares_a_row(scan: &Scan<'_>, text: &str) -> bool {
    let parsed = parse(text);
    let subject = parsed
        .comparison(scan.alias().unwrap_or_default())
        .map_or(&parsed, |comparison| comparison.subject);
    let written = subject.unqualified();
    written.to_ascii_lowercase().starts_with("row(")
}

/// Whether a condition on a bare column finds few rows, so that an index on it would do; taken for granted where the
/// statistics say nothing.
fn keeps_little(context: &RunContext<'_>, scan: &Scan<'_>, column: &str, text: &str) -> bool {
    let stats = context
        .table(scan.node)
        .and_then(|table| table.column(column))
        .and_then(|column| column.stats.as_ref());
    let Some(stats) = stats else {
        return true;
    };
    let parsed = parse(text);
    let value = parsed
        .comparison(scan.alias().unwrap_or_default())
        .filter(|comparison| comparison.operator == "=")
        .and_then(|comparison| match &comparison.other.without_casts().kind {
            ExpressionKind::Constant(Some(value)) => Some(value.clone()),
            _ => None,
        });
    let share = value.and_then(|value| {
        let common = stats.most_common.iter();
        common
            .filter(|(known, _)| *known == value)
            .map(|(_, share)| *share)
            .next()
    });
    share.is_none_or(|share| share < context.limit(&MAX_KEPT))
}

fn report(context: &RunContext<'_>, scan: &Scan<'_>, wrapped: &Served) -> Finding {
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let alias = scan.alias().unwrap_or_default();
    let column = match &wrapped.by {
        ServedBy::Expression(column) => column.clone(),
        ServedBy::Column(_)
        | ServedBy::Pattern(_)
        | ServedBy::Containment
        | ServedBy::Membership(_)
        | ServedBy::LeavingOut(_)
        | ServedBy::Nothing => String::new(),
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
            context.spelled(&subject.unqualified()),
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

/// A cast of the column that a value's type forces: the value is at fault, and no index is missing.
fn cast_by_the_driver(
    context: &RunContext<'_>,
    node: &Node,
    subject: &Expression,
    column: &str,
) -> Option<String> {
    let ExpressionKind::Cast { operand, type_name } = &subject.kind else {
        return None;
    };
    if !matches!(operand.kind, ExpressionKind::Column { .. }) {
        return None;
    }
    let table = context.table(node)?;
    let own = &table.column(column)?.data_type.name;
    let index = table
        .indexes
        .iter()
        .find(|index| index.valid && index.key_columns().first() == Some(&column));
    let served = match index {
        Some(index) => format!("{} then serves it", index.name),
        None => format!("an index on {column} then serves it"),
    };
    Some(format!(
        "The value is {type_name} where {column} is {own}, so every row's {column} is cast. Bind the value as {own}: {served}."
    ))
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
    let table = context.table(node);
    let known = table.and_then(|table| table.column(column));
    let is_changing = volatility(subject, table) == Volatility::Changing;
    if known.is_some() && matches!(subject.kind, ExpressionKind::Column { .. }) {
        return format!(
            "Compare lower({column}) with a pattern in lower case by LIKE, and CREATE INDEX ON {relation} (lower({column}) \
             text_pattern_ops); ILIKE itself is served by trigrams only, from three letters on."
        );
    }
    let is_date = |name: &str| {
        matches!(
            name,
            "date" | "date_trunc" | "extract" | "date_part" | "timezone" | "to_char"
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
        let note = if is_changing {
            " An index on the expression is impossible: it depends on the session's settings."
        } else {
            ""
        };
        let served = table
            .into_iter()
            .flat_map(|table| &table.indexes)
            .find(|index| index.valid && index.key_columns().first() == Some(&column))
            .map(|index| format!(" {} serves it.", index.name))
            .unwrap_or_default();
        return format!(
            "Compare {column} with a range instead: {column} >= start AND {column} < end.{served}{note}"
        );
    }
    if let Some(advice) = cast_by_the_driver(context, node, subject, column) {
        return advice;
    }
    let is_own = context
        .query
        .is_none_or(|query| OwnConstants::of(query, context.run).holds_for_every_value(subject));
    if is_changing || !is_own {
        let why = if is_changing {
            "it depends on the session's settings or on the moment"
        } else {
            "it holds a parameter's value, and would serve that one only"
        };
        let text = context.spelled(&text);
        return format!("Compare {column} itself. An index on {text} is no answer: {why}.");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::given_plan;

    fn found(filter: &str) -> Vec<Finding> {
        given_plan::findings(
            check,
            &format!(
                "Seq Scan on entries  (cost=0.0..9000.0 rows=10 width=12) (actual time=9.1..131.0 rows=3 loops=1)\n  Filter: {filter}\n  \
                 Rows Removed by Filter: 400000\n  Buffers: shared hit=9000\nExecution Time: 140.0 ms\n"
            ),
        )
    }

    #[test]
    fn a_wrapped_column_is_told_and_a_row_of_columns_is_not_wrapped() {
        assert_eq!(found("(lower(title) = 'x'::text)").len(), 1);
        assert_eq!(found("(ROW(made_at, id) < ROW('2025-01-01'::date, 7))"), []);
    }
}

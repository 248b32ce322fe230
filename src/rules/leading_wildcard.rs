//! `leading-wildcard`: a pattern without a fixed beginning.

use super::context::{RunContext, Words, pages_in_words};
use super::predicate::{self, ServedBy};
use super::scans::{self, Scan};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Finding, RuleId, Severity};
use crate::plan::NodeKind;
use crate::plan::condition::{ExpressionKind, parse};
use crate::units::{Count, Rows};

const MIN_ROWS: Threshold = Threshold {
    rule: RuleId::LeadingWildcard,
    key: "min-rows",
    unit: ThresholdUnit::Rows,
    default: 20_000.0,
    about: "rows read below which it does not matter",
};
const MAX_KEPT: Threshold = Threshold {
    rule: RuleId::LeadingWildcard,
    key: "max-kept",
    unit: ThresholdUnit::Ratio,
    default: 0.05,
    about: "share of the rows kept above which no index would help",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::LeadingWildcard,
    severity: Severity::Error,
    depth: Some(1),
    is_work_of_each_call: true,
    without_rows: WithoutRows::UnderNotProven,
    summary: "LIKE '%…' reads every row",
    condition: "A scan that read min-rows rows and kept less than max-kept of them by LIKE or ILIKE with a leading wildcard, or a \
        regular expression without a beginning, and no other condition that a plain index serves.",
    why: "A B-tree is sorted by the beginning of the text: without one it is of no use.",
    advice: "Create a trigram index (pg_trgm), or search words with tsvector.",
    bad: "SELECT * FROM customers WHERE name ILIKE '%smith%';",
    good: "CREATE EXTENSION pg_trgm; CREATE INDEX ON customers USING gin (name gin_trgm_ops);",
    thresholds: &[MIN_ROWS, MAX_KEPT],
    check: Check::Run(check),
};

fn check(context: &RunContext<'_>) -> Vec<Finding> {
    scans::all(context)
        .iter()
        .filter(|scan| {
            matches!(
                scan.node.kind,
                NodeKind::SeqScan | NodeKind::IndexScan | NodeKind::IndexOnlyScan
            )
        })
        .filter_map(|scan| judge(context, scan))
        .collect()
}

fn judge(context: &RunContext<'_>, scan: &Scan<'_>) -> Option<Finding> {
    if scan.rows_read < context.limit(&MIN_ROWS)
        || scan.rows / scan.rows_read >= context.limit(&MAX_KEPT)
    {
        return None;
    }
    let filter = scan.node.conditions.filter.as_ref()?;
    let conjuncts = predicate::conjuncts(filter, scan.alias()?);
    if conjuncts
        .iter()
        .any(|served| matches!(served.by, ServedBy::Column(_) | ServedBy::Containment))
    {
        return None;
    }
    let (pattern, column) = conjuncts.iter().find_map(|served| match &served.by {
        ServedBy::Pattern(column) => Some((served.text.clone(), column.clone())),
        ServedBy::Column(_)
        | ServedBy::Expression(_)
        | ServedBy::Containment
        | ServedBy::Membership(_)
        | ServedBy::LeavingOut(_)
        | ServedBy::Nothing => None,
    })?;
    let relation = context
        .relation_name(scan.node)
        .unwrap_or_else(|| "the table".to_owned());
    let pages = scan
        .pages
        .map(|pages| format!(", {}", pages_in_words(pages)))
        .unwrap_or_default();
    let words = Words {
        message: format!(
            "the pattern has no fixed beginning: {} of {relation} read{}{pages}, {} kept",
            Rows(scan.rows_read),
            scan.partitions_in_words(),
            Count(scan.rows)
        ),
        why: "A B-tree is sorted by the beginning of the text: without one every row is compared."
            .to_owned(),
        advice: match context.run.parameters.is_empty() && is_short(&pattern) {
            true => "No index serves a pattern of fewer than three letters in a row: keep what it looks for in a column of its own, if it is \
                     asked for often."
                .to_owned(),
            false => format!(
                "CREATE EXTENSION pg_trgm; CREATE INDEX ON {relation} USING gin ({});",
                key_of(&pattern, &column)
            ),
        },
    };
    let evidence = scan.evidence(context, Some(pattern), scan.rows);
    Some(context.finding(RuleId::LeadingWildcard, Severity::Error, evidence, words))
}

/// Whether no constant of a condition has three letters in a row, of which trigrams are made.
fn is_short(condition: &str) -> bool {
    let mut is_long = false;
    parse(condition).walk(&mut |part| {
        if let ExpressionKind::Constant(Some(text)) = &part.kind {
            let mut runs = text.split(|c: char| !c.is_alphanumeric());
            is_long |= runs.any(|run| run.chars().count() >= 3);
        }
    });
    !is_long
}

/// The columns of a trigram index: of an OR every side's, since one alone does nothing.
fn key_of(condition: &str, column: &str) -> String {
    let mut columns: Vec<String> = Vec::new();
    parse(condition).walk(&mut |part| {
        if let ExpressionKind::Operator {
            operator,
            left: Some(left),
            ..
        } = &part.kind
            && operator.starts_with('~')
            && let Some((_, name)) = left.without_casts().as_column()
            && !columns.iter().any(|known| known == name)
        {
            columns.push(name.to_owned());
        }
    });
    if columns.is_empty() {
        columns.push(column.to_owned());
    }
    let key = |name: &String| format!("{} gin_trgm_ops", crate::schema::quote_identifier(name));
    columns.iter().map(key).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_an_or_is_in_the_index() {
        let key = |condition: &str| key_of(condition, "name");
        assert_eq!(
            key("(b.name ~~* '%oak%'::text) OR ((b.\"Yard\")::text ~~* '%oak%'::text)"),
            "name gin_trgm_ops, \"Yard\" gin_trgm_ops"
        );
        assert_eq!(key("b.name ~~ '%oak'::text"), "name gin_trgm_ops");
    }

    #[test]
    fn trigrams_need_three_letters() {
        assert!(is_short("b.name ~~ '%.%'::text"));
        assert!(!is_short("b.name ~~ '%oak%'::text"));
    }
}

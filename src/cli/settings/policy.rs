//! Thresholds and severities: `[thresholds]`, `[rules]` and `[[override]]`, checked against the rule registry.

use std::ops::Range;
use std::path::Path;

use globset::GlobMatcher;
use toml::de::DeValue;

use super::section::{Entry, Reader, Section, number, pattern};
use crate::catalog::Catalog;
use crate::finding::{RuleId, Severity};
use crate::rules::{Policy, Rule, Threshold, ThresholdUnit};
use crate::source::{Source, SourceError, nearest};
use crate::units::Pages;
use crate::units::written::{EXPECTED_DURATION, EXPECTED_SIZE, bytes, millis, percentage};

/// What the project says about rules, in the order in which it holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Judgement {
    limits: Vec<(RuleId, &'static str, f64)>,
    severities: Vec<(RuleId, Option<Severity>)>,
}

impl Judgement {
    fn apply(&self, policy: &mut Policy) {
        for (rule, key, value) in &self.limits {
            policy.set_limit(*rule, key, *value);
        }
        for (rule, severity) in &self.severities {
            policy.set_severity(*rule, *severity);
        }
    }
}

/// An `[[override]]`: what differs for some queries.
#[derive(Debug, Clone)]
pub(super) struct Override {
    patterns: Vec<QueryPattern>,
    judgement: Judgement,
}

/// A query's name or path, with wildcards.
#[derive(Debug, Clone)]
pub(super) struct QueryPattern {
    text: String,
    span: Range<usize>,
    exact: GlobMatcher,
    /// `reports/*` means `queries/reports/*` too.
    below: GlobMatcher,
}

impl QueryPattern {
    /// By its name, by the last part of a name that says where it stands (`billing/ListOrders`), or by its file's path.
    pub(super) fn matches(&self, name: &str, file: &Path) -> bool {
        self.exact.is_match(name)
            || name
                .rsplit('/')
                .next()
                .is_some_and(|plain| self.exact.is_match(plain))
            || self.exact.is_match(file)
            || self.below.is_match(file)
    }

    /// As it is written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The policy that holds for a query: later overrides win.
/// `query`: its name and its file.
pub(super) fn policy(
    base: &Judgement,
    overrides: &[Override],
    query: Option<(&str, &Path)>,
) -> Policy {
    let mut policy = Policy::default();
    base.apply(&mut policy);
    if let Some((name, file)) = query {
        for each in overrides.iter().filter(|each| {
            each.patterns
                .iter()
                .any(|pattern| pattern.matches(name, file))
        }) {
            each.judgement.apply(&mut policy);
        }
    }
    policy
}

/// Patterns that name no query: a renamed query must not lose its limits silently.
pub(super) fn unmatched(
    source: &Source,
    overrides: &[Override],
    catalog: &Catalog,
) -> Vec<SourceError> {
    let patterns = overrides.iter().flat_map(|each| &each.patterns);
    unmatched_patterns(source, patterns, catalog)
}

/// Those of some patterns that fit nothing in the catalog, what is not audited included.
pub(super) fn unmatched_patterns<'a>(
    source: &Source,
    patterns: impl Iterator<Item = &'a QueryPattern>,
    catalog: &Catalog,
) -> Vec<SourceError> {
    let fits = |pattern: &QueryPattern| {
        let queries = catalog
            .queries
            .iter()
            .map(|query| (&query.name, &query.file));
        let skipped = catalog
            .skipped
            .iter()
            .map(|skipped| (&skipped.name, &skipped.file));
        queries
            .chain(skipped)
            .any(|(name, file)| pattern.matches(name, file))
    };
    patterns
        .filter(|pattern| !fits(pattern))
        .map(|pattern| {
            let message = format!(
                "`{}` matches no query, neither by name nor by path",
                pattern.text
            );
            let error = SourceError::new(source, pattern.span.clone(), message);
            match nearest(
                &pattern.text,
                catalog.queries.iter().map(|query| query.name.as_str()),
            ) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            }
        })
        .collect()
}

/// `[thresholds]`.
pub(super) fn read_thresholds(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    rules: &[&Rule],
    into: &mut Judgement,
) {
    for entry in &section.entries {
        match rules.iter().find(|rule| rule.id.as_str() == entry.key) {
            Some(rule) => read_rule_thresholds(reader, entry, rule, into),
            None => reader.unknown(entry, &section.path, &rule_names(rules)),
        }
    }
}

/// `[rules]`.
pub(super) fn read_severities(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    rules: &[&Rule],
    into: &mut Judgement,
) {
    const WORDS: [(&str, Option<Severity>); 4] = [
        ("off", None),
        ("info", Some(Severity::Info)),
        ("warning", Some(Severity::Warning)),
        ("error", Some(Severity::Error)),
    ];
    for entry in &section.entries {
        let Some(rule) = rules.iter().find(|rule| rule.id.as_str() == entry.key) else {
            reader.unknown(entry, &section.path, &rule_names(rules));
            continue;
        };
        match WORDS
            .iter()
            .find(|(word, _)| entry.value.as_str() == Some(word))
        {
            Some((_, severity)) => into.severities.push((rule.id, *severity)),
            None => reader.expected(
                entry,
                "expected \"off\", \"info\", \"warning\" or \"error\"",
            ),
        }
    }
}

/// `[[override]]`.
pub(super) fn read_overrides<'a>(
    reader: &mut Reader<'a>,
    entry: &Entry<'a>,
    rules: &[&Rule],
) -> Vec<Override> {
    let tables: Option<Vec<Section<'a>>> = entry.value.as_array().and_then(|list| {
        list.iter()
            .map(|item| {
                item.get_ref()
                    .as_table()
                    .map(|table| Section::new("override", table))
            })
            .collect()
    });
    let (Some(tables), Some(list)) = (tables, entry.value.as_array()) else {
        reader.expected(entry, "expected tables, as in `[[override]]`");
        return Vec::new();
    };
    let spans = list.iter().map(toml::Spanned::span);
    tables
        .iter()
        .zip(spans)
        .filter_map(|(table, span)| read_override(reader, table, span, rules))
        .collect()
}

fn read_override<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    span: Range<usize>,
    rules: &[&Rule],
) -> Option<Override> {
    let mut patterns = None;
    let mut judgement = Judgement::default();
    for entry in &table.entries {
        match entry.key {
            "queries" => patterns = Some(read_patterns(reader, entry)),
            "rules" => {
                if let Some(section) = reader.table(entry) {
                    read_severities(reader, &section, rules, &mut judgement);
                }
            }
            key => match rules.iter().find(|rule| rule.id.as_str() == key) {
                Some(rule) => read_rule_thresholds(reader, entry, rule, &mut judgement),
                None => {
                    let mut known = vec!["queries", "rules"];
                    known.extend(rule_names(rules));
                    reader.unknown(entry, "[override]", &known);
                }
            },
        }
    }
    let Some(patterns) = patterns else {
        let help =
            "write `queries = [\"ListOrders\", \"reports/*\"]`, by name or by path".to_owned();
        reader.error(span, "an override that names no queries", Some(help));
        return None;
    };
    Some(Override {
        patterns,
        judgement,
    })
}

/// Names and paths of queries.
pub(super) fn read_patterns<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>) -> Vec<QueryPattern> {
    let expected =
        "expected a list of queries, by name or path, as in [\"ListOrders\", \"reports/*\"]";
    let mut patterns = Vec::new();
    for (text, span) in reader.strings(entry, expected).unwrap_or_default() {
        match (pattern(&text), pattern(&format!("**/{text}"))) {
            (Ok(exact), Ok(below)) => patterns.push(QueryPattern {
                text,
                span,
                exact: exact.compile_matcher(),
                below: below.compile_matcher(),
            }),
            (Err(error), _) | (_, Err(error)) => {
                reader.error(
                    span,
                    format!("`{text}` is not a pattern: {}", error.kind()),
                    None,
                );
            }
        }
    }
    patterns
}

fn read_rule_thresholds(
    reader: &mut Reader<'_>,
    entry: &Entry<'_>,
    rule: &Rule,
    into: &mut Judgement,
) {
    let DeValue::Table(table) = entry.value else {
        let message = match rule.thresholds.first() {
            Some(threshold) => format!(
                "expected thresholds of the rule, as in `{}.{} = …`",
                entry.path, threshold.key
            ),
            None => "the rule has no thresholds".to_owned(),
        };
        reader.expected(entry, &message);
        return;
    };
    for limit in Section::new(&entry.path, table).entries {
        let Some(threshold) = rule
            .thresholds
            .iter()
            .find(|threshold| threshold.key == limit.key)
        else {
            let keys: Vec<&str> = rule
                .thresholds
                .iter()
                .map(|threshold| threshold.key)
                .collect();
            let help = match nearest(limit.key, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if keys.is_empty() => "it has none".to_owned(),
                None => format!("its thresholds: {}", keys.join(", ")),
            };
            let message = format!("rule {} has no threshold `{}`", rule.id, limit.key);
            reader.error(limit.key_span, message, Some(help));
            continue;
        };
        match read_limit(threshold, limit.value) {
            Some(value) => into.limits.push((rule.id, threshold.key, value)),
            None => reader.expected(&limit, expected(threshold.unit)),
        }
    }
}

fn rule_names(rules: &[&Rule]) -> Vec<&'static str> {
    rules.iter().map(|rule| rule.id.as_str()).collect()
}

/// A limit in its threshold's unit.
fn read_limit(threshold: &Threshold, value: &DeValue<'_>) -> Option<f64> {
    let text = value.as_str();
    let limit = match threshold.unit {
        ThresholdUnit::Millis => number(value).or_else(|| millis(text?)),
        ThresholdUnit::Pages => {
            number(value).or_else(|| Some((bytes(text?)? / Pages::SIZE as f64).ceil()))
        }
        ThresholdUnit::Bytes => number(value).or_else(|| bytes(text?)),
        ThresholdUnit::Ratio => number(value).or_else(|| percentage(text?)),
        ThresholdUnit::Rows | ThresholdUnit::Count => number(value),
    };
    limit.filter(|limit| *limit >= 0.0)
}

fn expected(unit: ThresholdUnit) -> &'static str {
    match unit {
        ThresholdUnit::Millis => EXPECTED_DURATION,
        ThresholdUnit::Pages => "expected a number of 8 kB pages, or a size like \"16MB\"",
        ThresholdUnit::Bytes => EXPECTED_SIZE,
        ThresholdUnit::Rows => "expected a number of rows",
        ThresholdUnit::Ratio => "expected a number like 0.1, or \"10%\"",
        ThresholdUnit::Count => "expected a number",
    }
}

//! Values taken out of what is reported, for reports that leave the house: parameters, and every constant in a condition or an
//! expression, because the planner rewrites values (a pattern becomes a range) and prints them in its own form. What the
//! query's own text says stays: it is in the project's files.

use serde_json::Value;

use super::Report;
use crate::finding::{Evidence, Finding, Quantity};
use crate::plan::Plan;
use crate::plan::condition::{normalized, parse};
use crate::run::{QueryFailure, Run};

/// What stands in the place of a value.
const REDACTED: &str = "[redacted]";
/// Keys of EXPLAIN whose texts are names and words, never values.
const NAMES: &[&str] = &[
    "Node Type",
    "Parent Relationship",
    "Subplan Name",
    "Relation Name",
    "Schema",
    "Alias",
    "Index Name",
    "CTE Name",
    "Join Type",
    "Strategy",
    "Partial Mode",
    "Operation",
    "Scan Direction",
    "Sort Method",
    "Sort Space Type",
    "Sort Methods Used",
    "Function Name",
    "Table Function Name",
    "Tuplestore Name",
    "Command",
    "Custom Plan Provider",
    "Trigger Name",
    "Constraint Name",
    "Relation",
    "Conflict Resolution",
    "Conflict Arbiter Indexes",
    "Cache Mode",
    "Settings",
    "Storage",
    "Format",
];

/// Takes the values out of a whole report.
pub fn redact(report: &mut Report) {
    for runs in &mut report.runs {
        runs.runs.iter_mut().for_each(redact_run);
        if let Some(failure) = &mut runs.failure {
            redact_failure(failure);
        }
    }
    for query in &mut report.queries {
        for (_, value) in &mut query.asked_by.settings {
            REDACTED.clone_into(value);
        }
    }
    redact_findings(&mut report.findings);
}

/// The server quotes names and values alike; what it calls data exceptions and violated constraints (SQLSTATE classes 22 and 23)
/// is about values.
fn redact_failure(failure: &mut QueryFailure) {
    if !failure
        .code
        .as_deref()
        .is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
    {
        return;
    }
    failure.message = without_quoted(&failure.message);
    failure.hint = failure.hint.as_deref().map(without_quoted);
}

/// `"…"` as `"?"`.
fn without_quoted(text: &str) -> String {
    let parts = text.split('"').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { "\"?\"" } else { part })
        .collect()
}

/// Takes the values out of a run and its plan.
pub fn redact_run(run: &mut Run) {
    for parameter in &mut run.parameters {
        if let Some(value) = &mut parameter.value {
            REDACTED.clone_into(value);
        }
    }
    if run.explain_json.is_string() {
        // In a plan's text constants and figures look alike.
        run.explain_json = Value::Null;
    }
    explain(&mut run.explain_json);
    plan(&mut run.plan);
}

/// Takes the values out of findings and their symptoms.
pub fn redact_findings(findings: &mut [Finding]) {
    for finding in findings {
        let conditions = conditions(&finding.evidence);
        for text in [&mut finding.message, &mut finding.why, &mut finding.advice] {
            *text = prose(text, &conditions);
        }
        evidence(&mut finding.evidence, &conditions);
        redact_findings(&mut finding.symptoms);
    }
}

/// A condition and its parts, as sentences quote them; the longest first.
fn conditions(evidence: &Evidence) -> Vec<String> {
    let Some(condition) = &evidence.condition else {
        return Vec::new();
    };
    let mut parts = vec![condition.clone()];
    parts.extend(
        parse(condition)
            .conjuncts()
            .iter()
            .map(|part| part.text.clone()),
    );
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.retain(|part| normalized(part) != *part);
    parts
}

fn evidence(evidence: &mut Evidence, conditions: &[String]) {
    if let Some(condition) = &mut evidence.condition {
        *condition = normalized(condition);
    }
    for measure in &mut evidence.measures {
        if let Quantity::Text(text) = &mut measure.quantity {
            *text = prose(text, conditions);
        }
    }
}

/// A sentence without the values of the conditions that it quotes, and without any other quoted value.
fn prose(text: &str, conditions: &[String]) -> String {
    let mut text = text.to_owned();
    for condition in conditions {
        text = text.replace(condition.as_str(), &normalized(condition));
    }
    without_literals(&text)
}

/// `'…'` with its cast as `?`; an apostrophe inside a word opens nothing.
fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\'') {
        let (before, quoted) = rest.split_at(at);
        out.push_str(before);
        let in_word = before.ends_with(char::is_alphanumeric) && !before.ends_with(" E");
        let Some(end) = literal_end(quoted).filter(|_| !in_word) else {
            out.push('\'');
            rest = &quoted[1..];
            continue;
        };
        out.push('?');
        rest = &quoted[end..];
    }
    out + rest
}

/// Where the literal that a text begins with ends; doubled quotes belong to it.
fn literal_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == b'\'' {
            if bytes.get(at + 1) != Some(&b'\'') {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    None
}

fn plan(plan: &mut Plan) {
    plan.query_text = plan.query_text.as_deref().map(normalized);
    plan.extra.remove("Query Parameters");
    for node in &mut plan.nodes {
        let conditions = &mut node.conditions;
        let single = [
            &mut conditions.index,
            &mut conditions.recheck,
            &mut conditions.order_by,
            &mut conditions.filter,
            &mut conditions.hash,
            &mut conditions.merge,
            &mut conditions.join_filter,
            &mut conditions.one_time_filter,
            &mut conditions.tid,
            &mut conditions.cache_key,
            &mut conditions.conflict_filter,
            &mut conditions.run_condition,
        ];
        single
            .into_iter()
            .flatten()
            .for_each(|text| *text = normalized(text));
        let lists = [
            &mut node.output,
            &mut node.sort_key,
            &mut node.presorted_key,
            &mut node.group_key,
        ];
        lists
            .into_iter()
            .flatten()
            .for_each(|text| *text = normalized(text));
        node.extra
            .iter_mut()
            .filter(|(key, _)| !NAMES.contains(&key.as_str()))
            .for_each(|(_, value)| explain(value));
    }
}

/// EXPLAIN's output: every text but names.
fn explain(value: &mut Value) {
    // Deep plans are read; their values are walked without the stack.
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => *text = normalized(text),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                map.remove("Query Parameters");
                open.extend(
                    map.iter_mut()
                        .filter(|(key, _)| !NAMES.contains(&key.as_str()))
                        .map(|(_, value)| value),
                );
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_names_stay() {
        let mut json = serde_json::json!([{"Query Text": "SELECT 4711", "Plan": {"Node Type": "Seq Scan", "Relation Name": "t1",
            "Filter": "((a = 4711) AND (b ~~ 'se%'::text))", "Output": ["a", "'x'::text"], "Plan Rows": 7}}]);
        explain(&mut json);
        let expected = serde_json::json!([{"Query Text": "SELECT ?", "Plan": {"Node Type": "Seq Scan", "Relation Name": "t1",
            "Filter": "((a = ?) AND (b ~~ ?))", "Output": ["a", "?"], "Plan Rows": 7}}]);
        assert_eq!(json, expected);
    }

    #[test]
    fn failures_lose_values_and_keep_names() {
        let failure = |code: &str, message: &str| {
            let mut failure = QueryFailure {
                message: message.to_owned(),
                code: Some(code.to_owned()),
                position: None,
                hint: None,
            };
            redact_failure(&mut failure);
            failure.message
        };
        assert_eq!(
            failure("22P02", "invalid input syntax for type integer: \"ann's\""),
            "invalid input syntax for type integer: \"?\""
        );
        assert_eq!(
            failure("42703", "column \"totl\" does not exist"),
            "column \"totl\" does not exist"
        );
    }

    #[test]
    fn sentences_lose_what_they_quote() {
        let evidence = Evidence {
            condition: Some("((a = 4711) AND (b = 'x y'::text))".to_owned()),
            ..Evidence::default()
        };
        let conditions = conditions(&evidence);
        let text = prose(
            "t keeps 3 of 4,711 rows: ((a = 4711) AND (b = 'x y'::text)); the customer's (a = 4711) is 'it''s' all",
            &conditions,
        );
        assert_eq!(
            text,
            "t keeps 3 of 4,711 rows: ((a = ?) AND (b = ?)); the customer's (a = ?) is ? all"
        );
        assert_eq!(without_literals("nobody's and 'open"), "nobody's and 'open");
    }
}

//! A case's plans judged as an audit judges them, and whether what was expected came. Shared by the tests, the table and
//! the score.

#![allow(dead_code, reason = "the commands and the tests each use a part")]

use std::path::Path;

use pgproof::catalog::{self, Query};
use pgproof::finding::{Finding, RuleId, Severity};
use pgproof::plan::parse;
use pgproof::rules::{self, Policy};
use pgproof::run::{Outcome, QueryRuns, Run, Sample};
use pgproof::run_id::{PlanChoice, RunId, SetRole};
use pgproof::schema::Schema;
use pgproof::source::Source;
use pgproof::units::Millis;
use serde_json::Value;

use super::case::Case;

/// The case's queries, with their directives.
pub(crate) fn queries(case: &Case) -> Result<Vec<Query>, String> {
    let source = Source::new(
        format!("{}/{}.sql", case.rule, case.name),
        case.queries.clone(),
    );
    let catalog = catalog::parse(&[source])
        .strict()
        .map_err(|errors| format!("{}/{}: {}", case.rule, case.name, errors[0]))?;
    Ok(catalog.queries)
}

/// A run as the audit would hold it.
pub(crate) fn run(value: &Value) -> Result<Run, String> {
    let plan = parse::json_value(&value["explain"])
        .map_err(|error| error.to_string())?
        .remove(0);
    let buffers = plan.root().buffers.unwrap_or_default();
    let samples = value["samples"].as_array().ok_or("a run without samples")?;
    let samples = samples.iter().map(|sample| {
        let millis = |place: usize| {
            sample[place]
                .as_f64()
                .map(Millis)
                .ok_or("a sample without times")
        };
        let (execution, planning) = (millis(0)?, millis(1)?);
        Ok(Sample {
            execution,
            planning,
            blocks: buffers.touched(),
            temp_blocks: buffers.temp(),
        })
    });
    Ok(Run {
        id: id(value["label"].as_str().ok_or("a run without label")?),
        parameters: Vec::new(),
        outcome: Outcome::Completed {
            samples: samples.collect::<Result<_, String>>()?,
        },
        explain_json: Value::Null,
        plan,
    })
}

/// Recorded plans have labels alone; those of base sets and of values that are nowhere are known.
fn id(label: &str) -> RunId {
    let generic = label.starts_with("generic plan, ");
    let role = match label.trim_start_matches("generic plan, ") {
        "typical" | "given" | "as written" => SetRole::Base,
        name if name.starts_with("absent ") => SetRole::Absent,
        _ => SetRole::Varied,
    };
    let plan = match generic {
        true => PlanChoice::Generic,
        false => PlanChoice::Custom,
    };
    RunId::of_label(label, role, plan)
}

/// Every finding of every rule on a case.
pub(crate) fn findings(corpus: &Path, case: &Case, major: u32) -> Result<Vec<Finding>, String> {
    findings_by(corpus, case, major, &policy(case))
}

/// The same by other limits.
pub(crate) fn findings_by(
    corpus: &Path,
    case: &Case,
    major: u32,
    policy: &Policy,
) -> Result<Vec<Finding>, String> {
    let queries = queries(case)?;
    let mut all: Vec<QueryRuns> = (0..queries.len())
        .map(|query| QueryRuns {
            query,
            runs: Vec::new(),
            failure: None,
            notes: Vec::new(),
        })
        .collect();
    for value in case.plans(corpus, major)? {
        let index = queries
            .iter()
            .position(|query| value["query"] == query.name.as_str());
        let index = index.ok_or_else(|| format!("{}: plans of another query", case.name))?;
        all[index].runs.push(run(&value)?);
    }
    let path = Case::schema_path(corpus, major, &case.schema_hash(corpus, major)?);
    let schema =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let schema: Schema = serde_json::from_str(&schema).map_err(|error| error.to_string())?;
    Ok(rules::judge(
        &queries,
        &all,
        &schema,
        &|_| policy.clone(),
        policy,
    ))
}

/// Every rule as by default; how long a query took decides only in the cases about that.
pub(crate) fn policy(case: &Case) -> Policy {
    let mut policy = Policy::default();
    for rule in [RuleId::SlowQuery, RuleId::PlanningOverhead]
        .into_iter()
        .filter(|rule| rule.as_str() != case.rule)
    {
        policy.set_severity(rule, None);
    }
    policy
}

/// Findings and their symptoms.
pub(crate) fn with_symptoms(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .flat_map(|finding| std::iter::once(finding).chain(&finding.symptoms))
}

/// Findings of the case's own rule, wherever they stand.
pub(crate) fn of_rule<'a>(case: &Case, findings: &'a [Finding]) -> Vec<&'a Finding> {
    with_symptoms(findings)
        .filter(|finding| finding.rule.as_str() == case.rule)
        .collect()
}

/// Whether the rule said that something is wrong: what is only worth knowing does not count.
pub(crate) fn fired(case: &Case, findings: &[Finding]) -> bool {
    of_rule(case, findings)
        .iter()
        .any(|finding| finding.severity > Severity::Info)
}

/// `error Seq Scan on orders`.
fn shown(finding: &Finding) -> String {
    let line = format!(
        "{} {}",
        finding.severity,
        finding.evidence.node_label.as_deref().unwrap_or_default()
    );
    line.trim_end().to_owned()
}

/// `seq-scan > sort-spill`: causes above info with their symptoms above info.
fn told(findings: &[Finding]) -> Vec<String> {
    let counts = |finding: &&Finding| finding.severity > Severity::Info;
    let mut told: Vec<String> = findings
        .iter()
        .filter(counts)
        .map(|finding| {
            let mut symptoms: Vec<&str> = finding
                .symptoms
                .iter()
                .filter(counts)
                .map(|own| own.rule.as_str())
                .collect();
            symptoms.sort_unstable();
            let mut words = vec![finding.rule.as_str()];
            words.extend((!symptoms.is_empty()).then_some(">"));
            words.extend(symptoms);
            words.join(" ")
        })
        .collect();
    told.sort();
    told
}

/// What is wrong with a case on one version; `None` where it holds.
pub(crate) fn broken(corpus: &Path, case: &Case, major: u32) -> Option<String> {
    let findings = match findings(corpus, case, major) {
        Ok(findings) => findings,
        Err(error) => return Some(error),
    };
    if !case.told.is_empty() {
        let mut expected = case.told.clone();
        expected.sort();
        let told = told(&findings);
        if told != expected {
            return Some(format!(
                "{}/{} on {major}: expected {expected:?}, told {told:?}",
                case.rule, case.name
            ));
        }
    }
    let of_rule = of_rule(case, &findings);
    let told: Vec<String> = of_rule.iter().map(|finding| shown(finding)).collect();
    let holds = match (&case.expect, case.fires) {
        (Some(expected), true) => told.contains(expected),
        (None, true) => of_rule
            .iter()
            .any(|finding| finding.severity > Severity::Info),
        (Some(_), false) => of_rule
            .iter()
            .all(|finding| finding.severity == Severity::Info),
        (None, false) => of_rule.is_empty(),
    };
    let expected =
        case.expect
            .as_deref()
            .unwrap_or(if case.fires { "a finding" } else { "nothing" });
    (!holds).then(|| {
        format!(
            "{}/{} on {major}: expected {expected}, got {told:?}",
            case.rule, case.name
        )
    })
}

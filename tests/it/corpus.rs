//! The corpus: plans of real servers of 14 to 18, each with the rule that must fire or stay quiet on it. Its plans are made
//! by `cargo run --example corpus`.

#[path = "../../examples/corpus/case.rs"]
mod case;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use case::Case;
use pgproof::catalog::{self, Query};
use pgproof::finding::{Finding, RuleId, Severity};
use pgproof::plan::{Metrics, Plan, parse};
use pgproof::rules::{self, Policy};
use pgproof::run::{Outcome, QueryRuns, Run, Sample};
use pgproof::schema::Schema;
use pgproof::source::Source;
use pgproof::units::{Millis, Pages};
use serde_json::Value;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn queries_of(case: &Case) -> Vec<Query> {
    let source = Source::new(format!("{}/{}.sql", case.rule, case.name), case.queries.clone());
    catalog::parse(&[source]).unwrap_or_else(|errors| panic!("{}/{}: {}", case.rule, case.name, errors[0])).queries
}

fn run_of(value: &Value) -> Run {
    let plan = parse::json_value(&value["explain"]).unwrap().remove(0);
    let buffers = plan.root().buffers.unwrap_or_default();
    let samples = value["samples"].as_array().unwrap().iter().map(|sample| Sample {
        execution: Millis(sample[0].as_f64().unwrap()),
        planning: Millis(sample[1].as_f64().unwrap()),
        blocks: buffers.touched(),
        temp_blocks: buffers.temp(),
    });
    Run {
        label: value["label"].as_str().unwrap().to_owned(),
        parameters: Vec::new(),
        outcome: Outcome::Completed { samples: samples.collect() },
        explain_json: Value::Null,
        plan,
    }
}

fn judged(case: &Case, major: u32) -> Result<Vec<Finding>, String> {
    let queries = queries_of(case);
    let mut all: Vec<QueryRuns> =
        (0..queries.len()).map(|query| QueryRuns { query, runs: Vec::new(), failure: None }).collect();
    for value in case.plans(&corpus(), major)? {
        let index = queries.iter().position(|query| value["query"] == query.name.as_str());
        let index = index.ok_or_else(|| format!("{}: plans of another query", case.name))?;
        all[index].runs.push(run_of(&value));
    }
    let schema = std::fs::read_to_string(case.schema_path(&corpus(), major)).map_err(|error| error.to_string())?;
    let schema: Schema = serde_json::from_str(&schema).map_err(|error| error.to_string())?;
    Ok(rules::judge(&queries, &all, &schema, &|_| policy(case), &policy(case)))
}

/// Every rule as by default; how long a query took decides only in the cases about that.
fn policy(case: &Case) -> Policy {
    let mut policy = Policy::default();
    for rule in [RuleId::SlowQuery, RuleId::PlanningOverhead].into_iter().filter(|rule| rule.as_str() != case.rule) {
        policy.set_severity(rule, None);
    }
    policy
}

/// Findings of the case's own rule, wherever they stand.
fn of_rule<'a>(case: &Case, findings: &'a [Finding]) -> Vec<&'a Finding> {
    let all = findings.iter().flat_map(|finding| std::iter::once(finding).chain(&finding.symptoms));
    all.filter(|finding| finding.rule.as_str() == case.rule).collect()
}

fn shown(finding: &Finding) -> String {
    let mut line = format!("{} {}", finding.severity, finding.evidence.node_label.as_deref().unwrap_or_default());
    line.truncate(line.trim_end().len());
    line
}

/// What is wrong with a case on one version; `None` where it holds.
fn broken(case: &Case, major: u32) -> Option<String> {
    let findings = match judged(case, major) {
        Ok(findings) => findings,
        Err(error) => return Some(error),
    };
    let of_rule = of_rule(case, &findings);
    let told: Vec<String> = of_rule.iter().map(|finding| shown(finding)).collect();
    let holds = match (&case.expect, case.fires) {
        (Some(expected), true) => told.contains(expected),
        (None, true) => of_rule.iter().any(|finding| finding.severity > Severity::Info),
        (Some(_), false) => of_rule.iter().all(|finding| finding.severity == Severity::Info),
        (None, false) => of_rule.is_empty(),
    };
    let expected = case.expect.as_deref().unwrap_or(if case.fires { "a finding" } else { "nothing" });
    (!holds).then(|| format!("{}/{} on {major}: expected {expected}, got {told:?}", case.rule, case.name))
}

#[test]
fn every_case_holds_on_every_version() {
    let cases = Case::all(&corpus()).unwrap();
    let wrong: Vec<String> =
        cases.iter().flat_map(|case| case.versions.iter().filter_map(|major| broken(case, *major))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exclusive_times_sum_to_the_total() {
    let mut wrong = String::new();
    let mut plans = 0;
    for case in Case::all(&corpus()).unwrap() {
        for major in case.versions.clone() {
            for value in case.plans(&corpus(), major).unwrap() {
                plans += 1;
                let run = run_of(&value);
                let metrics = Metrics::of(&run.plan);
                let (total, sum) = (metrics.tree.unwrap().0, sum_of_times(&run.plan, &metrics));
                // A hundredth, or the rounding of EXPLAIN's own numbers.
                let rounding: f64 =
                    run.plan.nodes.iter().filter_map(|node| node.actual).map(|a| 0.0005 * a.loops).sum();
                if (sum - total).abs() > total * 0.01 + rounding {
                    let _ = writeln!(wrong, "{}/{} on {major}: {sum:.3} ms of {total:.3} ms", case.rule, case.name);
                }
                let blocks: u64 =
                    run.plan.ids().map(|id| metrics.node(id).exclusive_blocks.unwrap_or_default().0).sum();
                if Some(Pages(blocks)) != metrics.blocks {
                    let _ = writeln!(wrong, "{}/{} on {major}: {blocks} of {:?}", case.rule, case.name, metrics.blocks);
                }
            }
        }
    }
    assert!(plans > 0);
    assert!(wrong.is_empty(), "{wrong}");
}

fn sum_of_times(plan: &Plan, metrics: &Metrics) -> f64 {
    plan.ids().filter_map(|id| metrics.node(id).exclusive).map(|time| time.0).sum()
}

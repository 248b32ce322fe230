//! Each threshold of each rule that judges plans, at its limit: `limits.txt` says for a plan of the corpus where the finding comes or
//! goes as the threshold moves, to the last bit. `>=` in place of `>`, another measure, or another default make a line wrong.
//! `PGPROOF_WRITE_DOCS=1` writes the file anew.

#[path = "../../examples/corpus/case.rs"]
mod case;
#[path = "../../examples/corpus/judged.rs"]
mod judged;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use case::{Case, corpus};

use super::{Policy, Rule, Threshold};
use crate::finding::RuleId;

/// The newest server that every rule has a plan of, and the one of the plans that were compiled.
const MAJORS: [u32; 2] = [18, 15];

/// Where a threshold's verdict on a case changes: neighbours among the numbers.
struct Edge {
    case: String,
    major: u32,
    /// The finding of the default is there with the one and not with the other.
    holds: f64,
    changes: f64,
}

/// What a rule says of a case with one threshold set: the findings by severity and node.
fn told(case: &Case, major: u32, threshold: &Threshold, limit: f64) -> Vec<String> {
    let mut policy: Policy = judged::policy(case);
    policy.set_limit(threshold.rule, threshold.key, limit);
    let findings = judged::findings_by(&corpus(), case, major, &policy).unwrap();
    let of_rule = judged::with_symptoms(&findings).filter(|found| found.rule == threshold.rule);
    let mut told: Vec<String> = of_rule
        .map(|found| format!("{} {:?}", found.severity, found.evidence.node_label))
        .collect();
    told.sort();
    told
}

/// Between a limit that gives what the default gives and one that does not, the two neighbours where that changes.
fn edge(case: &Case, major: u32, threshold: &Threshold) -> Option<Edge> {
    let usual = told(case, major, threshold, threshold.default);
    let differs = |limit: f64| told(case, major, threshold, limit) != usual;
    let ends = [1e15, 0.0].into_iter();
    let far = ends
        .filter(|end| *end != threshold.default)
        .find(|end| differs(*end))?;
    // Positive numbers are in the order of their bits.
    let (mut holds, mut changes) = (threshold.default.to_bits(), far.to_bits());
    while holds.abs_diff(changes) > 1 {
        let middle = holds.midpoint(changes);
        if differs(f64::from_bits(middle)) {
            changes = middle;
        } else {
            holds = middle;
        }
    }
    let (holds, changes) = (f64::from_bits(holds), f64::from_bits(changes));
    // Nothing is below a limit of nothing: such a case says nothing of the comparison.
    (changes > 0.0).then(|| Edge {
        case: case.name.clone(),
        major,
        holds,
        changes,
    })
}

/// The first firing case of the rule on which a threshold decides.
fn first_edge(rule: &Rule, threshold: &Threshold, cases: &[Case]) -> Option<Edge> {
    let of_rule = cases
        .iter()
        .filter(|case| case.fires && case.rule == rule.id.as_str());
    of_rule
        .flat_map(|case| MAJORS.map(|major| (case, major)))
        .filter(|(case, major)| case.versions.contains(major))
        .find_map(|(case, major)| edge(case, major, threshold))
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/rules/limits.txt")
}

fn write(cases: &[Case]) {
    let mut text = String::from(
        "# rule.threshold default: case version, the last limit with the finding of the default, the first with another\n",
    );
    for rule in super::ALL {
        for threshold in rule.thresholds {
            let Some(edge) = first_edge(rule, threshold, cases) else {
                continue;
            };
            let _ = writeln!(
                text,
                "{}.{} {}: {} {} {:?} {:?}",
                rule.id,
                threshold.key,
                threshold.default,
                edge.case,
                edge.major,
                edge.holds,
                edge.changes
            );
        }
    }
    std::fs::write(file(), text).unwrap();
}

/// A line of `limits.txt` with what is wrong with it.
fn wrong(line: &str, cases: &[Case]) -> Option<String> {
    let (named, edge) = line.split_once(": ").unwrap();
    let (name, default) = named.split_once(' ').unwrap();
    let (rule, key) = name.split_once('.').unwrap();
    let words: Vec<&str> = edge.split(' ').collect();
    let [case, major, holds, changes] = words[..] else {
        return Some(format!("{line}: four words"));
    };
    let found = super::ALL.iter().find(|known| known.id.as_str() == rule);
    let threshold = found.and_then(|rule| rule.thresholds.iter().find(|known| known.key == key));
    let Some(threshold) = threshold else {
        return Some(format!("{line}: no such threshold"));
    };
    if threshold.default.to_string() != default {
        return Some(format!("{line}: the default is {}", threshold.default));
    }
    let of_name = |known: &&Case| known.rule == rule && known.name == case;
    let Some(case) = cases.iter().find(of_name) else {
        return Some(format!("{line}: no such case"));
    };
    let told = |limit: f64| told(case, major.parse().unwrap(), threshold, limit);
    let usual = told(threshold.default);
    let (at, past) = (told(holds.parse().unwrap()), told(changes.parse().unwrap()));
    (at != usual || past == usual).then(|| {
        format!("{line}\n  by default {usual:?}\n  at the limit {at:?}\n  past it {past:?}")
    })
}

/// Rules whose limits are tested beside them (`worker-skew`'s near them only), or beside the code that keeps them (`diff::verdict`, `advise::select`,
/// `advise::rewrites`).
const BESIDE: [RuleId; 14] = [
    RuleId::BlockingMigration,
    RuleId::ConflictStorm,
    RuleId::GrowsWithTable,
    RuleId::IoBound,
    RuleId::LockWait,
    RuleId::MissingIndex,
    RuleId::PlanRegression,
    RuleId::PlanningMemory,
    RuleId::QueryRewrite,
    RuleId::SlowSerialization,
    RuleId::StaleStatistics,
    RuleId::TopNSort,
    RuleId::UnstablePlan,
    RuleId::WorkerSkew,
];

/// Tested beside its rule: the corpus has page counts in all of its plans.
const WITHOUT_PAGES: &str = "seq-scan.min-rows";

/// Limits that nothing tests: no plan of the corpus comes near them, or a server measures what they are compared with.
const UNTESTED: [&str; 12] = [
    "duplicate-query.min-calls",
    "loop-in-function.min-calls",
    "memoize-misses.max-hits",
    "missing-batch.min-calls",
    "over-budget.time-margin",
    "per-row-policy.min-rows",
    "per-row-policy.min-saved",
    "repeated-subplan.min-time",
    "row-misestimate.min-total-rows",
    "unindexed-foreign-key.min-share",
    "unindexed-foreign-key.min-time",
    "unused-index.min-bytes",
];

#[test]
fn every_threshold_has_its_line_or_is_named_as_untested() {
    let text = std::fs::read_to_string(file()).unwrap();
    let listed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut untested = Vec::new();
    for rule in super::ALL.iter().filter(|rule| !BESIDE.contains(&rule.id)) {
        let names = rule
            .thresholds
            .iter()
            .map(|threshold| format!("{}.{}", rule.id, threshold.key));
        untested
            .extend(names.filter(|name| !listed.contains(name.as_str()) && name != WITHOUT_PAGES));
    }
    untested.sort();
    assert_eq!(untested, UNTESTED);
}

#[test]
fn thresholds_decide_at_their_limits() {
    let cases = Case::all(&corpus()).unwrap();
    if std::env::var_os("PGPROOF_WRITE_DOCS").is_some() {
        write(&cases);
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<String> = lines.filter_map(|line| wrong(line, &cases)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

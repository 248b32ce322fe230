//! Precision and recall of the rules on the corpus, beside those of ExplainSQL 0.3 on the same plans.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use pgproof::rules;
use serde_json::Value;

use super::Error;
use super::case::{Case, VERSIONS, corpus};
use super::judged;

/// What ExplainSQL's rules are in our words: the rule that means the same, whose quiet cases it must pass, then rules whose
/// fault it may tell under its name; there it is given the hit, and no quiet case is held against it.
const PEER: [(&str, &str, &[&str]); 12] = [
    (
        "ES001",
        "seq-scan",
        &[
            "unindexable-predicate",
            "leading-wildcard",
            "partition-pruning",
        ],
    ),
    ("ES002", "row-misestimate", &[]),
    ("ES003", "sort-spill", &[]),
    ("ES004", "hash-spill", &[]),
    (
        "ES005",
        "nested-loop-rescan",
        &["join-filter", "repeated-subplan"],
    ),
    ("ES006", "filtered-index-scan", &["wrong-order-index"]),
    ("ES007", "heap-fetches", &[]),
    ("ES008", "lossy-bitmap", &[]),
    ("ES009", "unindexed-foreign-key", &[]),
    ("ES010", "cartesian-join", &[]),
    ("ES011", "workers-not-launched", &[]),
    ("ES012", "jit-overhead", &[]),
];

/// Verdicts on labelled cases.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    hits: u32,
    missed: u32,
    false_alarms: u32,
    silent: u32,
}

impl Tally {
    fn count(&mut self, should_fire: bool, fired: bool) {
        *match (should_fire, fired) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.missed,
            (false, true) => &mut self.false_alarms,
            (false, false) => &mut self.silent,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.missed += other.missed;
        self.false_alarms += other.false_alarms;
        self.silent += other.silent;
    }

    fn precision(self) -> String {
        share(self.hits, self.hits + self.false_alarms)
    }

    fn recall(self) -> String {
        share(self.hits, self.hits + self.missed)
    }
}

fn share(part: u32, whole: u32) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.1} %", f64::from(part) * 100.0 / f64::from(whole))
    }
}

/// Prints the score; `peer` is the path of the program `explainsql`.
pub(super) fn print(peer: Option<&str>) -> Result<(), Error> {
    let corpus = corpus();
    let mut ours: BTreeMap<String, Tally> = BTreeMap::new();
    let mut theirs: BTreeMap<String, Tally> = BTreeMap::new();
    for case in Case::all(&corpus)? {
        for major in &case.versions {
            let found = judged::findings(&corpus, &case, *major)?;
            ours.entry(case.rule.clone())
                .or_default()
                .count(case.fires, judged::fired(&case, &found));
            if let Some(program) = peer {
                let fired = peer_fires(program, &case, &case.plans(&corpus, *major)?)?;
                theirs
                    .entry(case.rule.clone())
                    .or_default()
                    .count(case.fires, fired);
            }
        }
    }
    let mut lines = vec!["rule                     pgproof              ".to_owned()];
    if peer.is_some() {
        lines[0].push_str("explainsql");
    }
    for rule in rules::ALL {
        let Some(tally) = ours.get(rule.id.as_str()) else {
            continue;
        };
        let mut line = format!("{:<24} {:<20}", rule.id.as_str(), words(*tally));
        match theirs.get(rule.id.as_str()) {
            Some(tally) if covers(rule.id.as_str()) => {
                line.push_str(&format!(" {}", words(*tally)))
            }
            Some(_) => line.push_str(" no such rule"),
            None => {}
        }
        lines.push(line.trim_end().to_owned());
    }
    println!("Cases on {VERSIONS:?}: found/must fire, false alarms/must be quiet\n");
    println!("{}\n", lines.join("\n"));
    let sum = |tallies: &BTreeMap<String, Tally>, of: &dyn Fn(&str) -> bool| {
        let mut sum = Tally::default();
        tallies
            .iter()
            .filter(|(rule, _)| of(rule))
            .for_each(|(_, tally)| sum.add(*tally));
        sum
    };
    let mut rows = vec![("pgproof, all rules", sum(&ours, &|_| true))];
    if peer.is_some() {
        rows.push(("explainsql, all rules", sum(&theirs, &|_| true)));
        rows.push(("pgproof, rules that both have", sum(&ours, &covers)));
        rows.push(("explainsql, rules that both have", sum(&theirs, &covers)));
    }
    for (name, tally) in rows {
        println!(
            "{name:<34} precision {:>8}  recall {:>8}",
            tally.precision(),
            tally.recall()
        );
    }
    Ok(())
}

fn words(tally: Tally) -> String {
    format!(
        "{}/{}, {}/{}",
        tally.hits,
        tally.hits + tally.missed,
        tally.false_alarms,
        tally.false_alarms + tally.silent
    )
}

fn covers(rule: &str) -> bool {
    PEER.iter()
        .any(|(_, same, near)| *same == rule || near.contains(&rule))
}

/// Whether the peer reports the case's fault on any of the case's plans, at whatever severity.
fn peer_fires(program: &str, case: &Case, plans: &[Value]) -> Result<bool, Error> {
    for plan in plans {
        let told = peer_rules(program, &plan["explain"])?;
        let meant = |(id, same, near): &(&str, &str, &[&str])| {
            told.contains(*id)
                && (*same == case.rule || case.fires && near.contains(&case.rule.as_str()))
        };
        if PEER.iter().any(meant) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ids of the rules that the peer reports on one plan.
fn peer_rules(program: &str, explain: &Value) -> Result<BTreeSet<String>, Error> {
    let mut child = Command::new(program)
        .args(["--print", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(explain.to_string().as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!(
            "{program}: {error}: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    let findings = report["findings"]
        .as_array()
        .ok_or_else(|| format!("{program}: no findings in {report}"))?;
    Ok(findings
        .iter()
        .filter_map(|finding| finding["rule"]["id"].as_str().map(str::to_owned))
        .collect())
}

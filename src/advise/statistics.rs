//! Statistics that findings advise: what to try, whether the planner expects the right rows with them, and how that is reported.
//! Runs nothing: `db::prove_statistics` does.

use crate::finding::{Finding, Fix, Proof, RuleId};
use crate::plan::Plan;
use crate::units::{Count, Millis, Rows};

use super::Audited;

/// An estimate within this factor is right enough.
const RIGHT: f64 = 3.0;
/// Of the pages before: what is above it is as many.
const LESS: f64 = 0.9;
const MORE: f64 = 1.1;
/// Of the time before: further down than noise takes it…
const FASTER: f64 = 0.7;
/// …where as many pages are touched, and so much less of it: what takes a few milliseconds takes others on a busy machine.
const FASTER_BY: Millis = Millis(50.0);

/// A finding whose statements are to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsTrial {
    /// Index of the finding.
    pub finding: usize,
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// The statements; ANALYZE among them.
    pub sql: String,
}

/// Expected and actual rows of one loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimated {
    pub expected: f64,
    pub actual: f64,
}

impl Estimated {
    fn factor(self) -> f64 {
        let (expected, actual) = (self.expected.max(1.0), self.actual.max(1.0));
        expected.max(actual) / expected.min(actual)
    }
}

/// What to try, of the findings that stand for themselves.
#[must_use]
pub fn trials(findings: &[Finding], audited: &Audited<'_>) -> Vec<StatisticsTrial> {
    let advised = findings.iter().enumerate().filter(|(_, finding)| {
        finding.rule == RuleId::RowMisestimate
            && finding.suppressed.is_none()
            && finding.evidence.node.is_some()
    });
    advised
        .filter_map(|(at, finding)| {
            let sql = finding
                .fix
                .as_ref()
                .filter(|fix| fix.proof.is_none())?
                .sql
                .clone();
            let query = audited
                .queries
                .iter()
                .position(|query| Some(&query.name) == finding.query.as_ref())?;
            let runs = audited.runs.iter().find(|runs| runs.query == query)?;
            let run = runs
                .runs
                .iter()
                .position(|run| Some(&run.id) == finding.evidence.run.as_ref())?;
            Some(StatisticsTrial {
                finding: at,
                query,
                run,
                sql,
            })
        })
        .collect()
}

/// What a plan with the statistics expects where the finding's plan was wrong: of the nodes that stand for the same, the one
/// with the most similar count. `None` where no node does any more.
#[must_use]
pub fn estimated(finding: &Finding, before: &Plan, after: &Plan) -> Option<Estimated> {
    let wrong = before.node(
        finding
            .evidence
            .node
            .filter(|id| id.0 < before.nodes.len())?,
    );
    let came = wrong.actual?.rows.0;
    let alias = wrong.relation.as_ref().map(|relation| &relation.alias);
    let same = after.nodes.iter().filter(|node| {
        node.relation.as_ref().map(|relation| &relation.alias) == alias
            && (node.kind.scans_table() == wrong.kind.scans_table())
            && node.group_key == wrong.group_key
    });
    let counted = same.filter_map(|node| {
        let actual = node.actual.filter(|actual| actual.loops > 0.0)?;
        Some(Estimated {
            expected: node.estimate.expected_rows()?.0,
            actual: actual.rows.0,
        })
    });
    counted.min_by(|a, b| (a.actual - came).abs().total_cmp(&(b.actual - came).abs()))
}

/// Says in a finding what running with the statistics showed. They are its fix where another plan came of them, and a better one.
pub fn tell(finding: &mut Finding, estimated: Option<Estimated>, proof: Proof, same_plan: bool) {
    let Some(Fix { sql, .. }) = finding.fix.take() else {
        return;
    };
    let (first, _) = finding
        .advice
        .split_once(" Tell it")
        .unwrap_or((finding.advice.as_str(), ""));
    let tried = sql.lines().next().unwrap_or_default().trim_end_matches(';');
    let expects = estimated.map_or_else(String::new, |estimated| {
        format!("the planner expects {}", Rows(estimated.expected))
    });
    if let Some(wrong) = estimated.filter(|estimated| estimated.factor() > RIGHT) {
        finding.advice = format!(
            "{first} Tried: with {tried} {expects} where {} came, which is still wrong. Write the condition in a way that it can \
             estimate, or store what decides it.",
            Count(wrong.actual)
        );
    } else if same_plan {
        finding.advice = format!(
            "{first} Tried: with {tried} {expects} and still chooses this plan, so this query gains nothing yet; others with these \
             conditions, or the same one on more rows, do."
        );
    } else if is_better(&proof) {
        let expects = if expects.is_empty() {
            "the planner chooses another plan"
        } else {
            &expects
        };
        finding.advice = format!("{first} With these statistics {expects}.");
        finding.fix = Some(Fix {
            sql,
            proof: Some(proof),
        });
    } else {
        finding.advice = format!(
            "{first} Tried: with {tried} another plan is chosen, which touches {} in {}: no better here.",
            proof.after.blocks, proof.after.time_ms
        );
    }
}

fn less_time(before: Millis, after: Millis) -> bool {
    after.0 < before.0 * FASTER && after.0 < before.0 - FASTER_BY.0
}

/// Fewer pages, or as many in clearly less time.
fn is_better(proof: &Proof) -> bool {
    let less = |before: f64, after: f64| after < before * LESS;
    proof.before.as_ref().is_none_or(|before| {
        let (pages, left) = (before.blocks.0 as f64, proof.after.blocks.0 as f64);
        less(pages, left)
            || (left <= pages * MORE && less_time(before.time_ms, proof.after.time_ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::given_effect;
    use crate::finding::{Evidence, Fingerprint, Measurement, Severity};
    use crate::units::{Millis, Pages};

    fn report(estimated: Option<Estimated>, (pages, time): (u64, f64), same_plan: bool) -> Finding {
        let measured = |blocks, time| Measurement {
            time_ms: Millis(time),
            blocks: Pages(blocks),
            temp_blocks: Pages(0),
            rows: 5.0,
        };
        let mut finding = Finding {
            rule: RuleId::RowMisestimate,
            severity: Severity::Warning,
            query: None,
            location: None,
            message: String::new(),
            why: String::new(),
            advice: "The planner guesses. Tell it by statistics.".to_owned(),
            evidence: Evidence::default(),
            fix: Some(Fix {
                sql: "CREATE STATISTICS s ON a, b FROM t;\nANALYZE t;".to_owned(),
                proof: None,
            }),
            fingerprint: Fingerprint::of(["x"]),
            suppressed: None,
            symptoms: Vec::new(),
        };
        let proof = Proof {
            before: Some(measured(1000, 10.0)),
            cancelled_ms: None,
            after: measured(pages, time),
            index_bytes: None,
            build_ms: None,
        };
        tell(&mut finding, estimated, proof, same_plan);
        finding
    }

    #[test]
    fn only_a_better_plan_is_a_fix() {
        let right = Some(Estimated {
            expected: 580.0,
            actual: 600.0,
        });
        let better = report(right, (200, 3.0), false);
        assert!(better.fix.is_some_and(|fix| fix.proof.is_some()));
        assert_eq!(
            better.advice,
            "The planner guesses. With these statistics the planner expects 580 rows."
        );
        for (estimated, after, same, words) in [
            (right, (1000, 3.0), true, "still chooses this plan"),
            (right, (1000, 9.5), false, "no better here"),
            // As many pages, and a third of a time that noise may make.
            (right, (1000, 3.0), false, "no better here"),
            (
                Some(Estimated {
                    expected: 20.0,
                    actual: 600.0,
                }),
                (200, 3.0),
                false,
                "which is still wrong",
            ),
        ] {
            let found = report(estimated, after, same);
            assert_eq!(found.fix, None, "{}", found.advice);
            assert!(
                found.advice.contains(words)
                    && found.advice.contains("CREATE STATISTICS s ON a, b FROM t "),
                "{}",
                found.advice
            );
        }
        assert!(
            report(None, (200, 3.0), false)
                .advice
                .contains("another plan")
        );
    }

    #[test]
    fn a_plan_is_better_by_a_tenth_of_the_pages_or_much_of_the_time() {
        let better = |pages, times| is_better(&given_effect::proof(pages, times));
        assert!(better((1_000, 899), (10.0, 10.0)) && !better((1_000, 900), (10.0, 10.0)));
        assert!(better((1_000, 1_100), (1_000.0, 600.0)));
        assert!(!better((1_000, 1_101), (1_000.0, 600.0)));
        assert!(better((1_000, 1_000), (1_000.0, 699.9)));
        assert!(!better((1_000, 1_000), (1_000.0, 700.0)));
        assert!(better((1_000, 1_000), (60.0, 9.9)));
        assert!(!better((1_000, 1_000), (60.0, 10.0)));
    }

    #[test]
    fn an_estimate_is_right_within_a_factor_of_three() {
        let expecting = |expected| {
            let actual = 600.0;
            report(Some(Estimated { expected, actual }), (200, 3.0), false)
        };
        assert!(expecting(200.0).fix.is_some());
        assert!(expecting(199.0).fix.is_none());
    }
}

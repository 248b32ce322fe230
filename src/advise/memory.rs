//! Memory that keeps a sort, a hash table or a bitmap whole: what to try for a finding, and how a setting that was run with
//! is reported. Runs nothing: `db::prove_memory` does.

use crate::finding::{Finding, Fix, Proof, Quantity, RuleId, Severity};
use crate::plan::{NodeKind, Plan};
use crate::units::Bytes;

use super::Audited;

/// More than this is no setting for a query.
const MAX: Bytes = Bytes(1 << 30);
const MB: u64 = 1 << 20;
/// Rules about memory: the key of what they say would do, and what is better than more memory.
const SPILLS: [(RuleId, &str, &str); 3] = [
    (
        RuleId::SortSpill,
        "work_mem_bytes",
        "Let an index give the order, or sort fewer columns and rows.",
    ),
    (
        RuleId::HashSpill,
        "hash_memory_bytes",
        "Hash fewer or narrower rows.",
    ),
    (
        RuleId::LossyBitmap,
        "work_mem_bytes",
        "Find fewer rows by a better index.",
    ),
];
/// Of the time before: what is above it is as long, and no fix.
const FASTER: f64 = 0.8;

/// A setting of work_mem that a finding's own arithmetic says would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryTrial {
    /// Index of the finding.
    pub finding: usize,
    /// Index of the query in the catalog.
    pub query: usize,
    /// Index of the run in its `QueryRuns::runs`.
    pub run: usize,
    /// What to set.
    pub work_mem: Bytes,
}

/// What to try, of the findings that stand for themselves: a symptom goes with its cause.
#[must_use]
pub fn trials(findings: &[Finding], audited: &Audited<'_>) -> Vec<MemoryTrial> {
    let mut trials = Vec::new();
    for (at, finding) in findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.suppressed.is_none())
    {
        let Some(work_mem) = needed(finding).filter(|bytes| *bytes <= MAX) else {
            continue;
        };
        let Some(query) = audited
            .queries
            .iter()
            .position(|query| Some(&query.name) == finding.query.as_ref())
        else {
            continue;
        };
        let runs = audited
            .runs
            .iter()
            .find(|runs| runs.query == query)
            .map_or(&[][..], |runs| &runs.runs);
        let Some(run) = runs
            .iter()
            .position(|run| Some(&run.id) == finding.evidence.run.as_ref())
        else {
            continue;
        };
        trials.push(MemoryTrial {
            finding: at,
            query,
            run,
            work_mem,
        });
    }
    trials
}

fn needed(finding: &Finding) -> Option<Bytes> {
    let (_, key, _) = SPILLS.iter().find(|(rule, _, _)| *rule == finding.rule)?;
    match finding.evidence.get(key) {
        Some(Quantity::Bytes(bytes)) => Some(*bytes).filter(|bytes| bytes.0 > 0),
        Some(_) | None => None,
    }
}

/// The next setting to try where one was not enough; `None` past what is sensible.
#[must_use]
pub fn more(work_mem: Bytes) -> Option<Bytes> {
    // Doubling nothing leads nowhere: the smallest step is what the server accepts as a setting of its own.
    Some(Bytes(work_mem.0.saturating_mul(2).max(MB))).filter(|bytes| *bytes <= MAX)
}

/// Whether anything in the plan did not fit in its memory.
#[must_use]
pub fn is_short(plan: &Plan) -> bool {
    plan.nodes.iter().any(|node| {
        let sorts = node.sort.iter().chain(
            node.workers
                .iter()
                .filter_map(|worker| worker.sort.as_ref()),
        );
        let hashes = node.hash.iter().chain(
            node.workers
                .iter()
                .filter_map(|worker| worker.hash.as_ref()),
        );
        let batches = |batches: Option<u64>| {
            node.kind == NodeKind::Hash && batches.is_some_and(|batches| batches > 1)
        };
        sorts.into_iter().any(|sort| sort.on_disk)
            || hashes
                .into_iter()
                .any(|hash| batches(hash.batches) || hash.disk.is_some_and(|disk| disk.0 > 0))
            || node.lossy_heap_blocks.is_some_and(|blocks| blocks.0 > 0)
    })
}

/// `24MB`, as a setting.
#[must_use]
pub fn written(work_mem: Bytes) -> String {
    format!("{}MB", work_mem.0.div_ceil(MB).max(1))
}

/// Says in a finding what running with the setting showed.
pub fn tell(finding: &mut Finding, work_mem: Bytes, proof: Proof) {
    let Some((_, _, first)) = SPILLS.iter().find(|(rule, _, _)| *rule == finding.rule) else {
        return;
    };
    let setting = written(work_mem);
    let faster = proof
        .before
        .as_ref()
        .is_none_or(|before| proof.after.time_ms.0 < before.time_ms.0 * FASTER);
    if !faster {
        // Nothing is gained by mending it.
        finding.severity = finding.severity.min(Severity::Info);
        finding.advice = format!(
            "{first} More memory does not help here: with work_mem = {setting} nothing went to disk, and it took as long."
        );
        return;
    }
    finding.advice = format!(
        "{first} Else set work_mem = {setting} for this query or its role: run with it, nothing went to disk. Not for the whole \
         server: every sort and hash of every connection may take as much."
    );
    finding.fix = Some(Fix {
        sql: format!("SET LOCAL work_mem = '{setting}';"),
        proof: Some(proof),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::given_effect;
    use crate::finding::{Evidence, Fingerprint};

    #[test]
    fn every_first_setting_leads_to_an_end() {
        for first in [0, 1, MB, 3 * MB, MAX.0, u64::MAX] {
            let mut setting = Some(Bytes(first));
            for _ in 0..40 {
                setting = setting.and_then(more);
            }
            assert_eq!(setting, None, "from {first} bytes");
        }
    }

    #[test]
    fn no_setting_is_beyond_a_gigabyte() {
        assert_eq!(more(Bytes(1 << 29)), Some(Bytes(1 << 30)));
        assert_eq!(more(Bytes((1 << 29) + 1)), None);
        assert_eq!(more(Bytes(0)), Some(Bytes(1 << 20)));
    }

    #[test]
    fn memory_is_a_fix_where_a_fifth_of_the_time_is_gone() {
        let fix = |times| {
            let mut finding = Finding {
                rule: RuleId::SortSpill,
                severity: Severity::Warning,
                query: None,
                location: None,
                message: String::new(),
                why: String::new(),
                advice: String::new(),
                evidence: Evidence::default(),
                fix: None,
                fingerprint: Fingerprint::of(["x"]),
                suppressed: None,
                symptoms: Vec::new(),
            };
            tell(
                &mut finding,
                Bytes(8 * MB),
                given_effect::proof((10, 10), times),
            );
            finding.fix.map(|fix| fix.sql)
        };
        let setting = Some("SET LOCAL work_mem = '8MB';".to_owned());
        assert_eq!(fix((100.0, 79.9)), setting);
        assert_eq!(fix((100.0, 80.0)), None);
    }
}

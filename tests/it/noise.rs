//! Two audits of one dataset say the same: rules, severities, nodes and causes, on a busy machine too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pgproof::report::json::{self, SavedFinding};

use crate::sample::{pgproof, project};

/// What must not change from one audit to the next; of a symptom also its cause.
fn told(finding: &SavedFinding, cause: &str, told_so_far: &mut BTreeSet<String>) {
    let relation = finding
        .evidence
        .get("relation")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("-");
    let node = finding
        .evidence
        .get("node_label")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("-");
    let query = finding.query.as_deref().unwrap_or("-");
    told_so_far.insert(format!(
        "{query}: {} {} at {node} on {relation}{cause}",
        finding.severity, finding.rule
    ));
    for symptom in &finding.symptoms {
        told(symptom, &format!(", under {}", finding.rule), told_so_far);
    }
}

/// One audit of the sample's queries of these names, all without any.
fn audited(queries: &[&str], file: &Path) -> BTreeSet<String> {
    let format = format!("json={}", file.display());
    let mut arguments = vec!["audit", "--fail-on", "never", "--format", &format];
    arguments.extend(queries);
    let output = pgproof(project(), &arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report = json::read(&fs::read_to_string(file).unwrap()).unwrap();
    let mut found = BTreeSet::new();
    report
        .findings
        .iter()
        .for_each(|finding| told(finding, "", &mut found));
    found
}

/// Keeps one core busy while it lives.
struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Busy {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut number = 1_u64;
            while !seen.load(Ordering::Relaxed) {
                number = std::hint::black_box(
                    number
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1),
                );
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Audits `times` over, every other time with a core busy, and compares each with the first.
fn all_agree(times: usize, queries: &[&str]) {
    let file = project().join(format!("noise-{times}.json"));
    let mut first: Option<BTreeSet<String>> = None;
    let mut wrong = Vec::new();
    for round in 0..times {
        let busy = (round % 2 == 1).then(Busy::start);
        let found = audited(queries, &file);
        drop(busy);
        let expected = first.get_or_insert_with(|| found.clone());
        assert!(!expected.is_empty());
        wrong.extend(
            expected
                .difference(&found)
                .map(|line| format!("audit {round} misses {line}")),
        );
        wrong.extend(
            found
                .difference(expected)
                .map(|line| format!("audit {round} adds   {line}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Indexes that are proven, budgets of time, a foreign key's check: what time could sway.
#[test]
fn three_audits_of_what_time_could_sway_agree() {
    all_agree(
        3,
        &[
            "FindCustomersByPhone",
            "DeleteCoupon",
            "GetShipmentByTracking",
            "ListFailedPayments",
            "GetCustomerSpend",
        ],
    );
}

/// `cargo test --test it -- --ignored ten_audits`
#[test]
#[ignore = "ten audits of the whole sample take minutes"]
fn ten_audits_of_the_sample_agree() {
    all_agree(10, &[]);
}

//! Advised memory is run with: the finding says what came of it.

use pgproof::advise::Audited;
use pgproof::catalog::Query;
use pgproof::db::prove_memory::prove_memory;
use pgproof::db::trials::Trials;
use pgproof::finding::RuleId;
use pgproof::interrupt::Interrupt;
use pgproof::progress::Progress;
use pgproof::rules::Policy;

use super::{Audit, database, options};

const SPILLS: &str = r#"
-- name: Sorted :exec
SELECT * FROM "Order" ORDER BY note, total, "Id";

-- name: Hashed :exec
SELECT count(b.note) FROM "Order" a JOIN "Order" b ON b.number = a.number;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn work_mem_is_advised_as_it_was_run_with() {
    let database = database().await;
    let name = database.url().database();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET enable_mergejoin = off; ALTER DATABASE {name} SET work_mem = '1MB'"
        ))
        .await;
    let audit = Audit::of(&database, SPILLS).await;
    let mut findings = audit.findings().await;
    let policy_for = |_: &Query| Policy::default();
    let audited = Audited {
        queries: &audit.queries,
        runs: &audit.runs,
        schema: &audit.schema,
        policy_for: &policy_for,
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::new());
    let options = options();
    let trials = Trials {
        bench: (&audit.session).into(),
        audited,
        options: &options,
        progress: &progress,
        interrupt: &interrupt,
    };
    prove_memory(&trials, &mut findings).await.unwrap();
    for rule in [RuleId::SortSpill, RuleId::HashSpill] {
        let finding = findings.iter().find(|finding| finding.rule == rule);
        let told: Vec<_> = findings
            .iter()
            .map(|finding| (finding.rule, &finding.query, finding.symptoms.len()))
            .collect();
        let finding = finding.unwrap_or_else(|| panic!("no {rule} in {told:?}"));
        // A setting with which the query takes as long is no fix.
        if let Some(fix) = &finding.fix {
            assert!(fix.sql.starts_with("SET LOCAL work_mem = '"), "{}", fix.sql);
            let proof = fix.proof.as_ref().unwrap();
            let before = proof.before.as_ref().unwrap();
            assert!(before.temp_blocks.0 > 0, "{proof:?}");
            assert_eq!(proof.after.temp_blocks.0, 0, "{proof:?}");
            assert!(proof.after.time_ms.0 < before.time_ms.0, "{proof:?}");
        } else {
            let told = "nothing went to disk, and it took as long";
            assert!(finding.advice.contains(told), "{}", finding.advice);
        }
        assert!(finding.advice.contains("work_mem = "), "{}", finding.advice);
    }
}

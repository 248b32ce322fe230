//! Whatever stands in a file: the plan readers never panic, and what they read can be measured, judged and shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::catalog;
use pgproof::plan::{Metrics, NodeId, label, parse, shape};
use pgproof::report::plan_tree;
use pgproof::rules::{self, Policy};
use pgproof::run::{QueryRuns, Run};
use pgproof::source::Source;

fuzz_target!(|text: &str| {
    let Ok(plans) = parse::any(text) else { return };
    assert!(!plans.is_empty(), "a reader that finds nothing says so");
    let catalog = catalog::parse(&[Source::new("fuzz.sql", "SELECT 1;")]);
    for plan in plans {
        check(&plan);
        let run = Run::given(plan, text.to_owned());
        let runs = QueryRuns {
            query: 0,
            runs: vec![run],
            failure: None,
            notes: Vec::new(),
        };
        let findings = rules::judge_alone(&catalog.queries[0], &runs, &Policy::default());
        let findings: Vec<_> = findings.iter().collect();
        let mut shown = Vec::new();
        plan_tree(&runs.runs[0].plan, &findings, 100, &mut shown).expect("a vector takes everything");
    }
});

fn check(plan: &pgproof::plan::Plan) {
    assert!(!plan.nodes.is_empty());
    let metrics = Metrics::of(plan);
    let _ = shape::shape(plan);
    for id in plan.ids() {
        let node = plan.node(id);
        let _ = label(node);
        // Parents come before their children, and each knows the other.
        match node.parent {
            None => assert_eq!(id, NodeId(0)),
            Some(parent) => {
                assert!(parent < id);
                assert!(plan.node(parent).children.contains(&id));
            }
        }
        let own = metrics.node(id).exclusive.map_or(0.0, |time| time.0);
        assert!(own >= 0.0 || own.is_nan());
    }
}


//! Whatever stands in a file: the plan readers never panic, and what they read can be measured, judged and shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::plan::{Metrics, NodeId, label, parse, shape};
use pgproof::report::plan_tree;
use pgproof::rules::{self, Policy};
use pgproof::run::{Outcome, Run};

fuzz_target!(|text: &str| {
    let Ok(plans) = parse::any(text) else { return };
    assert!(!plans.is_empty(), "a reader that finds nothing says so");
    for plan in plans {
        check(&plan);
        let run = Run {
            label: "given".to_owned(),
            parameters: Vec::new(),
            plan,
            explain_json: serde_json::Value::Null,
            outcome: Outcome::Estimated,
        };
        let findings = rules::judge_alone(&run, &Policy::default());
        let mut shown = Vec::new();
        plan_tree(&run.plan, &findings, &mut shown).expect("a vector takes everything");
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


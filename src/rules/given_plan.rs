//! What one rule, or all of them, say of a plan's text, without a schema: for the tests beside the rules.

use std::path::PathBuf;

use crate::catalog::Query;
use crate::finding::Finding;
use crate::plan::{Metrics, parse};
use crate::run::{QueryRuns, Run};

use super::context::RunContext;
use super::judge::judge_alone;
use super::thresholds::Policy;

/// The findings of `check` on a plan as EXPLAIN prints it, with the thresholds' defaults.
pub(super) fn findings(check: fn(&RunContext<'_>) -> Vec<Finding>, text: &str) -> Vec<Finding> {
    let run = Run::given(parse::any(text).unwrap().remove(0), text.to_owned());
    let metrics = Metrics::of(&run.plan);
    check(&RunContext {
        query: None,
        run: &run,
        metrics: &metrics,
        schema: None,
        policy: &Policy::default(),
    })
}

/// What all rules say of it, each problem at its cause.
pub(super) fn judged(text: &str) -> Vec<Finding> {
    let query = Query::of_text(
        "q".to_owned(),
        PathBuf::from("q.sql"),
        1,
        "SELECT 1".to_owned(),
    );
    let runs = QueryRuns {
        query: 0,
        runs: vec![Run::given(
            parse::any(text).unwrap().remove(0),
            text.to_owned(),
        )],
        failure: None,
        notes: Vec::new(),
    };
    judge_alone(&query, &runs, &Policy::default())
}

//! What one rule says of a plan's text, without a schema: for the tests beside the rules.

use crate::finding::Finding;
use crate::plan::{Metrics, parse};
use crate::run::Run;

use super::context::RunContext;
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

//! Readers of EXPLAIN's output: one file a format, all into the same [`Plan`]s. Refuse nothing that a server printed:
//! nodes and keys that are not known are kept. Do no arithmetic.

mod draft;
mod frame;
mod json;

use super::Plan;

pub use json::{json, json_value};

/// Why a text holds no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanParseError {
    /// Not the format that it was said to be, or a value of the wrong type.
    #[error("the plan is not EXPLAIN's JSON: {0}; paste the whole output of EXPLAIN (FORMAT JSON)")]
    Json(String),
    /// Well formed, but without any plan in it.
    #[error("there is no plan in the input; paste the whole output of EXPLAIN")]
    NoPlan,
    /// Deeper than any planner makes.
    #[error("the plan is nested deeper than {limit} levels; no server prints such a plan")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// Reads plans in whatever form they come: EXPLAIN's JSON, alone or in psql's frame.
///
/// # Errors
/// Text that holds no plan in a form that is known.
pub fn any(text: &str) -> Plans {
    json(&frame::unframed(text))
}

/// What every reader returns: at least one plan, each with at least one node.
pub type Plans = Result<Vec<Plan>, PlanParseError>;

//! One query executed with one set of parameter values: what the rules judge and the reports show. Pure data.

use serde::{Deserialize, Serialize};

use crate::finding::Measurement;
use crate::plan::{NodeId, NodeKind, Plan, rows_found};
use crate::run_id::{RunId, SetId};
use crate::units::{Millis, Pages};

/// One parameter set's execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Which of the query's runs it is.
    pub id: RunId,
    /// The values it ran with.
    pub parameters: Vec<BoundParameter>,
    /// The plan of the median sample; of the estimate alone where the statement did not finish.
    pub plan: Plan,
    /// EXPLAIN's own output, for the report.
    pub explain_json: serde_json::Value,
    /// Whether and how often it ran.
    pub outcome: Outcome,
}

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundParameter {
    /// From 1.
    pub number: u16,
    /// Where it has one.
    pub name: Option<String>,
    /// `format_type` of its type.
    pub type_name: String,
    /// Text form; `None` = NULL.
    pub value: Option<String>,
    /// The column that it meets, qualified for people, where the plan tells.
    pub column: Option<String>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It ran; one sample a run, in the order they ran.
    Completed {
        /// Empty where the plan came from elsewhere, without times.
        samples: Vec<Sample>,
    },
    /// It was cancelled at the timeout; the plan is the estimate.
    TimedOut {
        /// The limit.
        after: Millis,
    },
    /// It was planned only: same shape as another parameter set, or it writes and may not.
    Estimated,
}

/// One execution's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// `Execution Time`.
    pub execution: Millis,
    /// `Planning Time`.
    pub planning: Millis,
    /// Shared and local blocks touched.
    pub blocks: Pages,
    /// Temporary blocks.
    pub temp_blocks: Pages,
}

/// Past this an execution says enough of itself: noise of a moment is little beside it.
const SLOW: Millis = Millis(100.0);
/// Times within this share of each other are one time.
const ALIKE: f64 = 0.1;

/// Whether further executions of a slow statement would say nothing new: the last two took as long as each other.
#[must_use]
pub fn is_settled(times: &[Millis]) -> bool {
    let [.., before, last] = times else {
        return false;
    };
    *last > SLOW && (last.0 - before.0).abs() <= before.0.max(last.0) * ALIKE
}

impl Run {
    /// Of a plan that came from elsewhere; `text` is what it was read from. It ran once where it has actual figures.
    #[must_use]
    pub fn given(plan: Plan, text: String) -> Self {
        let buffers = plan.root().buffers.unwrap_or_default();
        // Where the summary was cut off, the root's time is the least that it took.
        let root_time = || {
            let actual = plan.root().actual?;
            Some(Millis(actual.total?.0.0 * actual.loops.max(1.0)))
        };
        let sample = |execution| Sample {
            execution,
            planning: plan.planning_ms.unwrap_or_default(),
            blocks: buffers.touched(),
            temp_blocks: buffers.temp(),
        };
        let outcome = if plan.root().executed().unwrap_or(false) {
            let execution = plan.execution_ms.or_else(root_time);
            Outcome::Completed {
                samples: execution.map(sample).into_iter().collect(),
            }
        } else {
            Outcome::Estimated
        };
        Self {
            id: SetId::base("given").custom(),
            parameters: Vec::new(),
            plan,
            explain_json: serde_json::Value::String(text),
            outcome,
        }
    }

    /// Whether it ran the generic plan, the one that is made without the values.
    #[must_use]
    pub fn is_generic(&self) -> bool {
        self.id.is_generic()
    }

    /// Median execution time; `None` where it did not finish.
    #[must_use]
    pub fn time(&self) -> Option<Millis> {
        self.median(|sample| sample.execution.0).map(Millis)
    }

    /// The fastest execution: what it takes when nothing disturbs it; `None` where it did not finish.
    #[must_use]
    pub fn fastest(&self) -> Option<Millis> {
        let Outcome::Completed { samples } = &self.outcome else {
            return None;
        };
        samples
            .iter()
            .map(|sample| sample.execution)
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Median planning time.
    #[must_use]
    pub fn planning(&self) -> Option<Millis> {
        self.median(|sample| sample.planning.0).map(Millis)
    }

    /// Rows that the statement returned (or, for a write without RETURNING, changed); `None` where it did not finish.
    #[must_use]
    pub fn rows(&self) -> Option<f64> {
        let root = self.plan.root();
        root.actual.map(|actual| actual.rows.0 * actual.loops)
    }

    /// Rows that a write changed; `None` for other statements, and where it did not finish.
    #[must_use]
    pub fn rows_written(&self) -> Option<f64> {
        if self.plan.root().kind != NodeKind::ModifyTable {
            return None;
        }
        let input = self.plan.inputs(NodeId(0)).next()?;
        let actual = self.plan.node(input).actual?;
        Some(actual.rows.0 * actual.loops)
    }

    /// Rows that it found: returned or changed, or that an aggregate without groups read; `None` where it did not finish.
    #[must_use]
    pub fn rows_found(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Completed { .. } => rows_found(&self.plan),
            Outcome::TimedOut { .. } | Outcome::Estimated => None,
        }
    }

    /// The figures for a proof.
    #[must_use]
    pub fn measurement(&self) -> Option<Measurement> {
        let buffers = self.plan.root().buffers?;
        Some(Measurement {
            time_ms: self.time()?,
            blocks: buffers.touched(),
            temp_blocks: buffers.temp(),
            rows: self.rows()?,
        })
    }

    fn median(&self, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let Outcome::Completed { samples } = &self.outcome else {
            return None;
        };
        let mut values: Vec<f64> = samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// A query with all that was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRuns {
    /// Index of the query in the catalog.
    pub query: usize,
    /// Executed parameter sets, worst first.
    pub runs: Vec<Run>,
    /// Set where the query could not be planned or run at all.
    pub failure: Option<QueryFailure>,
    /// What a person should know of how it was run: why it was planned only, what it left behind.
    pub notes: Vec<String>,
}

impl QueryRuns {
    /// Of a query that could not be planned or run.
    #[must_use]
    pub fn failed(query: usize, failure: QueryFailure) -> Self {
        Self {
            query,
            runs: Vec::new(),
            failure: Some(failure),
            notes: Vec::new(),
        }
    }

    /// Whether it ran to its end with every parameter set and met no row with any: its plans then prove nothing.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|run| run.rows_found() == Some(0.0))
    }

    /// Whether it was planned and never executed.
    #[must_use]
    pub fn only_planned(&self) -> bool {
        let planned = |run: &Run| matches!(run.outcome, Outcome::Estimated);
        !self.runs.is_empty() && self.runs.iter().all(planned)
    }

    /// The runs with plans for their values, then those with the generic plan.
    pub fn custom_first(&self) -> impl Iterator<Item = &Run> {
        let custom = self.runs.iter().filter(|run| !run.is_generic());
        custom.chain(self.runs.iter().filter(|run| run.is_generic()))
    }

    /// The run with the values of a generic plan's run, and a plan made for them.
    #[must_use]
    pub fn plan_for_values_of(&self, generic: &Run) -> Option<&Run> {
        let own = generic.id.set.clone().custom();
        self.runs.iter().find(|run| run.id == own)
    }
}

/// Why an audit ended before every query was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedEarly {
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// The server or the connection to it is gone, and did not come back.
    ServerLost {
        /// What was heard of it last.
        reason: String,
    },
}

impl EndedEarly {
    /// In words.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Interrupted => "the audit was interrupted".to_owned(),
            Self::ServerLost { reason } => format!("the server was lost: {reason}"),
        }
    }

    /// What is known of a query that was not reached: nothing.
    #[must_use]
    pub fn not_reached(&self, query: usize) -> QueryRuns {
        let failure = QueryFailure {
            message: format!("it was not reached, {}", self.reason()),
            code: None,
            position: None,
            hint: None,
        };
        QueryRuns::failed(query, failure)
    }
}

/// Why a query could not be judged: the server's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryFailure {
    /// `column "totl" does not exist`.
    pub message: String,
    /// SQLSTATE.
    pub code: Option<String>,
    /// Character position in `Query::sql`, from 1.
    pub position: Option<u32>,
    /// The server's hint.
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_statements_that_repeat_their_time_are_settled() {
        let settled =
            |times: &[f64]| is_settled(&times.iter().copied().map(Millis).collect::<Vec<_>>());
        assert!(settled(&[400.0, 390.0]));
        assert!(settled(&[900.0, 300.0, 310.0]));
        assert!(!settled(&[400.0]), "one says nothing of the next");
        assert!(!settled(&[900.0, 300.0]), "the first one warmed up");
        assert!(!settled(&[20.0, 20.0]), "noise is large beside it");
        assert!(!settled(&[]));
    }
}

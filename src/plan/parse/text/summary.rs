//! What stands below the tree in the text format: planning, execution, triggers, JIT, settings.

use serde_json::Value;

use super::line::split_key;
use super::property;
use super::title::number;
use crate::plan::node::{Jit, Plan, PlanningMemory, Serialization, Trigger};
use crate::plan::parse::draft::{MeasuredDraft, kilobytes};
use crate::units::{Bytes, Millis};

/// A heading with lines below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// `Planning:`.
    Planning,
    /// `JIT:`.
    Jit,
    /// A line with nothing below it, or something that is not known.
    Other,
}

const KEYS: &[&str] = &[
    "Planning",
    "Planning Time",
    "Planning time",
    "Execution Time",
    "Execution time",
    "Total runtime",
    "JIT",
    "Settings",
    "Query Identifier",
    "Serialization",
    "Query Text",
    "Query Parameters",
];

/// Whether a line at the margin belongs to the summary.
pub(super) fn knows(text: &str) -> bool {
    split_key(text).is_some_and(|(key, _)| KEYS.contains(&key)) || text.starts_with("Trigger ")
}

/// Takes a line at the margin; what its lines below are about.
pub(super) fn read(plan: &mut Plan, text: &str) -> Option<Section> {
    if let Some(trigger) = text.strip_prefix("Trigger ") {
        plan.triggers.extend(self::trigger(trigger));
        return Some(Section::Other);
    }
    let (key, value) = split_key(text)?;
    match key {
        "Planning Time" | "Planning time" => plan.planning_ms = number(value).map(Millis),
        "Execution Time" | "Execution time" | "Total runtime" => {
            plan.execution_ms = number(value).map(Millis)
        }
        "Serialization" => plan.serialization = Some(serialization(value)),
        "Settings" => plan.settings = settings(value),
        "Query Identifier" => plan.query_id = value.parse().ok(),
        "Planning" => return Some(Section::Planning),
        "JIT" => {
            plan.jit = Some(Jit {
                functions: 0,
                total_ms: None,
            });
            return Some(Section::Jit);
        }
        other => {
            plan.extra.insert(other.to_owned(), Value::from(value));
        }
    }
    Some(Section::Other)
}

/// Takes a line below a heading.
pub(super) fn read_inside(plan: &mut Plan, section: Section, text: &str) {
    match section {
        Section::Planning => {
            if let Some(memory) = text.strip_prefix("Memory:") {
                plan.planning_memory = Some(planning_memory(memory));
                return;
            }
            let mut measured = MeasuredDraft {
                buffers: plan.planning_buffers,
                ..MeasuredDraft::default()
            };
            property::read_measured(&mut measured, &mut plan.extra, text);
            plan.planning_buffers = measured.buffers;
        }
        Section::Jit => {
            let jit = plan.jit.get_or_insert(Jit {
                functions: 0,
                total_ms: None,
            });
            match split_key(text) {
                Some(("Functions", value)) => {
                    jit.functions = number(value).unwrap_or_default() as u64
                }
                Some(("Timing", value)) => {
                    let total = value
                        .rsplit_once("Total ")
                        .and_then(|(_, total)| number(total));
                    jit.total_ms = total.map(Millis);
                }
                Some(_) | None => {}
            }
        }
        Section::Other => {
            if let Some((key, value)) = split_key(text) {
                plan.extra.insert(key.to_owned(), Value::from(value));
            }
        }
    }
}

/// `for constraint c on t: time=1.5 calls=2`, `t_before on t: calls=3`.
fn trigger(text: &str) -> Option<Trigger> {
    let (what, figures) = text.rsplit_once(": ")?;
    let figure = |key: &str| {
        figures
            .find(key)
            .and_then(|at| number(&figures[at + key.len()..]))
    };
    let (name, relation) = match what.rsplit_once(" on ") {
        Some((name, relation)) => (name, Some(relation.trim_matches('"').to_owned())),
        None => (what, None),
    };
    let constraint = name.strip_prefix("for constraint ").map(str::to_owned);
    // With VERBOSE: `RI_ConstraintTrigger_a_1 for constraint c`.
    let (name, constraint) = match name.split_once(" for constraint ") {
        Some((name, constraint)) => (name.to_owned(), Some(constraint.to_owned())),
        None => (
            constraint.clone().unwrap_or_else(|| name.to_owned()),
            constraint,
        ),
    };
    Some(Trigger {
        name,
        constraint,
        relation,
        time_ms: figure("time=").map(Millis),
        calls: figure("calls=").unwrap_or_default(),
    })
}

/// `used=12kB  allocated=16kB`.
fn planning_memory(text: &str) -> PlanningMemory {
    let kilobytes = |key| figure(text, key).map_or(Bytes(0), |kb| Bytes(kilobytes(kb)));
    PlanningMemory {
        used: kilobytes("used="),
        allocated: kilobytes("allocated="),
    }
}

/// `time=0.010 ms  output=1kB  format=text`.
fn serialization(text: &str) -> Serialization {
    Serialization {
        time_ms: figure(text, "time=").map(Millis),
        output: figure(text, "output=").map_or(Bytes(0), |kb| Bytes(kilobytes(kb))),
    }
}

/// The number behind a key.
fn figure(text: &str, key: &str) -> Option<f64> {
    number(&text[text.find(key)? + key.len()..])
}

/// `work_mem = '1MB', search_path = 'a, b'`.
fn settings(text: &str) -> Vec<(String, String)> {
    let setting = |member: String| {
        let (name, value) = member.split_once(" = ")?;
        let value = value
            .strip_prefix('\'')
            .and_then(|value| value.strip_suffix('\''))
            .unwrap_or(value);
        Some((name.to_owned(), value.replace("''", "'")))
    };
    property::list(text)
        .into_iter()
        .filter_map(setting)
        .collect()
}

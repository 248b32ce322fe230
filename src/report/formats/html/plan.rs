//! A plan as the page draws it: names, shares and figures, each worked out here.

use serde::Serialize;

use crate::plan::{Metrics, NodeId, Plan, label};
use crate::report::node_details::{conditions, details};

#[derive(Debug, Serialize)]
pub(super) struct DrawnPlan {
    nodes: Vec<DrawnNode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    triggers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caveats: Vec<String>,
    /// `Settings` and JIT, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<(&'static str, String)>,
}

/// A node; what was not measured is left out.
#[derive(Debug, Serialize)]
struct DrawnNode {
    label: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_pages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_share: Option<f64>,
    /// Of one loop, as the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loops: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<(&'static str, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<(&'static str, String)>,
}

impl DrawnPlan {
    pub(super) fn of(plan: &Plan) -> Self {
        let metrics = Metrics::of(plan);
        let trigger = |trigger: &crate::plan::Trigger| {
            let name = trigger.constraint.as_deref().unwrap_or(&trigger.name);
            let time = trigger.time_ms.map(|time| format!(", {time}"));
            let calls = crate::units::Count(trigger.calls);
            format!("{name}: {calls} calls{}", time.unwrap_or_default())
        };
        let contradicts = |id: &NodeId| {
            format!(
                "The figures contradict each other: less was measured at {} than below it",
                label(plan.node(*id))
            )
        };
        let gaps = plan.gaps.iter().map(|gap| format!("Read in part: {gap}"));
        let settings = plan.settings.iter();
        let settings: Vec<String> = settings
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let jit = plan.jit.as_ref().map(|jit| {
            let time = jit.total_ms.map(|time| format!(", {time}"));
            format!("{} functions{}", jit.functions, time.unwrap_or_default())
        });
        let memory = plan.planning_memory.map(|memory| memory.used.to_string());
        let sent = plan.serialization.map(|sent| sent.output.to_string());
        let beside = [
            ("settings", Some(settings.join(", "))),
            ("JIT", jit),
            ("planner's memory", memory),
            ("result", sent),
        ];
        Self {
            nodes: plan.ids().map(|id| node(plan, &metrics, id)).collect(),
            triggers: plan.triggers.iter().map(trigger).collect(),
            caveats: gaps
                .chain(metrics.contradictions.iter().map(contradicts))
                .collect(),
            beside: beside
                .into_iter()
                .filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)))
                .collect(),
        }
    }
}

fn node(plan: &Plan, metrics: &Metrics, id: NodeId) -> DrawnNode {
    let node = plan.node(id);
    let figures = metrics.node(id);
    let some = |share: Option<f64>| share.filter(|share| share.is_finite()).map(rounded);
    DrawnNode {
        label: label(node),
        kind: node.kind.to_string(),
        table: node.relation.as_ref().map(|table| table.name.clone()),
        part_of: node.subplan_name.clone(),
        parent: node.parent.map(|parent| parent.0),
        own_ms: some(figures.exclusive.map(|time| time.0)),
        own_pages: figures.exclusive_blocks.map(|pages| pages.0),
        time_share: some(metrics.time_share(id)),
        page_share: some(metrics.block_share(id)),
        rows: node.actual.map(|actual| actual.rows.0),
        expected: node.estimate.expected_rows().map(|rows| rows.0),
        loops: node.actual.map(|actual| actual.loops),
        conditions: conditions(node),
        details: details(plan, metrics, id)
            .into_iter()
            .map(|detail| (detail.name, detail.text))
            .collect(),
    }
}

/// What nobody sees is left out of the file.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

//! EXPLAIN (FORMAT JSON) of PostgreSQL 14 to 18, and auto_explain's: read straight into nodes, without a tree of JSON
//! values in between, because plans of partitioned tables run to megabytes.

mod keys;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::draft::{MeasuredDraft, NodeDraft, kilobytes};
use super::scalar::{Identifier, Key, Number, millis};
use super::{Format, PlanParseError, Plans};
use crate::plan::node::{
    Buffers, Jit, Node, NodeId, NodeKind, Plan, PlanningMemory, Serialization, Trigger,
};
use crate::units::{Bytes, Millis};
use keys::{JitValue, TriggerValue};

/// Brackets that serde_json opens on the calling thread's stack without complaint.
const SAFE_DEPTH: usize = 120;

/// Two brackets a plan level: a join of a thousand tables.
const MAX_DEPTH: usize = 2_000;

/// A level takes some kB in a debug build.
const DEEP_STACK: usize = 256 << 20;

/// Cost that a disabled node carries before PostgreSQL 18 (`disable_cost` in costsize.c).
const DISABLE_COST: f64 = 1.0e10;

/// Reads every plan of EXPLAIN's JSON: an array of statements, one statement's object, or a plan node alone.
///
/// # Errors
/// Text that is not JSON, a known key with a value of the wrong type, no plan at all.
pub fn json(text: &str) -> Plans {
    let depth = nesting(text);
    if depth > MAX_DEPTH {
        return Err(PlanParseError::TooDeep {
            limit: MAX_DEPTH / 2,
        });
    }
    let read = || {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        if depth > SAFE_DEPTH {
            deserializer.disable_recursion_limit();
        }
        let plans = StatementsSeed
            .deserialize(&mut deserializer)
            .and_then(|plans| deserializer.end().map(|()| plans));
        finish(plans.map_err(|error| malformed(&error))?)
    };
    if depth <= SAFE_DEPTH {
        return read();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(DEEP_STACK)
            .spawn_scoped(scope, read);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(plans)) => plans,
            Ok(Err(_)) | Err(_) => Err(PlanParseError::TooDeep {
                limit: SAFE_DEPTH / 2,
            }),
        }
    })
}

/// The same from a value that was parsed already.
///
/// # Errors
/// As [`json`].
pub fn json_value(value: &Value) -> Plans {
    finish(
        StatementsSeed
            .deserialize(value)
            .map_err(|error| malformed(&error))?,
    )
}

fn malformed(error: &serde_json::Error) -> PlanParseError {
    let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
    // The place is reported with the line of the whole input.
    let reason = error.to_string();
    let reason = reason
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    PlanParseError::Malformed {
        format: Format::Json,
        line,
        reason,
    }
}

/// The deepest nesting of brackets outside strings.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        if in_string {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                in_string = false;
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn finish(mut plans: Vec<Plan>) -> Plans {
    plans.retain(|plan| !plan.nodes.is_empty());
    if plans.is_empty() {
        return Err(PlanParseError::NoPlan);
    }
    for plan in &mut plans {
        mark_disabled(plan);
        read_memory_and_serialization(plan);
    }
    Ok(plans)
}

/// Figures of 17 that stand among the keys of the statement.
fn read_memory_and_serialization(plan: &mut Plan) {
    let number = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_f64(),
        None => None,
    };
    let bytes = |kb: Option<f64>| kb.map_or(Bytes(0), |kb| Bytes(kilobytes(kb)));
    if let Some(used) = number(plan.extra.get("Memory Used")) {
        plan.planning_memory = Some(PlanningMemory {
            used: bytes(Some(used)),
            allocated: bytes(number(plan.extra.get("Memory Allocated"))),
        });
    }
    if let Some(serialization) = plan.extra.get("Serialization") {
        plan.serialization = Some(Serialization {
            time_ms: number(serialization.get("Time")).map(Millis),
            output: bytes(number(serialization.get("Output Volume"))),
        });
    }
}

/// Before 18 a disabled node shows only by its cost, which its ancestors carry too.
pub(super) fn mark_disabled(plan: &mut Plan) {
    for index in 0..plan.nodes.len() {
        let node = &plan.nodes[index];
        let below: f64 = node
            .children
            .iter()
            .map(|child| plan.nodes[child.0].estimate.total_cost)
            .sum();
        if node.estimate.total_cost - below >= DISABLE_COST * 0.99 {
            plan.nodes[index].disabled = true;
        }
    }
}

/// Array of statements, statement, or node.
struct StatementsSeed;

impl<'de> DeserializeSeed<'de> for StatementsSeed {
    type Value = Vec<Plan>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StatementsSeed {
    type Value = Vec<Plan>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EXPLAIN's array of statements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut plans = Vec::new();
        while let Some(mut more) = seq.next_element_seed(Self)? {
            plans.append(&mut more);
        }
        Ok(plans)
    }

    /// A utility statement, or EXPLAIN's output quoted inside a client's JSON.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim_start().starts_with(['[', '{']) {
            // Depth is bounded: quoting doubles the backslashes at every level.
            return json(text).map_err(E::custom);
        }
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut plan = Plan::default();
        let mut quoted = Vec::new();
        // A node pasted without its statement: its own keys come first and are read as they come.
        let mut bare = NodeDraft::default();
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "Plan" => read_root(&mut plan, &mut map)?,
                "Query Text" | "Query" => plan.query_text = map.next_value::<Option<String>>()?,
                "Planning" => {
                    plan.planning_buffers = map.next_value_seed(PlanningSeed(&mut plan.extra))?
                }
                "Planning Time" => plan.planning_ms = millis(&mut map)?,
                "Execution Time" | "Total Runtime" => plan.execution_ms = millis(&mut map)?,
                "Triggers" => {
                    plan.triggers = map
                        .next_value::<Vec<TriggerValue>>()?
                        .into_iter()
                        .map(Trigger::from)
                        .collect()
                }
                "JIT" => {
                    let jit = map.next_value::<JitValue>()?;
                    let total = jit.timing.and_then(|timing| timing.total);
                    let total_ms = total.map(|Number(ms)| Millis(ms));
                    plan.jit = Some(Jit {
                        functions: jit.functions.0 as u64,
                        total_ms,
                    });
                }
                "Settings" => plan.settings = settings(&map.next_value::<Map<String, Value>>()?),
                "Query Identifier" => plan.query_id = map.next_value::<Identifier>()?.0,
                "QUERY PLAN" | "EXPLAIN" | "explain" | "plan" => {
                    quoted.append(&mut map.next_value_seed(Self)?)
                }
                "Plans" if !bare.node_type.is_empty() => {
                    reserve_root(&mut plan);
                    map.next_value_seed(ChildrenSeed {
                        plan: &mut plan,
                        parent: NodeId(0),
                    })?;
                }
                other => bare.read(other, &mut map)?,
            }
        }
        if bare.node_type.is_empty() {
            plan.extra.append(&mut bare.node().extra);
        } else {
            reserve_root(&mut plan);
            let children = std::mem::take(&mut plan.nodes[0].children);
            plan.nodes[0] = bare.finish(None, children);
        }
        quoted.insert(0, plan);
        Ok(quoted)
    }
}

fn settings(settings: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    settings
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn reserve_root(plan: &mut Plan) {
    if plan.nodes.is_empty() {
        plan.nodes.push(Node::of_kind(NodeKind::Result));
    }
}

fn read_root<'de, A: MapAccess<'de>>(plan: &mut Plan, map: &mut A) -> Result<(), A::Error> {
    if !plan.nodes.is_empty() {
        return Err(A::Error::custom("a statement has two plans"));
    }
    map.next_value_seed(NodeSeed { plan, parent: None })
        .map(|_| ())
}

/// One node with everything below it, appended to the plan in preorder.
struct NodeSeed<'a> {
    plan: &'a mut Plan,
    parent: Option<NodeId>,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = NodeId;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeId, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = NodeId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan node")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeId, A::Error> {
        let id = NodeId(self.plan.nodes.len());
        self.plan.nodes.push(Node::of_kind(NodeKind::Result));
        let mut draft = Box::<NodeDraft>::default();
        while let Some(Key(key)) = map.next_key()? {
            if &*key == "Plans" {
                map.next_value_seed(ChildrenSeed {
                    plan: self.plan,
                    parent: id,
                })?;
            } else {
                draft.read(&key, &mut map)?;
            }
        }
        if draft.node_type.is_empty() {
            return Err(A::Error::missing_field("Node Type"));
        }
        let children = std::mem::take(&mut self.plan.nodes[id.0].children);
        self.plan.nodes[id.0] = draft.finish(self.parent, children);
        Ok(id)
    }
}

struct ChildrenSeed<'a> {
    plan: &'a mut Plan,
    parent: NodeId,
}

impl<'de> DeserializeSeed<'de> for ChildrenSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ChildrenSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of plan nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(child) = seq.next_element_seed(NodeSeed {
            plan: self.plan,
            parent: Some(self.parent),
        })? {
            self.plan.nodes[self.parent.0].children.push(child);
        }
        Ok(())
    }
}

/// `Planning`: blocks, and from 17 memory.
struct PlanningSeed<'a>(&'a mut Map<String, Value>);

impl<'de> DeserializeSeed<'de> for PlanningSeed<'_> {
    type Value = Option<Buffers>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PlanningSeed<'_> {
    type Value = Option<Buffers>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the planning figures")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut measured = MeasuredDraft::default();
        while let Some(Key(key)) = map.next_key()? {
            measured.read(&key, &mut map, self.0)?;
        }
        Ok(measured.buffers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PerLoop;
    use crate::plan::node::{Actual, JoinType, Relationship};

    #[test]
    fn statement_alone_array_and_bare_node() {
        let node = r#"{"Node Type": "Limit", "Plan Rows": 1, "Plans": [{"Node Type": "Seq Scan", "Relation Name": "t", "Alias": "x"}]}"#;
        for text in [
            node.to_owned(),
            format!(r#"{{"Plan": {node}}}"#),
            format!(r#"[{{"Plan": {node}}}]"#),
            format!(r#"[{{"QUERY PLAN": [{{"Plan": {node}}}]}}]"#),
            format!(
                r#"[{{"QUERY PLAN": {}}}]"#,
                serde_json::to_string(&format!(r#"[{{"Plan": {node}}}]"#)).unwrap()
            ),
        ] {
            let plans = json(&text).unwrap();
            assert_eq!(plans.len(), 1, "{text}");
            assert_eq!(plans[0].nodes.len(), 2, "{text}");
            assert_eq!(plans[0].nodes[0].kind, NodeKind::Limit);
            assert_eq!(plans[0].nodes[0].children, [NodeId(1)]);
            assert_eq!(plans[0].nodes[1].parent, Some(NodeId(0)));
            assert_eq!(plans[0].nodes[1].relation.as_ref().unwrap().alias, "x");
        }
    }

    #[test]
    fn unknown_nodes_and_keys_are_kept() {
        let plans = json(r#"[{"Plan": {"Node Type": "Quantum Scan", "Spin": [1, 2], "Parent Relationship": "Twin", "Join Type": "Odd"}, "Mood": 7}]"#).unwrap();
        let root = plans[0].root();
        assert_eq!(root.kind, NodeKind::Unknown("Quantum Scan".to_owned()));
        assert_eq!(root.extra["Spin"], serde_json::json!([1, 2]));
        assert_eq!(
            root.relationship,
            Some(Relationship::Unknown("Twin".to_owned()))
        );
        assert_eq!(root.join_type, Some(JoinType::Unknown("Odd".to_owned())));
        assert_eq!(plans[0].extra["Mood"], 7);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        assert!(matches!(
            json(r#"{"Plan": 3}"#),
            Err(PlanParseError::Malformed { .. })
        ));
        assert!(matches!(
            json(r#"[{"Plan": {"Node Type": "Result", "Plan Rows": "many"}}]"#),
            Err(PlanParseError::Malformed { .. })
        ));
        assert_eq!(
            json(r#"["Utility Statement"]"#),
            Err(PlanParseError::NoPlan)
        );
        assert_eq!(json("[]"), Err(PlanParseError::NoPlan));
        assert!(matches!(
            json(&"[".repeat(100_000)),
            Err(PlanParseError::TooDeep { .. })
        ));
    }

    #[test]
    fn deep_plans_are_read() {
        let depth = 600;
        let text = r#"{"Node Type": "Append", "Plans": ["#.repeat(depth)
            + r#"{"Node Type": "Result"}"#
            + &"]}".repeat(depth);
        let plans = json(&text).unwrap();
        assert_eq!(plans[0].nodes.len(), depth + 1);
    }

    #[test]
    fn keys_of_all_versions() {
        let text = r#"[{"Plan": {"Node Type": "Aggregate", "Strategy": "Hashed", "Actual Startup Time": 1.5, "Actual Total Time": 2.25,
            "Actual Rows": 2.50, "Actual Loops": 4, "Planned Partitions": 4, "HashAgg Batches": 5, "Peak Memory Usage": 64, "Disk Usage": 128,
            "Shared Hit Blocks": 7, "Shared I/O Read Time": 0.5,
            "Workers": [{"Worker Number": 1, "Actual Rows": 3, "Actual Loops": 1, "Sort Method": "external merge", "Sort Space Used": 8, "Sort Space Type": "Disk"}]},
            "Planning": {"Shared Hit Blocks": 9, "Memory Used": 12}, "Planning Time": 0.1, "Execution Time": 3,
            "Triggers": [{"Trigger Name": "t", "Constraint Name": "c", "Relation": "r", "Time": 1.5, "Calls": 2}],
            "JIT": {"Functions": 3, "Timing": {"Generation": {"Deform": 1, "Total": 2}, "Total": 5.5}}, "Settings": {"work_mem": "1MB"},
            "Query Identifier": -5}]"#;
        let plan = &json(text).unwrap()[0];
        let root = plan.root();
        assert_eq!(
            root.actual,
            Some(Actual {
                startup: Some(PerLoop(Millis(1.5))),
                total: Some(PerLoop(Millis(2.25))),
                rows: PerLoop(2.5),
                loops: 4.0
            })
        );
        let hash = root.hash.unwrap();
        assert_eq!(
            (hash.batches, hash.planned_partitions, hash.disk),
            (Some(5), Some(4), Some(Bytes(128 << 10)))
        );
        assert_eq!(root.buffers.unwrap().shared_hit, 7);
        assert_eq!(root.buffers.unwrap().shared_read_ms, Some(Millis(0.5)));
        assert!(root.workers[0].sort.as_ref().unwrap().on_disk);
        assert_eq!(plan.planning_buffers.unwrap().shared_hit, 9);
        assert_eq!(plan.extra["Memory Used"], 12);
        assert_eq!(plan.triggers[0].constraint.as_deref(), Some("c"));
        assert_eq!(
            plan.jit,
            Some(Jit {
                functions: 3,
                total_ms: Some(Millis(5.5))
            })
        );
        assert_eq!(plan.settings, [("work_mem".to_owned(), "1MB".to_owned())]);
        assert_eq!(plan.query_id, Some(-5));
    }
}

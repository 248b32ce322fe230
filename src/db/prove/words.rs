//! Which columns a query names, in its text or, through views, in its plan's conditions and orders: an index none of whose keys is
//! named is not searched, and need not be built to see that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::advise::{Audited, IndexSpec, Part};
use crate::sql::identifiers::identifiers;

/// The words of every query.
pub(super) struct Words(BTreeMap<usize, BTreeSet<String>>);

impl Words {
    pub(super) fn of(audited: &Audited<'_>) -> Self {
        let mut words: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for runs in audited.runs {
            let own = words.entry(runs.query).or_default();
            if let Some(query) = audited.queries.get(runs.query) {
                own.extend(identifiers(&query.sql));
            }
            for run in &runs.runs {
                collect(&run.explain_json, own);
            }
        }
        Self(words)
    }

    /// Whether a query names a key of an index.
    pub(super) fn name_a_key(&self, query: usize, index: &IndexSpec) -> bool {
        let Some(words) = self.0.get(&query) else {
            return true;
        };
        index.keys.iter().any(|key| match &key.part {
            Part::Column(name) => words.contains(name),
            Part::Expression(text) => identifiers(text).any(|word| words.contains(&word)),
        })
    }
}

/// The words of a plan's conditions, orders and groups. What it returns is no reason to search by it.
fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(properties) => {
            for (name, property) in properties {
                if name != "Output" {
                    collect(property, words);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        Value::String(text) => words.extend(identifiers(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_plan_are_those_of_its_conditions() {
        let plan = serde_json::json!({"Plan": {
            "Node Type": "Sort", "Sort Key": ["t.\"Day\" DESC"], "Output": ["t.price"],
            "Plans": [{"Filter": "((t.state)::text = 'open'::text)", "Alias": "t"}]
        }});
        let mut words = BTreeSet::new();
        collect(&plan, &mut words);
        for named in ["Day", "state", "t"] {
            assert!(words.contains(named), "{named} in {words:?}");
        }
        assert!(!words.contains("price") && !words.contains("open"));
    }
}

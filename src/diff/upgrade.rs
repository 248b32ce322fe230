//! Which feature of a newer planner made a plan another: by a setting that turns it off, or by what it leaves in the plan. Pure;
//! `db::comparison::upgrade` plans with the settings.

use super::canonical::{
    AggregateStrategy, CanonicalPlan, ConditionRole, IndexIdentity, Operator, OperatorKind,
    ScanMethod,
};

/// A change of the planner or the executor that is visible in plans.
#[derive(Debug)]
pub struct Feature {
    /// The major version that has it first.
    pub since: u32,
    /// What it does, as a clause.
    pub words: &'static str,
    /// The setting that turns it off, where there is one.
    pub setting: Option<&'static str>,
    /// Whether two plans show it; `None` where only the setting tells.
    shows: Option<fn(&Traits, &Traits) -> bool>,
}

/// Every one from 15 on, those that are told by a setting first, then from the most to the least specific. Release notes 15 to 18.
pub const FEATURES: &[Feature] = &[
    by_setting(
        18,
        "a join of a table with itself by its key is left out",
        "enable_self_join_elimination",
    ),
    by_setting(
        18,
        "the columns of DISTINCT are taken in the order that an index has",
        "enable_distinct_reordering",
    ),
    by_setting(
        17,
        "the columns of GROUP BY are taken in the order that the input has",
        "enable_group_by_reordering",
    ),
    by_setting(
        16,
        "input of ordered and DISTINCT aggregates comes sorted",
        "enable_presorted_aggregate",
    ),
    by_plan(
        18,
        "IN (VALUES …) is searched for as an array",
        |old, new| old.has_values && !new.has_values && new.arrays > old.arrays,
    ),
    by_plan(
        18,
        "OR of one column is searched for as an array",
        |old, new| new.arrays > old.arrays,
    ),
    by_plan(17, "a correlated IN becomes a join", |old, new| {
        old.subplans > new.subplans && new.has_join("Semi")
    }),
    by_plan(
        17,
        "a test for NULL of a NOT NULL column is decided before it runs",
        |old, new| old.null_tests > new.null_tests,
    ),
    by_plan(
        17,
        "the branches of UNION are merged in their order",
        |old, new| !old.merges_branches && new.merges_branches,
    ),
    by_plan(
        18,
        "the smaller side of a semi-join is hashed",
        |old, new| !old.has_join("Right Semi") && new.has_join("Right Semi"),
    ),
    by_plan(
        16,
        "the smaller side of an anti-join is hashed",
        |old, new| !old.has_join("Right Anti") && new.has_join("Right Anti"),
    ),
    by_plan(
        16,
        "FULL and RIGHT hash joins run in parallel",
        |old, new| {
            (new.has_join("Full") || new.has_join("Right")) && new.is_parallel && !old.is_parallel
        },
    ),
    by_plan(
        16,
        "DISTINCT of columns that are constant reads one row",
        |old, new| old.deduplicates && !new.deduplicates && new.limits > old.limits,
    ),
    by_plan(
        16,
        "more window functions stop at the rows that are asked for",
        |old, new| old.windows > 0 && old.filters > new.filters,
    ),
    by_plan(
        18,
        "an index is searched without a condition on its first column (skip scan)",
        |_, new| new.skips,
    ),
    by_plan(
        17,
        "values of an array are found in one pass through a B-tree",
        |old, new| new.arrays > 0 && old.arrays == new.arrays,
    ),
    by_plan(
        18,
        "set operations read their inputs apart, sorted or hashed",
        |old, new| old.set_operations > 0 && new.set_operations > 0,
    ),
    by_plan(
        17,
        "statistics of a WITH that is kept reach the query",
        |old, new| old.ctes > 0 && old.ctes == new.ctes,
    ),
    by_plan(
        16,
        "DISTINCT sorts only what its input's order lacks",
        |old, new| new.incremental_sorts > old.incremental_sorts,
    ),
];

const fn by_setting(since: u32, words: &'static str, setting: &'static str) -> Feature {
    Feature {
        since,
        words,
        setting: Some(setting),
        shows: None,
    }
}

const fn by_plan(since: u32, words: &'static str, shows: fn(&Traits, &Traits) -> bool) -> Feature {
    Feature {
        since,
        words,
        setting: None,
        shows: Some(shows),
    }
}

/// What the newer of two majors has and the older does not.
pub fn between(old: u32, new: u32) -> impl Iterator<Item = &'static Feature> {
    FEATURES
        .iter()
        .filter(move |feature| feature.since > old && feature.since <= new)
}

/// The feature that two plans of a statement show; `None` where none does.
#[must_use]
pub fn shown(
    (before, old): (&CanonicalPlan, u32),
    (after, new): (&CanonicalPlan, u32),
) -> Option<&'static Feature> {
    let (one, other) = (Traits::of(before), Traits::of(after));
    between(old, new).find(|feature| feature.shows.is_some_and(|shows| shows(&one, &other)))
}

/// What features leave in a plan.
#[derive(Debug, Default)]
struct Traits {
    /// Conditions of indexes on arrays.
    arrays: usize,
    /// IS NULL and IS NOT NULL.
    null_tests: usize,
    filters: usize,
    has_values: bool,
    subplans: usize,
    ctes: usize,
    joins: Vec<String>,
    is_parallel: bool,
    merges_branches: bool,
    /// Unique, or an aggregate without functions.
    deduplicates: bool,
    limits: usize,
    windows: usize,
    set_operations: usize,
    incremental_sorts: usize,
    /// A B-tree is searched, and its first column has no condition.
    skips: bool,
}

impl Traits {
    fn of(plan: &CanonicalPlan) -> Self {
        let mut traits = Self::default();
        plan.root.each(&mut |operator| traits.add(operator));
        traits
    }

    fn add(&mut self, operator: &Operator) {
        use super::canonical::Decorator;
        use super::canonical::SubplanKind;
        for condition in &operator.conditions {
            let conjuncts = condition.conjuncts.iter();
            for conjunct in conjuncts {
                let words = conjunct.to_uppercase();
                self.null_tests += words.matches(" IS NOT NULL").count();
                self.null_tests += words.matches(" IS NULL").count();
                if condition.role == ConditionRole::Index && words.contains("= ANY") {
                    self.arrays += 1;
                }
            }
            if condition.role == ConditionRole::Filter {
                self.filters += condition.conjuncts.len();
            }
        }
        for subplan in &operator.subplans {
            match subplan.kind {
                SubplanKind::SubPlan => self.subplans += 1,
                SubplanKind::Cte(_) => self.ctes += 1,
                SubplanKind::InitPlan => {}
            }
        }
        for decorator in &operator.decorators {
            match decorator {
                Decorator::Parallel => self.is_parallel = true,
                Decorator::Sort { presorted, .. } if !presorted.is_empty() => {
                    self.incremental_sorts += 1;
                }
                Decorator::Sort { .. }
                | Decorator::Hash { .. }
                | Decorator::Materialize
                | Decorator::Memoize { .. }
                | Decorator::MergePartitions => {}
            }
        }
        match &operator.kind {
            OperatorKind::Scan(scan) => {
                let conjuncts = operator.conjuncts(ConditionRole::Index);
                for access in &scan.access {
                    self.has_values |= access.method == ScanMethod::Values;
                    self.skips |= !conjuncts.is_empty()
                        && access.indexes.iter().any(|index| skips(index, conjuncts));
                }
            }
            OperatorKind::Join { kind, .. } => self.joins.push(kind.clone()),
            OperatorKind::Aggregate { strategy, keys } => {
                self.deduplicates |= *strategy != AggregateStrategy::Plain && !keys.is_empty();
            }
            OperatorKind::Modify { .. } => {}
            OperatorKind::Other { name } => self.add_other(name),
        }
    }

    fn add_other(&mut self, name: &str) {
        match name {
            "Unique" => self.deduplicates = true,
            "Merge Append" => self.merges_branches = true,
            "Limit" => self.limits += 1,
            "WindowAgg" => self.windows += 1,
            name if name.contains("SetOp") => self.set_operations += 1,
            _ => {}
        }
    }

    fn has_join(&self, kind: &str) -> bool {
        self.joins.iter().any(|own| own == kind)
    }
}

/// Whether a B-tree is searched by conditions of which none is on its first column.
fn skips(index: &IndexIdentity, conjuncts: &[String]) -> bool {
    let Some(definition) = &index.definition else {
        return false;
    };
    let keys = definition.split_once('(').map(|(_, keys)| keys);
    let (true, Some(keys)) = (definition.contains("btree"), keys) else {
        return false;
    };
    let first = keys.split([',', ')']).next().unwrap_or_default();
    let first = first.split_whitespace().next().unwrap_or_default();
    let names_it = |conjunct: &String| {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        conjunct
            .split(|letter| !is_part(letter))
            .any(|word| word == first)
    };
    // A range of the first column is walked through; values of it are stepped to.
    let is_equal = |conjunct: &String| names_it(conjunct) && conjunct.contains(" = ");
    !conjuncts.iter().any(is_equal)
        && conjuncts.iter().any(|conjunct| !names_it(conjunct))
        && !first.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(definition: &str) -> IndexIdentity {
        IndexIdentity {
            definition: Some(definition.to_owned()),
            name: "i".to_owned(),
        }
    }

    #[test]
    fn a_search_without_the_first_column_skips() {
        let skips = |definition: &str, conjuncts: &[&str]| {
            let conjuncts: Vec<String> = conjuncts.iter().map(|one| (*one).to_owned()).collect();
            super::skips(&index(definition), &conjuncts)
        };
        let two = "btree (channel, customer_id)";
        assert!(skips(two, &["customer_id = 77"]));
        assert!(skips(
            two,
            &["channel >= 0", "channel <= 2", "customer_id = 77"]
        ));
        assert!(!skips(two, &["channel = 1", "customer_id = 77"]));
        assert!(!skips(two, &["channel = 1"]));
        assert!(!skips("gin (channel, customer_id)", &["customer_id = 77"]));
    }

    #[test]
    fn features_are_those_between_two_majors() {
        let since: Vec<u32> = between(16, 17).map(|feature| feature.since).collect();
        assert!(!since.is_empty() && since.iter().all(|since| *since == 17));
        assert_eq!(between(18, 18).count(), 0);
    }
}

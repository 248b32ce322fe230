//! Passes over a whole schema. What one of them learns (a count that a constraint lowers, a circle of keys, what a stricter
//! key requires) changes what other tables can have: all is planned again with it.

use std::collections::{BTreeMap, BTreeSet};

use super::error::UNSETTLED;
use super::repeated_columns::Within;
use super::{Options, Refusal, Resolver, SeedError, StoredRows};
use crate::schema::{QualifiedName, Schema};
use crate::seed::check::Atom;
use crate::seed::describe::header;
use crate::seed::plan::SeedPlan;
use crate::seed::spec::Spec;

/// How often counts may be lowered.
const PASSES: usize = 16;

/// What columns (table, name) should be, so that keys of stricter types can point to them.
pub(super) type Requirements = BTreeMap<(u32, String), Vec<Atom>>;

/// References (table, name) that names and types suggest: they must not cost a table its rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Inferred {
    pub(super) keys: BTreeSet<(u32, String)>,
    /// Those of them that only choose among a parent's rows.
    pub(super) within: Within,
}

/// What the next pass begins with.
#[derive(Debug, Clone)]
pub(super) struct Learned {
    /// Rows of tables that a pass lowered.
    pub(super) limits: BTreeMap<u32, u64>,
    /// Foreign keys (table, name) that would make a value follow from itself.
    pub(super) open: BTreeSet<(u32, String)>,
    /// Foreign keys (table, name) whose groups must be of one size.
    pub(super) even: BTreeSet<(u32, String)>,
    /// What stricter keys require of the columns that they point to.
    pub(super) requirements: Requirements,
    /// It is not required again where it stood in the way.
    pub(super) may_require: bool,
    pub(super) inferred: Inferred,
}

struct Passes {
    learned: Learned,
    /// Tables whose counts the last pass changed.
    changed: Vec<QualifiedName>,
    /// Why counts were lowered: a pass that begins with the lower count has no reason to say it again.
    lowered: Vec<String>,
}

pub(super) fn planned(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
    inferred: Inferred,
) -> Result<SeedPlan, Box<Refusal>> {
    let mut passes = Passes {
        learned: Learned::nothing(inferred),
        changed: Vec::new(),
        lowered: Vec::new(),
    };
    for _ in 0..PASSES {
        let mut resolver = Resolver::new(schema, spec, options, stored, passes.learned.clone());
        resolver.plan_tables();
        if passes.learn(&mut resolver) {
            continue;
        }
        if !resolver.errors.is_empty() {
            return Err(Box::new(resolver.into_refusal()));
        }
        resolver.note_repeats();
        resolver.measure_widths();
        resolver.compare_with_spec();
        return Ok(SeedPlan {
            notes: each_once(passes.lowered, resolver.plan.notes),
            ..resolver.plan
        });
    }
    Err(Box::new(Refusal {
        errors: passes.unsettled(),
        sound: SeedPlan::empty(options.seed),
    }))
}

impl Passes {
    /// Whether a pass found something that the next one must know.
    fn learn(&mut self, resolver: &mut Resolver<'_>) -> bool {
        let learned = &mut self.learned;
        if resolver.requirements.len() > learned.requirements.len() {
            learned.requirements = std::mem::take(&mut resolver.requirements);
            return true;
        }
        if resolver.even.len() > learned.even.len() {
            learned.even = std::mem::take(&mut resolver.even);
            return true;
        }
        learned.open_circle(resolver)
            || self.lower_counts(resolver)
            || self.learned.require_less(resolver)
    }

    fn lower_counts(&mut self, resolver: &mut Resolver<'_>) -> bool {
        if !(resolver.empty_the_orphaned() || resolver.has_stale_links()) {
            return false;
        }
        let limits = &mut self.learned.limits;
        let tables = &resolver.plan.tables;
        self.changed = tables
            .iter()
            .filter(|table| limits.get(&table.oid) != Some(&table.rows))
            .map(|table| table.name.clone())
            .collect();
        limits.extend(tables.iter().map(|table| (table.oid, table.rows)));
        self.lowered.append(&mut resolver.plan.notes);
        true
    }

    /// The tables whose counts changed to the last.
    fn unsettled(&self) -> Vec<SeedError> {
        if self.changed.is_empty() {
            return vec![SeedError::Unsettled];
        }
        let unsettled = |table: &QualifiedName| SeedError::Unsolvable {
            table: table.to_string(),
            what: UNSETTLED.to_owned(),
            remedy: format!("write `rows = …` under [{}]", header(table)),
        };
        self.changed.iter().map(unsettled).collect()
    }
}

impl Learned {
    /// Before the first pass.
    pub(super) fn nothing(inferred: Inferred) -> Self {
        Self {
            limits: BTreeMap::new(),
            open: BTreeSet::new(),
            even: BTreeSet::new(),
            requirements: Requirements::new(),
            may_require: true,
            inferred,
        }
    }

    /// Keys that close a circle are open from now on; one that only its name suggests is none.
    fn open_circle(&mut self, resolver: &Resolver<'_>) -> bool {
        let circle = resolver.circle();
        if circle.is_empty() {
            return false;
        }
        if circle.iter().any(|key| self.inferred.keys.contains(key)) {
            self.inferred.keys.retain(|key| !circle.contains(key));
            let inferred = &resolver.inferred.keys;
            self.open
                .extend(circle.into_iter().filter(|key| inferred.contains(key)));
        } else {
            self.open.extend(circle);
        }
        true
    }

    /// What stands in the way of a table's rows is not required.
    fn require_less(&mut self, resolver: &Resolver<'_>) -> bool {
        if !self.may_require || resolver.errors.is_empty() || self.requirements.is_empty() {
            return false;
        }
        self.may_require = resolver.relax(&mut self.requirements);
        true
    }
}

/// Notes of all passes: each stands once.
fn each_once(earlier: Vec<String>, last: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    earlier
        .into_iter()
        .chain(last)
        .filter(|note| seen.insert(note.clone()))
        .collect()
}

//! From schema and spec to a plan: everything that can be decided, or refused, before a row is made.

mod arms;
mod bounds;
mod byte_order;
mod circles;
mod column_knobs;
mod columns;
mod distinct;
mod distinct_parents;
mod elements;
mod enumerations;
mod error;
mod exclusions;
mod formula;
mod gaps;
mod joined_references;
mod key_columns;
mod key_digits;
mod key_facts;
mod key_units;
mod key_values;
mod keys;
mod link_choice;
mod links;
mod measured;
mod named;
mod nowhere;
mod options;
mod order;
mod own_children;
mod partial_keys;
mod partitions;
mod passes;
mod places;
mod polymorphic;
mod reference_notes;
mod references;
mod repeated_columns;
mod roles;
mod rows;
mod ruled_out;
mod shapes;
mod shared_columns;
mod shares;
mod sizes;
mod spans;
mod stages;
mod statistics;
mod stricter;
mod stricter_keys;
mod subset;
mod table;
mod tables;
mod titles;
mod told_apart;
mod variants;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};

use self::references::{Origin, Reference};
use self::repeated_columns::Within;
use super::describe::header;
use super::plan::{SeedPlan, TablePlan};
use super::random::Key;
use super::spec::{Spec, TableSpec};
use crate::profile::twin::Twin;
use crate::schema::{QualifiedName, Schema, Table};
use passes::{Inferred, Learned, Requirements, planned};
use tables::{check_table_rows, match_specs, nearest_table};

pub(in crate::seed) use self::column_knobs::PLAIN;
pub use error::{Refusal, SeedError};
pub use options::{DefaultRows, Options, StoredRows};
pub(crate) use roles::is_of_owners_or_people;
pub(crate) use tables::find_table;
pub use tables::is_seeded;

/// Resolves a whole schema.
///
/// # Errors
/// Every mistake of the spec and every constraint that cannot be met, at once.
pub fn resolve(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
) -> Result<SeedPlan, Box<Refusal>> {
    let Some(profile) = &options.profile else {
        return resolve_spec(schema, spec, options, stored);
    };
    let mut twin = Twin::of(schema, spec, profile, options.clock);
    loop {
        match resolve_spec(schema, &twin.spec, options, stored) {
            Ok(mut plan) => {
                plan.notes.append(&mut twin.notes);
                return Ok(plan);
            }
            // What a constraint does not allow is not asked again.
            Err(refusal) if twin.give_up(&refusal.errors) => {}
            Err(mut refusal) => {
                refusal.sound.notes.append(&mut twin.notes);
                return Err(refusal);
            }
        }
    }
}

fn resolve_spec(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
) -> Result<SeedPlan, Box<Refusal>> {
    let (fitted, by_role);
    let mut asked = None;
    let options = match options.default_rows {
        DefaultRows::Fitted(bytes) | DefaultRows::Asked(bytes) => {
            fitted = sizes::fitted(bytes, schema, spec, options, stored);
            if let DefaultRows::Asked(bytes) = options.default_rows
                && options.all_rows.is_none()
                && options.target_bytes.is_none()
            {
                asked = Some(bytes);
            }
            by_role = Options {
                default_rows: DefaultRows::ByRole(1.0),
                ..options.clone()
            };
            fitted.as_ref().unwrap_or(&by_role)
        }
        DefaultRows::Fixed(_) | DefaultRows::ByRole(_) => options,
    };
    let mut plan = match options.target_bytes {
        Some(target) => sizes::towards(target, schema, options, |options| {
            at_scale(schema, spec, options, stored)
        })?,
        None => at_scale(schema, spec, options, stored)?,
    };
    if let Some(bytes) = asked {
        plan.notes
            .extend(sizes::missed(bytes, schema, &plan, options.scale));
    }
    if let Some(share) = options.subset {
        subset::choose(&mut plan, share);
    }
    Ok(plan)
}

/// With the references that no foreign key declares; those that stand in a table's way are given up.
fn at_scale(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
) -> Result<SeedPlan, Box<Refusal>> {
    /// Tables are refused together: what is left after this many attempts does not depend on references.
    const ATTEMPTS: usize = 6;
    let (mut errors, mut misread) = (Vec::new(), BTreeSet::new());
    let specs = match_specs(schema, spec, &mut errors, &mut misread);
    let mut mistakes = Vec::new();
    let mut references = references::undeclared(schema, &specs, stored, options, &mut mistakes);
    // Tables that shared columns cost their rows.
    let mut without: BTreeSet<u32> = BTreeSet::new();
    for attempt in 0..=ATTEMPTS {
        if attempt == ATTEMPTS {
            references.retain(|reference| reference.origin == Origin::Asked);
        }
        let with_references = stricter_keys::with(&references::with(schema, &references), stored);
        let mut within = repeated_columns::within(&with_references, &specs);
        within.retain(|one| attempt < ATTEMPTS && !without.contains(&one.table));
        let with_references = references::with(&with_references, &within);
        let inferred = Inferred {
            keys: references
                .iter()
                .filter(|reference| reference.origin != Origin::Asked)
                .chain(&within)
                .map(|reference| (reference.table, reference.key.name.clone()))
                .collect(),
            within: Within::of(&within),
        };
        let mut refusal = match planned(&with_references, spec, options, stored, inferred) {
            Ok(mut plan) if mistakes.is_empty() => {
                plan.notes
                    .extend(reference_notes::notes(schema, &references));
                return Ok(plan);
            }
            Ok(sound) => Box::new(Refusal {
                errors: Vec::new(),
                sound,
            }),
            Err(refusal) => refusal,
        };
        let kept = references.len();
        let stands_in_the_way = |reference: &Reference| {
            let table = schema
                .table_by_oid(reference.table)
                .map(|t| t.name.to_string());
            let stands = |error: &SeedError| matches!(error, SeedError::Unsolvable { table: of, .. } if table.as_ref() == Some(of));
            refusal.errors.iter().any(stands)
        };
        let in_the_way = within.iter().filter(|one| stands_in_the_way(one));
        let known = without.len();
        without.extend(in_the_way.map(|one| one.table));
        if without.len() > known {
            continue;
        }
        // What joins show before what names say.
        for origin in [Origin::Joined, Origin::Named] {
            if references.len() == kept {
                references.retain(|one| one.origin != origin || !stands_in_the_way(one));
            }
        }
        if references.len() == kept {
            refusal.errors.splice(0..0, mistakes);
            return Err(refusal);
        }
    }
    Err(Box::new(Refusal {
        errors: mistakes,
        sound: SeedPlan::empty(options.seed),
    }))
}

/// Everything that the steps share.
struct Resolver<'a> {
    schema: &'a Schema,
    options: &'a Options,
    stored: &'a BTreeMap<u32, StoredRows>,
    specs: BTreeMap<u32, &'a TableSpec>,
    key: Key,
    /// Rows of tables that an earlier pass lowered.
    limits: BTreeMap<u32, u64>,
    /// Foreign keys (table, name) that would make a value follow from itself: they are NULL.
    open: BTreeSet<(u32, String)>,
    /// For each table and link its foreign key's name.
    link_keys: Vec<Vec<String>>,
    /// Foreign keys that another table's keys share a column with: their rows are grouped evenly.
    shared_keys: BTreeSet<(u32, String)>,
    /// Those of them (table, name) whose groups must be of one size, for a key of another table needs every row of them.
    even: BTreeSet<(u32, String)>,
    /// Foreign keys that are none of the schema's.
    inferred: Inferred,
    /// Columns that take their values from the row that another one points to, as they are told.
    repeats: Vec<String>,
    /// Columns (table, name) that foreign keys point to.
    referenced: BTreeSet<(u32, &'a String)>,
    /// What earlier passes, and this one, found that columns should be.
    requirements: Requirements,
    /// Whether tables may require more of the columns that they point to.
    may_require: bool,
    /// Links to children that are not planned yet.
    own_children: Vec<own_children::OwnChild>,
    /// In fill order.
    ordered: Vec<&'a Table>,
    index: BTreeMap<u32, usize>,
    plan: SeedPlan,
    errors: Vec<SeedError>,
    /// Tables of whose spec something is not understood: what their rows would be is not known.
    misread: BTreeSet<u32>,
}

impl<'a> Resolver<'a> {
    fn new(
        schema: &'a Schema,
        spec: &'a Spec,
        options: &'a Options,
        stored: &'a BTreeMap<u32, StoredRows>,
        learned: Learned,
    ) -> Self {
        let (mut errors, mut misread) = (Vec::new(), BTreeSet::new());
        let specs = match_specs(schema, spec, &mut errors, &mut misread);
        check_table_rows(schema, options, &mut errors);
        let ordered = order::fill_order(schema);
        Self {
            schema,
            options,
            stored,
            specs,
            key: Key::new(options.seed),
            limits: learned.limits,
            open: learned.open,
            link_keys: vec![Vec::new(); ordered.len()],
            shared_keys: links::shared_keys(schema),
            even: learned.even,
            inferred: learned.inferred,
            repeats: Vec::new(),
            referenced: links::referenced(schema),
            index: ordered
                .iter()
                .enumerate()
                .map(|(index, table)| (table.oid, index))
                .collect(),
            ordered,
            own_children: Vec::new(),
            requirements: learned.requirements,
            may_require: learned.may_require,
            plan: SeedPlan::empty(options.seed),
            errors,
            misread,
        }
    }

    /// Plans every table, in fill order.
    fn plan_tables(&mut self) {
        self.plan_rows();
        for index in 0..self.ordered.len() {
            let known = self.errors.len();
            self.plan_table(index);
            self.join_own_children(index);
            if self.errors[known..]
                .iter()
                .any(|error| matches!(error, SeedError::Spec(_)))
            {
                self.misread.insert(self.ordered[index].oid);
            }
        }
    }

    /// Requires nothing of the tables that cannot be planned any more; where it is none of those, nothing of any table.
    fn relax(&self, requirements: &mut Requirements) -> bool {
        let refused = |oid: &u32| {
            let name = self
                .index
                .get(oid)
                .map(|at| self.ordered[*at].name.to_string());
            self.errors
                .iter()
                .any(|error| matches!(error, SeedError::Unsolvable { table, .. } if Some(table) == name.as_ref()))
        };
        let mut given = false;
        for (_, atoms) in requirements
            .iter_mut()
            .filter(|((oid, _), atoms)| !atoms.is_empty() && refused(oid))
        {
            atoms.clear();
            given = true;
        }
        if !given {
            requirements.clear();
        }
        given
    }

    /// What a table's rows cannot meet; of a table that stays empty nothing is refused.
    fn refuse(
        &mut self,
        table: &QualifiedName,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if !self
            .plan
            .tables
            .iter()
            .any(|planned| planned.name == *table && planned.rows == 0)
        {
            let (what, remedy) = (what.into(), remedy.into());
            self.errors.push(SeedError::Unsolvable {
                table: table.to_string(),
                what,
                remedy,
            });
        }
    }

    fn into_refusal(mut self) -> Refusal {
        let named = |planned: &TablePlan| {
            let name = planned.name.to_string();
            let unsolved = |error: &SeedError| matches!(error, SeedError::Unsolvable { table, .. } if *table == name);
            self.misread.contains(&planned.oid) || self.errors.iter().any(unsolved)
        };
        let unsound: Vec<bool> = self.plan.tables.iter().map(named).collect();
        self.plan.leave_out(unsound);
        Refusal {
            errors: self.errors,
            sound: self.plan,
        }
    }
}

/// What to write for a table that cannot be filled by any other means.
fn leave_empty(table: &QualifiedName) -> String {
    format!(
        "fill the table by a migration, or leave it empty: write `rows = 0` under [{}]",
        header(table)
    )
}

//! From schema and spec to a plan: everything that can be decided, or refused, before a row is made.

mod bounds;
mod circles;
mod columns;
mod distinct;
mod distinct_parents;
mod elements;
mod enumerations;
mod exclusions;
mod formula;
mod gaps;
mod joined_references;
mod key_columns;
mod key_units;
mod keys;
mod links;
mod measured;
mod named;
mod nowhere;
mod order;
mod own_children;
mod partial_keys;
mod partitions;
mod places;
mod polymorphic;
mod references;
mod repeated_columns;
mod roles;
mod rows;
mod shapes;
mod shares;
mod sizes;
mod spans;
mod stages;
mod statistics;
mod stricter;
mod stricter_keys;
mod subset;
mod table;
mod titles;
mod variants;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(in crate::seed) use self::columns::PLAIN;
use self::references::{Origin, Reference};
use self::repeated_columns::Within;
use super::check::Atom;
use super::clock::Clock;
use super::describe::header;
use super::generators::Locale;
use super::plan::{SeedPlan, TablePlan};
use super::random::Key;
use super::spec::{Spec, TableSpec};
use crate::profile::model::Profile;
use crate::profile::twin::Twin;
use crate::schema::{QualifiedName, Schema, Table, TableKind};
use crate::source::{SourceError, nearest};
use crate::sql::constants::Constant;
use crate::sql::joins::Join;

pub(crate) use roles::is_of_owners_or_people;

/// What the caller decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// `[dataset] seed`.
    pub seed: u64,
    /// `[dataset] scale`: multiplies every count of 1000 rows and more.
    pub scale: f64,
    /// Rows of a table that no spec names.
    pub default_rows: DefaultRows,
    /// Rows of every table, whatever the spec says.
    pub all_rows: Option<u64>,
    /// Rows of single tables, whatever the spec says; by name.
    pub table_rows: BTreeMap<String, u64>,
    /// Names and places.
    pub locale: &'static Locale,
    /// Bytes that all tables and indexes together come to: sets the scale.
    pub target_bytes: Option<u64>,
    /// Only this share of the rows, with every row that they point to.
    pub subset: Option<f64>,
    /// The dataset's "now": where inferred times end.
    pub clock: Clock,
    /// What the catalog's queries say of the data.
    pub constants: Vec<Constant>,
    /// The columns that each of them compares with each other.
    pub joins: Vec<Vec<Join>>,
    /// OIDs of tables that stay empty, since their rows cannot be made.
    pub left_empty: BTreeSet<u32>,
    /// Statistics of production, which the rows shall have where the spec says nothing else.
    pub profile: Option<Arc<Profile>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 42,
            scale: 1.0,
            default_rows: DefaultRows::Fixed(1000),
            all_rows: None,
            table_rows: BTreeMap::new(),
            locale: Locale::default_locale(),
            target_bytes: None,
            subset: None,
            clock: Clock::default(),
            constants: Vec::new(),
            joins: Vec::new(),
            left_empty: BTreeSet::new(),
            profile: None,
        }
    }
}

/// Rows of tables that nobody counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultRows {
    /// As many in each.
    Fixed(u64),
    /// By the table's role, times this.
    ByRole(f64),
    /// By the table's role, so that all tables and indexes come to this many bytes, if that is no absurd number of rows.
    Fitted(u64),
    /// The same, as somebody asked for: however many rows that takes.
    Asked(u64),
}

/// Rows that a table holds already: kept, and pointed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredRows {
    /// How many.
    pub count: u64,
    /// By column name: every row's cell in COPY BINARY's form, with its length.
    pub cells: BTreeMap<String, Vec<Box<[u8]>>>,
}

/// Why no plan could be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeedError {
    /// A mistake in a spec file.
    #[error(transparent)]
    Spec(#[from] SourceError),
    /// A constraint or type that generation cannot meet alone.
    #[error("table {table}: {what}; {remedy}")]
    Unsolvable {
        /// The table.
        table: String,
        /// The constraint or column, and what stands in the way.
        what: String,
        /// The line to write.
        remedy: String,
    },
    /// An option names a table that is not there.
    #[error("there is no table {name}{}", .near.as_ref().map(|near| format!(" (did you mean {near}?)")).unwrap_or_default())]
    UnknownTable {
        /// As given.
        name: String,
        /// The nearest one.
        near: Option<String>,
    },
}

impl SeedError {
    /// The table whose rows cannot be made.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Unsolvable { table, .. } => Some(table),
            Self::Spec(_) | Self::UnknownTable { .. } => None,
        }
    }

    /// Whether it costs one table its rows, and is no mistake of the spec or the options.
    #[must_use]
    pub fn is_of_a_table(&self) -> bool {
        self.table().is_some()
    }
}

/// What cannot be planned, and what can.
#[derive(Debug)]
pub struct Refusal {
    /// Every mistake and every constraint that cannot be met.
    pub errors: Vec<SeedError>,
    /// The plan of all other tables: those that are refused, and those that point to them, have no rows here.
    pub sound: SeedPlan,
}

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
                plan.notes.extend(references::notes(schema, &references));
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

/// References (table, name) that names and types suggest: they must not cost a table its rows.
#[derive(Debug, Clone, Default)]
struct Inferred {
    keys: BTreeSet<(u32, String)>,
    /// Those of them that only choose among a parent's rows.
    within: Within,
}

fn planned(
    schema: &Schema,
    spec: &Spec,
    options: &Options,
    stored: &BTreeMap<u32, StoredRows>,
    mut inferred: Inferred,
) -> Result<SeedPlan, Box<Refusal>> {
    let (mut limits, mut open, mut even) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    // What stricter keys require of the columns that they point to; not required again where it stood in the way.
    let (mut requirements, mut may_require) = (Requirements::new(), true);
    // Tables whose counts the last pass changed.
    let mut changed: Vec<QualifiedName> = Vec::new();
    // Why counts were lowered: a pass that begins with the lower count has no reason to say it again.
    let mut lowered: Vec<String> = Vec::new();
    // A count that a constraint lowers changes what other tables can point to: again with the lower count.
    for _ in 0..PASSES {
        let mut resolver = Resolver::new(
            schema,
            spec,
            options,
            stored,
            (limits.clone(), open.clone()),
        );
        (resolver.requirements, resolver.may_require) = (requirements.clone(), may_require);
        resolver.even = even.clone();
        resolver.inferred = inferred.clone();
        resolver.plan_rows();
        for index in 0..resolver.ordered.len() {
            let known = resolver.errors.len();
            resolver.plan_table(index);
            resolver.join_own_children(index);
            if resolver.errors[known..]
                .iter()
                .any(|error| matches!(error, SeedError::Spec(_)))
            {
                resolver.misread.insert(resolver.ordered[index].oid);
            }
        }
        if resolver.requirements.len() > requirements.len() {
            requirements = resolver.requirements;
            continue;
        }
        if resolver.even.len() > even.len() {
            even = resolver.even;
            continue;
        }
        let circle = resolver.circle();
        if circle.iter().any(|key| inferred.keys.contains(key)) {
            // Names alone lead in no circle: one that they seem to close is none.
            inferred.keys.retain(|key| !circle.contains(key));
            open.extend(
                circle
                    .into_iter()
                    .filter(|key| resolver.inferred.keys.contains(key)),
            );
            continue;
        }
        if !circle.is_empty() {
            open.extend(circle);
            continue;
        }
        if resolver.empty_the_orphaned() || resolver.has_stale_links() {
            let tables = resolver.plan.tables.iter();
            changed = tables
                .filter(|table| limits.get(&table.oid) != Some(&table.rows))
                .map(|table| table.name.clone())
                .collect();
            limits.extend(
                resolver
                    .plan
                    .tables
                    .iter()
                    .map(|table| (table.oid, table.rows)),
            );
            lowered.append(&mut resolver.plan.notes);
            continue;
        }
        if may_require && !resolver.errors.is_empty() && !requirements.is_empty() {
            may_require = resolver.relax(&mut requirements);
            continue;
        }
        if !resolver.errors.is_empty() {
            return Err(Box::new(resolver.into_refusal()));
        }
        resolver.note_repeats();
        resolver.measure_widths();
        resolver.compare_with_spec();
        return Ok(SeedPlan {
            notes: each_once(lowered, resolver.plan.notes),
            ..resolver.plan
        });
    }
    const WHAT: &str = "the row counts of tables that reference each other do not settle";
    let mut unsettled: Vec<SeedError> = changed
        .iter()
        .map(|table| SeedError::Unsolvable {
            table: table.to_string(),
            what: WHAT.to_owned(),
            remedy: format!("write `rows = …` under [{}]", header(table)),
        })
        .collect();
    if unsettled.is_empty() {
        unsettled.push(SeedError::Unsolvable {
            table: "of several".to_owned(),
            what: WHAT.to_owned(),
            remedy: "write `rows` for each of them in the spec".to_owned(),
        });
    }
    Err(Box::new(Refusal {
        errors: unsettled,
        sound: SeedPlan::empty(options.seed),
    }))
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

/// What columns (table, name) should be, so that keys of stricter types can point to them.
type Requirements = BTreeMap<(u32, String), Vec<Atom>>;

/// How often counts may be lowered.
const PASSES: usize = 16;

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
        (limits, open): (BTreeMap<u32, u64>, BTreeSet<(u32, String)>),
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
            limits,
            open,
            link_keys: vec![Vec::new(); ordered.len()],
            shared_keys: links::shared_keys(schema),
            even: BTreeSet::new(),
            inferred: Inferred::default(),
            repeats: Vec::new(),
            referenced: links::referenced(schema),
            index: ordered
                .iter()
                .enumerate()
                .map(|(index, table)| (table.oid, index))
                .collect(),
            ordered,
            own_children: Vec::new(),
            requirements: Requirements::new(),
            may_require: true,
            plan: SeedPlan::empty(options.seed),
            errors,
            misread,
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

/// Tables whose rows tools keep for themselves.
const BOOKKEEPING: &[&str] = &[
    "_sqlx_migrations",
    "schema_migrations",
    "ar_internal_metadata",
    "flyway_schema_history",
    "__diesel_schema_migrations",
    "goose_db_version",
    "alembic_version",
    "django_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "_prisma_migrations",
    "refinery_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "atlas_schema_revisions",
    "gorp_migrations",
    "__efmigrationshistory",
    "typeorm_metadata",
];

/// Whether seeding looks at a table at all: not foreign ones, not partitions (their root does), not migration tools'.
#[must_use]
pub fn is_seeded(table: &Table) -> bool {
    let bookkeeping = BOOKKEEPING.contains(&table.name.name.to_ascii_lowercase().as_str());
    match table.kind {
        TableKind::Ordinary | TableKind::Partitioned => {
            table.partition_of.is_none() && !bookkeeping
        }
        TableKind::Foreign => false,
    }
}

/// A table by the name that a person wrote: `orders` or `shop.orders`.
pub(crate) fn find_table<'s>(schema: &'s Schema, name: &str) -> Option<&'s Table> {
    schema
        .table(None, name)
        .or_else(|| {
            name.split_once('.')
                .and_then(|(namespace, name)| schema.table(Some(namespace), name))
        })
        .filter(|table| table.partition_of.is_none())
}

fn nearest_table(schema: &Schema, name: &str) -> Option<String> {
    nearest(
        name,
        schema
            .tables
            .iter()
            .filter(|t| is_seeded(t))
            .map(|table| table.name.name.as_str()),
    )
    .map(str::to_owned)
}

fn match_specs<'a>(
    schema: &Schema,
    spec: &'a Spec,
    errors: &mut Vec<SeedError>,
    misread: &mut BTreeSet<u32>,
) -> BTreeMap<u32, &'a TableSpec> {
    let mut specs = BTreeMap::new();
    for table_spec in &spec.tables {
        let name = &table_spec.name;
        let Some(table) = find_table(schema, &name.text) else {
            let error = name.error(format!("there is no table {}", name.text));
            let error = match nearest_table(schema, &name.text) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            };
            errors.push(error.into());
            continue;
        };
        for column in &table_spec.columns {
            if table.column(&column.name.text).is_none() {
                let error = column.name.error(format!(
                    "table {} has no column {}",
                    table.name, column.name.text
                ));
                let error = match nearest(
                    &column.name.text,
                    table.columns.iter().map(|c| c.name.as_str()),
                ) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                };
                errors.push(error.into());
                misread.insert(table.oid);
            }
        }
        specs.insert(table.oid, table_spec);
    }
    specs
}

fn check_table_rows(schema: &Schema, options: &Options, errors: &mut Vec<SeedError>) {
    for name in options.table_rows.keys() {
        if find_table(schema, name).is_none() {
            errors.push(SeedError::UnknownTable {
                name: name.clone(),
                near: nearest_table(schema, name),
            });
        }
    }
}

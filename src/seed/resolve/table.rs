//! One table: its columns, links, keys, bounds, variants and partitions, in this order.

use std::collections::{BTreeMap, BTreeSet};

use super::Resolver;
use super::formula::formula;
use super::polymorphic::CountedPair;
use crate::schema::{Check, Column, KeyPart, Schema, Table};
use crate::seed::check::{Atom, ColumnFacts, Facts, alternatives};
use crate::seed::clock::Clock;
use crate::seed::expression::{Expression, Relation};
use crate::seed::plan::{
    Arms, Bound, ColumnPlan, Computed, Draw, Fill, Generator, Link, LinkChoice, Literal, Nulls,
    OpaqueCheck, Variants,
};
use crate::seed::random::Key;
use crate::seed::spec::{ColumnSpec, TableSpec};
use crate::seed::types::{TypeClass, classify};

/// A column while its plan is being made.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    pub column: &'a Column,
    pub class: TypeClass,
    pub spec: Option<&'a ColumnSpec>,
    pub key: Key,
    pub nulls: Nulls,
    pub draw: Draw,
    pub generator: Generator,
    /// Text forms and weights, where the generator draws from a list.
    pub choices: Option<Vec<(String, f64)>>,
    /// What the constraints say of it in every row.
    pub facts: ColumnFacts,
    /// Every row has its own value.
    pub unique: bool,
    /// Follows from a link or a key and must not be changed.
    pub fixed: bool,
    /// What is different in some variants.
    pub arms: Option<Arms>,
    /// Constants that only the server can read.
    pub literals: Option<Vec<String>>,
}

/// A constraint that can be met in several ways.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub name: String,
    pub alternatives: Vec<Vec<Atom>>,
}

/// A table while its plan is being made.
#[derive(Debug, Clone)]
pub(super) struct TableDraft<'a> {
    pub table: &'a Table,
    pub rows: u64,
    pub key: Key,
    pub columns: Vec<Draft<'a>>,
    pub links: Vec<Link>,
    /// For each link its foreign key's columns, as indexes of `columns`.
    pub link_columns: Vec<Vec<usize>>,
    /// What holds in every row.
    pub facts: Facts,
    /// Constraints with alternatives.
    pub choices: Vec<Choice>,
    /// Constraints that were not understood.
    pub opaque_checks: Vec<OpaqueCheck>,
    pub variants: Option<Variants>,
    /// Columns that a key needs in every row, though they may be NULL.
    pub needed: BTreeSet<usize>,
    /// Conditions of the rows that are kept.
    pub kept_where: BTreeMap<String, String>,
    /// Polymorphic pairs that a unique key counts.
    pub counted_pairs: Vec<CountedPair>,
    /// The dataset's "now".
    pub clock: Clock,
}

impl TableDraft<'_> {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|draft| draft.column.name == name)
    }

    /// Bounds of a scalar column; `None` for others.
    pub(super) fn bounds_mut(&mut self, column: usize) -> Option<&mut Vec<Bound>> {
        match &mut self.columns[column].generator {
            Generator::Scalar(scalar) => Some(&mut scalar.bounds),
            _ => None,
        }
    }
}

/// Columns that get a value, in the order of COPY's column list: not generated ones, and not those of a type without
/// a generator that may stay at their default or NULL.
pub(super) fn written_columns<'t>(
    schema: &'t Schema,
    table: &'t Table,
    spec: Option<&'t TableSpec>,
) -> impl Iterator<Item = &'t Column> {
    let of = move |name: &str| {
        spec.and_then(|spec| spec.columns.iter().find(|column| column.name.text == name))
    };
    let said = move |name: &str| of(name).is_some();
    let computed = move |name: &str| of(name).is_some_and(|column| column.expression.is_some());
    table.columns.iter().filter(move |column| {
        let unknown = (column.default.is_some() || !column.not_null)
            && !said(&column.name)
            && matches!(
                classify(schema, &column.data_type).base(),
                TypeClass::Unknown(_)
            );
        column.generated.is_none() && !unknown && !computed(&column.name)
    })
}

impl<'a> Resolver<'a> {
    pub(super) fn plan_table(&mut self, index: usize) {
        let table: &'a Table = self.ordered[index];
        if self.plan.tables[index].fill == Fill::Keep {
            self.keep_table(index, table);
            return;
        }
        let spec = self.specs.get(&table.oid).copied();
        let mut draft = TableDraft {
            table,
            rows: self.plan.tables[index].rows,
            key: self.key.derive(&table.name.sql()),
            columns: Vec::new(),
            links: Vec::new(),
            link_columns: Vec::new(),
            facts: Facts::default(),
            choices: Vec::new(),
            opaque_checks: Vec::new(),
            variants: None,
            needed: BTreeSet::new(),
            kept_where: BTreeMap::new(),
            counted_pairs: Vec::new(),
            clock: self.options.clock,
        };
        self.collect_facts(&mut draft);
        for column in written_columns(self.schema, table, spec) {
            let column_spec =
                spec.and_then(|spec| spec.columns.iter().find(|c| c.name.text == column.name));
            let class = classify(self.schema, &column.data_type);
            let mut planned = self.plan_column(&draft, column, class, column_spec);
            // A row that others may point to has something to point to.
            if matches!(planned.nulls, Nulls::Share { .. })
                && self.referenced.contains(&(table.oid, &column.name))
            {
                planned.nulls = Nulls::Never;
            }
            draft.columns.push(planned);
        }
        super::places::agree(&mut draft);
        super::titles::slugs(&mut draft);
        self.plan_links(index, &mut draft);
        self.plan_partition_key(&mut draft);
        self.plan_exclusions(&mut draft);
        self.plan_keys(&mut draft);
        self.plan_dependence(&mut draft);
        self.join_columns(&mut draft);
        self.plan_bounds(&mut draft);
        super::spans::plan(&mut draft);
        self.rule_out_keys(&mut draft);
        self.plan_variants(&mut draft);
        self.plan_polymorphic(index, &mut draft);
        self.plan_elements(index, &mut draft);
        super::distinct::tell_apart(&mut draft, &mut self.plan.notes);
        self.name_rows(&mut draft);
        self.finish(index, draft);
    }

    /// A table that keeps its rows: every column that is pointed to shows what is stored.
    fn keep_table(&mut self, index: usize, table: &Table) {
        let Some(stored) = self.stored.get(&table.oid) else {
            return;
        };
        self.plan.tables[index].columns = written_columns(self.schema, table, None)
            .map(|column| ColumnPlan {
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                key: self.key,
                nulls: Nulls::Never,
                draw: Draw::Row,
                generator: Generator::Stored(
                    stored
                        .cells
                        .get(&column.name)
                        .cloned()
                        .unwrap_or_default()
                        .into(),
                ),
                choices: None,
                arms: None,
            })
            .collect();
    }

    fn collect_facts(&mut self, draft: &mut TableDraft<'_>) {
        let table = draft.table;
        let spec = self.specs.get(&table.oid).copied();
        // One that is not validated holds for new rows all the same.
        for check in &table.checks {
            add_check(draft, check, None);
        }
        for column in written_columns(self.schema, table, spec) {
            for check in classify(self.schema, &column.data_type).checks() {
                add_check(draft, check, Some(&column.name));
            }
        }
        let wanted = self
            .requirements
            .iter()
            .filter(|((oid, _), _)| *oid == table.oid);
        draft
            .facts
            .atoms
            .extend(wanted.flat_map(|(_, atoms)| atoms.iter().cloned()));
        super::spans::add_order(self.schema, draft);
        add_casts(draft, self.schema);
    }

    fn finish(&mut self, index: usize, mut draft: TableDraft<'a>) {
        for link in draft.links.iter_mut().filter(|link| link.parent == index) {
            link.parent_rows = draft.rows;
        }
        for (column, planned) in draft.columns.iter_mut().enumerate() {
            let (Some(texts), Some(spec)) = (planned.literals.take(), planned.spec) else {
                continue;
            };
            self.plan.literals.push(Literal {
                table: index,
                column,
                type_name: planned.column.data_type.name.clone(),
                texts,
                place: spec.name.clone(),
            });
        }
        let table = draft.table;
        let plan = &mut self.plan.tables[index];
        plan.rows = draft.rows;
        plan.links = draft.links;
        plan.involved = draft.variants.is_some() || !draft.facts.atoms.iter().all(is_simple);
        plan.opaque_checks = draft.opaque_checks;
        plan.kept_where = draft.kept_where.into_values().collect();
        plan.variants = draft.variants;
        plan.columns = draft
            .columns
            .into_iter()
            .map(|draft| ColumnPlan {
                name: draft.column.name.clone(),
                data_type: draft.column.data_type.clone(),
                key: draft.key,
                nulls: draft.nulls,
                draw: draft.draw,
                generator: draft.generator,
                choices: draft.choices.map(Vec::into_boxed_slice),
                arms: draft.arms.map(Box::new),
            })
            .collect();
        self.plan_expressions(index, table);
        self.plan_partitions(index);
    }

    /// Columns that the spec computes from others: here where that is sure to mean the same, else by the server.
    fn plan_expressions(&mut self, index: usize, table: &Table) {
        let Some(spec) = self.specs.get(&table.oid) else {
            return;
        };
        let plan = &mut self.plan.tables[index];
        plan.expressions.clear();
        let made = plan.columns.len();
        for column in &spec.columns {
            let Some(expression) = &column.expression else {
                continue;
            };
            let found = table
                .columns
                .iter()
                .find(|found| found.name == column.name.text);
            let formula = found.and_then(|found| {
                let TypeClass::Scalar(encoding) = classify(self.schema, &found.data_type) else {
                    return None;
                };
                let formula =
                    formula(&expression.text, encoding, &plan.columns[..made], plan.rows)?;
                Some((found, Generator::Formula { formula, encoding }))
            });
            match formula {
                Some((found, generator)) => plan.columns.push(ColumnPlan {
                    name: found.name.clone(),
                    data_type: found.data_type.clone(),
                    key: self.key,
                    nulls: Nulls::Never,
                    draw: Draw::Row,
                    generator,
                    choices: None,
                    arms: None,
                }),
                None => plan.expressions.push(Computed {
                    column: column.name.text.clone(),
                    expression: expression.clone(),
                }),
            }
        }
    }

    /// Leaves tables empty of which a key that is never NULL has no row to point to; says whether there are such.
    pub(super) fn empty_the_orphaned(&mut self) -> bool {
        let before = self.plan.notes.len();
        loop {
            let orphaned = self
                .plan
                .tables
                .iter()
                .enumerate()
                .find_map(|(index, table)| {
                    let lost = |link: usize| {
                        table.links[link].parent != index
                            && self.plan.tables[table.links[link].parent].rows == 0
                    };
                    let needed = |column: &&ColumnPlan| match column.generator {
                        Generator::Parent { link, .. } => {
                            // One that may be NULL is, in the next pass, if nothing else is in the way.
                            let known = self.ordered[index]
                                .column(&column.name)
                                .is_some_and(|column| column.not_null)
                                || table.links[link].parent_rows == 0;
                            lost(link) && column.nulls == Nulls::Never && known
                        }
                        _ => false,
                    };
                    let column = table
                        .columns
                        .iter()
                        .find(needed)
                        .filter(|_| table.rows > 0 && table.fill != Fill::Keep)?;
                    let Generator::Parent { link, .. } = column.generator else {
                        return None;
                    };
                    Some((
                        index,
                        self.link_keys[index].get(link)?.clone(),
                        table.links[link].parent,
                    ))
                });
            let Some((index, key, parent)) = orphaned else {
                return self.plan.notes.len() > before;
            };
            let (table, parent) = (
                &self.plan.tables[index].name,
                &self.plan.tables[parent].name,
            );
            let note = format!(
                "{table}: no rows, because foreign key {key} needs one of {parent}, which has none"
            );
            self.plan.notes.push(note);
            self.plan.tables[index].rows = 0;
        }
    }

    /// Whether rows of a table were lowered after another table's links had been planned.
    pub(super) fn has_stale_links(&self) -> bool {
        self.plan
            .tables
            .iter()
            .flat_map(|table| &table.links)
            .any(|link| {
                link.parent_rows > self.plan.tables[link.parent].rows
                    && !matches!(link.choice, LinkChoice::Earlier { .. })
            })
    }
}

/// Texts that an index or a computed column reads as something else must be of its form.
fn add_casts(draft: &mut TableDraft<'_>, schema: &Schema) {
    let keys = draft
        .table
        .indexes
        .iter()
        .flat_map(|index| &index.keys)
        .filter_map(|key| match &key.part {
            KeyPart::Expression(text) => Some(text),
            KeyPart::Column(_) => None,
        });
    let computed = draft
        .table
        .columns
        .iter()
        .filter_map(|column| column.generated.as_ref());
    let predicates = draft
        .table
        .indexes
        .iter()
        .filter_map(|index| index.predicate.as_ref());
    let mut casts = BTreeSet::new();
    for expression in keys
        .chain(computed)
        .chain(predicates)
        .filter_map(|text| Expression::parse(text).ok())
    {
        expression.visit(&mut |inner| {
            if let Expression::Cast { of, to } = inner
                && let Some(column) = of.column()
            {
                casts.insert((column.to_owned(), to.clone()));
            }
        });
    }
    for (name, to) in casts {
        let Some(column) = draft.table.column(&name) else {
            continue;
        };
        let class = classify(schema, &column.data_type);
        let TypeClass::Text { max_chars, .. } = class.base() else {
            continue;
        };
        if let Some(pattern) = form_of(&to, *max_chars) {
            draft.facts.atoms.push(Atom::Matches {
                column: name,
                pattern,
                negated: false,
            });
        }
    }
}

/// The form of texts that a type's input takes; `None` for types that take any, or many.
fn form_of(type_name: &str, max_chars: u32) -> Option<String> {
    let digits = match max_chars {
        0 => 8,
        max => max.min(8),
    };
    let form = match type_name
        .split_once('(')
        .map_or(type_name, |(name, _)| name)
        .trim()
    {
        "smallint" => "[1-9][0-9]{0,3}".to_owned(),
        "integer" | "bigint" | "numeric" | "real" | "double precision" => {
            format!("[1-9][0-9]{{0,{}}}", digits.saturating_sub(1))
        }
        "boolean" => "(true|false)".to_owned(),
        "uuid" => "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}".to_owned(),
        "inet" => "10\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[1-9]".to_owned(),
        "jsonb" | "json" => "\\{\"[a-z]{3,8}\": [1-9][0-9]{0,3}\\}".to_owned(),
        _ => return None,
    };
    Some(format!("^{form}$"))
}

/// What generators obey by their limits alone.
fn is_simple(atom: &Atom) -> bool {
    match atom {
        Atom::In {
            values, negated, ..
        } => !negated || values.iter().all(String::is_empty),
        Atom::Compare(linear) => linear.terms.len() == 1 && linear.relation != Relation::NotEqual,
        Atom::Null { .. } | Atom::Length { .. } => true,
        Atom::Matches { .. }
        | Atom::Part { .. }
        | Atom::Items { .. }
        | Atom::Elements { .. }
        | Atom::Contains { .. }
        | Atom::Lower { .. }
        | Atom::Upper { .. }
        | Atom::JsonType { .. }
        | Atom::JsonKey { .. }
        | Atom::Grain { .. }
        | Atom::NotEmpty { .. }
        | Atom::RangeEnd { .. }
        | Atom::Within { .. }
        | Atom::Opaque(_)
        | Atom::False => false,
    }
}

/// `x IS NULL OR p(x)` asks no more than `p(x)`: a CHECK holds where its condition is NULL.
fn unless_null(found: &[Vec<Atom>]) -> Option<Vec<Atom>> {
    let [one, other] = found else {
        return None;
    };
    let null_of = |atoms: &[Atom]| match atoms {
        [
            Atom::Null {
                column,
                negated: false,
            },
        ] => Some(column.clone()),
        _ => None,
    };
    let (name, required) = match (null_of(one), null_of(other)) {
        (Some(name), None) => (name, other),
        (None, Some(name)) => (name, one),
        _ => return None,
    };
    let about_it = |atom: &&Atom| match atom {
        Atom::In { column, .. }
        | Atom::Matches { column, .. }
        | Atom::Length { column, .. }
        | Atom::Lower { column }
        | Atom::Upper { column } => *column == name,
        Atom::Compare(linear) => {
            matches!(linear.terms.as_slice(), [(column, _)] if *column == name)
        }
        _ => false,
    };
    let is_there =
        |atom: &Atom| matches!(atom, Atom::Null { column, negated: true } if *column == name);
    let rest: Vec<Atom> = required
        .iter()
        .filter(|atom| !is_there(atom))
        .cloned()
        .collect();
    (!rest.is_empty() && rest.iter().all(|atom| about_it(&atom))).then_some(rest)
}

/// Patterns of one column of which a text may match any, as one.
fn one_pattern(found: &[Vec<Atom>]) -> Option<Atom> {
    let mut of: Option<&String> = None;
    let mut patterns = Vec::new();
    for atom in found.iter().flatten() {
        let Atom::Matches {
            column,
            pattern,
            negated,
        } = atom
        else {
            return None;
        };
        if of.is_some_and(|of| of != column) {
            return None;
        }
        of = Some(column);
        // That another way is not taken is said of each way, too.
        if !negated {
            patterns.push(format!("(?:{pattern})"));
        }
    }
    let either = found.len() > 1 && patterns.len() == found.len();
    either.then(|| Atom::Matches {
        column: of.cloned().unwrap_or_default(),
        pattern: patterns.join("|"),
        negated: false,
    })
}

/// Adds what a constraint says; a domain's for a column of it.
fn add_check(draft: &mut TableDraft<'_>, check: &Check, column: Option<&str>) {
    let opaque_check = |reason: String| OpaqueCheck {
        constraint: check.name.clone(),
        expression: check.expression.clone(),
        reason,
    };
    let expression = match Expression::parse(&check.expression) {
        Ok(expression) => expression,
        Err(error) => {
            draft.opaque_checks.push(opaque_check(error.to_string()));
            return;
        }
    };
    let expression = match column {
        Some(column) => expression.with_value_named(column),
        None => expression,
    };
    let mut found = alternatives(&expression, false);
    let opaque = found.iter().flatten().find_map(|atom| match atom {
        Atom::Opaque(text) => Some(text.clone()),
        _ => None,
    });
    if let Some(text) = opaque {
        draft
            .opaque_checks
            .push(opaque_check(format!("`{text}` is not understood")));
        // An alternative that is understood is better than one that is not.
        if found
            .iter()
            .any(|atoms| !atoms.iter().any(|atom| matches!(atom, Atom::Opaque(_))))
        {
            found.retain(|atoms| !atoms.iter().any(|atom| matches!(atom, Atom::Opaque(_))));
        }
    }
    if let Some(either) = one_pattern(&found) {
        found = vec![vec![either]];
    }
    if let Some(required) = unless_null(&found) {
        found = vec![required];
    }
    match found.len() {
        1 => draft.facts.atoms.extend(found.remove(0)),
        _ => draft.choices.push(Choice {
            name: check.name.clone(),
            alternatives: found,
        }),
    }
}

//! Constraints that can be met in several ways ("shipped rows have a date", "exactly one of three owners"): the rows are
//! shared out among variants, in each of which one way is taken.

use std::collections::BTreeSet;

use super::Resolver;
use super::bounds::bind_arm;
use super::table::{Choice, TableDraft};
use crate::seed::Evaluator;
use crate::seed::check::{Atom, ColumnFacts, Facts, Linear};
use crate::seed::expression::Relation;
use crate::seed::infer::Context;
use crate::seed::infer::obey::{Origin, Value, obey};
use crate::seed::infer::values::source_range;
use crate::seed::plan::{
    Arms, ColumnPlan, Generator, LinkChoice, Nulls, OpaqueCheck, Scalar, ScalarSource, Variants,
    Weights,
};
use crate::seed::types::{ScalarEncoding, literal};

/// More kinds of rows than this are not told apart.
const MOST: usize = 48;

impl<'a> Resolver<'a> {
    pub(super) fn plan_variants(&mut self, draft: &mut TableDraft<'a>) {
        if draft.choices.is_empty() {
            return;
        }
        let mut variants: Vec<Vec<Atom>> = vec![Vec::new()];
        let mut ruled_out: Vec<(usize, Vec<String>)> = Vec::new();
        for mut choice in std::mem::take(&mut draft.choices) {
            leave_keys_alone(draft, &mut choice, &mut ruled_out);
            leave_generators_alone(draft, &mut choice);
            if choice
                .alternatives
                .iter()
                .any(|atoms| !has_null(draft, &draft.needed, atoms))
            {
                choice
                    .alternatives
                    .retain(|atoms| !has_null(draft, &draft.needed, atoms));
            }
            let next: Vec<Vec<Atom>> = variants
                .iter()
                .flat_map(|atoms| {
                    choice
                        .alternatives
                        .iter()
                        .map(move |more| atoms.iter().chain(more).cloned().collect())
                })
                .filter(|atoms: &Vec<Atom>| {
                    is_possible(draft, atoms) && self.is_reached(draft, atoms)
                })
                .collect();
            if next.is_empty() {
                draft.opaque_checks.push(OpaqueCheck {
                    constraint: choice.name.clone(),
                    expression: String::new(),
                    reason: "it contradicts the table's other constraints or the spec".to_owned(),
                });
                continue;
            }
            variants = thin(next);
        }
        self.rule_out(draft, &ruled_out);
        let mut weights: Vec<f64> = variants.iter().map(|atoms| weight(draft, atoms)).collect();
        super::shares::fit(draft, &variants, &mut weights);
        let full: Vec<Facts> = variants
            .iter()
            .map(|atoms| Facts {
                atoms: draft.facts.atoms.iter().chain(atoms).cloned().collect(),
            })
            .collect();
        self.free_links(draft, &full);
        for column in 0..draft.columns.len() {
            self.plan_arms(draft, column, &full);
        }
        let opaque_checks = draft.opaque_checks.len();
        let mut bound = vec![true; variants.len()];
        for (variant, atoms) in variants.iter().enumerate() {
            bound[variant] = bind_sums(
                draft,
                variant,
                &Facts {
                    atoms: atoms.clone(),
                },
            );
        }
        // Ways that cannot be kept are not taken where there is another one.
        if bound.contains(&true)
            && bound
                .iter()
                .zip(&weights)
                .any(|(bound, weight)| *bound && *weight > 0.0)
        {
            weights
                .iter_mut()
                .zip(&bound)
                .filter(|(_, bound)| !**bound)
                .for_each(|(weight, _)| *weight = 0.0);
            draft.opaque_checks.truncate(opaque_checks);
        }
        let root = root(draft, &full, &weights);
        draft.variants = Some(Variants {
            key: draft.key.derive("variant"),
            weights: Weights::new(&weights),
            root,
            needed: needed(draft, &full, &weights),
        });
    }

    /// Values that CHECKs forbid for keys in every row.
    pub(super) fn rule_out_keys(&self, draft: &mut TableDraft<'a>) {
        let ruled_out: Vec<(usize, Vec<String>)> = draft
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| {
                matches!(column.generator, Generator::Parent { .. })
                    && !column.facts.excluded.is_empty()
            })
            .map(|(at, column)| (at, column.facts.excluded.clone()))
            .collect();
        self.rule_out(draft, &ruled_out);
        for column in 0..draft.columns.len() {
            let Generator::Parent {
                link,
                table,
                column: at,
                ..
            } = draft.columns[column].generator
            else {
                continue;
            };
            let Some(list) = draft.columns[column].facts.lists.first() else {
                continue;
            };
            if !draft.links[link].only.is_empty() {
                continue;
            }
            let steps = matches!(
                draft.links[link].choice,
                LinkChoice::Uniform | LinkChoice::Skewed { .. }
            );
            if steps && self.is_planned(table) {
                let class = &draft.columns[column].class;
                let cells: Vec<Box<[u8]>> = list
                    .iter()
                    .filter_map(|text| literal::cell(class, text))
                    .collect();
                draft.links[link].only = self.rows_with(table, at, &cells);
            }
        }
    }

    /// Whether some row of a referenced table has a key that a comparison allows, of keys that count.
    fn is_reached(&self, draft: &TableDraft<'a>, atoms: &[Atom]) -> bool {
        let range = |name: &str| {
            let generator = &draft.columns[draft.position(name)?].generator;
            let Generator::Parent { table, column, .. } = generator else {
                return None;
            };
            let planned = self.plan.tables.get(*table)?;
            match &planned.columns.get(*column)?.generator {
                Generator::Scalar(Scalar {
                    source: ScalarSource::Sequence { start, step },
                    ..
                }) => {
                    let last = planned.rows.saturating_sub(1) as f64;
                    Some((*start as f64, *start as f64 + *step as f64 * last))
                }
                Generator::Scalar(scalar) if scalar.encoding.decimals() == 0 => {
                    let (low, high) = source_range(scalar);
                    let whole = matches!(
                        scalar.encoding,
                        ScalarEncoding::Int2 | ScalarEncoding::Int4 | ScalarEncoding::Int8
                    );
                    whole.then_some((low as f64, high as f64))
                }
                _ => None,
            }
        };
        atoms.iter().all(|atom| {
            let Atom::Compare(linear) = atom else {
                return true;
            };
            let constant = linear
                .constant
                .as_ref()
                .and_then(|text| text.parse::<f64>().ok());
            let ([(name, times)], Some(constant)) = (linear.terms.as_slice(), constant) else {
                return true;
            };
            let times = *times as f64;
            range(name).is_none_or(|(first, last)| {
                let holds = |value: f64| linear.relation.holds(value * times, constant);
                let (low, high) = (
                    (first * times).min(last * times),
                    (first * times).max(last * times),
                );
                holds(first) || holds(last) || (low..=high).contains(&constant)
            })
        })
    }

    fn is_planned(&self, table: usize) -> bool {
        self.plan
            .tables
            .get(table)
            .is_some_and(|table| !table.columns.is_empty())
    }

    /// Values of keys that no row may have.
    pub(super) fn rule_out(&self, draft: &mut TableDraft<'a>, ruled_out: &[(usize, Vec<String>)]) {
        for (column, values) in ruled_out {
            let class = draft.columns[*column].class.clone();
            match &mut draft.columns[*column].generator {
                Generator::Scalar(Scalar {
                    encoding,
                    source: ScalarSource::Sequence { start, step },
                    ..
                }) => {
                    let last = values
                        .iter()
                        .filter_map(|text| literal::scalar(text, *encoding))
                        .max();
                    // Only what the sequence would come to.
                    if let Some(last) = last.filter(|last| *last >= *start) {
                        *start = last.saturating_add((*step).max(1));
                    }
                }
                Generator::Parent {
                    link,
                    table,
                    column,
                    ..
                } => {
                    let (link, table, column) = (*link, *table, *column);
                    let cells: Vec<Box<[u8]>> = values
                        .iter()
                        .filter_map(|text| literal::cell(&class, text))
                        .collect();
                    let steps = matches!(
                        draft.links[link].choice,
                        LinkChoice::Uniform | LinkChoice::Skewed { .. }
                    );
                    if steps && self.is_planned(table) {
                        draft.links[link].skip = self.rows_with(table, column, &cells);
                    }
                }
                _ => {}
            }
        }
    }

    /// Rows of a planned table with one of these cells; none of a table that is too large to look through.
    pub(super) fn rows_with(&self, table: usize, column: usize, cells: &[Box<[u8]>]) -> Box<[u64]> {
        self.rows_where(table, column, |cell| {
            cells.iter().any(|other| **other == *cell)
        })
        .unwrap_or_default()
    }

    /// Rows of a planned table whose cell (with its length) is wanted; `None` where all are, or cannot be told.
    pub(super) fn rows_where(
        &self,
        table: usize,
        column: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Option<Box<[u64]>> {
        const MOST_ROWS: u64 = 100_000;
        let rows = self.plan.tables[table].rows;
        if rows == 0 || !self.ends_in_a_plan(table, column) {
            return None;
        }
        let evaluator = Evaluator::new(&self.plan);
        let mut cell = Vec::new();
        let found: Vec<u64> = (0..rows.min(MOST_ROWS))
            .filter(|row| {
                cell.clear();
                evaluator.write_cell(table, column, *row, &mut cell);
                wanted(&cell)
            })
            .collect();
        // None of the first many says nothing of the rest.
        let unknown = found.is_empty() && rows > MOST_ROWS;
        (!unknown && found.len() as u64 != rows).then(|| found.into())
    }

    /// Whether a column's value can be computed already: it comes from tables that are planned, and not from itself.
    pub(super) fn ends_in_a_plan(&self, table: usize, column: usize) -> bool {
        let mut at = (table, column);
        (0..self.plan.tables.len()).any(|_| {
            match self.plan.tables[at.0]
                .columns
                .get(at.1)
                .map(|column| &column.generator)
            {
                Some(Generator::Parent { table, column, .. }) => {
                    at = (*table, *column);
                    false
                }
                Some(_) => true,
                None => false,
            }
        })
    }

    /// A link whose columns must not be NULL in some variant has a parent row always.
    fn free_links(&self, draft: &mut TableDraft<'a>, full: &[Facts]) {
        for link in 0..draft.links.len() {
            let columns = draft.link_columns[link].clone();
            let wanted = columns.iter().any(|column| {
                let name = &draft.columns[*column].column.name;
                full.iter().any(|facts| facts.of(name).null == Some(false))
            });
            if wanted {
                draft.links[link].null_share = 0.0;
                // The variants say which rows of a tree are roots.
                if let LinkChoice::Earlier { roots } = &mut draft.links[link].choice {
                    *roots = 0;
                }
            }
        }
    }

    fn plan_arms(&mut self, draft: &mut TableDraft<'a>, column: usize, full: &[Facts]) {
        let name = draft.columns[column].column.name.clone();
        let base = draft.columns[column].facts.clone();
        let mut seen: Vec<ColumnFacts> = Vec::new();
        let mut of = Vec::with_capacity(full.len());
        let mut plans = Vec::new();
        for facts in full {
            let facts = facts.of(&name);
            if facts == base {
                of.push(0);
                continue;
            }
            let at = match seen.iter().position(|other| *other == facts) {
                Some(at) => at,
                None => {
                    plans.push(self.arm(draft, column, &facts));
                    seen.push(facts);
                    plans.len() - 1
                }
            };
            of.push(at as u16 + 1);
        }
        if !plans.is_empty() {
            draft.columns[column].arms = Some(Arms {
                of: of.into(),
                plans: plans.into(),
            });
        }
    }

    fn arm(
        &mut self,
        draft: &mut TableDraft<'a>,
        column: usize,
        facts: &ColumnFacts,
    ) -> ColumnPlan {
        let planned = draft.columns[column].clone();
        let nulls = match facts.null {
            Some(true) => Nulls::Always,
            Some(false) => Nulls::Never,
            None => planned.nulls.clone(),
        };
        let mut generator = planned.generator.clone();
        let linked = matches!(generator, Generator::Parent { .. });
        if !planned.fixed && !linked {
            let said = match planned
                .spec
                .is_some_and(|s| s.generator.is_some() || s.values.is_some())
            {
                true => Origin::Spec,
                false => Origin::Inferred,
            };
            let context = Context {
                schema: self.schema,
                table: draft.table,
                rows: draft.rows,
                locale: self.options.locale,
                clock: self.options.clock,
            };
            let folds = super::columns::folds_case(draft, &planned.column.name);
            let mut value = Value {
                generator: generator.clone(),
                choices: planned.choices.clone(),
            };
            match obey(context, &planned.class, facts, said, folds, &mut value) {
                Ok(()) => generator = value.generator,
                Err(reason) => draft.opaque_checks.push(OpaqueCheck {
                    constraint: planned.column.name.clone(),
                    expression: String::new(),
                    reason,
                }),
            }
        }
        ColumnPlan {
            name: planned.column.name.clone(),
            data_type: planned.column.data_type.clone(),
            key: planned.key,
            nulls,
            draw: planned.draw,
            generator,
            choices: None,
            arms: None,
        }
    }
}

/// Keys are not drawn from lists: of a constraint's alternatives those that name a key's value give way to those that do
/// not, and values that a key must not have are ruled out for all rows.
fn leave_keys_alone(
    draft: &TableDraft<'_>,
    choice: &mut Choice,
    ruled_out: &mut Vec<(usize, Vec<String>)>,
) {
    let key = |name: &str| {
        draft.position(name).filter(|column| {
            let column = &draft.columns[*column];
            let counted =
                matches!(&column.generator, Generator::Scalar(s) if matches!(s.source, ScalarSource::Sequence { .. }));
            matches!(column.generator, Generator::Parent { .. }) || counted || column.unique
        })
    };
    let names_value = |atoms: &Vec<Atom>| {
        atoms.iter().any(
            |atom| matches!(atom, Atom::In { column, negated: false, .. } if key(column).is_some()),
        )
    };
    if !choice.alternatives.iter().all(names_value) {
        choice.alternatives.retain(|atoms| !names_value(atoms));
    }
    for atom in choice.alternatives.iter().flatten() {
        if let Atom::In {
            column,
            values,
            negated: true,
        } = atom
            && let Some(column) = key(column)
        {
            ruled_out.push((column, values.clone()));
        }
    }
}

/// A generator that the spec names cannot make one constant: of a constraint's alternatives those that name a constant for
/// its column give way to one that the generator can be fitted to (`length(code) > 10 OR code = 'global'`).
fn leave_generators_alone(draft: &TableDraft<'_>, choice: &mut Choice) {
    let is_constant = |atoms: &[Atom], name: &str| {
        atoms
            .iter()
            .any(|atom| matches!(atom, Atom::In { column, negated: false, .. } if column == name))
    };
    for column in &draft.columns {
        let named = column
            .spec
            .is_some_and(|spec| spec.generator.is_some() && spec.values.is_none());
        if !named || column.choices.is_some() {
            continue;
        }
        let name = &column.column.name;
        let fits = |atoms: &Vec<Atom>| {
            let facts = Facts {
                atoms: atoms.clone(),
            };
            !is_constant(atoms, name)
                && facts.of(name) != ColumnFacts::default()
                && facts.of(name).null != Some(true)
        };
        if choice.alternatives.iter().any(fits) {
            choice
                .alternatives
                .retain(|atoms| !is_constant(atoms, name));
        }
    }
}

/// The links of each variant that must lead to a row, of those that look for one of the same tenant and may find none.
fn needed(draft: &TableDraft<'_>, full: &[Facts], weights: &[f64]) -> Box<[Option<Box<[usize]>>]> {
    let within: Vec<usize> = (0..draft.links.len())
        .filter(|link| matches!(draft.links[*link].choice, LinkChoice::Within { .. }))
        .collect();
    if within.is_empty() {
        return Box::default();
    }
    let is_needed = |facts: &Facts, link: usize| {
        draft.link_columns[link].iter().any(|column| {
            let planned = &draft.columns[*column];
            let is_of_link =
                matches!(planned.generator, Generator::Parent { link: of, .. } if of == link);
            is_of_link && facts.of(&planned.column.name).null == Some(false)
        })
    };
    let of_variant = |(facts, weight): (&Facts, &f64)| {
        let links = within.iter().copied();
        (*weight > 0.0).then(|| links.filter(|link| is_needed(facts, *link)).collect())
    };
    full.iter().zip(weights).map(of_variant).collect()
}

/// A variant in which a table's keys to itself are NULL, if its first row is to be in it: it has no earlier row.
fn root(draft: &TableDraft<'_>, full: &[Facts], weights: &[f64]) -> Option<usize> {
    let trees: Vec<usize> = (0..draft.links.len())
        .filter(|link| matches!(draft.links[*link].choice, LinkChoice::Earlier { roots: 0 }))
        .collect();
    let is_root = |facts: &Facts| {
        trees.iter().all(|link| {
            let mut names = draft.link_columns[*link]
                .iter()
                .map(|column| &draft.columns[*column].column.name);
            names.any(|name| facts.of(name).null == Some(true))
        })
    };
    let found = full
        .iter()
        .zip(weights)
        .position(|(facts, weight)| *weight > 0.0 && is_root(facts));
    found.filter(|_| !trees.is_empty())
}

/// At most [`MOST`], spread over all of them.
fn thin(variants: Vec<Vec<Atom>>) -> Vec<Vec<Atom>> {
    let count = variants.len();
    if count <= MOST {
        return variants;
    }
    variants
        .into_iter()
        .enumerate()
        .filter(|(at, _)| at * MOST / count != (at + 1) * MOST / count)
        .map(|(_, v)| v)
        .collect()
}

fn is_possible(draft: &TableDraft<'_>, atoms: &[Atom]) -> bool {
    if atoms.contains(&Atom::False) {
        return false;
    }
    let facts = Facts {
        atoms: draft.facts.atoms.iter().chain(atoms).cloned().collect(),
    };
    draft.columns.iter().all(|column| {
        let of = facts.of(&column.column.name);
        let not_null = column.column.not_null || (column.nulls == Nulls::Never && column.unique);
        // A key that can point to no row.
        if column.fixed && column.nulls == Nulls::Always && of.null == Some(false) {
            return false;
        }
        let listed = of.null == Some(true)
            || column
                .choices
                .as_ref()
                .is_none_or(|choices| choices.iter().any(|(text, _)| of.allows(text)));
        listed && !of.is_impossible(not_null)
    })
}

/// How often a variant comes: the share of the columns' own lists that it leaves.
fn weight(draft: &TableDraft<'_>, atoms: &[Atom]) -> f64 {
    let facts = Facts {
        atoms: atoms.to_vec(),
    };
    draft
        .columns
        .iter()
        .map(|column| {
            let of = facts.of(&column.column.name);
            let nulls = match (&column.nulls, of.null) {
                (Nulls::Share { share, .. }, Some(true)) => *share,
                (Nulls::Share { share, .. }, Some(false)) => 1.0 - share,
                _ => 1.0,
            };
            let Some(choices) = &column.choices else {
                return nulls;
            };
            let sum: f64 = choices.iter().map(|(_, weight)| weight).sum();
            let left: f64 = choices
                .iter()
                .filter(|(text, _)| of.allows(text))
                .map(|(_, weight)| weight)
                .sum();
            if sum > 0.0 { nulls * left / sum } else { nulls }
        })
        .product()
}

/// Comparisons of a variant go into arms of its own; says whether all of them can be kept.
fn bind_sums(draft: &mut TableDraft<'_>, variant: usize, facts: &Facts) -> bool {
    let opaque_checks = draft.opaque_checks.len();
    let sums: Vec<_> = facts.sums().cloned().collect();
    for sum in sums {
        if copies(draft, variant, &sum) {
            continue;
        }
        // The variant's arms stand in for the columns while the comparison is bound.
        let columns: Vec<usize> = sum
            .terms
            .iter()
            .filter_map(|(name, _)| draft.position(name))
            .collect();
        let kept: Vec<(usize, Generator)> = columns
            .iter()
            .map(|column| (*column, draft.columns[*column].generator.clone()))
            .collect();
        for column in &columns {
            if let Some(plan) = arm_of(draft, *column, variant) {
                draft.columns[*column].generator = plan.generator;
            }
        }
        let bound = bind_arm(draft, &sum);
        for (column, generator) in kept {
            let changed = std::mem::replace(&mut draft.columns[column].generator, generator);
            if bound {
                set_arm(draft, column, variant, changed);
            }
        }
        if !bound {
            draft.opaque_checks.push(OpaqueCheck {
                constraint: spelled(&sum.terms),
                expression: String::new(),
                reason: "none of the columns can follow the others".to_owned(),
            });
        }
    }
    draft.opaque_checks.len() == opaque_checks
}

/// Whether an alternative makes one of these columns NULL.
pub(super) fn has_null(
    draft: &TableDraft<'_>,
    columns: &BTreeSet<usize>,
    alternative: &[Atom],
) -> bool {
    alternative.iter().any(|atom| match atom {
        Atom::Null {
            column,
            negated: false,
        } => draft
            .position(column)
            .is_some_and(|column| columns.contains(&column)),
        _ => false,
    })
}

/// `a - 2 * b`, as a person writes a sum of columns.
fn spelled(terms: &[(String, i64)]) -> String {
    let mut out = String::new();
    for (name, factor) in terms {
        let sign = match (out.is_empty(), *factor < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        out.push_str(sign);
        if factor.unsigned_abs() != 1 {
            out.push_str(&format!("{} * ", factor.unsigned_abs()));
        }
        out.push_str(name);
    }
    out
}

/// Of two columns without numbers that must be equal one shows what the other one holds.
fn copies(draft: &mut TableDraft<'_>, variant: usize, sum: &Linear) -> bool {
    let ([(one, 1), (other, -1)], None, Relation::Equal) =
        (sum.terms.as_slice(), &sum.constant, sum.relation)
    else {
        return false;
    };
    let (Some(one), Some(other)) = (draft.position(one), draft.position(other)) else {
        return false;
    };
    let is_plain = |column: usize| {
        let column = &draft.columns[column];
        !matches!(column.generator, Generator::Scalar(_)) && column.choices.is_none()
    };
    let can_follow = |column: usize| {
        let planned = &draft.columns[column];
        let copied = draft
            .columns
            .iter()
            .flat_map(|other| other.arms.iter())
            .any(|arms| {
                arms.plans.iter().any(
                    |plan| matches!(plan.generator, Generator::Copy { column: of } if of == column),
                )
            });
        !planned.fixed && !planned.unique && !copied
    };
    let same = draft.columns[one].class.base() == draft.columns[other].class.base();
    if one == other || !same || !is_plain(one) || !is_plain(other) {
        return false;
    }
    // A comparison with NULL is NULL, and the CHECK holds.
    let always_null = |column: usize| {
        arm_of(draft, column, variant).is_some_and(|arm| arm.nulls == Nulls::Always)
    };
    if always_null(one) || always_null(other) {
        return true;
    }
    let (follower, leader) = match (can_follow(one), can_follow(other)) {
        (true, _) => (one, other),
        (false, true) => (other, one),
        (false, false) => return false,
    };
    set_arm(draft, follower, variant, Generator::Copy { column: leader });
    // What is not NULL copies what is not.
    let needed = arm_of(draft, follower, variant).is_some_and(|arm| arm.nulls == Nulls::Never);
    let arm = arm_of(draft, leader, variant);
    let nulls = arm.map_or_else(|| draft.columns[leader].nulls.clone(), |arm| arm.nulls);
    if needed && nulls != Nulls::Never {
        let generator = arm_of(draft, leader, variant).map_or_else(
            || draft.columns[leader].generator.clone(),
            |arm| arm.generator,
        );
        set_arm(draft, leader, variant, generator);
        if let Some(arms) = &mut draft.columns[leader].arms
            && let Some(last) = arms.plans.last_mut()
        {
            last.nulls = Nulls::Never;
        }
    } else if let Some(arms) = &mut draft.columns[follower].arms
        && let Some(last) = arms.plans.last_mut()
    {
        // NULL is copied as well.
        last.nulls = Nulls::Never;
    }
    true
}

fn arm_of(draft: &TableDraft<'_>, column: usize, variant: usize) -> Option<ColumnPlan> {
    let arms = draft.columns[column].arms.as_ref()?;
    let arm = usize::from(*arms.of.get(variant)?).checked_sub(1)?;
    arms.plans.get(arm).cloned()
}

/// Gives a variant an arm of its own with another generator.
fn set_arm(draft: &mut TableDraft<'_>, column: usize, variant: usize, generator: Generator) {
    let count = variant + 1;
    let planned = draft.columns[column].clone();
    let base = arm_of(draft, column, variant).unwrap_or_else(|| ColumnPlan {
        name: planned.column.name.clone(),
        data_type: planned.column.data_type.clone(),
        key: planned.key,
        nulls: planned.nulls.clone(),
        draw: planned.draw,
        generator: planned.generator.clone(),
        choices: None,
        arms: None,
    });
    let Arms { of, plans } = planned.arms.unwrap_or(Arms {
        of: Box::default(),
        plans: Box::default(),
    });
    let (mut of, mut plans) = (of.into_vec(), plans.into_vec());
    of.resize(of.len().max(count), 0);
    plans.push(ColumnPlan { generator, ..base });
    of[variant] = plans.len() as u16;
    draft.columns[column].arms = Some(Arms {
        of: of.into(),
        plans: plans.into(),
    });
}

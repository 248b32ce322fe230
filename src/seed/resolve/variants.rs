//! Constraints that can be met in several ways ("shipped rows have a date", "exactly one of three owners"): the rows are
//! shared out among variants, in each of which one way is taken.

use std::collections::BTreeSet;

use super::Resolver;
use super::arms::bind_sums;
use super::table::{Choice, TableDraft};
use crate::seed::check::{Atom, ColumnFacts, Facts, Nullability};
use crate::seed::plan::{
    Generator, LinkChoice, Nulls, OpaqueCheck, ScalarSource, Variants, Weights,
};

/// More kinds of rows than this are not told apart.
const MOST: usize = 48;

impl<'a> Resolver<'a> {
    pub(super) fn plan_variants(&mut self, draft: &mut TableDraft<'a>) {
        if draft.choices.is_empty() {
            return;
        }
        let variants = self.combined(draft);
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
        if leave_unbound_out(&mut weights, &bound) {
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

    /// The combinations of the choices' alternatives that rows can meet. A choice that contradicts all of them is left to the
    /// server.
    fn combined(&self, draft: &mut TableDraft<'a>) -> Vec<Vec<Atom>> {
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
        variants
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
}

/// Takes no variant whose sums could not be bound, where another one can be taken; says whether it did.
fn leave_unbound_out(weights: &mut [f64], bound: &[bool]) -> bool {
    let mut taken = bound.iter().zip(&*weights);
    if !taken.any(|(bound, weight)| *bound && *weight > 0.0) {
        return false;
    }
    for (weight, bound) in weights.iter_mut().zip(bound) {
        if !bound {
            *weight = 0.0;
        }
    }
    true
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
pub(super) fn needed(
    draft: &TableDraft<'_>,
    full: &[Facts],
    weights: &[f64],
) -> Box<[Option<Box<[usize]>>]> {
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
        let is_unique = column.nulls == Nulls::Never && column.unique;
        let nullability = match column.column.not_null || is_unique {
            true => Nullability::NotNull,
            false => Nullability::Nullable,
        };
        // A key that can point to no row.
        if column.fixed && column.nulls == Nulls::Always && of.null == Some(false) {
            return false;
        }
        let listed = of.null == Some(true)
            || column
                .choices
                .as_ref()
                .is_none_or(|choices| choices.iter().any(|(text, _)| of.allows(text)));
        listed && !of.is_impossible(nullability)
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

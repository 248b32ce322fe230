//! Constraints that can be met in several ways ("shipped rows have a date", "exactly one of three owners"): the rows are
//! shared out among variants, in each of which one way is taken.

use super::Resolver;
use super::bounds::bind_arm;
use super::table::TableDraft;
use crate::seed::check::{Atom, ColumnFacts, Facts};
use crate::seed::infer::Context;
use crate::seed::infer::obey::{Said, Value, obey};
use crate::seed::plan::{Arms, ColumnPlan, Doubt, Generator, Nulls, Variants, Weights};

/// More kinds of rows than this are not told apart.
const MOST: usize = 48;

impl<'a> Resolver<'a> {
    pub(super) fn plan_variants(&mut self, draft: &mut TableDraft<'a>) {
        if draft.choices.is_empty() {
            return;
        }
        let mut variants: Vec<Vec<Atom>> = vec![Vec::new()];
        for choice in std::mem::take(&mut draft.choices) {
            let next: Vec<Vec<Atom>> = variants
                .iter()
                .flat_map(|atoms| {
                    choice.alternatives.iter().map(move |more| atoms.iter().chain(more).cloned().collect())
                })
                .filter(|atoms: &Vec<Atom>| is_possible(draft, atoms))
                .collect();
            if next.is_empty() {
                draft.doubts.push(Doubt {
                    constraint: choice.name.clone(),
                    expression: String::new(),
                    reason: "it contradicts the table's other constraints or the spec".to_owned(),
                });
                continue;
            }
            variants = thin(next);
        }
        let weights: Vec<f64> = variants.iter().map(|atoms| weight(draft, atoms)).collect();
        let full: Vec<Facts> = variants
            .iter()
            .map(|atoms| Facts { atoms: draft.facts.atoms.iter().chain(atoms).cloned().collect() })
            .collect();
        self.free_links(draft, &full);
        for column in 0..draft.columns.len() {
            self.plan_arms(draft, column, &full);
        }
        for (variant, atoms) in variants.iter().enumerate() {
            bind_sums(draft, variant, &Facts { atoms: atoms.clone() });
        }
        draft.variants = Some(Variants { key: draft.key.derive("variant"), weights: Weights::new(&weights) });
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
            draft.columns[column].arms = Some(Arms { of: of.into(), plans: plans.into() });
        }
    }

    fn arm(&mut self, draft: &mut TableDraft<'a>, column: usize, facts: &ColumnFacts) -> ColumnPlan {
        let planned = draft.columns[column].clone();
        let nulls = match facts.null {
            Some(true) => Nulls::Always,
            Some(false) => Nulls::Never,
            None => planned.nulls.clone(),
        };
        let mut generator = planned.generator.clone();
        let linked = matches!(generator, Generator::Parent { .. });
        if !planned.fixed && !linked {
            let said = match planned.spec.is_some_and(|s| s.generator.is_some() || s.values.is_some()) {
                true => Said::BySpec,
                false => Said::ByNobody,
            };
            let context =
                Context { schema: self.schema, table: draft.table, rows: draft.rows, locale: self.options.locale };
            let folds = super::columns::folds_case(draft, &planned.column.name);
            let mut value = Value { generator: generator.clone(), choices: planned.choices.clone() };
            match obey(context, &planned.class, facts, said, folds, &mut value) {
                Ok(()) => generator = value.generator,
                Err(reason) => draft.doubts.push(Doubt {
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
    let facts = Facts { atoms: draft.facts.atoms.iter().chain(atoms).cloned().collect() };
    draft.columns.iter().all(|column| {
        let of = facts.of(&column.column.name);
        let not_null = column.column.not_null || (column.nulls == Nulls::Never && column.unique);
        let listed = of.null == Some(true)
            || column.choices.as_ref().is_none_or(|choices| choices.iter().any(|(text, _)| of.allows(text)));
        listed && !of.is_impossible(not_null)
    })
}

/// How often a variant comes: the share of the columns' own lists that it leaves.
fn weight(draft: &TableDraft<'_>, atoms: &[Atom]) -> f64 {
    let facts = Facts { atoms: atoms.to_vec() };
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
            let Some(choices) = &column.choices else { return nulls };
            let sum: f64 = choices.iter().map(|(_, weight)| weight).sum();
            let left: f64 = choices.iter().filter(|(text, _)| of.allows(text)).map(|(_, weight)| weight).sum();
            if sum > 0.0 { nulls * left / sum } else { nulls }
        })
        .product()
}

/// Comparisons of a variant go into arms of its own.
fn bind_sums(draft: &mut TableDraft<'_>, variant: usize, facts: &Facts) {
    let sums: Vec<_> = facts.sums().cloned().collect();
    for sum in sums {
        // The variant's arms stand in for the columns while the comparison is bound.
        let columns: Vec<usize> = sum.terms.iter().filter_map(|(name, _)| draft.position(name)).collect();
        let kept: Vec<(usize, Generator)> =
            columns.iter().map(|column| (*column, draft.columns[*column].generator.clone())).collect();
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
            draft.doubts.push(Doubt {
                constraint: format!("{:?}", sum.terms),
                expression: String::new(),
                reason: "none of the columns can follow the others".to_owned(),
            });
        }
    }
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
    let Arms { of, plans } = planned.arms.unwrap_or(Arms { of: Box::default(), plans: Box::default() });
    let (mut of, mut plans) = (of.into_vec(), plans.into_vec());
    of.resize(of.len().max(count), 0);
    plans.push(ColumnPlan { generator, ..base });
    of[variant] = plans.len() as u16;
    draft.columns[column].arms = Some(Arms { of: of.into(), plans: plans.into() });
}

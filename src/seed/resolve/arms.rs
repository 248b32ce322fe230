//! Generators of columns in single variants: what a variant's constraints ask of a column in its rows alone.

use super::Resolver;
use super::bounds::bind_arm;
use super::table::TableDraft;
use crate::seed::check::{ColumnFacts, Facts, Linear};
use crate::seed::expression::Relation;
use crate::seed::infer::Context;
use crate::seed::infer::obey::{Origin, Value, obey};
use crate::seed::plan::{Arms, ColumnPlan, Generator, Nulls, OpaqueCheck};

impl<'a> Resolver<'a> {
    pub(super) fn plan_arms(&mut self, draft: &mut TableDraft<'a>, column: usize, full: &[Facts]) {
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
            let letters = super::columns::letters(draft, &planned.column.name);
            let mut value = Value {
                generator: generator.clone(),
                choices: planned.choices.clone(),
            };
            match obey(context, &planned.class, facts, said, letters, &mut value) {
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

/// Comparisons of a variant go into arms of its own; says whether all of them can be kept.
pub(super) fn bind_sums(draft: &mut TableDraft<'_>, variant: usize, facts: &Facts) -> bool {
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

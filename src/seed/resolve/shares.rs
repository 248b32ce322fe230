//! How often each kind of row comes, so that every column's own shares hold over all of them: the spec's word first, then
//! what was inferred. The weights are fitted by turns (iterative proportional fitting, Deming and Stephan 1940).

use super::table::{Draft, TableDraft};
use crate::seed::check::{Atom, ColumnFacts, Facts};

/// Turns; shares that can be met are met to a thousandth long before.
const TURNS: usize = 200;

/// What one column asks of the kinds of rows.
enum Wish {
    /// This share of all rows is NULL; for each kind whether it is, where the kind says so.
    Null {
        share: f64,
        kinds: Vec<Option<bool>>,
    },
    /// Shares of the values among rows that are not NULL; for each kind the shares within it, none where it is NULL.
    Values {
        shares: Vec<f64>,
        kinds: Vec<Option<Vec<f64>>>,
    },
}

/// Fits the weights of kinds of rows to the shares that the columns have.
pub(super) fn fit(draft: &TableDraft<'_>, kinds: &[Vec<Atom>], weights: &mut [f64]) {
    let (mut said, mut inferred) = (Vec::new(), Vec::new());
    for column in &draft.columns {
        let facts: Vec<ColumnFacts> = kinds
            .iter()
            .map(|atoms| {
                let facts = Facts {
                    atoms: atoms.clone(),
                };
                facts.of(&column.column.name)
            })
            .collect();
        let by_spec = column
            .spec
            .is_some_and(|spec| spec.values.is_some() || spec.value.is_some());
        if let Some(wish) = of_values(column, &facts) {
            if by_spec { &mut said } else { &mut inferred }.push(wish);
        }
        said.extend(of_nulls(column, &facts));
    }
    // What the spec says comes last in each turn, and so holds where not all can.
    for _ in 0..TURNS {
        inferred.iter().for_each(|wish| wish.fit(weights));
        said.iter().for_each(|wish| wish.fit(weights));
    }
    if !said.is_empty() {
        (0..TURNS).for_each(|_| said.iter().for_each(|wish| wish.fit(weights)));
    }
}

/// A share of NULL that the spec names, where kinds of rows differ in it.
fn of_nulls(column: &Draft<'_>, facts: &[ColumnFacts]) -> Option<Wish> {
    let share = column.spec.and_then(|spec| spec.null)?;
    let kinds: Vec<Option<bool>> = facts.iter().map(|facts| facts.null).collect();
    let is_known = kinds.iter().any(Option::is_some);
    is_known.then_some(Wish::Null { share, kinds })
}

/// A list's shares, where kinds of rows take different parts of it.
fn of_values(column: &Draft<'_>, facts: &[ColumnFacts]) -> Option<Wish> {
    let choices = column.choices.as_ref()?;
    let sum: f64 = choices.iter().map(|(_, weight)| weight).sum();
    let shares: Vec<f64> = choices.iter().map(|(_, weight)| weight / sum).collect();
    let within = |facts: &ColumnFacts| {
        if facts.null == Some(true) {
            return None;
        }
        let kept = choices.iter().zip(&shares);
        let kept: Vec<f64> = kept
            .map(|((text, _), share)| if facts.allows(text) { *share } else { 0.0 })
            .collect();
        let sum: f64 = kept.iter().sum();
        (sum > 0.0).then(|| {
            kept.into_iter()
                .map(|share| share / sum)
                .collect::<Vec<f64>>()
        })
    };
    let kinds: Vec<Option<Vec<f64>>> = facts.iter().map(within).collect();
    let differ = kinds.iter().flatten().any(|kind| *kind != shares);
    (sum > 0.0 && differ).then_some(Wish::Values { shares, kinds })
}

impl Wish {
    /// One turn: the kinds that have too little of something come more often, their sum stays.
    fn fit(&self, weights: &mut [f64]) {
        match self {
            Self::Null { share, kinds } => {
                let of = |null: bool, weights: &[f64]| -> f64 {
                    let kinds = kinds.iter().zip(weights);
                    kinds
                        .filter(|(kind, _)| **kind == Some(null))
                        .map(|(_, weight)| weight)
                        .sum()
                };
                let (null, not) = (of(true, weights), of(false, weights));
                if null <= 0.0 || not <= 0.0 {
                    return;
                }
                let all = null + not;
                for (kind, weight) in kinds.iter().zip(weights.iter_mut()) {
                    match kind {
                        Some(true) => *weight *= share * all / null,
                        Some(false) => *weight *= (1.0 - share) * all / not,
                        None => {}
                    }
                }
            }
            Self::Values { shares, kinds } => {
                let mut found = vec![0.0; shares.len()];
                let mut all = 0.0;
                for (kind, weight) in kinds.iter().zip(weights.iter()) {
                    let Some(kind) = kind else { continue };
                    all += weight;
                    for (found, share) in found.iter_mut().zip(kind) {
                        *found += weight * share;
                    }
                }
                if all <= 0.0 {
                    return;
                }
                for (kind, weight) in kinds.iter().zip(weights.iter_mut()) {
                    let Some(kind) = kind else { continue };
                    let factor: f64 = kind
                        .iter()
                        .zip(shares)
                        .zip(&found)
                        .filter(|(_, found)| **found > 0.0)
                        .map(|((share, wanted), found)| share * wanted * all / found)
                        .sum();
                    *weight *= factor;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_fitted_to_shares_that_tie_kinds_of_rows() {
        // Done rows have an end: the list says 30, 20 and 50 of a hundred.
        let states = Wish::Values {
            shares: vec![0.3, 0.2, 0.5],
            kinds: vec![Some(vec![0.0, 0.0, 1.0]), Some(vec![0.6, 0.4, 0.0])],
        };
        let mut weights = [0.475, 0.025];
        states.fit(&mut weights);
        assert!((weights[0] - 0.25).abs() < 1e-9 && (weights[1] - 0.25).abs() < 1e-9);
        // A share of NULL over kinds of which one says nothing.
        let nulls = Wish::Null {
            share: 0.9,
            kinds: vec![Some(true), Some(false), None],
        };
        let mut weights = [0.3, 0.3, 0.4];
        nulls.fit(&mut weights);
        assert!((weights[0] - 0.54).abs() < 1e-9 && (weights[1] - 0.06).abs() < 1e-9);
        assert!((weights[2] - 0.4).abs() < 1e-9, "{weights:?}");
    }
}

//! Truths that are compared or counted: `(a IS NULL) = (b IS NULL)`, `num_nonnulls(a, b, c) = 1`.

use super::atoms::{Atom, MOST, all_of, alternatives};
use crate::seed::expression::{Expression, Relation};

/// `(a IS NULL) = (b IS NULL)`: both or neither.
pub(super) fn equal_truths(
    relation: Relation,
    left: &Expression,
    right: &Expression,
) -> Option<Vec<Vec<Atom>>> {
    let same = match relation {
        Relation::Equal => true,
        Relation::NotEqual => false,
        _ => return None,
    };
    if !(is_truth(left) || is_truth(right)) {
        return None;
    }
    let both = |left_negated, right_negated| {
        all_of(
            [
                alternatives(left, left_negated),
                alternatives(right, right_negated),
            ]
            .into_iter(),
        )
    };
    let mut found = both(false, !same);
    found.extend(both(true, same));
    Some(found)
}

pub(super) fn is_truth(expression: &Expression) -> bool {
    match expression {
        Expression::IsNull { .. }
        | Expression::And(_)
        | Expression::Or(_)
        | Expression::Not(_)
        | Expression::IsBool { .. }
        | Expression::Bool(_)
        | Expression::Quantified { .. }
        | Expression::Distinct { .. } => true,
        Expression::Infix { operator, .. } => {
            Relation::of(operator).is_some() || operator.contains('~')
        }
        _ => false,
    }
}

/// `num_nonnulls(a, b, c) = 1`, `(a IS NOT NULL)::integer + (b IS NOT NULL)::integer = 1`.
pub(super) fn counted(
    relation: Relation,
    left: &Expression,
    right: &Expression,
) -> Option<Vec<Vec<Atom>>> {
    let wanted: usize = right.literal()?.parse().ok()?;
    let truths = truths(left)?;
    if truths.len() > 10 {
        return None;
    }
    // At least one is the common case with a short answer: any of them.
    if (relation == Relation::GreaterOrEqual && wanted == 1)
        || (relation == Relation::Greater && wanted == 0)
    {
        return Some(
            truths
                .iter()
                .flat_map(|truth| alternatives(truth, false))
                .collect(),
        );
    }
    let found: Vec<Vec<Atom>> = (0_u32..1 << truths.len())
        .filter(|set| relation.holds(f64::from(set.count_ones()), wanted as f64))
        .flat_map(|set| {
            all_of(
                truths
                    .iter()
                    .enumerate()
                    .map(|(bit, truth)| alternatives(truth, set & (1 << bit) == 0)),
            )
        })
        .take(MOST)
        .collect();
    (!found.is_empty()).then_some(found)
}

pub(super) fn truths(expression: &Expression) -> Option<Vec<Expression>> {
    match expression {
        Expression::Call { name, arguments }
            if matches!(name.as_str(), "num_nonnulls" | "num_nulls") =>
        {
            Some(
                arguments
                    .iter()
                    .map(|of| Expression::IsNull {
                        of: Box::new(of.clone()),
                        negated: name == "num_nonnulls",
                    })
                    .collect(),
            )
        }
        Expression::Infix {
            operator,
            left,
            right,
        } if operator == "+" => {
            let mut all = truths(left)?;
            all.extend(truths(right)?);
            Some(all)
        }
        Expression::Cast { of, .. } if is_truth(of) => Some(vec![(**of).clone()]),
        // CASE WHEN a IS NULL THEN 0 ELSE 1 END.
        Expression::Case {
            operand: None,
            arms,
            otherwise,
        } => {
            let [(when, then)] = arms.as_slice() else {
                return None;
            };
            match (
                then.literal()?.as_str(),
                otherwise.as_ref()?.literal()?.as_str(),
            ) {
                ("1", "0") => Some(vec![when.clone()]),
                ("0", "1") => Some(vec![Expression::Not(Box::new(when.clone()))]),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::atoms::tests::count;

    #[test]
    fn a_chain_of_compared_truths_is_left_to_the_server() {
        let chain = |number: usize| format!("(a = 1{})", " = (b = 2)".repeat(number));
        assert!(count(&chain(2)).1);
        assert_eq!(count(&chain(60)), (1, false));
    }
}

//! Comparisons in constraints: of columns with constants and with each other, of the smallest and the largest of several.

use super::atoms::{Atom, MOST, all_of, json_key, one};
use super::calls::{compare_call, untrimmed};
use super::linear::Linear;
use super::patterns::text_match;
use super::quantified::array_part;
use super::truths::{counted, equal_truths, is_truth};
use crate::seed::expression::{Expression, Relation};

pub(super) fn negate_infix(
    operator: &str,
    left: &Expression,
    right: &Expression,
) -> Option<Vec<Vec<Atom>>> {
    let operator = match operator {
        "~" => "!~",
        "~*" => "!~*",
        "!~" => "~",
        "!~*" => "~*",
        "~~" => "!~~",
        "!~~" => "~~",
        "~~*" => "!~~*",
        "!~~*" => "~~*",
        other => match Relation::of(other)?.negated() {
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
            Relation::Equal => "=",
            Relation::NotEqual => "<>",
        },
    };
    infix(operator, left, right)
}

pub(super) fn infix(
    operator: &str,
    left: &Expression,
    right: &Expression,
) -> Option<Vec<Vec<Atom>>> {
    if let Some(atom) = text_match(operator, left, right) {
        return Some(one(atom));
    }
    match operator {
        "?" => return json_key(left, right).map(one),
        "?&" => {
            let Expression::Array(keys) = right.uncast() else {
                return None;
            };
            return keys
                .iter()
                .map(|key| json_key(left, key))
                .collect::<Option<Vec<_>>>()
                .map(|atoms| vec![atoms]);
        }
        "<@" | "@>" => {
            let (inner, outer) = if operator == "<@" {
                (left, right)
            } else {
                (right, left)
            };
            if let Some(found) = array_part(inner, outer) {
                return Some(found);
            }
            let (inner, outer) = (inner.column()?.to_owned(), outer.column()?.to_owned());
            return Some(one(Atom::Within { inner, outer }));
        }
        _ => {}
    }
    related(left, Relation::of(operator)?, right)
}

/// Each truth that is compared doubles the ways: more of them are left to the server.
const MOST_TRUTHS: usize = 10;

/// How many truths are compared or counted in two expressions, at any depth.
fn compared_truths(left: &Expression, right: &Expression) -> usize {
    let mut number = 0;
    for side in [left, right] {
        side.visit(&mut |inner| {
            if let Expression::Infix {
                operator,
                left,
                right,
            } = inner
            {
                let compares = Relation::of(operator).is_some();
                number += usize::from(compares && (is_truth(left) || is_truth(right)));
                number += usize::from(operator == "+");
            }
        });
    }
    number
}

fn related(left: &Expression, relation: Relation, right: &Expression) -> Option<Vec<Vec<Atom>>> {
    if compared_truths(left, right) > MOST_TRUTHS {
        return None;
    }
    if let Some(found) =
        equal_truths(relation, left, right).or_else(|| counted(relation, left, right))
    {
        return Some(found);
    }
    if let Some(found) =
        extreme(left, relation, right).or_else(|| extreme(right, relation.flipped(), left))
    {
        return Some(found);
    }
    if left.literal().is_some() {
        return compare(right, relation.flipped(), left);
    }
    compare(left, relation, right)
}

/// `LEAST(a, b) > c`, `GREATEST(a, b) <= c`: every one of them, or one of them. NULLs count for nothing in both functions.
fn extreme(call: &Expression, relation: Relation, other: &Expression) -> Option<Vec<Vec<Atom>>> {
    let Expression::Call { name, arguments } = call.uncast() else {
        return None;
    };
    // What every one of them must be, so that the smallest (the largest) is, but for being the same.
    let towards = match name.as_str() {
        "least" => Relation::GreaterOrEqual,
        "greatest" => Relation::LessOrEqual,
        _ => return None,
    };
    let every = |relation: Relation| -> Option<Vec<Vec<Atom>>> {
        let parts = arguments.iter().map(|item| related(item, relation, other));
        Some(all_of(parts.collect::<Option<Vec<_>>>()?.into_iter()))
    };
    let some = |relation: Relation| -> Option<Vec<Vec<Atom>>> {
        let mut found = Vec::new();
        for item in arguments {
            let mut columns = Vec::new();
            item.columns(&mut columns);
            let counts = columns.into_iter().map(|column| Atom::Null {
                column,
                negated: true,
            });
            let counts: Vec<Atom> = counts.collect();
            let ways = related(item, relation, other)?.into_iter();
            found.extend(ways.map(|atoms| {
                atoms
                    .into_iter()
                    .chain(counts.iter().cloned())
                    .collect::<Vec<_>>()
            }));
        }
        found.truncate(MOST);
        Some(found)
    };
    let strictly = if towards == Relation::GreaterOrEqual {
        Relation::Greater
    } else {
        Relation::Less
    };
    match relation {
        relation if relation == towards || relation == strictly => every(relation),
        Relation::Equal => Some(all_of(
            [every(towards)?, some(Relation::Equal)?].into_iter(),
        )),
        Relation::NotEqual => Some(
            every(strictly)?
                .into_iter()
                .chain(some(strictly.flipped())?)
                .collect(),
        ),
        outwards => some(outwards),
    }
}

pub(super) fn compare(
    left: &Expression,
    relation: Relation,
    right: &Expression,
) -> Option<Vec<Vec<Atom>>> {
    // array_ndims(x) = 1: it has elements, side by side.
    if let (Expression::Call { name, arguments }, Some("1"), Relation::Equal) =
        (left.uncast(), right.literal().as_deref(), relation)
        && name == "array_ndims"
        && let Some(column) = arguments.first().and_then(Expression::column)
    {
        return Some(one(Atom::Items {
            column: column.to_owned(),
            min: 1,
            max: u32::MAX,
        }));
    }
    for (call, other) in [(left, right), (right, left)] {
        if let (Expression::Call { name, arguments }, Some(column), Relation::Equal) =
            (call.uncast(), other.column(), relation)
            && let Some(found) = equals_column(name, arguments, column)
        {
            return Some(found);
        }
    }
    match left.uncast() {
        Expression::Call { name, arguments }
            if name == "mod"
                && relation == Relation::Equal
                && right.literal().is_some_and(|zero| zero == "0") =>
        {
            let [column, unit] = arguments.as_slice() else {
                return None;
            };
            return multiple_of(column, unit);
        }
        Expression::Call { name, arguments } => {
            return compare_call(name, arguments, relation, right);
        }
        Expression::Infix {
            operator,
            left: column,
            right: unit,
        } if operator == "%" && relation == Relation::Equal => {
            right.literal().filter(|zero| zero == "0")?;
            return multiple_of(column, unit);
        }
        _ => {}
    }
    if let (Some(column), Some(constant)) = (left.column(), right.literal()) {
        let (column, values) = (column.to_owned(), vec![constant]);
        match relation {
            Relation::NotEqual => {
                return Some(one(Atom::In {
                    column,
                    values,
                    negated: true,
                }));
            }
            Relation::Equal => {
                return Some(one(Atom::In {
                    column,
                    values,
                    negated: false,
                }));
            }
            _ => {}
        }
    }
    Linear::of(left, relation, right).map(|linear| one(Atom::Compare(linear)))
}

/// `lower(a) = a` and its like: what a call says that equals a column.
fn equals_column(name: &str, arguments: &[Expression], column: &str) -> Option<Vec<Vec<Atom>>> {
    let is_argument = |position: usize| {
        let argument = arguments.get(position).map(untrimmed);
        argument.and_then(Expression::column) == Some(column)
    };
    let column = column.to_owned();
    match name {
        "lower" if is_argument(0) => Some(one(Atom::Lower { column })),
        "upper" if is_argument(0) => Some(one(Atom::Upper { column })),
        "lower" | "upper" if arguments.len() == 1 => {
            let (range, upper) = (arguments[0].column()?.to_owned(), name == "upper");
            Some(one(Atom::RangeEnd {
                range,
                upper,
                column,
            }))
        }
        "btrim" | "trim" | "ltrim" | "rtrim" | "initcap" if is_argument(0) => {
            Some(vec![Vec::new()])
        }
        "date_trunc" if is_argument(1) => {
            let unit = arguments.first()?.literal()?;
            Some(one(Atom::Grain { column, unit }))
        }
        _ => None,
    }
}

/// `column % unit = 0`: multiples of a number; of another column those of a number that all of its values divide.
fn multiple_of(column: &Expression, unit: &Expression) -> Option<Vec<Vec<Atom>>> {
    const MULTIPLE: &str = "12";
    const DIVISORS: [&str; 6] = ["1", "2", "3", "4", "6", "12"];
    let column = column.column()?.to_owned();
    if let Some(unit) = unit.literal() {
        return Some(one(Atom::Grain { column, unit }));
    }
    let divisor = unit.column()?.to_owned();
    if divisor == column {
        return None;
    }
    let divides = Atom::In {
        column: divisor,
        values: DIVISORS.map(str::to_owned).to_vec(),
        negated: false,
    };
    let unit = MULTIPLE.to_owned();
    Some(vec![vec![Atom::Grain { column, unit }, divides]])
}

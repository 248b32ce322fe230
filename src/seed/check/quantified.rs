//! ANY and ALL, and arrays that contain something.

use super::atoms::{Atom, one};
use super::calls::{part, untrimmed};
use super::patterns::like;
use super::truths::{counted, truths};
use crate::seed::expression::{Expression, Relation};

pub(super) fn quantified(
    operator: &str,
    left: &Expression,
    array: &Expression,
    all: bool,
    negated: bool,
) -> Option<Vec<Vec<Atom>>> {
    if let (Some(column), Some(value)) = (array.column(), left.literal()) {
        return element(operator, column, value, all, negated);
    }
    let Expression::Array(items) = array.uncast() else {
        return None;
    };
    // How many of several hold: none of them or all.
    if operator == "=" && !all && !negated && truths(left).is_some() {
        let counts = items
            .iter()
            .map(|count| counted(Relation::Equal, left, count));
        return counts
            .collect::<Option<Vec<_>>>()
            .map(|found| found.into_iter().flatten().collect());
    }
    let values = items
        .iter()
        .map(Expression::literal)
        .collect::<Option<Vec<_>>>()?;
    let negated = match (operator, all) {
        ("=", false) => negated,
        ("<>", true) => !negated,
        // LIKE ANY, ~ ANY.
        ("~~" | "~", false) if !negated => return matches_any(operator, left, values),
        _ => return None,
    };
    if let Some(column) = left.column() {
        return Some(one(Atom::In {
            column: column.to_owned(),
            values,
            negated,
        }));
    }
    call_is_one_of(left, values, negated)
}

/// `column LIKE ANY (…)`, `column ~ ANY (…)`.
fn matches_any(operator: &str, left: &Expression, values: Vec<String>) -> Option<Vec<Vec<Atom>>> {
    let column = left.column()?.to_owned();
    let patterns: Vec<String> = match operator {
        "~~" => values.iter().map(|value| like(value)).collect(),
        _ => values,
    };
    Some(one(Atom::Matches {
        column,
        pattern: patterns.join("|"),
        negated: false,
    }))
}

/// `lower(x) = ANY (…)`, `jsonb_typeof(x) = ANY (…)`, `length(x) = ANY (…)`.
fn call_is_one_of(call: &Expression, values: Vec<String>, negated: bool) -> Option<Vec<Vec<Atom>>> {
    let Expression::Call { name, arguments } = call.uncast() else {
        return None;
    };
    let column = untrimmed(arguments.first()?).column()?.to_owned();
    match (name.as_str(), negated) {
        ("left" | "right" | "substring" | "substr", _) => {
            let patterns = values
                .iter()
                .map(|value| part(name, arguments, value))
                .collect::<Option<Vec<_>>>()?;
            Some(one(Atom::Matches {
                column,
                pattern: patterns.join("|"),
                negated,
            }))
        }
        ("lower" | "upper" | "btrim" | "trim", _) => Some(one(Atom::In {
            column,
            values,
            negated,
        })),
        ("jsonb_typeof" | "json_typeof", false) => Some(one(Atom::JsonType {
            column,
            kind: values
                .iter()
                .find(|v| *v == "object")
                .or(values.first())?
                .clone(),
        })),
        ("length" | "char_length", false) => {
            let lengths: Vec<u32> = values
                .iter()
                .filter_map(|value| value.parse().ok())
                .collect();
            Some(
                lengths
                    .into_iter()
                    .map(|n| {
                        vec![Atom::Length {
                            column: column.clone(),
                            min: n,
                            max: n,
                        }]
                    })
                    .collect(),
            )
        }
        _ => None,
    }
}

/// `'none' = ANY (column)`, `'none' <> ALL (column)` and their negations.
fn element(
    operator: &str,
    column: &str,
    value: String,
    all: bool,
    negated: bool,
) -> Option<Vec<Vec<Atom>>> {
    let column = column.to_owned();
    let values = vec![value];
    let has = match (operator, all) {
        ("=", false) => !negated,
        ("<>", true) => negated,
        ("=", true) if !negated => {
            return Some(one(Atom::Elements {
                column,
                values,
                only: true,
            }));
        }
        _ => return None,
    };
    Some(one(if has {
        Atom::Contains { column, values }
    } else {
        Atom::Elements {
            column,
            values,
            only: false,
        }
    }))
}

/// The elements of a constant array: `ARRAY['a', 'b']`, `'{a,b}'`.
fn elements(expression: &Expression) -> Option<Vec<String>> {
    if let Expression::Array(items) = expression.uncast() {
        return items.iter().map(Expression::literal).collect();
    }
    crate::seed::types::literal::array_items(expression.uncast().text()?)
}

/// `column <@ ARRAY[…]`, `column @> ARRAY[…]`.
pub(super) fn array_part(inner: &Expression, outer: &Expression) -> Option<Vec<Vec<Atom>>> {
    if let (Some(column), Some(values)) = (inner.column(), elements(outer)) {
        return Some(one(Atom::Elements {
            column: column.to_owned(),
            values,
            only: true,
        }));
    }
    let (values, column) = (elements(inner)?, outer.column()?.to_owned());
    Some(one(Atom::Contains { column, values }))
}

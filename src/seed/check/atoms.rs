//! A boolean expression as alternatives of facts: a disjunction of conjunctions. One alternative that holds makes the
//! CHECK hold. The alternatives of an OR exclude each other where that can be said, so that rows can be shared out among
//! them without changing how often a value comes.

use super::calls::call;
use super::comparisons::{infix, negate_infix};
use super::linear::Linear;
use super::quantified::quantified;
use crate::seed::expression::Expression;

/// Something that generators can obey.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom {
    /// A sum of columns against a constant.
    Compare(Linear),
    /// A column is one of these (text forms); or, negated, none of them.
    In {
        column: String,
        values: Vec<String>,
        negated: bool,
    },
    /// A column is NULL; or, negated, is not.
    Null { column: String, negated: bool },
    /// A text matches a regular expression somewhere.
    Matches {
        column: String,
        pattern: String,
        negated: bool,
    },
    /// The part of a text that the first pattern finds (`substring(column, part)`) matches the second one somewhere.
    Part {
        column: String,
        part: String,
        pattern: String,
        negated: bool,
    },
    /// Characters of a text.
    Length { column: String, min: u32, max: u32 },
    /// Elements of an array.
    Items { column: String, min: u32, max: u32 },
    /// No element of an array is one of these; or, where `only`, each of them is.
    Elements {
        column: String,
        values: Vec<String>,
        only: bool,
    },
    /// An array has each of these elements.
    Contains { column: String, values: Vec<String> },
    /// A text without capitals.
    Lower { column: String },
    /// A text without small letters.
    Upper { column: String },
    /// `json_typeof`.
    JsonType { column: String, kind: String },
    /// A json object has this member.
    JsonKey { column: String, key: String },
    /// `date_trunc(unit, column) = column`, or `column % unit = 0` for a number as unit.
    Grain { column: String, unit: String },
    /// A range is not empty.
    NotEmpty { column: String },
    /// `lower(range) = column`, or `upper`.
    RangeEnd {
        range: String,
        upper: bool,
        column: String,
    },
    /// `inner <@ outer`, of ranges.
    Within { inner: String, outer: String },
    /// Not understood: the server says before the load whether the rows meet it.
    Opaque(String),
    /// Never true.
    False,
}

/// More alternatives than this are not told apart.
pub(super) const MOST: usize = 64;

/// The alternatives of an expression, or of its negation.
#[must_use]
pub fn alternatives(expression: &Expression, negated: bool) -> Vec<Vec<Atom>> {
    match expression {
        Expression::And(items) if negated => any_of(items, true),
        Expression::Or(items) if !negated => any_of(items, false),
        Expression::And(items) | Expression::Or(items) => {
            all_of(items.iter().map(|item| alternatives(item, negated)))
        }
        Expression::Not(inner) => alternatives(inner, !negated),
        Expression::Bool(value) => {
            if *value == negated {
                vec![vec![Atom::False]]
            } else {
                vec![Vec::new()]
            }
        }
        Expression::Null => vec![Vec::new()],
        Expression::Column(name) => one(truth(name, !negated)),
        Expression::Cast { of, to } if to == "boolean" => alternatives(of, negated),
        Expression::IsNull { of, negated: not } => is_null(of, *not != negated, expression),
        Expression::IsBool {
            of,
            value,
            negated: not,
        } => {
            let mut found = alternatives(of, (*value == *not) != negated);
            // NULL is neither, and so meets the negation alone.
            if *not == negated
                && let Some(column) = of.column()
            {
                let known = Atom::Null {
                    column: column.to_owned(),
                    negated: true,
                };
                found.iter_mut().for_each(|atoms| atoms.push(known.clone()));
            }
            found
        }
        Expression::Distinct {
            left,
            right,
            negated: not,
        } => {
            let operator = if *not != negated { "=" } else { "<>" };
            infix(operator, left, right).unwrap_or_else(|| opaque(expression))
        }
        Expression::Case {
            operand: None,
            arms,
            otherwise,
        } => case(arms, otherwise.as_deref(), negated),
        Expression::Quantified {
            operator,
            left,
            array,
            all,
        } => quantified(operator, left, array, *all, negated).unwrap_or_else(|| opaque(expression)),
        Expression::Infix {
            operator,
            left,
            right,
        } => {
            let found = if negated {
                negate_infix(operator, left, right)
            } else {
                infix(operator, left, right)
            };
            found.unwrap_or_else(|| opaque(expression))
        }
        Expression::Call { name, arguments } => {
            call(name, arguments, negated).unwrap_or_else(|| opaque(expression))
        }
        Expression::Text(_)
        | Expression::Number(_)
        | Expression::Array(_)
        | Expression::Row(_)
        | Expression::Cast { .. }
        | Expression::Prefix { .. }
        | Expression::Case { .. } => opaque(expression),
    }
}

pub(super) fn one(atom: Atom) -> Vec<Vec<Atom>> {
    vec![vec![atom]]
}

fn opaque(expression: &Expression) -> Vec<Vec<Atom>> {
    one(Atom::Opaque(expression.to_string()))
}

pub(super) fn truth(column: &str, value: bool) -> Atom {
    Atom::In {
        column: column.to_owned(),
        values: vec![value.to_string()],
        negated: false,
    }
}

/// Every way to choose one alternative of each.
pub(super) fn all_of(items: impl Iterator<Item = Vec<Vec<Atom>>>) -> Vec<Vec<Atom>> {
    items.fold(vec![Vec::new()], |sofar, item| {
        let product: Vec<Vec<Atom>> = sofar
            .iter()
            .flat_map(|left| {
                item.iter()
                    .map(move |right| left.iter().chain(right).cloned().collect())
            })
            .take(MOST)
            .collect();
        product
    })
}

/// Any of the items; each alternative also says that the items before it do not hold, where one conjunction says that.
fn any_of(items: &[Expression], negated: bool) -> Vec<Vec<Atom>> {
    if let Some(listed) = one_of(items, negated) {
        return one(listed);
    }
    let mut found: Vec<Vec<Atom>> = Vec::new();
    let mut before: Vec<Atom> = Vec::new();
    for item in items {
        found.extend(
            alternatives(item, negated)
                .into_iter()
                .map(|atoms| before.iter().cloned().chain(atoms).collect::<Vec<_>>()),
        );
        if let [only] = alternatives(item, !negated).as_slice()
            && !only.iter().any(|atom| {
                matches!(
                    atom,
                    Atom::Opaque(_) | Atom::Matches { .. } | Atom::Part { .. }
                )
            })
        {
            before.extend(only.iter().cloned());
        }
    }
    found.truncate(MOST);
    found
}

/// `a = 'x' OR a = 'y'` is `a IN ('x', 'y')`.
fn one_of(items: &[Expression], negated: bool) -> Option<Atom> {
    let is_flat = |item: &Expression| {
        matches!(
            item,
            Expression::Infix { .. } | Expression::Quantified { .. }
        )
    };
    if !items.iter().all(is_flat) {
        return None;
    }
    let mut listed: Option<(String, Vec<String>)> = None;
    for item in items {
        let found = alternatives(item, negated);
        let [atoms] = found.as_slice() else {
            return None;
        };
        let [
            Atom::In {
                column,
                values,
                negated: false,
            },
        ] = atoms.as_slice()
        else {
            return None;
        };
        let (of, all) = listed.get_or_insert_with(|| (column.clone(), Vec::new()));
        if of != column {
            return None;
        }
        all.extend(values.iter().cloned());
    }
    listed.map(|(column, values)| Atom::In {
        column,
        values,
        negated: false,
    })
}

fn is_null(of: &Expression, negated: bool, whole: &Expression) -> Vec<Vec<Atom>> {
    if let Some(column) = of.column() {
        return one(Atom::Null {
            column: column.to_owned(),
            negated,
        });
    }
    // ROW(a, b) IS [NOT] NULL: all of them.
    if let Expression::Row(items) = of {
        let columns: Option<Vec<&str>> = items.iter().map(Expression::column).collect();
        if let Some(columns) = columns {
            return vec![
                columns
                    .into_iter()
                    .map(|c| Atom::Null {
                        column: c.to_owned(),
                        negated,
                    })
                    .collect(),
            ];
        }
    }
    // COALESCE(a, b) IS NULL: all of them. IS NOT NULL: any of them, and nothing is said of the others.
    if let Expression::Call { name, arguments } = of.uncast()
        && name == "coalesce"
    {
        let items = arguments.iter().map(|item| is_null(item, negated, item));
        return if negated {
            items.flatten().take(MOST).collect()
        } else {
            all_of(items)
        };
    }
    // A constant is no NULL.
    if of.literal().is_some() {
        return if negated {
            vec![Vec::new()]
        } else {
            one(Atom::False)
        };
    }
    if negated && let Some(atom) = known_by_a_part(of.uncast()) {
        return one(atom);
    }
    opaque(whole)
}

/// What a column is where something computed of it is not NULL.
fn known_by_a_part(of: &Expression) -> Option<Atom> {
    match of {
        Expression::Call { name, arguments } => {
            let column = arguments.first().and_then(Expression::column)?.to_owned();
            match name.as_str() {
                // Of a text or a range.
                "lower" | "upper" => Some(Atom::Null {
                    column,
                    negated: true,
                }),
                // An empty array has no length.
                "array_length" | "array_ndims" | "array_upper" | "array_lower" => {
                    Some(Atom::Items {
                        column,
                        min: 1,
                        max: u32::MAX,
                    })
                }
                _ => None,
            }
        }
        Expression::Infix {
            operator,
            left,
            right,
        } if matches!(operator.as_str(), "->" | "->>") => Some(Atom::JsonKey {
            column: left.column()?.to_owned(),
            key: right.literal()?,
        }),
        _ => None,
    }
}

fn case(
    arms: &[(Expression, Expression)],
    otherwise: Option<&Expression>,
    negated: bool,
) -> Vec<Vec<Atom>> {
    let mut found = Vec::new();
    let mut before: Vec<Vec<Atom>> = vec![Vec::new()];
    for (when, then) in arms {
        let parts = [
            before.clone(),
            alternatives(when, false),
            alternatives(then, negated),
        ];
        found.extend(all_of(parts.into_iter()));
        before = all_of([before, alternatives(when, true)].into_iter());
    }
    let last = otherwise.map_or_else(
        || vec![Vec::new()],
        |otherwise| alternatives(otherwise, negated),
    );
    found.extend(all_of([before, last].into_iter()));
    found.truncate(MOST);
    found
}

pub(super) fn json_key(left: &Expression, right: &Expression) -> Option<Atom> {
    Some(Atom::JsonKey {
        column: left.column()?.to_owned(),
        key: right.literal()?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// How many alternatives a condition has, and whether all of it is understood.
    pub(in crate::seed::check) fn count(text: &str) -> (usize, bool) {
        let found = alternatives(&Expression::parse(text).unwrap(), false);
        let understood = found
            .iter()
            .flatten()
            .all(|atom| !matches!(atom, Atom::Opaque(_)));
        (found.len(), understood)
    }

    #[test]
    fn alternatives_of_what_people_write() {
        assert_eq!(count("((quantity >= 1) AND (quantity <= 20))"), (1, true));
        assert_eq!(
            count("((status <> 'shipped'::text) OR (shipped_at IS NOT NULL))"),
            (2, true)
        );
        assert_eq!(count("(num_nonnulls(a, b, c) = 1)"), (3, true));
        assert_eq!(
            count("((((a IS NOT NULL))::integer + ((b IS NOT NULL))::integer) = 1)"),
            (2, true)
        );
        assert_eq!(count("((a IS NULL) = (b IS NULL))"), (2, true));
        assert_eq!(
            count("(num_nonnulls(a, b, c) = ANY (ARRAY[0, 3]))"),
            (2, true)
        );
        assert_eq!(
            count("CASE WHEN (kind = 'a'::text) THEN (x > 0) ELSE (y IS NOT NULL) END"),
            (2, true)
        );
        assert_eq!(count("((email)::text ~~ '%@%'::text)"), (1, true));
        assert_eq!(count("(jsonb_typeof(data) = 'object'::text)"), (1, true));
        assert_eq!(count("(date_trunc('month'::text, at) = at)"), (1, true));
        assert_eq!(count("(is_valid(code))"), (1, false));
        assert_eq!(count("(NOT (isempty(during)))"), (1, true));
        assert_eq!(count("(LEAST(a, b) >= 5)"), (1, true));
        assert_eq!(count("(GREATEST(a, b, 3) > c)"), (3, true));
        assert_eq!(count("(c = GREATEST(a, b))"), (2, true));
        assert_eq!(count("(COALESCE(a, 0) < 10)"), (1, true));
        assert!(
            !count("((COALESCE(a, 0) + COALESCE(b, 0)) < 10)").1,
            "a sum of them is not"
        );
        assert_eq!(count("(length(TRIM(BOTH FROM VALUE)) > 10)"), (1, true));
        assert_eq!(
            count("(POSITION(('|'::text) IN (TRIM(BOTH FROM code))) = 0)"),
            (1, true)
        );
        assert_eq!(count("(strpos(email, '@'::text) > 0)"), (1, true));
        assert_eq!(
            count("(SUBSTRING(code FROM 3 FOR 2) = 'AB'::text)"),
            (1, true)
        );
        assert_eq!(
            count(
                "((\"left\"(TRIM(BOTH FROM code), 2) = 'A:'::text) OR (\"right\"(code, 1) = 'Z'::text))"
            ),
            (2, true)
        );
        assert_eq!(count("(is_admin OR (tenant_id IS NOT NULL))"), (2, true));
    }

    #[test]
    fn equalities_of_one_column_are_a_list() {
        let found = alternatives(
            &Expression::parse("((kind = 'totp'::text) OR (kind = 'sms'::text))").unwrap(),
            false,
        );
        let listed = Atom::In {
            column: "kind".to_owned(),
            values: vec!["totp".to_owned(), "sms".to_owned()],
            negated: false,
        };
        assert_eq!(found, [[listed]]);
    }

    #[test]
    fn alternatives_of_an_or_exclude_each_other() {
        let found = alternatives(
            &Expression::parse("((status <> 'shipped'::text) OR (at IS NOT NULL))").unwrap(),
            false,
        );
        let shipped = Atom::In {
            column: "status".to_owned(),
            values: vec!["shipped".to_owned()],
            negated: false,
        };
        assert!(found[1].contains(&shipped), "{found:?}");
    }
}

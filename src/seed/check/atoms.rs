//! A boolean expression as alternatives of facts: a disjunction of conjunctions. One alternative that holds makes the
//! CHECK hold. The alternatives of an OR exclude each other where that can be said, so that rows can be shared out among
//! them without changing how often a value comes.

use super::calls::{call, compare_call, part, untrimmed};
use super::linear::Linear;
use crate::seed::expression::{Expression, Relation};

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
const MOST: usize = 64;

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

fn truth(column: &str, value: bool) -> Atom {
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
    // lower(x) IS NOT NULL, of a text or a range.
    if let (Expression::Call { name, arguments }, true) = (of.uncast(), negated)
        && matches!(name.as_str(), "lower" | "upper")
        && let Some(column) = arguments.first().and_then(Expression::column)
    {
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
    // array_length(x, 1) IS NOT NULL: it has elements.
    if let (Expression::Call { name, arguments }, true) = (of.uncast(), negated)
        && matches!(
            name.as_str(),
            "array_length" | "array_ndims" | "array_upper" | "array_lower"
        )
        && let Some(column) = arguments.first().and_then(Expression::column)
    {
        return one(Atom::Items {
            column: column.to_owned(),
            min: 1,
            max: u32::MAX,
        });
    }
    // A constant is no NULL.
    if of.literal().is_some() {
        return if negated {
            vec![Vec::new()]
        } else {
            one(Atom::False)
        };
    }
    // data ->> 'key' IS NOT NULL.
    if let (
        Expression::Infix {
            operator,
            left,
            right,
        },
        true,
    ) = (of.uncast(), negated)
        && matches!(operator.as_str(), "->" | "->>")
        && let (Some(column), Some(key)) = (left.column(), right.literal())
    {
        return one(Atom::JsonKey {
            column: column.to_owned(),
            key,
        });
    }
    opaque(whole)
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

fn quantified(
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
        ("~~" | "~", false) if !negated => {
            let column = left.column()?.to_owned();
            let patterns: Vec<String> = values
                .iter()
                .map(|value| {
                    if operator == "~~" {
                        like(value)
                    } else {
                        value.clone()
                    }
                })
                .collect();
            return Some(one(Atom::Matches {
                column,
                pattern: patterns.join("|"),
                negated: false,
            }));
        }
        _ => return None,
    };
    if let Some(column) = left.column() {
        return Some(one(Atom::In {
            column: column.to_owned(),
            values,
            negated,
        }));
    }
    // lower(x) = ANY (…), jsonb_typeof(x) = ANY (…), length(x) = ANY (…).
    let Expression::Call { name, arguments } = left.uncast() else {
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
fn array_part(inner: &Expression, outer: &Expression) -> Option<Vec<Vec<Atom>>> {
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

fn negate_infix(operator: &str, left: &Expression, right: &Expression) -> Option<Vec<Vec<Atom>>> {
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

fn infix(operator: &str, left: &Expression, right: &Expression) -> Option<Vec<Vec<Atom>>> {
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

fn json_key(left: &Expression, right: &Expression) -> Option<Atom> {
    Some(Atom::JsonKey {
        column: left.column()?.to_owned(),
        key: right.literal()?,
    })
}

fn text_match(operator: &str, left: &Expression, right: &Expression) -> Option<Atom> {
    let (bare, negated) = match operator.strip_prefix('!') {
        Some(rest) if rest.starts_with('~') => (rest, true),
        _ => (operator, false),
    };
    let pattern = right.literal()?;
    let pattern = match bare {
        "~" => pattern,
        "~*" => format!("(?i){pattern}"),
        "~~" => like(&pattern),
        "~~*" => format!("(?i){}", like(&pattern)),
        _ => return None,
    };
    if let Expression::Call { name, arguments } = left.uncast()
        && let ("substring", [of, part]) = (name.as_str(), arguments.as_slice())
    {
        // In parentheses would be what is meant.
        let part = part.text().filter(|part| !part.contains('('))?.to_owned();
        return Some(Atom::Part {
            column: of.column()?.to_owned(),
            part,
            pattern,
            negated,
        });
    }
    Some(Atom::Matches {
        column: left.column()?.to_owned(),
        pattern,
        negated,
    })
}

/// LIKE's pattern as a regular expression.
fn like(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => regex.push_str(&regex_syntax::escape(
                &chars.next().map_or(String::new(), String::from),
            )),
            other => regex.push_str(&regex_syntax::escape(&other.to_string())),
        }
    }
    regex.push('$');
    regex
}

/// `(a IS NULL) = (b IS NULL)`: both or neither.
fn equal_truths(
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

fn is_truth(expression: &Expression) -> bool {
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
fn counted(relation: Relation, left: &Expression, right: &Expression) -> Option<Vec<Vec<Atom>>> {
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

fn truths(expression: &Expression) -> Option<Vec<Expression>> {
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
    let same_column = |call: &Expression, name: &str, position: usize| match call.uncast() {
        Expression::Call { arguments, .. } => {
            arguments
                .get(position)
                .map(untrimmed)
                .and_then(Expression::column)
                == Some(name)
        }
        _ => false,
    };
    for (call, other) in [(left, right), (right, left)] {
        let (Expression::Call { name, arguments }, Some(column)) = (call.uncast(), other.column())
        else {
            continue;
        };
        let column_text = column.to_owned();
        match name.as_str() {
            "lower" if relation == Relation::Equal && same_column(call, column, 0) => {
                return Some(one(Atom::Lower {
                    column: column_text,
                }));
            }
            "upper" if relation == Relation::Equal && same_column(call, column, 0) => {
                return Some(one(Atom::Upper {
                    column: column_text,
                }));
            }
            "lower" | "upper" if relation == Relation::Equal && arguments.len() == 1 => {
                if let Some(range) = arguments[0].column() {
                    let (range, upper) = (range.to_owned(), name == "upper");
                    return Some(one(Atom::RangeEnd {
                        range,
                        upper,
                        column: column_text,
                    }));
                }
            }
            "btrim" | "trim" | "ltrim" | "rtrim" | "initcap"
                if relation == Relation::Equal && same_column(call, column, 0) =>
            {
                return Some(vec![Vec::new()]);
            }
            "date_trunc" if relation == Relation::Equal && same_column(call, column, 1) => {
                return Some(one(Atom::Grain {
                    column: column_text,
                    unit: arguments.first()?.literal()?,
                }));
            }
            _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> (usize, bool) {
        let found = alternatives(&Expression::parse(text).unwrap(), false);
        let understood = found
            .iter()
            .flatten()
            .all(|atom| !matches!(atom, Atom::Opaque(_)));
        (found.len(), understood)
    }

    #[test]
    fn a_chain_of_compared_truths_is_left_to_the_server() {
        let chain = |number: usize| format!("(a = 1{})", " = (b = 2)".repeat(number));
        assert!(count(&chain(2)).1);
        assert_eq!(count(&chain(60)), (1, false));
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

//! Function calls in constraints: what a comparison with one says of the column inside.

use super::atoms::{Atom, all_of, one};
use super::comparisons::compare;
use crate::seed::expression::{Expression, Relation};

type Alternatives = Vec<Vec<Atom>>;

/// A call compared with something.
pub(super) fn compare_call(
    name: &str,
    arguments: &[Expression],
    relation: Relation,
    right: &Expression,
) -> Option<Alternatives> {
    match name {
        "coalesce" => return coalesce(arguments, relation, right),
        // One value more becomes NULL, which every comparison allows.
        "nullif" => return compare(arguments.first()?, relation, right),
        "position" => return contains(arguments.first()?, arguments.get(1)?, relation, right),
        "strpos" => return contains(arguments.get(1)?, arguments.first()?, relation, right),
        _ => {}
    }
    // Of the functions below the column is the first argument.
    let constant = right.literal();
    let column = untrimmed(arguments.first()?).column()?.to_owned();
    Some(match name {
        "length" | "char_length" | "character_length" | "octet_length" | "bit_length" => {
            let (min, max) = counts(relation, &constant?)?;
            one(Atom::Length { column, min, max })
        }
        "cardinality" | "array_length" | "jsonb_array_length" => {
            let (min, max) = counts(relation, &constant?)?;
            one(Atom::Items { column, min, max })
        }
        "btrim" | "trim" | "ltrim" | "rtrim" if relation == Relation::NotEqual => {
            constant.filter(String::is_empty)?;
            one(Atom::Length {
                column,
                min: 1,
                max: u32::MAX,
            })
        }
        "lower" | "upper" if matches!(relation, Relation::Equal | Relation::NotEqual) => {
            one(Atom::In {
                column,
                values: vec![constant?],
                negated: relation == Relation::NotEqual,
            })
        }
        "jsonb_typeof" | "json_typeof" if relation == Relation::Equal => one(Atom::JsonType {
            column,
            kind: constant?,
        }),
        "left" | "right" | "substring" | "substr"
            if matches!(relation, Relation::Equal | Relation::NotEqual) =>
        {
            let pattern = part(name, arguments, &constant?)?;
            one(Atom::Matches {
                column,
                pattern,
                negated: relation == Relation::NotEqual,
            })
        }
        _ => return None,
    })
}

fn coalesce(
    arguments: &[Expression],
    relation: Relation,
    right: &Expression,
) -> Option<Alternatives> {
    let (first, last) = (arguments.first()?, arguments.last()?);
    // A NULL becomes what the constraint allows: every one may be NULL.
    if let (Some(instead), Some(limit)) = (last.literal(), right.literal())
        && relation.of_constants(&instead, &limit) == Some(true)
    {
        let columns = &arguments[..arguments.len() - 1];
        let parts = columns
            .iter()
            .map(|column| compare(column, relation, right));
        return Some(all_of(parts.collect::<Option<Vec<_>>>()?.into_iter()));
    }
    let column = first.column()?.to_owned();
    let mut found = compare(first, relation, right)?;
    for atoms in &mut found {
        atoms.push(Atom::Null {
            column: column.clone(),
            negated: true,
        });
    }
    Some(found)
}

/// The place of a part in a text, compared with a number: a part that the text has, or has not.
fn contains(
    wanted: &Expression,
    text: &Expression,
    relation: Relation,
    right: &Expression,
) -> Option<Alternatives> {
    let negated = match (relation, right.literal()?.as_str()) {
        (Relation::Equal | Relation::LessOrEqual, "0") | (Relation::Less, "1") => true,
        (Relation::Greater | Relation::NotEqual, "0") | (Relation::GreaterOrEqual, "1") => false,
        _ => return None,
    };
    let pattern = regex_syntax::escape(&wanted.literal()?);
    Some(one(Atom::Matches {
        column: untrimmed(text).column()?.to_owned(),
        pattern,
        negated,
    }))
}

/// The fewest and the most that a count compared with a number may be.
fn counts(relation: Relation, constant: &str) -> Option<(u32, u32)> {
    let number: i64 = constant.parse().ok()?;
    let number = u32::try_from(number.max(0)).ok()?;
    Some(match relation {
        Relation::Less => (0, number.saturating_sub(1)),
        Relation::LessOrEqual => (0, number),
        Relation::Greater => (number.saturating_add(1), u32::MAX),
        Relation::GreaterOrEqual => (number, u32::MAX),
        Relation::Equal => (number, number),
        Relation::NotEqual if number == 0 => (1, u32::MAX),
        Relation::NotEqual => return None,
    })
}

/// What stands inside of `trim(…)`: generated texts have no blanks around them.
pub(super) fn untrimmed(of: &Expression) -> &Expression {
    match of.uncast() {
        Expression::Call { name, arguments }
            if matches!(name.as_str(), "btrim" | "trim" | "ltrim" | "rtrim") =>
        {
            arguments.first().map_or(of, untrimmed)
        }
        _ => of,
    }
}

/// The pattern of texts of which `left`, `right` or `substring` gives this part.
pub(super) fn part(function: &str, arguments: &[Expression], value: &str) -> Option<String> {
    let number = |at: usize| arguments.get(at)?.literal()?.parse::<usize>().ok();
    let (before, length) = match function {
        "left" | "right" => (0, number(1)?),
        _ => (number(1)?.checked_sub(1)?, number(2)?),
    };
    let value = (value.chars().count() == length).then(|| regex_syntax::escape(value))?;
    Some(match (function, before) {
        ("right", _) => format!("{value}$"),
        (_, 0) => format!("^{value}"),
        (_, before) => format!("^.{{{before}}}{value}"),
    })
}

/// A call that is true or false itself.
pub(super) fn call(name: &str, arguments: &[Expression], negated: bool) -> Option<Alternatives> {
    // starts_with(reverse(x), y): how x ends.
    if let (
        "starts_with",
        Expression::Call {
            name: inner,
            arguments: of,
        },
    ) = (name, arguments.first()?.uncast())
    {
        let column = of
            .first()
            .filter(|_| inner == "reverse")?
            .column()?
            .to_owned();
        let end: String = arguments.get(1)?.literal()?.chars().rev().collect();
        return Some(one(Atom::Matches {
            column,
            pattern: format!("{}$", regex_syntax::escape(&end)),
            negated,
        }));
    }
    let column = arguments.first()?.column()?.to_owned();
    match (name, negated) {
        // Generated ranges have both ends, the lower one included.
        ("isempty" | "lower_inf" | "upper_inf" | "upper_inc", true) | ("lower_inc", false) => {
            Some(one(Atom::NotEmpty { column }))
        }
        ("starts_with", _) => {
            let pattern = format!("^{}", regex_syntax::escape(&arguments.get(1)?.literal()?));
            Some(one(Atom::Matches {
                column,
                pattern,
                negated,
            }))
        }
        _ => None,
    }
}

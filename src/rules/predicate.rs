//! What an index could do for a printed condition, seen from one relation. Shared by the rules that judge scans; no rule.

use crate::plan::condition::{Expression, ExpressionKind, Quantifier, Test, parse};
use crate::schema::{Index, Table};

/// One conjunct, and how an index could serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The conjunct as printed.
    pub text: String,
    /// How.
    pub by: ServedBy,
}

/// How an index serves a conjunct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServedBy {
    /// A plain column index: equality, range, IN, IS NULL, a boolean column. The column.
    Column(String),
    /// An index on the expression only. The wrapped column.
    Expression(String),
    /// A pattern that starts with a wildcard, or that ignores case: trigrams only. The column.
    Pattern(String),
    /// jsonb, arrays, ranges, full text: GIN or GiST.
    Containment,
    /// `value = ANY (column)`: GIN, once it is written as `column @> ARRAY[value]`. The column.
    Membership(String),
    /// A partial index only, whose WHERE it is: `<>` and NOT IN with constants. The column.
    LeavingOut(String),
    /// Nothing helps: NOT, two columns of the same row, a value of each row's own.
    Nothing,
}

impl ServedBy {
    /// Whether any kind of index could serve it.
    #[must_use]
    pub fn is_servable(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// The valid index of a table whose first column a condition on the relation known as `alias` compares.
#[must_use]
pub fn index_that_serves<'a>(table: &'a Table, alias: &str, condition: &str) -> Option<&'a Index> {
    conjuncts(condition, alias)
        .iter()
        .find_map(|conjunct| match &conjunct.by {
            ServedBy::Column(column) => {
                let mut indexes = table.indexes.iter().filter(|index| index.valid);
                indexes.find(|index| {
                    index.predicate.is_none()
                        && index.key_columns().first() == Some(&column.as_str())
                })
            }
            ServedBy::Expression(_)
            | ServedBy::Pattern(_)
            | ServedBy::Containment
            | ServedBy::Membership(_)
            | ServedBy::LeavingOut(_)
            | ServedBy::Nothing => None,
        })
}

/// The conjuncts of a condition on the relation known as `alias`.
#[must_use]
pub fn conjuncts(condition: &str, alias: &str) -> Vec<Served> {
    let parsed = parse(condition);
    parsed
        .conjuncts()
        .into_iter()
        .map(|conjunct| Served {
            text: conjunct.text.clone(),
            by: served_by(conjunct, alias),
        })
        .collect()
}

fn served_by(conjunct: &Expression, alias: &str) -> ServedBy {
    match &conjunct.kind {
        ExpressionKind::Column { name, .. } => ServedBy::Column(name.clone()),
        ExpressionKind::Not(operand) => match operand.as_column() {
            Some((_, name)) => ServedBy::Column(name.to_owned()),
            None => ServedBy::Nothing,
        },
        ExpressionKind::Test {
            operand,
            test: Test::Null | Test::NotNull | Test::True | Test::False,
        } => match operand.as_column() {
            Some((_, name)) => ServedBy::Column(name.to_owned()),
            None => wrapped(operand),
        },
        // Served where every alternative is, by a BitmapOr; the worst alternative decides.
        ExpressionKind::Or(parts) => {
            let mut worst = None;
            for part in parts {
                let conjuncts = part.conjuncts();
                let best = conjuncts
                    .iter()
                    .map(|conjunct| served_by(conjunct, alias))
                    .min_by_key(rank);
                worst = worst.into_iter().chain(best).max_by_key(rank);
            }
            worst.unwrap_or(ServedBy::Nothing)
        }
        ExpressionKind::Operator { .. } => comparison(conjunct, alias),
        ExpressionKind::Call { function, .. } if function.starts_with("st_") => {
            ServedBy::Containment
        }
        ExpressionKind::Test { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Call { .. }
        | ExpressionKind::Cast { .. }
        | ExpressionKind::Constant(_)
        | ExpressionKind::Parameter(_)
        | ExpressionKind::Subplan
        | ExpressionKind::Other(_) => ServedBy::Nothing,
    }
}

fn rank(served: &ServedBy) -> u8 {
    match served {
        ServedBy::Column(_) => 0,
        ServedBy::Containment | ServedBy::Membership(_) => 1,
        ServedBy::Expression(_) => 2,
        ServedBy::Pattern(_) => 3,
        ServedBy::LeavingOut(_) => 4,
        ServedBy::Nothing => 5,
    }
}

fn comparison(conjunct: &Expression, alias: &str) -> ServedBy {
    if let Some(column) = array_with(conjunct, alias) {
        return ServedBy::Membership(column);
    }
    let Some(comparison) = conjunct.comparison(alias) else {
        return ServedBy::Nothing;
    };
    if comparison.operator == "<>" {
        let value = matches!(
            comparison.other.without_casts().kind,
            ExpressionKind::Constant(_)
        );
        return match comparison.subject.as_column().filter(|_| value) {
            Some((_, column)) => ServedBy::LeavingOut(column.to_owned()),
            None => ServedBy::Nothing,
        };
    }
    // A value that is computed from each row anew is nothing to search for.
    if comparison.quantifier == Quantifier::All || is_correlated_subplan(comparison.other) {
        return ServedBy::Nothing;
    }
    let column = comparison
        .subject
        .as_column()
        .map(|(_, name)| name.to_owned());
    match comparison.operator {
        "="
        | "<"
        | "<="
        | ">"
        | ">="
        | "~<~"
        | "~>~"
        | "~<=~"
        | "~>=~"
        | "^@"
        | "IS NOT DISTINCT FROM" => match column.filter(|_| !is_real_cast(comparison.subject)) {
            Some(column) => ServedBy::Column(column),
            None => wrapped(comparison.subject),
        },
        "~~" | "~" => match (
            column,
            starts_with_wildcard(comparison.operator, comparison.other),
        ) {
            (Some(column), false) => ServedBy::Column(column),
            (Some(column), true) => ServedBy::Pattern(column),
            (None, _) => wrapped(comparison.subject),
        },
        "~~*" if !starts_with_wildcard("~~", comparison.other) => wrapped(comparison.subject),
        "~~*" | "~*" | "%" | "<%" | "%>" => match comparison.subject.columns().first() {
            Some((_, column)) => ServedBy::Pattern((*column).to_owned()),
            None => ServedBy::Nothing,
        },
        "@>" | "<@" | "&&" | "@@" | "?" | "?|" | "?&" | "@?" | "-|-" | "<<" | ">>" | "&<"
        | "&>" => ServedBy::Containment,
        _ => ServedBy::Nothing,
    }
}

/// The array column of `value = ANY (column)`, which reads every row as it is written, and no row as `column @> ARRAY[value]`.
#[must_use]
pub fn array_with(conjunct: &Expression, alias: &str) -> Option<String> {
    let ExpressionKind::Operator {
        operator,
        quantifier: Quantifier::Any,
        left: Some(left),
        right,
    } = &conjunct.kind
    else {
        return None;
    };
    let (_, column) = right.as_column()?;
    (operator == "=" && right.mentions(alias) && !left.mentions(alias) && left.columns().is_empty())
        .then(|| column.to_owned())
}

/// Whether one conjunct is an OR of a subquery and of conditions that an index serves: as two statements each side has its
/// index, as one neither has.
#[must_use]
pub fn or_with_subquery(condition: &str, alias: &str) -> bool {
    let parsed = parse(condition);
    parsed.conjuncts().into_iter().any(|conjunct| {
        let ExpressionKind::Or(sides) = &conjunct.kind else {
            return false;
        };
        let served = |side: &&Expression| {
            let mut parts = side.conjuncts().into_iter();
            parts.any(|part| matches!(served_by(part, alias), ServedBy::Column(_)))
        };
        let (subqueries, plain): (Vec<&Expression>, Vec<&Expression>) = sides
            .iter()
            .partition(|side| side.has_subplan() && !side.text.contains("InitPlan"));
        !subqueries.is_empty() && !plain.is_empty() && plain.iter().all(served)
    })
}

/// An expression around a column, or nothing where there is no column in it.
fn wrapped(subject: &Expression) -> ServedBy {
    match subject.columns().first() {
        Some((_, column)) => ServedBy::Expression((*column).to_owned()),
        None => ServedBy::Nothing,
    }
}

fn is_correlated_subplan(other: &Expression) -> bool {
    other.has_subplan() && !other.text.contains("InitPlan")
}

/// A cast that changes what an index would hold. varchar to text is what Postgres prints for every varchar column, and
/// uses the column's index.
#[must_use]
pub fn is_real_cast(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Cast { operand, type_name } => {
            let relabels = matches!(
                type_name.as_str(),
                "text" | "character varying" | "bpchar" | "oid" | "name"
            ) || type_name.starts_with("character varying(");
            !relabels || is_real_cast(operand)
        }
        ExpressionKind::Column { .. }
        | ExpressionKind::Constant(_)
        | ExpressionKind::Parameter(_)
        | ExpressionKind::Subplan
        | ExpressionKind::Call { .. }
        | ExpressionKind::Operator { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Or(_)
        | ExpressionKind::Not(_)
        | ExpressionKind::Test { .. }
        | ExpressionKind::Other(_) => false,
    }
}

/// Whether a LIKE or regular expression pattern has no fixed beginning; a parameter's pattern is taken to have one.
fn starts_with_wildcard(operator: &str, pattern: &Expression) -> bool {
    let first = first_constant(pattern);
    match (operator, first) {
        ("~~", Some(text)) => text.starts_with(['%', '_']),
        ("~", Some(text)) => !text.starts_with('^'),
        (_, _) => false,
    }
}

/// The leftmost constant of `'%' || $1 || '%'`.
fn first_constant(pattern: &Expression) -> Option<&str> {
    let pattern = pattern.without_casts();
    match &pattern.kind {
        ExpressionKind::Constant(text) => text.as_deref(),
        ExpressionKind::Operator {
            operator,
            left: Some(left),
            ..
        } if operator == "||" => first_constant(left),
        ExpressionKind::Call {
            function,
            arguments,
        } if function == "concat" => first_constant(arguments.first()?),
        ExpressionKind::Column { .. }
        | ExpressionKind::Parameter(_)
        | ExpressionKind::Subplan
        | ExpressionKind::Cast { .. }
        | ExpressionKind::Call { .. }
        | ExpressionKind::Operator { .. }
        | ExpressionKind::And(_)
        | ExpressionKind::Or(_)
        | ExpressionKind::Not(_)
        | ExpressionKind::Test { .. }
        | ExpressionKind::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(condition: &str) -> Vec<ServedBy> {
        conjuncts(condition, "o")
            .into_iter()
            .map(|served| served.by)
            .collect()
    }

    #[test]
    fn an_or_with_a_subquery_is_two_statements() {
        for (condition, expected) in [
            ("((t.owner = 5) OR (hashed SubPlan 1))", true),
            ("((t.open) AND ((t.owner = 5) OR (SubPlan 2)))", true),
            ("((t.owner = 5) OR (t.editor = 5))", false),
            ("((lower(t.name) = 'x'::text) OR (hashed SubPlan 1))", false),
            ("((hashed SubPlan 1) OR (hashed SubPlan 2))", false),
        ] {
            assert_eq!(or_with_subquery(condition, "t"), expected, "{condition}");
        }
    }

    #[test]
    fn what_an_index_could_serve() {
        let column = |name: &str| ServedBy::Column(name.to_owned());
        let expression = |name: &str| ServedBy::Expression(name.to_owned());
        let left_out = |name: &str| ServedBy::LeavingOut(name.to_owned());
        let pattern = |name: &str| ServedBy::Pattern(name.to_owned());
        for (condition, expected) in [
            ("((o.status)::text = 'open'::text)", column("status")),
            ("(o.status = ANY ('{a,b}'::text[]))", column("status")),
            ("(o.deleted_at IS NULL)", column("deleted_at")),
            ("(NOT o.hidden)", column("hidden")),
            ("o.hidden", column("hidden")),
            ("(o.deleted_at IS NOT NULL)", column("deleted_at")),
            ("(o.status <> 'open'::text)", left_out("status")),
            ("(o.status <> ALL ('{a,b}'::text[]))", left_out("status")),
            ("(o.status <> $1)", ServedBy::Nothing),
            (
                "('x'::text = ANY (o.tags))",
                ServedBy::Membership("tags".to_owned()),
            ),
            ("(o.a = o.b)", ServedBy::Nothing),
            ("(o.total > (SubPlan 1))", ServedBy::Nothing),
            ("(o.total > (InitPlan 1).col1)", column("total")),
            ("(o.total > $0)", column("total")),
            ("(lower((o.email)::text) = $1)", expression("email")),
            (
                "((o.created_at)::date = '2024-01-01'::date)",
                expression("created_at"),
            ),
            ("((o.name)::text ~~ '%x'::text)", pattern("name")),
            ("((o.name)::text ~~ 'x%'::text)", column("name")),
            (
                "(o.name ~~ (('%'::text || $1) || '%'::text))",
                pattern("name"),
            ),
            ("(o.name ~~* 'x%'::text)", expression("name")),
            ("(o.name ~~* '%x'::text)", pattern("name")),
            ("(o.tags @> '{x}'::text[])", ServedBy::Containment),
            ("((o.a = 1) OR (o.b = 2))", column("b")),
            ("((o.a = 1) OR (o.b <> 2))", left_out("b")),
            ("((o.a = 1) OR (hashed SubPlan 1))", ServedBy::Nothing),
        ] {
            assert_eq!(by(condition), [expected], "{condition}");
        }
    }
}

//! What an index could do for a printed condition, seen from one relation. Shared by the rules that judge scans; no rule.

use crate::plan::condition::{Expression, ExpressionKind, Quantifier, Test, parse};

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
    /// Nothing helps: `<>`, NOT, two columns of the same row.
    Nothing,
}

impl ServedBy {
    /// Whether any kind of index could serve it.
    #[must_use]
    pub fn is_servable(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
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
            test: Test::Null | Test::True | Test::False,
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
        ServedBy::Containment => 1,
        ServedBy::Expression(_) => 2,
        ServedBy::Pattern(_) => 3,
        ServedBy::Nothing => 4,
    }
}

fn comparison(conjunct: &Expression, alias: &str) -> ServedBy {
    let Some(comparison) = conjunct.comparison(alias) else {
        return ServedBy::Nothing;
    };
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
        "~~*" | "~*" | "%" | "<%" | "%>" => match comparison.subject.columns().first() {
            Some((_, column)) => ServedBy::Pattern((*column).to_owned()),
            None => ServedBy::Nothing,
        },
        "@>" | "<@" | "&&" | "@@" | "?" | "?|" | "?&" | "@?" | "-|-" | "<<" | ">>" | "&<"
        | "&>" => ServedBy::Containment,
        _ => ServedBy::Nothing,
    }
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
    fn what_an_index_could_serve() {
        let column = |name: &str| ServedBy::Column(name.to_owned());
        let expression = |name: &str| ServedBy::Expression(name.to_owned());
        let pattern = |name: &str| ServedBy::Pattern(name.to_owned());
        for (condition, expected) in [
            ("((o.status)::text = 'open'::text)", column("status")),
            ("(o.status = ANY ('{a,b}'::text[]))", column("status")),
            ("(o.deleted_at IS NULL)", column("deleted_at")),
            ("(NOT o.hidden)", column("hidden")),
            ("o.hidden", column("hidden")),
            ("(o.deleted_at IS NOT NULL)", ServedBy::Nothing),
            ("(o.status <> 'open'::text)", ServedBy::Nothing),
            ("(o.status <> ALL ('{a,b}'::text[]))", ServedBy::Nothing),
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
            ("(o.name ~~* 'x%'::text)", pattern("name")),
            ("(o.tags @> '{x}'::text[])", ServedBy::Containment),
            ("((o.a = 1) OR (o.b = 2))", column("b")),
            ("((o.a = 1) OR (o.b <> 2))", ServedBy::Nothing),
        ] {
            assert_eq!(by(condition), [expected], "{condition}");
        }
    }
}

//! Expressions as SQL, for messages.

use std::fmt::{Display, Formatter, Result};

use super::Expression;
use crate::schema::quote_identifier;

impl Display for Expression {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::Column(name) => write!(out, "{}", quote_identifier(name)),
            Self::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => out.write_str(number),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Null => out.write_str("NULL"),
            Self::Array(items) => list(out, "ARRAY[", items, ", ", "]"),
            Self::Row(items) => list(out, "ROW(", items, ", ", ")"),
            Self::Call { name, arguments } => list(out, &format!("{name}("), arguments, ", ", ")"),
            Self::Cast { of, to } => write!(out, "{}::{to}", Inner(of)),
            Self::Prefix { operator, of } => write!(out, "{operator} {}", Inner(of)),
            Self::Infix {
                operator,
                left,
                right,
            } => write!(out, "{} {operator} {}", Inner(left), Inner(right)),
            Self::Quantified {
                operator,
                left,
                array,
                all,
            } => {
                write!(
                    out,
                    "{} {operator} {} ({array})",
                    Inner(left),
                    if *all { "ALL" } else { "ANY" }
                )
            }
            Self::And(parts) => list(out, "", &inner(parts), " AND ", ""),
            Self::Or(parts) => list(out, "", &inner(parts), " OR ", ""),
            Self::Not(of) => write!(out, "NOT {}", Inner(of)),
            Self::IsNull { of, negated } => write!(out, "{} IS {}NULL", Inner(of), not(*negated)),
            Self::IsBool { of, value, negated } => {
                write!(out, "{} IS {}{value}", Inner(of), not(*negated))
            }
            Self::Distinct {
                left,
                right,
                negated,
            } => {
                write!(
                    out,
                    "{} IS {}DISTINCT FROM {}",
                    Inner(left),
                    not(*negated),
                    Inner(right)
                )
            }
            Self::Case {
                operand,
                arms,
                otherwise,
            } => {
                out.write_str("CASE")?;
                if let Some(operand) = operand {
                    write!(out, " {operand}")?;
                }
                for (when, then) in arms {
                    write!(out, " WHEN {when} THEN {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(out, " ELSE {otherwise}")?;
                }
                out.write_str(" END")
            }
        }
    }
}

/// A part of a larger expression: in parentheses where it has operators of its own.
struct Inner<'e>(&'e Expression);

impl Display for Inner<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self.0 {
            Expression::Column(_)
            | Expression::Text(_)
            | Expression::Number(_)
            | Expression::Bool(_)
            | Expression::Null
            | Expression::Array(_)
            | Expression::Row(_)
            | Expression::Call { .. }
            | Expression::Case { .. }
            | Expression::Cast { .. } => write!(out, "{}", self.0),
            Expression::Prefix { .. }
            | Expression::Infix { .. }
            | Expression::Quantified { .. }
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::Not(_)
            | Expression::IsNull { .. }
            | Expression::IsBool { .. }
            | Expression::Distinct { .. } => write!(out, "({})", self.0),
        }
    }
}

fn inner(parts: &[Expression]) -> Vec<Inner<'_>> {
    parts.iter().map(Inner).collect()
}

const fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn list(
    out: &mut Formatter<'_>,
    open: &str,
    items: &[impl Display],
    separator: &str,
    close: &str,
) -> Result {
    out.write_str(open)?;
    for (position, item) in items.iter().enumerate() {
        out.write_str(if position > 0 { separator } else { "" })?;
        write!(out, "{item}")?;
    }
    out.write_str(close)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn expressions_are_shown_as_sql_that_means_the_same() {
        for text in [
            "(lower(valid) = issued::timestamp with time zone)",
            "(a <@ b AND NOT (c IS NOT NULL OR \"Odd\" = 'it''s'))",
            "(state = ANY (ARRAY['a'::text, 'b'::text]))",
            "((- x) > 3.5)",
            "(CASE WHEN (a > 1) THEN true ELSE NULL END IS NOT DISTINCT FROM true)",
            "(CASE kind WHEN 'a'::text THEN 1 END IS NULL)",
        ] {
            let expression =
                Expression::parse(text).unwrap_or_else(|error| panic!("{error} in {text}"));
            let mut shown = String::new();
            write!(shown, "{expression}").unwrap();
            assert_eq!(Expression::parse(&shown), Ok(expression), "{shown}");
        }
    }
}

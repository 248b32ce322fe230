//! What a query's own text says. Any other constant in a plan stems from a parameter's value, and what is made for it
//! serves one value only. Shared by rules and the advisor; no rule.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::plan::condition::{Expression, ExpressionKind};
use crate::run::{BoundParameter, Run};
use crate::sql::literals::literals;
use crate::sql::token::{TokenKind, tokens};

/// Fields of EXTRACT, which are printed like values.
const FIELDS: [&str; 12] = [
    "century", "decade", "day", "dow", "doy", "hour", "isodow", "month", "quarter", "week", "year",
    "epoch",
];

/// The literals of a statement, and the values that it ran with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnConstants {
    literals: BTreeSet<String>,
    values: BTreeSet<String>,
}

impl OwnConstants {
    /// Of a query and one of its runs.
    #[must_use]
    pub fn of(query: &Query, run: &Run) -> Self {
        let values = run.parameters.iter();
        Self {
            literals: literals(&query.sql),
            values: values.filter_map(|bound| bound.value.clone()).collect(),
        }
    }

    /// Whether every constant of an expression is the statement's own, so that it is the same for every execution.
    #[must_use]
    pub fn holds_for_every_value(&self, expression: &Expression) -> bool {
        let mut holds = true;
        expression.walk(&mut |part| match &part.kind {
            ExpressionKind::Constant(Some(text)) => holds &= self.is_own(text),
            ExpressionKind::Parameter(_) => holds = false,
            ExpressionKind::Column { .. }
            | ExpressionKind::Constant(None)
            | ExpressionKind::Subplan
            | ExpressionKind::Cast { .. }
            | ExpressionKind::Call { .. }
            | ExpressionKind::Operator { .. }
            | ExpressionKind::And(_)
            | ExpressionKind::Or(_)
            | ExpressionKind::Not(_)
            | ExpressionKind::Test { .. }
            | ExpressionKind::Other(_) => {}
        });
        holds
    }

    /// Whether a constant stands in the statement and is no parameter's value.
    #[must_use]
    pub fn is_own(&self, constant: &str) -> bool {
        if FIELDS.contains(&constant) {
            return true;
        }
        if self.values.contains(constant) {
            return false;
        }
        matches!(constant, "true" | "false" | "t" | "f")
            || self.literals.contains(constant)
            || constant
                .strip_prefix('-')
                .is_some_and(|number| self.literals.contains(number))
            || self.is_list_of_own(constant)
    }

    /// A condition as the statement has it: where a parameter's value stands, the parameter; `?` where several have that value.
    #[must_use]
    pub fn spelled(&self, condition: &str, run: &Run) -> String {
        let mut text = String::with_capacity(condition.len());
        for token in tokens(condition) {
            let written = &condition[token.span.clone()];
            let constant = match token.kind {
                TokenKind::Literal { .. } => written
                    .strip_prefix('\'')
                    .and_then(|rest| rest.strip_suffix('\''))
                    .map_or_else(|| written.to_owned(), |inside| inside.replace("''", "'")),
                _ => {
                    text.push_str(written);
                    continue;
                }
            };
            let mut bound = run.parameters.iter().filter(|bound| {
                bound
                    .value
                    .as_deref()
                    .is_some_and(|value| is_same(value, &constant))
            });
            match (
                self.literals.contains(&constant),
                bound.next(),
                bound.next(),
            ) {
                (false, Some(only), None) => text.push_str(&placeholder(only)),
                (false, Some(_), Some(_)) => text.push('?'),
                (true, _, _) | (false, None, _) => text.push_str(written),
            }
        }
        text
    }

    /// `{open,held}`: what IN with literals becomes.
    fn is_list_of_own(&self, constant: &str) -> bool {
        let list = constant
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        list.is_some_and(|list| {
            list.split(',').all(|part| {
                let part = part.trim_matches('"');
                self.literals.contains(part) && !self.values.contains(part)
            })
        })
    }
}

/// Whether a constant of a plan is a value as it was bound: arrays are printed with fewer quotes.
fn is_same(value: &str, constant: &str) -> bool {
    let is_array = |text: &str| text.starts_with('{') && text.ends_with('}');
    value == constant
        || is_array(value)
            && is_array(constant)
            && value
                .chars()
                .filter(|c| *c != '"')
                .eq(constant.chars().filter(|c| *c != '"'))
}

/// As query files write it.
fn placeholder(bound: &BoundParameter) -> String {
    match &bound.name {
        Some(name) => format!("@{name}"),
        None => format!("${}", bound.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_id::SetId;

    #[test]
    fn values_of_parameters_are_spelled_as_parameters() {
        let bound = |number, name: Option<&str>, value: &str| BoundParameter {
            number,
            name: name.map(str::to_owned),
            type_name: "text".to_owned(),
            value: Some(value.to_owned()),
            column: None,
        };
        let spelled = |literals: &[&str], parameters: Vec<BoundParameter>, text: &str| {
            let own = OwnConstants {
                literals: literals.iter().map(|text| (*text).to_owned()).collect(),
                values: BTreeSet::new(),
            };
            let run = Run {
                id: SetId::base("given").custom(),
                parameters,
                plan: crate::plan::parse::any("Result  (actual time=0.0..0.0 rows=1 loops=1)\n")
                    .unwrap()
                    .remove(0),
                explain_json: serde_json::Value::Null,
                outcome: crate::run::Outcome::Estimated,
            };
            own.spelled(text, &run)
        };
        let condition = "((branch = 4) AND (state = 'it''s out'::text) AND (kind = 'loan'::text))";
        assert_eq!(
            spelled(
                &["loan"],
                vec![
                    bound(1, None, "4"),
                    bound(2, Some("state"), "it's out"),
                    bound(3, None, "loan"),
                ],
                condition
            ),
            "((branch = $1) AND (state = @state::text) AND (kind = 'loan'::text))"
        );
        let list = vec![bound(1, None, "{\"a b\",\"c\"}")];
        assert_eq!(
            spelled(&[], list, "(k = ANY ('{\"a b\",c}'::text[]))"),
            "(k = ANY ($1::text[]))"
        );
        let twice = vec![bound(1, None, "1"), bound(2, None, "1")];
        assert_eq!(
            spelled(&[], twice, "(COALESCE(n, 1) = 1)"),
            "(COALESCE(n, ?) = ?)"
        );
    }
}

//! What a query's own text says. Any other constant in a plan stems from a parameter's value, and what is made for it
//! serves one value only. Shared by rules and the advisor; no rule.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::plan::condition::{Expression, ExpressionKind};
use crate::run::Run;
use crate::sql::literals::literals;

/// Fields of EXTRACT, which are printed like values.
const FIELDS: [&str; 12] = [
    "century", "decade", "day", "dow", "doy", "hour", "isodow", "month", "quarter", "week", "year",
    "epoch",
];

/// The literals of a statement, and the values that it ran with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    literals: BTreeSet<String>,
    values: BTreeSet<String>,
}

impl Said {
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
            ExpressionKind::Constant(Some(text)) => holds &= self.is_said(text),
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
    pub fn is_said(&self, constant: &str) -> bool {
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
            || self.is_list_of_said(constant)
    }

    /// `{open,held}`: what IN with literals becomes.
    fn is_list_of_said(&self, constant: &str) -> bool {
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

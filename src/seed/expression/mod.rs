//! Scalar expressions of SQL as the catalog prints them: a typed tree, read by `parse`, shown as SQL by `shown`,
//! computed by [`value`]. What constraints say of columns is for `check` to find out.

mod parse;
mod shown;
mod spelled;
mod tokens;
pub mod value;

pub use parse::ParseError;
pub use value::{Arithmetic, Formula, Relation};

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A column, or `VALUE` of a domain.
    Column(String),
    /// A string literal, without its quotes.
    Text(String),
    /// A number as written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    Null,
    /// `ARRAY[…]`.
    Array(Vec<Expression>),
    /// `ROW(…)`.
    Row(Vec<Expression>),
    /// `name(arguments)`.
    Call {
        name: String,
        arguments: Vec<Expression>,
    },
    /// `expression::type`.
    Cast {
        of: Box<Expression>,
        to: String,
    },
    /// A prefix operator.
    Prefix {
        operator: String,
        of: Box<Expression>,
    },
    /// An infix operator.
    Infix {
        operator: String,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    /// `left operator ANY (array)` or ALL.
    Quantified {
        operator: String,
        left: Box<Expression>,
        array: Box<Expression>,
        all: bool,
    },
    /// All of them.
    And(Vec<Expression>),
    /// Any of them.
    Or(Vec<Expression>),
    Not(Box<Expression>),
    /// IS NULL, IS NOT NULL.
    IsNull {
        of: Box<Expression>,
        negated: bool,
    },
    /// IS [NOT] TRUE and FALSE: the value tested for, and whether negated.
    IsBool {
        of: Box<Expression>,
        value: bool,
        negated: bool,
    },
    /// IS [NOT] DISTINCT FROM.
    Distinct {
        left: Box<Expression>,
        right: Box<Expression>,
        negated: bool,
    },
    /// CASE [operand] WHEN … THEN … ELSE … END.
    Case {
        operand: Option<Box<Expression>>,
        arms: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
}

impl Expression {
    /// A domain's expression for a column: `VALUE` becomes its name.
    #[must_use]
    pub fn with_value_named(mut self, name: &str) -> Self {
        self.rename("value", name);
        self
    }

    /// Adds every column that it names.
    pub fn columns(&self, names: &mut Vec<String>) {
        self.visit(&mut |inner| {
            if let Self::Column(name) = inner {
                names.push(name.clone());
            }
        });
    }

    /// Shows the expression and everything inside it, from the outside in.
    pub fn visit<'e>(&'e self, see: &mut dyn FnMut(&'e Self)) {
        see(self);
        match self {
            Self::Column(_) | Self::Text(_) | Self::Number(_) | Self::Bool(_) | Self::Null => {}
            Self::Array(items) | Self::Row(items) | Self::And(items) | Self::Or(items) => {
                items.iter().for_each(|item| item.visit(see));
            }
            Self::Call { arguments, .. } => arguments.iter().for_each(|item| item.visit(see)),
            Self::Cast { of, .. }
            | Self::Prefix { of, .. }
            | Self::IsNull { of, .. }
            | Self::IsBool { of, .. }
            | Self::Not(of) => of.visit(see),
            Self::Infix { left, right, .. }
            | Self::Distinct { left, right, .. }
            | Self::Quantified {
                left, array: right, ..
            } => {
                left.visit(see);
                right.visit(see);
            }
            Self::Case {
                operand,
                arms,
                otherwise,
            } => {
                operand
                    .iter()
                    .chain(otherwise)
                    .for_each(|item| item.visit(see));
                for (when, then) in arms {
                    when.visit(see);
                    then.visit(see);
                }
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        match self {
            Self::Column(name) if name == from => to.clone_into(name),
            Self::Column(_) | Self::Text(_) | Self::Number(_) | Self::Bool(_) | Self::Null => {}
            Self::Array(items) | Self::Row(items) | Self::And(items) | Self::Or(items) => {
                items.iter_mut().for_each(|item| item.rename(from, to));
            }
            Self::Call { arguments, .. } => {
                arguments.iter_mut().for_each(|item| item.rename(from, to))
            }
            Self::Cast { of, .. }
            | Self::Prefix { of, .. }
            | Self::IsNull { of, .. }
            | Self::IsBool { of, .. }
            | Self::Not(of) => of.rename(from, to),
            Self::Infix { left, right, .. }
            | Self::Distinct { left, right, .. }
            | Self::Quantified {
                left, array: right, ..
            } => {
                left.rename(from, to);
                right.rename(from, to);
            }
            Self::Case {
                operand,
                arms,
                otherwise,
            } => {
                operand
                    .iter_mut()
                    .chain(otherwise)
                    .for_each(|item| item.rename(from, to));
                for (when, then) in arms {
                    when.rename(from, to);
                    then.rename(from, to);
                }
            }
        }
    }

    /// Changes every part, from the inside out.
    #[must_use]
    pub fn rewritten(self, change: &mut dyn FnMut(Self) -> Self) -> Self {
        let mut boxed = |part: Box<Self>| Box::new(part.rewritten(change));
        let whole = match self {
            Self::Cast { of, to } => Self::Cast { of: boxed(of), to },
            Self::Prefix { operator, of } => Self::Prefix {
                operator,
                of: boxed(of),
            },
            Self::Not(of) => Self::Not(boxed(of)),
            Self::IsNull { of, negated } => Self::IsNull {
                of: boxed(of),
                negated,
            },
            Self::IsBool { of, value, negated } => Self::IsBool {
                of: boxed(of),
                value,
                negated,
            },
            Self::Infix {
                operator,
                left,
                right,
            } => Self::Infix {
                operator,
                left: boxed(left),
                right: boxed(right),
            },
            Self::Distinct {
                left,
                right,
                negated,
            } => Self::Distinct {
                left: boxed(left),
                right: boxed(right),
                negated,
            },
            Self::Quantified {
                operator,
                left,
                array,
                all,
            } => Self::Quantified {
                operator,
                left: boxed(left),
                array: boxed(array),
                all,
            },
            Self::Case {
                operand,
                arms,
                otherwise,
            } => Self::Case {
                operand: operand.map(&mut boxed),
                otherwise: otherwise.map(&mut boxed),
                arms: arms
                    .into_iter()
                    .map(|(when, then)| (*boxed(Box::new(when)), *boxed(Box::new(then))))
                    .collect(),
            },
            Self::Array(items) => Self::Array(
                items
                    .into_iter()
                    .map(|item| item.rewritten(change))
                    .collect(),
            ),
            Self::Row(items) => Self::Row(
                items
                    .into_iter()
                    .map(|item| item.rewritten(change))
                    .collect(),
            ),
            Self::And(items) => Self::And(
                items
                    .into_iter()
                    .map(|item| item.rewritten(change))
                    .collect(),
            ),
            Self::Or(items) => Self::Or(
                items
                    .into_iter()
                    .map(|item| item.rewritten(change))
                    .collect(),
            ),
            Self::Call { name, arguments } => {
                let arguments = arguments
                    .into_iter()
                    .map(|item| item.rewritten(change))
                    .collect();
                Self::Call { name, arguments }
            }
            leaf @ (Self::Column(_)
            | Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::Null) => leaf,
        };
        change(whole)
    }

    /// The expression inside casts.
    #[must_use]
    pub fn uncast(&self) -> &Self {
        match self {
            Self::Cast { of, .. } => of.uncast(),
            other => other,
        }
    }

    /// A literal's text inside casts and a sign.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Cast { of, .. } => of.literal(),
            Self::Prefix { operator, of } if operator == "-" => {
                of.literal().map(|text| format!("-{text}"))
            }
            _ => None,
        }
    }

    /// A string literal's text inside casts.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self.uncast() {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A column inside casts.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match self.uncast() {
            Self::Column(name) => Some(name),
            _ => None,
        }
    }
}

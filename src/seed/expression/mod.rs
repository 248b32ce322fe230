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
    pub fn with_value_named(self, name: &str) -> Self {
        self.rewritten(&mut |part| match part {
            Self::Column(column) if column == "value" => Self::Column(name.to_owned()),
            other => other,
        })
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

    /// Changes every part, from the inside out.
    #[must_use]
    pub fn rewritten(mut self, change: &mut dyn FnMut(Self) -> Self) -> Self {
        for part in self.parts_mut() {
            let own = std::mem::replace(part, Self::Null);
            *part = own.rewritten(change);
        }
        change(self)
    }

    /// The expressions right inside it, in the order of [`Self::visit`].
    fn parts_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Column(_) | Self::Text(_) | Self::Number(_) | Self::Bool(_) | Self::Null => {
                Vec::new()
            }
            Self::Array(items)
            | Self::Row(items)
            | Self::And(items)
            | Self::Or(items)
            | Self::Call {
                arguments: items, ..
            } => items.iter_mut().collect(),
            Self::Cast { of, .. }
            | Self::Prefix { of, .. }
            | Self::IsNull { of, .. }
            | Self::IsBool { of, .. }
            | Self::Not(of) => vec![of],
            Self::Infix { left, right, .. }
            | Self::Distinct { left, right, .. }
            | Self::Quantified {
                left, array: right, ..
            } => vec![left, right],
            Self::Case {
                operand,
                arms,
                otherwise,
            } => {
                let outer = operand.iter_mut().chain(otherwise).map(|part| &mut **part);
                let arms = arms.iter_mut().flat_map(|(when, then)| [when, then]);
                outer.chain(arms).collect()
            }
        }
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

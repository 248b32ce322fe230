//! Conditions as EXPLAIN deparses them, read into an expression tree: which column is compared with what. Any text is
//! read; what is not understood is kept as [`ExpressionKind::Other`] with the parts that were found in it. Pure: no
//! schema, no judgement.

mod normal;
mod parse;
mod token;

/// An expression with the text that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// As printed, without the parentheses around it.
    pub text: String,
    /// What it is.
    pub kind: ExpressionKind,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `o.customer_id`; unquoted.
    Column {
        qualifier: Option<String>,
        name: String,
    },
    /// A literal without its quotes; `None` = NULL.
    Constant(Option<String>),
    /// `$1`: a statement's parameter in a generic plan, or a value from elsewhere in the plan.
    Parameter(u16),
    /// `(SubPlan 1)`, `(InitPlan 1).col1`, `(hashed SubPlan 2)`.
    Subplan,
    /// `(email)::text`.
    Cast {
        operand: Box<Expression>,
        type_name: String,
    },
    /// `lower(email)`; also `EXTRACT(year FROM at)` and its like, `ARRAY[…]`, `ROW(…)`.
    Call {
        function: String,
        arguments: Vec<Expression>,
    },
    /// `a = b`, `a = ANY (b)`, `- a`.
    Operator {
        operator: String,
        quantifier: Quantifier,
        left: Option<Box<Expression>>,
        right: Box<Expression>,
    },
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    /// `IS NULL` and its like.
    Test {
        operand: Box<Expression>,
        test: Test,
    },
    /// Anything else (CASE, field selection…) with the expressions found inside.
    Other(Vec<Expression>),
}

/// `= ANY (…)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    One,
    Any,
    All,
}

/// What follows IS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    Null,
    NotNull,
    True,
    NotTrue,
    False,
    NotFalse,
    Unknown,
    NotUnknown,
}

/// A comparison turned so that the side that belongs to one relation is on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison<'a> {
    /// The side with the relation's columns.
    pub subject: &'a Expression,
    /// `=`, `<`, `~~`, `@>`…, turned where the sides were.
    pub operator: &'a str,
    /// `= ANY (…)`.
    pub quantifier: Quantifier,
    /// The side without them: a constant, a parameter, other relations' columns.
    pub other: &'a Expression,
}

/// Reads a condition; never fails.
#[must_use]
pub fn parse(text: &str) -> Expression {
    parse::expression(text)
}

/// The condition with every constant and parameter as `?`: what makes two runs' findings the same one.
#[must_use]
pub fn normalized(text: &str) -> String {
    normal::normalized(text)
}

impl Expression {
    /// The parts that AND connects; the expression itself where there is none.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Self> {
        match &self.kind {
            ExpressionKind::And(parts) => parts.iter().flat_map(Self::conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// Calls `visit` with this expression and everything below it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for part in self.parts() {
            part.walk(visit);
        }
    }

    /// Direct parts, in order.
    #[must_use]
    pub fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            ExpressionKind::Column { .. }
            | ExpressionKind::Constant(_)
            | ExpressionKind::Parameter(_)
            | ExpressionKind::Subplan => Vec::new(),
            ExpressionKind::Cast { operand, .. }
            | ExpressionKind::Test { operand, .. }
            | ExpressionKind::Not(operand) => vec![operand],
            ExpressionKind::Operator { left, right, .. } => left
                .iter()
                .map(AsRef::as_ref)
                .chain([right.as_ref()])
                .collect(),
            ExpressionKind::Call {
                arguments: parts, ..
            }
            | ExpressionKind::And(parts)
            | ExpressionKind::Or(parts)
            | ExpressionKind::Other(parts) => parts.iter().collect(),
        }
    }

    /// Qualifier and name of every column in it.
    #[must_use]
    pub fn columns(&self) -> Vec<(Option<&str>, &str)> {
        let mut found = Vec::new();
        self.walk(&mut |part| {
            if let ExpressionKind::Column { qualifier, name } = &part.kind {
                found.push((qualifier.as_deref(), name.as_str()));
            }
        });
        found
    }

    /// Every `$n` in it.
    #[must_use]
    pub fn parameters(&self) -> Vec<u16> {
        let mut found = Vec::new();
        self.walk(&mut |part| {
            if let ExpressionKind::Parameter(number) = part.kind {
                found.push(number);
            }
        });
        found
    }

    /// Whether it has a part that stands for a subquery's result.
    #[must_use]
    pub fn has_subplan(&self) -> bool {
        let mut found = false;
        self.walk(&mut |part| found |= part.kind == ExpressionKind::Subplan);
        found
    }

    /// The expression below all casts.
    #[must_use]
    pub fn without_casts(&self) -> &Self {
        match &self.kind {
            ExpressionKind::Cast { operand, .. } => operand.without_casts(),
            _ => self,
        }
    }

    /// The column, if it is one, casts aside.
    #[must_use]
    pub fn as_column(&self) -> Option<(Option<&str>, &str)> {
        match &self.without_casts().kind {
            ExpressionKind::Column { qualifier, name } => Some((qualifier.as_deref(), name)),
            _ => None,
        }
    }

    /// Whether a column of the relation known as `alias` is in it. A column without qualifier belongs to every relation:
    /// EXPLAIN leaves the qualifier out where there is only one.
    #[must_use]
    pub fn mentions(&self, alias: &str) -> bool {
        self.columns()
            .iter()
            .any(|(qualifier, _)| qualifier.is_none_or(|qualifier| qualifier == alias))
    }

    /// The comparison that this is, seen from the relation known as `alias`: `None` where it is none, or where both
    /// sides have columns of it, or neither.
    #[must_use]
    pub fn comparison(&self, alias: &str) -> Option<Comparison<'_>> {
        let ExpressionKind::Operator {
            operator,
            quantifier,
            left: Some(left),
            right,
        } = &self.kind
        else {
            return None;
        };
        match (left.mentions(alias), right.mentions(alias)) {
            (true, false) => Some(Comparison {
                subject: left,
                operator,
                quantifier: *quantifier,
                other: right,
            }),
            (false, true) if *quantifier == Quantifier::One => Some(Comparison {
                subject: right,
                operator: commuted(operator)?,
                quantifier: *quantifier,
                other: left,
            }),
            (true, true) | (false, _) => None,
        }
    }

    /// The text without `alias.` before columns: what CREATE INDEX takes.
    #[must_use]
    pub fn unqualified(&self) -> String {
        token::without_qualifiers(&self.text)
    }
}

/// The operator with its sides turned; `None` where it has no such twin.
fn commuted(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "=" => "=",
        "<>" => "<>",
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        "@>" => "<@",
        "<@" => "@>",
        "&&" => "&&",
        "@@" => "@@",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

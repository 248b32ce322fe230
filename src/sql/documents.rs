//! What statements say of documents and lists: `data ->> 'kind' = 'x'`, `data ? 'key'`, `data @> '{"kind": "x"}'`,
//! `'lab' = ANY (tags)`. Pure.

use squawk_syntax::ast::{self, AstNode, BinOp, Expr};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::constants::{Column, Constant, ValueHint, array_items, literal, literals, said_by};

/// A member of a document, by its path, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// From the outermost document on.
    pub path: Vec<Step>,
    /// The type that its text is cast to.
    pub read_as: Option<String>,
    /// As a column's; values as JSON writes them. `None` where the member is asked for, whatever it is.
    pub said: Option<Box<ValueHint>>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A member's name.
    Key(String),
    /// An element of a list.
    Item,
}

/// A column with the operators after it: `data -> 'a' ->> 'b' ? 'c'`.
struct Chain {
    column: Column,
    path: Vec<Step>,
    /// The type of a cast around it.
    read_as: Option<String>,
    /// The last operator, where it is no step into the document, with its other side.
    last: Option<(String, Expr)>,
}

/// Reads a comparison or an operator on documents and lists.
pub(super) fn read(comparison: &ast::BinExpr, root: &SyntaxNode, found: &mut Vec<Constant>) {
    let (Some(left), Some(operator), Some(right)) =
        (comparison.lhs(), comparison.op(), comparison.rhs())
    else {
        return;
    };
    if let BinOp::CustomOp(_) = operator {
        // The operators of a chain are of one precedence, and the tree has them from the right.
        let is_inner = comparison.syntax().parent().is_some_and(|parent| {
            ast::BinExpr::cast(parent).is_some_and(|outer| custom(&outer).is_some())
        });
        if !is_inner && let Some(chain) = Chain::of(&Expr::BinExpr(comparison.clone())) {
            let read_as = cast_around(comparison.syntax());
            chain.tell(read_as, root, found);
        }
        return;
    }
    if let BinOp::Eq(_) = operator
        && let (Some(text), Some(list)) = (literal(&left), any_of(&right))
        && let Some(column) = Column::of(&list)
    {
        found.push(column.constant(root, ValueHint::Element(text)));
    }
    for (side, other, is_turned) in [(&left, &right, false), (&right, &left, true)] {
        let Some(chain) = Chain::of(side).filter(|chain| chain.last.is_none()) else {
            continue;
        };
        for said in said_by(&operator, other, is_turned) {
            let said = as_json(said, chain.read_as.as_deref());
            found.push(chain.member(chain.path.clone(), Some(said), root));
        }
    }
}

/// A value in a comparison as the document has it: a number where it is read as one.
fn as_json(said: ValueHint, read_as: Option<&str>) -> ValueHint {
    let text = |text: String| {
        let is_number = read_as.is_some_and(|name| name != "text") && text.parse::<f64>().is_ok();
        if is_number {
            text
        } else {
            serde_json::Value::String(text).to_string()
        }
    };
    match said {
        ValueHint::Has(value) => ValueHint::Has(text(value)),
        ValueHint::Excludes(value) => ValueHint::Excludes(text(value)),
        ValueHint::Like(pattern) => {
            ValueHint::Has(text(pattern.replace('%', "").replace('_', "a")))
        }
        other => other,
    }
}

/// The operator of a chain.
fn custom(expression: &ast::BinExpr) -> Option<String> {
    match expression.op()? {
        BinOp::CustomOp(operator) => Some(operator.syntax().text().to_string().trim().to_owned()),
        _ => None,
    }
}

/// The list of `ANY (list)`.
fn any_of(expression: &Expr) -> Option<Expr> {
    match expression {
        Expr::CallExpr(call) => call.any_fn()?.expr(),
        _ => None,
    }
}

/// The type that what a node says is cast to.
fn cast_around(node: &SyntaxNode) -> Option<String> {
    let outer = node
        .ancestors()
        .skip(1)
        .find(|above| above.kind() != SyntaxKind::PAREN_EXPR)?;
    type_of(&ast::CastExpr::cast(outer)?)
}

fn type_of(cast: &ast::CastExpr) -> Option<String> {
    let name = cast.ty()?.syntax().text().to_string().to_lowercase();
    Some(name.trim().to_owned())
}

impl Chain {
    fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::ParenExpr(inner) => Self::of(&inner.expr()?),
            Expr::CastExpr(cast) => {
                let mut chain = Self::of(&cast.expr()?)?;
                chain.read_as = chain.read_as.or_else(|| type_of(cast));
                Some(chain)
            }
            Expr::CallExpr(call) => {
                let name = call.expr()?.syntax().text().to_string().to_lowercase();
                let arguments = call.arg_list()?;
                let inner = arguments.syntax().descendants().find_map(Expr::cast)?;
                matches!(name.trim(), "lower" | "upper")
                    .then(|| Self::of(&inner))
                    .flatten()
            }
            Expr::BinExpr(whole) => {
                custom(whole)?;
                let (mut operands, mut operators) = (Vec::new(), Vec::new());
                flatten(expression, &mut operands, &mut operators);
                Self::of_operators(&operands, &operators)
            }
            _ => None,
        }
    }

    fn of_operators(operands: &[Expr], operators: &[String]) -> Option<Self> {
        let (base, rest) = operands.split_first()?;
        let mut chain = match Column::of(base) {
            Some(column) => Self {
                column,
                path: Vec::new(),
                read_as: None,
                last: None,
            },
            None => Self::of(base)?,
        };
        for (operator, operand) in operators.iter().zip(rest) {
            if chain.last.is_some() {
                return None;
            }
            match operator.as_str() {
                "->" | "->>" => chain.path.push(step(operand)?),
                "#>" | "#>>" => {
                    let text = literal(operand)?;
                    chain
                        .path
                        .extend(array_items(&text).into_iter().map(
                            |item| match item.parse::<u32>() {
                                Ok(_) => Step::Item,
                                Err(_) => Step::Key(item),
                            },
                        ));
                }
                _ => chain.last = Some((operator.clone(), operand.clone())),
            }
        }
        Some(chain)
    }

    fn member(&self, path: Vec<Step>, said: Option<ValueHint>, root: &SyntaxNode) -> Constant {
        let member = Member {
            path,
            read_as: self.read_as.clone(),
            said: said.map(Box::new),
        };
        self.column.constant(root, ValueHint::Member(member))
    }

    /// What the chain alone says: that its members are there.
    fn tell(mut self, read_as: Option<String>, root: &SyntaxNode, found: &mut Vec<Constant>) {
        let Some((operator, other)) = self.last.take() else {
            self.read_as = self.read_as.or(read_as);
            found.push(self.member(self.path.clone(), None, root));
            return;
        };
        match operator.as_str() {
            "?" | "?|" | "?&" => {
                for key in literals(&other) {
                    for key in keys_of(key) {
                        let path = [&self.path[..], &[Step::Key(key)]].concat();
                        found.push(self.member(path, None, root));
                    }
                }
            }
            "@>" | "&&" => {
                let is_list = matches!(&other, Expr::ArrayExpr(_));
                for text in literals(&other) {
                    if self.path.is_empty() {
                        let said = if is_list {
                            ValueHint::Element(text)
                        } else {
                            ValueHint::Contains(text)
                        };
                        found.push(self.column.constant(root, said));
                    } else {
                        for member in members_of(&text) {
                            let path = [&self.path[..], &member.path].concat();
                            found.push(self.member(path, member.said.map(|said| *said), root));
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// `'{a,b}'` after `?|`.
fn keys_of(text: String) -> Vec<String> {
    if text.starts_with('{') {
        array_items(&text)
    } else {
        vec![text]
    }
}

fn flatten(expression: &Expr, operands: &mut Vec<Expr>, operators: &mut Vec<String>) {
    if let Expr::BinExpr(both) = expression
        && let Some(operator) = custom(both)
        && let (Some(left), Some(right)) = (both.lhs(), both.rhs())
    {
        flatten(&left, operands, operators);
        operators.push(operator);
        flatten(&right, operands, operators);
    } else {
        operands.push(expression.clone());
    }
}

/// `'key'` or an element's number.
fn step(operand: &Expr) -> Option<Step> {
    let text = literal(operand)?;
    let is_number = matches!(operand, Expr::Literal(number)
        if matches!(number.kind(), Some(ast::LitKind::IntNumber(_))));
    Some(if is_number {
        Step::Item
    } else {
        Step::Key(text)
    })
}

/// The members of a document that one is asked to contain.
#[must_use]
pub fn members_of(document: &str) -> Vec<Member> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(document) {
        walk(&value, &mut Vec::new(), &mut found);
    }
    found
}

fn walk(value: &serde_json::Value, path: &mut Vec<Step>, found: &mut Vec<Member>) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                path.push(Step::Key(key.clone()));
                walk(value, path, found);
                path.pop();
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                path.push(Step::Item);
                walk(item, path, found);
                path.pop();
            }
        }
        scalar => found.push(Member {
            path: path.clone(),
            read_as: None,
            said: Some(Box::new(ValueHint::Has(scalar.to_string()))),
        }),
    }
}

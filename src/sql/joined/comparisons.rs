//! Which expressions of a statement's own relations its parameters are compared with, and whether they equal them. Reads syntax.

use squawk_syntax::ast::{self, AstNode, BinOp, Expr};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::super::tree::span_of;
use super::{Compared, Comparison, has_parameters, parameters_in};

/// Reads the comparisons of one statement or subquery.
pub(super) struct Reader<'a> {
    block: SyntaxNode,
    sql: &'a str,
    pub(super) compared: Vec<Compared>,
}

impl<'a> Reader<'a> {
    /// `block` is the statement or subquery whose comparisons are read.
    pub(super) fn of(block: SyntaxNode, sql: &'a str) -> Self {
        Self {
            block,
            sql,
            compared: Vec::new(),
        }
    }

    /// How many relations a FROM clause lists.
    pub(super) fn count(&self, from: &SyntaxNode) -> usize {
        let is_relation = |node: &SyntaxNode| {
            matches!(
                node.kind(),
                SyntaxKind::RELATION_FROM_ITEM
                    | SyntaxKind::PAREN_FROM_ITEM
                    | SyntaxKind::FUNCTION_FROM_ITEM
            )
        };
        from.descendants()
            .filter(|node| is_relation(node) && self.is_own(node))
            .count()
    }

    /// Whether a node belongs to the statement itself and to no subquery.
    pub(super) fn is_own(&self, node: &SyntaxNode) -> bool {
        let block = node.ancestors().skip(1).find(|above| {
            matches!(
                above.kind(),
                SyntaxKind::SELECT
                    | SyntaxKind::COMPOUND_SELECT
                    | SyntaxKind::UPDATE
                    | SyntaxKind::DELETE
                    | SyntaxKind::INSERT
                    | SyntaxKind::MERGE
            )
        });
        block.as_ref() == Some(&self.block)
    }

    /// Comparisons with parameters in one of the conditions that AND connects.
    pub(super) fn read(&mut self, condition: &Expr) {
        let required = required(condition);
        for node in condition.syntax().descendants() {
            if !self.is_own(&node) {
                continue;
            }
            if let Some(comparison) = ast::BinExpr::cast(node.clone()) {
                let by = match required.as_ref() == Some(&node) && is_equality(&comparison) {
                    true => Comparison::Equality,
                    false => Comparison::Other,
                };
                self.read_comparison(&comparison, by);
            } else if let Some(between) = ast::BetweenExpr::cast(node.clone())
                && let Some(target) = between.target()
            {
                for bound in [between.start(), between.end()].into_iter().flatten() {
                    self.compare(&target, &bound, Comparison::Other);
                }
            }
        }
    }

    fn read_comparison(&mut self, comparison: &ast::BinExpr, by: Comparison) {
        let (Some(left), Some(right)) = (comparison.lhs(), comparison.rhs()) else {
            return;
        };
        match comparison.op() {
            None
            | Some(
                BinOp::And(_) | BinOp::Or(_) | BinOp::Plus(_) | BinOp::Minus(_) | BinOp::Is(_),
            ) => return,
            Some(_) => {}
        }
        if let (Expr::TupleExpr(lefts), Expr::TupleExpr(rights)) = (&left, &unwrapped(&right)) {
            // `(a, b) IN (($1, $2), ($3, $4))`: each of the rows; `(placed_at, id) < ($1, $2)`: column by column.
            for row in rights.exprs() {
                if let Expr::TupleExpr(row) = row {
                    self.compare_rows(lefts, &row, by);
                } else {
                    self.compare_rows(lefts, rights, by);
                    break;
                }
            }
            return;
        }
        self.compare(&left, &right, by);
        self.compare(&right, &left, by);
    }

    fn compare_rows(&mut self, lefts: &ast::TupleExpr, rights: &ast::TupleExpr, by: Comparison) {
        for (left, right) in lefts.exprs().zip(rights.exprs()) {
            self.compare(&left, &right, by);
            self.compare(&right, &left, by);
        }
    }

    /// Notes every parameter of one side, where the other side has none and is of the relations.
    fn compare(&mut self, side: &Expr, other: &Expr, by: Comparison) {
        let is_constant = matches!(side, Expr::Literal(_) | Expr::ArrayExpr(_));
        if is_constant || has_parameters(side.syntax()) || !names_something(side.syntax()) {
            return;
        }
        // A subquery's own condition on a parameter says nothing of the value that this one is compared with.
        if other
            .syntax()
            .descendants()
            .any(|node| ast::Select::can_cast(node.kind()))
        {
            return;
        }
        let by = match is_parameter(other) {
            true => by,
            false => Comparison::Other,
        };
        let expression = self.sql[span_of(side.syntax())].to_owned();
        for parameter in parameters_in(other.syntax()) {
            self.note(Compared {
                parameter,
                expression: expression.clone(),
                by,
            });
        }
    }

    /// Every equality, and of other comparisons the first one of a parameter.
    fn note(&mut self, compared: Compared) {
        let mut known = self.compared.iter();
        let is_known = match compared.by {
            Comparison::Equality => known.any(|known| *known == compared),
            Comparison::Other => known.any(|known| known.parameter == compared.parameter),
        };
        if !is_known {
            self.compared.push(compared);
        }
    }
}

/// The comparison that a row meets wherever the condition filters at all: the condition itself, or the only part of an OR that
/// names a column (`$1 IS NULL OR a = $1`).
fn required(condition: &Expr) -> Option<SyntaxNode> {
    match condition {
        Expr::ParenExpr(inner) => required(&inner.expr()?),
        Expr::BinExpr(either) if matches!(either.op(), Some(BinOp::Or(_))) => {
            let sides = [either.lhs()?, either.rhs()?];
            let mut naming = sides.iter().filter(|side| names_something(side.syntax()));
            let side = naming.next()?;
            naming.next().is_none().then(|| required(side)).flatten()
        }
        other => Some(other.syntax().clone()),
    }
}

/// `a = $1`, `a IN ($1)`, `(a, b) IN (($1, $2))`.
fn is_equality(comparison: &ast::BinExpr) -> bool {
    match comparison.op() {
        Some(BinOp::Eq(_)) => true,
        Some(BinOp::In(_)) => match comparison.rhs() {
            Some(Expr::TupleExpr(list)) => list.exprs().count() == 1,
            Some(_) => true,
            None => false,
        },
        _ => false,
    }
}

/// `(($1, $2))` as `($1, $2)`.
fn unwrapped(side: &Expr) -> Expr {
    match side {
        Expr::ParenExpr(inner) => inner
            .expr()
            .map_or_else(|| side.clone(), |inner| unwrapped(&inner)),
        other => other.clone(),
    }
}

/// A parameter by itself, below casts and `ANY`.
fn is_parameter(side: &Expr) -> bool {
    match side {
        Expr::Literal(_) => true,
        Expr::CastExpr(cast) => {
            cast.literal().is_some() || cast.expr().is_some_and(|inner| is_parameter(&inner))
        }
        Expr::ParenExpr(inner) => inner.expr().is_some_and(|inner| is_parameter(&inner)),
        Expr::TupleExpr(list) => {
            list.exprs().count() == 1 && list.exprs().all(|one| is_parameter(&one))
        }
        Expr::CallExpr(call) => call
            .any_fn()
            .and_then(|any| any.expr())
            .is_some_and(|inner| is_parameter(&inner)),
        _ => false,
    }
}

/// Whether an expression has a column; names of types are none.
fn names_something(node: &SyntaxNode) -> bool {
    let mut names = node
        .descendants()
        .filter(|node| matches!(node.kind(), SyntaxKind::NAME_REF | SyntaxKind::FIELD_EXPR));
    names.any(|name| {
        let between = name.ancestors().take_while(|above| above != node);
        let mut kinds = between.map(|above| above.kind());
        !kinds.any(|kind| kind == SyntaxKind::PATH_TYPE)
    })
}

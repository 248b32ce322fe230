//! What a condition looks for in other tables (`EXISTS (SELECT …)`, `x IN (SELECT y …)`, `x = (SELECT y …)`), as an item of FROM,
//! so that its parameters come from rows that belong to the statement's own. Builds text; runs nothing.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode, BinOp, Expr};

use super::super::token::significant;
use super::super::tree::span_of;
use super::blocks::Scope;
use super::comparisons::Reader;
use super::{Compared, conjuncts, has_parameters};

/// The rows of a subquery that a condition looks for, beside those of the statement.
pub(super) struct Sought {
    /// An item of FROM.
    pub(super) text: String,
    /// What its parameters are compared with.
    pub(super) compared: Vec<Compared>,
    /// `x = y`, where x is to be among them.
    pub(super) condition: Option<String>,
}

impl Sought {
    /// `None` for what is no such condition, and for subqueries that group. The scope numbers them, those inside of others, too.
    pub(super) fn of(conjunct: &Expr, scope: &mut Scope<'_>) -> Option<Self> {
        let sql = scope.sql;
        let Condition { select, member } = Condition::of(conjunct, sql)?;
        if select.group_by_clause().is_some() || select.with_clause().is_some() {
            return None;
        }
        let mut reader = Reader::of(select.syntax().clone(), sql);
        let mut from = vec![reader.relations(select.from_clause()?.syntax(), scope)?];
        let mut conditions: Vec<String> = Vec::new();
        let condition = select.where_clause().and_then(|clause| clause.expr());
        for conjunct in condition.iter().flat_map(conjuncts) {
            if !scope.is_parameterized(conjunct.syntax()) {
                conditions.push(sql[span_of(conjunct.syntax())].to_owned());
            } else if let Some(within) = Self::of(&conjunct, scope) {
                reader.compared.extend(within.compared);
                conditions.extend(within.condition);
                from.push(within.text);
            } else {
                reader.read(&conjunct);
            }
        }
        if reader.compared.is_empty() {
            return None;
        }
        let number = scope.next_sought();
        let mut columns: Vec<String> = reader
            .compared
            .iter()
            .enumerate()
            .map(|(i, compared)| format!("({}) AS c{i}", compared.expression))
            .collect();
        columns.extend(member.map(|(value, _)| format!("({value}) AS member")));
        // One will do of those that EXISTS looks for.
        let limit = if member.is_some() { "" } else { " LIMIT 1" };
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE ({})", conditions.join(") AND (")),
        };
        let (columns, from) = (columns.join(", "), from.join(", "));
        let compared = reader.compared.iter().enumerate();
        Some(Self {
            text: format!(
                "LATERAL (SELECT {columns} FROM {from}{condition}{limit}) AS sought_{number}"
            ),
            condition: member.map(|(_, member)| format!("({member}) = sought_{number}.member")),
            compared: compared
                .map(|(i, compared)| Compared {
                    expression: format!("sought_{number}.c{i}"),
                    ..compared.clone()
                })
                .collect(),
        })
    }
}

/// A subquery, and what is to be among its values: (its value, the other side).
struct Condition<'s> {
    select: ast::Select,
    member: Option<(&'s str, &'s str)>,
}

impl<'s> Condition<'s> {
    fn of(conjunct: &Expr, sql: &'s str) -> Option<Self> {
        match conjunct {
            Expr::CallExpr(_) => {
                let mut children = conjunct.syntax().children();
                let exists = children.find_map(ast::ExistsFn::cast)?;
                Some(Self {
                    select: selected(exists.select_variant()?)?,
                    member: None,
                })
            }
            Expr::BinExpr(both) => {
                let (left, right) = (both.lhs()?, both.rhs()?);
                let (member, list, is_one) = match both.op()? {
                    BinOp::In(_) => (left, right, false),
                    BinOp::Eq(_) if is_subquery(&right, sql) => (left, right, true),
                    BinOp::Eq(_) if is_subquery(&left, sql) => (right, left, true),
                    _ => return None,
                };
                let select = list.syntax().descendants().find_map(ast::Select::cast)?;
                let mut below = select.syntax().descendants();
                let target = below.find(|node| node.kind() == SyntaxKind::TARGET)?;
                let value = target.children().next()?;
                // Of a single value, an aggregate, say, no row knows whether it is its own.
                let is_column =
                    matches!(value.kind(), SyntaxKind::NAME_REF | SyntaxKind::FIELD_EXPR);
                if is_one && !is_column || has_parameters(member.syntax()) {
                    return None;
                }
                Some(Self {
                    member: Some((&sql[span_of(&value)], &sql[span_of(member.syntax())])),
                    select,
                })
            }
            _ => None,
        }
    }
}

/// `(SELECT …)`, also of `ANY`.
fn is_subquery(side: &Expr, sql: &str) -> bool {
    let text = &sql[span_of(side.syntax())];
    let is_before = |word: &str| {
        word == "("
            || ["any", "some"]
                .iter()
                .any(|any| word.eq_ignore_ascii_case(any))
    };
    let mut words = significant(text)
        .into_iter()
        .map(|token| &text[token.span])
        .skip_while(|word| is_before(word));
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

fn selected(variant: ast::SelectVariant) -> Option<ast::Select> {
    match variant {
        ast::SelectVariant::Select(select) => Some(select),
        ast::SelectVariant::CompoundSelect(_)
        | ast::SelectVariant::ParenSelect(_)
        | ast::SelectVariant::SelectInto(_)
        | ast::SelectVariant::Table(_)
        | ast::SelectVariant::Values(_) => None,
    }
}

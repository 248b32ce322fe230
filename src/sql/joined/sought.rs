//! What a condition looks for in other tables (`EXISTS (SELECT …)`, `x IN (SELECT y …)`), as an item of FROM, so that its parameters
//! come from rows that belong to the statement's own. Builds text; runs nothing.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode, BinOp, Expr};

use super::super::tree::span_of;
use super::{Compared, Reader, conjuncts, has_parameters};

/// The rows of a subquery that a condition looks for, beside those of the statement: `EXISTS (SELECT …)`, `x IN (SELECT y …)`.
pub(super) struct Sought {
    /// An item of FROM.
    pub(super) text: String,
    /// What its parameters are compared with.
    pub(super) compared: Vec<Compared>,
    /// `x = y`, where x is to be among them.
    pub(super) condition: Option<String>,
}

impl Sought {
    /// `None` for what is no such condition, and for subqueries that group or nest parameters further.
    pub(super) fn of(conjunct: &Expr, number: usize, sql: &str) -> Option<Self> {
        let (select, member) = match conjunct {
            Expr::CallExpr(_) => {
                let mut children = conjunct.syntax().children();
                let exists = children.find_map(ast::ExistsFn::cast)?;
                (selected(exists.select_variant()?)?, None)
            }
            Expr::BinExpr(both) if matches!(both.op(), Some(BinOp::In(_))) => {
                let list = both.rhs()?.syntax().clone();
                let select = list.descendants().find_map(ast::Select::cast)?;
                let target = select
                    .syntax()
                    .descendants()
                    .find(|node| node.kind() == SyntaxKind::TARGET)?;
                let value = target.children().next()?;
                let (value, member) = (span_of(&value), span_of(both.lhs()?.syntax()));
                (select, Some((&sql[value], &sql[member])))
            }
            _ => return None,
        };
        if select.group_by_clause().is_some() || select.with_clause().is_some() {
            return None;
        }
        let mut reader = Reader {
            block: select.syntax().clone(),
            sql,
            compared: Vec::new(),
        };
        let from = reader.relations(select.from_clause()?.syntax())?;
        let mut conditions: Vec<String> = Vec::new();
        let condition = select.where_clause().and_then(|clause| clause.expr());
        for conjunct in condition.iter().flat_map(conjuncts) {
            if has_parameters(conjunct.syntax()) {
                reader.read(conjunct.syntax());
            } else {
                conditions.push(sql[span_of(conjunct.syntax())].to_owned());
            }
        }
        if reader.compared.is_empty() {
            return None;
        }
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
        let columns = columns.join(", ");
        let compared = reader.compared.iter().enumerate();
        Some(Self {
            text: format!(
                "LATERAL (SELECT {columns} FROM {from}{condition}{limit}) AS sought_{number}"
            ),
            condition: member.map(|(_, member)| format!("({member}) = sought_{number}.member")),
            compared: compared
                .map(|(i, compared)| Compared {
                    parameter: compared.parameter,
                    expression: format!("sought_{number}.c{i}"),
                })
                .collect(),
        })
    }
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

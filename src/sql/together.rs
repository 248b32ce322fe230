//! Columns that a statement compares with something other than a column: which of them it uses together. Pure.

use squawk_syntax::ast::{self, AstNode, BinOp, Expr, Stmt};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::constants::{Column, ValueHint};
use super::joins::NamedColumn;
use super::tree::read_statement;

/// For each statement the columns that its conditions compare with constants, parameters or expressions, each once.
#[must_use]
pub fn of_all<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<Vec<NamedColumn>> {
    let found = statements.map(of_statement);
    let mut found: Vec<Vec<NamedColumn>> = found.filter(|columns| !columns.is_empty()).collect();
    found.sort();
    found.dedup();
    found
}

fn of_statement(sql: &str) -> Vec<NamedColumn> {
    let read = read_statement(sql, |statement: &Stmt| {
        let root = statement.syntax().clone();
        let nodes = root.descendants();
        let mut found: Vec<NamedColumn> = nodes
            .filter(|node| !is_assigned(node))
            .flat_map(|node| compared(&node))
            .map(|column| named(&column, &root))
            .collect();
        found.sort();
        found.dedup();
        found
    });
    read.unwrap_or_default()
}

/// The columns of one condition.
fn compared(node: &SyntaxNode) -> Vec<Column> {
    if let Some(between) = ast::BetweenExpr::cast(node.clone()) {
        let target = between.target();
        return target.iter().filter_map(Column::of).collect();
    }
    let Some(comparison) = ast::BinExpr::cast(node.clone()) else {
        return Vec::new();
    };
    let operator = comparison.op();
    let (left, right) = (column(comparison.lhs()), column(comparison.rhs()));
    match (operator, left, right) {
        (Some(operator), Some(only), None) | (Some(operator), None, Some(only))
            if is_condition(&operator) =>
        {
            vec![only]
        }
        _ => Vec::new(),
    }
}

fn column(side: Option<Expr>) -> Option<Column> {
    Column::of(&side?)
}

/// Not arithmetic, AND, OR.
fn is_condition(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::Eq(_)
            | BinOp::In(_)
            | BinOp::Like(_)
            | BinOp::Lteq(_)
            | BinOp::Gteq(_)
            | BinOp::LAngle(_)
            | BinOp::RAngle(_)
    )
}

/// `SET a = 1` is no condition.
fn is_assigned(node: &SyntaxNode) -> bool {
    let parent = node.parent().map(|parent| parent.kind());
    parent == Some(SyntaxKind::SET_SINGLE_COLUMN)
}

fn named(column: &Column, root: &SyntaxNode) -> NamedColumn {
    let found = column.constant(root, ValueHint::IsPresent);
    NamedColumn {
        tables: found.tables,
        column: found.column,
        is_qualified: column.is_qualified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> Vec<String> {
        let found = of_all([sql].into_iter());
        let columns = found.into_iter().flatten();
        columns
            .map(|column| format!("{}.{}", column.tables[0].join("."), column.column))
            .collect()
    }

    #[test]
    fn conditions_name_their_columns_and_joins_do_not() {
        let sql = "SELECT f.id FROM flights f JOIN planes p ON p.tail = f.tail \
                   WHERE f.carrier = $1 AND f.dest IN ('HNL', 'SFO') AND p.year >= 1990 AND f.hour BETWEEN 1 AND $2 AND f.delay + 1 = 3";
        assert_eq!(
            shown(sql),
            [
                "flights.carrier",
                "flights.dest",
                "flights.hour",
                "planes.year"
            ]
        );
    }

    #[test]
    fn what_is_set_is_no_condition() {
        let sql = "UPDATE orders SET status = 'paid' WHERE id = $1 AND placed < now()";
        assert_eq!(shown(sql), ["orders.id", "orders.placed"]);
    }
}

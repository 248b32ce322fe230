//! Columns that statements compare with each other: what equals there holds the same values. Pure.

use squawk_syntax::ast::{self, AstNode, BinOp, Stmt};

use super::constants::{Column, ValueHint};
use super::tree::read_statement;

/// A column as a statement names it, with the tables that it may belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedColumn {
    /// The nearest first, with the schema in front where it was written.
    pub tables: Vec<Vec<String>>,
    /// Its name.
    pub column: String,
}

/// Two columns that a statement wants to be equal.
pub type Join = [NamedColumn; 2];

/// The joins of several statements, each once, in an order that does not depend on theirs.
#[must_use]
pub fn of_all<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<Join> {
    let mut found: Vec<Join> = statements.flat_map(of_statement).collect();
    found.sort();
    found.dedup();
    found
}

/// The joins of a statement; none where it is not understood whole.
fn of_statement(sql: &str) -> Vec<Join> {
    read_statement(sql, |statement: &Stmt| {
        let root = statement.syntax().clone();
        let comparisons = root.descendants().filter_map(ast::BinExpr::cast);
        let join = |comparison: ast::BinExpr| -> Option<Join> {
            if !matches!(comparison.op()?, BinOp::Eq(_)) {
                return None;
            }
            let named = |side: Option<ast::Expr>| -> Option<NamedColumn> {
                let column = Column::of(&side?)?.constant(&root, ValueHint::IsPresent);
                Some(NamedColumn {
                    tables: column.tables,
                    column: column.column,
                })
            };
            Some([named(comparison.lhs())?, named(comparison.rhs())?])
        };
        comparisons.filter_map(join).collect()
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_columns_are_found_with_their_tables() {
        let sql = "SELECT 1 FROM orders o JOIN shop.customers c ON c.mail = o.mail WHERE o.total > c.score AND o.id = 7";
        let found = of_all([sql].into_iter());
        let [[one, other]] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(
            (one.column.as_str(), &one.tables[..]),
            (
                "mail",
                &[vec!["shop".to_owned(), "customers".to_owned()]][..]
            )
        );
        assert_eq!(
            (other.column.as_str(), &other.tables[..]),
            ("mail", &[vec!["orders".to_owned()]][..])
        );
    }
}

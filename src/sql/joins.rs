//! Columns that statements compare with each other: what equals there holds the same values. Pure.

use std::collections::BTreeMap;

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
    /// Whether its table is written before it; where it is not, the nearest one that has it is meant.
    pub is_qualified: bool,
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

/// The joins of several statements by what they join: the columns that one statement compares of the same tables stay
/// together. Each once, in an order that does not depend on theirs.
#[must_use]
pub fn by_tables<'a>(statements: impl Iterator<Item = &'a str>) -> Vec<Vec<Join>> {
    let mut found: Vec<Vec<Join>> = Vec::new();
    for statement in statements {
        let mut of_tables: BTreeMap<_, Vec<Join>> = BTreeMap::new();
        for mut join in of_statement(statement) {
            join.sort();
            let tables = (join[0].tables.clone(), join[1].tables.clone());
            of_tables.entry(tables).or_default().push(join);
        }
        found.extend(of_tables.into_values().map(|mut joins| {
            joins.sort();
            joins.dedup();
            joins
        }));
    }
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
            let other = match comparison.op()? {
                BinOp::Eq(_) => comparison.rhs(),
                BinOp::In(_) => selected(&comparison.rhs()?),
                _ => return None,
            };
            let named = |side: Option<ast::Expr>| -> Option<NamedColumn> {
                let written = Column::of(&side?)?;
                let column = written.constant(&root, ValueHint::IsPresent);
                Some(NamedColumn {
                    tables: column.tables,
                    column: column.column,
                    is_qualified: written.is_qualified(),
                })
            };
            Some([named(comparison.lhs())?, named(other)?])
        };
        comparisons.filter_map(join).collect()
    })
    .unwrap_or_default()
}

/// The one column of a subquery: `(SELECT id FROM users …)`.
fn selected(subquery: &ast::Expr) -> Option<ast::Expr> {
    let select = subquery
        .syntax()
        .descendants()
        .find_map(ast::Select::cast)?;
    let mut targets = select.select_clause()?.target_list()?.targets();
    let only = targets.next()?;
    targets.next().is_none().then(|| only.expr()).flatten()
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

    #[test]
    fn columns_of_the_same_tables_stay_together_and_subqueries_count() {
        let statements = [
            "SELECT 1 FROM trips t JOIN legs l ON l.trip = t.id AND t.day = l.day WHERE l.port IN (SELECT code FROM ports)",
            "SELECT 2 FROM legs x JOIN trips y ON y.id = x.trip AND x.day = y.day",
        ];
        let shown: Vec<Vec<String>> = by_tables(statements.into_iter())
            .iter()
            .map(|joins| {
                let name = |column: &NamedColumn| {
                    format!("{}.{}", column.tables[0].join("."), column.column)
                };
                joins
                    .iter()
                    .map(|[one, other]| format!("{} = {}", name(one), name(other)))
                    .collect()
            })
            .collect();
        assert_eq!(
            shown,
            [
                vec![
                    "legs.day = trips.day".to_owned(),
                    "legs.trip = trips.id".to_owned()
                ],
                vec!["legs.port = ports.code".to_owned()],
            ]
        );
    }
}

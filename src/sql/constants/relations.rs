//! Which relations a column of a statement can belong to.

use squawk_syntax::ast::AstNode as _;
use squawk_syntax::ast::{self};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::words;
use crate::sql::tree::table_alias;

/// Statements and subqueries: each has its own relations.
pub(super) const BLOCKS: [SyntaxKind; 5] = [
    SyntaxKind::SELECT,
    SyntaxKind::UPDATE,
    SyntaxKind::DELETE,
    SyntaxKind::INSERT,
    SyntaxKind::MERGE,
];

/// A relation in reach of a column, with the tables that it reads.
pub(super) struct Relation {
    pub(super) alias: String,
    pub(super) tables: Vec<Vec<String>>,
}

/// What a statement writes to.
pub(super) struct Target {
    pub(super) alias: Option<String>,
    pub(super) table: Vec<String>,
}

pub(super) fn block_of(node: &SyntaxNode) -> Option<SyntaxNode> {
    node.ancestors()
        .skip(1)
        .find(|above| BLOCKS.contains(&above.kind()))
}

pub(super) fn relations_of(block: &SyntaxNode, root: &SyntaxNode) -> Vec<Relation> {
    let mut found: Vec<Relation> = target_of(block)
        .map(|target| Relation {
            alias: target
                .alias
                .unwrap_or_else(|| target.table.last().cloned().unwrap_or_default()),
            tables: vec![target.table],
        })
        .into_iter()
        .collect();
    for node in block.descendants() {
        if block_of(&node).as_ref() != Some(block) {
            continue;
        }
        if let Some(item) = ast::RelationFromItem::cast(node.clone()) {
            let Some(table) = item.relation_name_ref().map(|name| words(name.syntax())) else {
                continue;
            };
            let Some(last) = table.last().cloned() else {
                continue;
            };
            let alias = alias_of(&node).unwrap_or(last);
            let tables = match with_table(root, &table) {
                Some(query) => tables_below(&query),
                None => vec![table],
            };
            found.push(Relation { alias, tables });
        } else if node.kind() == SyntaxKind::PAREN_FROM_ITEM
            && let Some(alias) = alias_of(&node)
        {
            found.push(Relation {
                alias,
                tables: tables_below(&node),
            });
        }
    }
    found
}

/// The table that UPDATE, DELETE, INSERT or MERGE writes.
pub(super) fn target_of(block: &SyntaxNode) -> Option<Target> {
    let name = block.children().find(|child| {
        matches!(
            child.kind(),
            SyntaxKind::RELATION_NAME
                | SyntaxKind::RELATION_NAME_REF
                | SyntaxKind::TABLE_RELATION_NAME
        )
    })?;
    let alias = block.children().find(|child| {
        matches!(
            child.kind(),
            SyntaxKind::OPTIONAL_AS_ALIAS | SyntaxKind::REQUIRED_AS_ALIAS
        )
    });
    let table = words(&name);
    (!table.is_empty()).then(|| Target {
        alias: alias.and_then(|alias| words(&alias).into_iter().next()),
        table,
    })
}

/// The query of a CTE.
fn with_table(root: &SyntaxNode, table: &[String]) -> Option<SyntaxNode> {
    let [name] = table else { return None };
    root.descendants().find(|node| {
        node.kind() == SyntaxKind::WITH_TABLE
            && ast::WithTable::cast(node.clone())
                .and_then(|with| with.name())
                .is_some_and(|own| words(own.syntax()).first() == Some(name))
    })
}

/// Every table that a query reads, at any depth.
fn tables_below(query: &SyntaxNode) -> Vec<Vec<String>> {
    let items = query.descendants().filter_map(ast::RelationFromItem::cast);
    items
        .filter_map(|item| Some(words(item.relation_name_ref()?.syntax())))
        .collect()
}

fn alias_of(item: &SyntaxNode) -> Option<String> {
    let name = table_alias(item)?;
    words(&name).into_iter().next()
}

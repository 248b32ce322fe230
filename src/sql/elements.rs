//! Relations whose columns are the elements of array parameters: `unnest($1, $2) AS asked (id, name)`, by themselves, in a subquery
//! or in a CTE. What is compared with such a column is compared with an element of the array. Reads syntax, knows no schema.

use std::collections::BTreeSet;
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::names::unquote_lower;
use super::tree::{span_of, table_alias};

/// A relation of a statement whose columns are elements of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElementRows {
    /// The name that its columns are qualified with, as the catalog keeps names.
    pub(crate) alias: String,
    /// Its columns, and the parameter that each is an element of.
    pub(crate) columns: Vec<(String, u16)>,
    /// The item of FROM.
    item: Range<usize>,
}

/// All such relations of a statement.
pub(crate) fn element_rows(statement: &SyntaxNode) -> Vec<ElementRows> {
    let mut tables: Vec<(String, Vec<(String, u16)>)> = Vec::new();
    for table in statement.descendants().filter_map(ast::WithTable::cast) {
        let select = table.syntax().children().find_map(ast::Select::cast);
        if let (Some(select), Some(name)) = (select, table.name()) {
            let columns = columns_of(&select);
            if !columns.is_empty() && table.column_list().is_none() {
                tables.push((word(name.syntax()), columns));
            }
        }
    }
    let items = statement.descendants();
    items.filter_map(|item| of_item(&item, &tables)).collect()
}

fn of_item(item: &SyntaxNode, tables: &[(String, Vec<(String, u16)>)]) -> Option<ElementRows> {
    let alias = alias_of(item);
    let (name, columns) = match item.kind() {
        SyntaxKind::FUNCTION_FROM_ITEM if is_unnest(item) => {
            let name = alias.unwrap_or_else(|| "unnest".to_owned());
            let columns = of_function(item, &name);
            (name, columns)
        }
        SyntaxKind::PAREN_FROM_ITEM => {
            let inner = item
                .children()
                .find(|child| child.kind() == SyntaxKind::PAREN_SELECT)?;
            let select = inner.children().find_map(ast::Select::cast)?;
            (alias?, columns_of(&select))
        }
        SyntaxKind::RELATION_FROM_ITEM => {
            let relation = ast::RelationFromItem::cast(item.clone())?;
            let name = word(relation.relation_name_ref()?.syntax());
            let (_, columns) = tables.iter().find(|(table, _)| *table == name)?;
            (alias.unwrap_or(name), columns.clone())
        }
        _ => return None,
    };
    (!columns.is_empty()).then(|| ElementRows {
        alias: name,
        columns,
        item: span_of(item),
    })
}

/// The columns of a subquery that are elements: `SELECT unnest($1) AS id`, or those of an `unnest` that it reads.
fn columns_of(select: &ast::Select) -> Vec<(String, u16)> {
    let Some(list) = select
        .select_clause()
        .and_then(|clause| clause.target_list())
    else {
        return Vec::new();
    };
    let below = match select.from_clause() {
        Some(from) => {
            let mut items = from.syntax().children();
            match (items.next(), items.next()) {
                (Some(item), None) if is_unnest(&item) => {
                    let name = alias_of(&item).unwrap_or_else(|| "unnest".to_owned());
                    of_function(&item, &name)
                }
                _ => return Vec::new(),
            }
        }
        None => Vec::new(),
    };
    let mut columns = Vec::new();
    for target in list.syntax().children() {
        let text = target.text().to_string();
        if text.trim().ends_with('*') {
            columns.extend(below.iter().cloned());
            continue;
        }
        let mut names = target.children();
        let Some(value) = names.next() else { continue };
        let own = value.text().to_string();
        let own = own.rsplit('.').next().unwrap_or_default();
        let own = unquote_lower(own.split("::").next().unwrap_or_default().trim());
        let name = target
            .children()
            .find(|child| child.kind() == SyntaxKind::AS_NAME)
            .map_or_else(
                || match is_unnest(&value) {
                    true => "unnest".to_owned(),
                    false => own.clone(),
                },
                |alias| word(&alias),
            );
        let of_value = match is_unnest(&value) {
            true => parameters(&value).first().copied(),
            false => below
                .iter()
                .find(|(column, _)| *column == own)
                .map(|(_, number)| *number),
        };
        columns.extend(of_value.map(|number| (name, number)));
    }
    columns
}

/// The columns of `unnest($1, $2) AS alias (a, b)`.
fn of_function(item: &SyntaxNode, alias: &str) -> Vec<(String, u16)> {
    let (numbers, mut columns) = (arguments(item), columns(item));
    // One array's column is called as its rows are.
    if columns.is_empty() && numbers.len() == 1 {
        columns.push(alias.to_owned());
    }
    let both = numbers.into_iter().zip(columns);
    both.filter_map(|(number, column)| Some((column, number?)))
        .collect()
}

/// Whether a function is `unnest`.
pub(crate) fn is_unnest(item: &SyntaxNode) -> bool {
    let text = item.text().to_string().to_lowercase();
    let name = text.split('(').next().unwrap_or_default();
    name.trim().trim_start_matches("pg_catalog.") == "unnest"
}

/// The parameter that each argument of a function is made of.
pub(crate) fn arguments(item: &SyntaxNode) -> Vec<Option<u16>> {
    let list = item
        .descendants()
        .find(|node| node.kind() == SyntaxKind::ARG_LIST);
    list.map(|list| {
        list.children()
            .map(|argument| parameters(&argument).first().copied())
            .collect()
    })
    .unwrap_or_default()
}

/// The names that an alias gives the columns.
pub(crate) fn columns(item: &SyntaxNode) -> Vec<String> {
    let alias = item
        .children()
        .find(|child| child.kind() == SyntaxKind::FROM_ALIAS);
    let list = alias.and_then(|alias| {
        let mut children = alias.children();
        children.find(|child| child.kind() == SyntaxKind::COLUMN_LIST)
    });
    list.map(|list| list.children().map(|name| word(&name)).collect())
        .unwrap_or_default()
}

fn alias_of(item: &SyntaxNode) -> Option<String> {
    table_alias(item).map(|name| word(&name))
}

/// The last word of a name.
fn word(node: &SyntaxNode) -> String {
    let words = node
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia());
    words
        .last()
        .map(|token| unquote_lower(token.text()))
        .unwrap_or_default()
}

fn parameters(node: &SyntaxNode) -> Vec<u16> {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .filter_map(|token| token.text().trim_start_matches('$').parse().ok())
        .collect()
}

/// The statement in which each such column is its parameter, and the parameters of which that is so: what the elements are compared
/// with is then what the parameter is compared with. A relation of them alone has one row.
pub(crate) fn without_elements(sql: &str) -> (String, BTreeSet<u16>) {
    let unchanged = || (sql.to_owned(), BTreeSet::new());
    if !sql.to_lowercase().contains("unnest") {
        return unchanged();
    }
    let tree = SourceFile::parse(sql).syntax_node();
    let rows = element_rows(&tree);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut arrays = BTreeSet::new();
    for row in &rows {
        edits.push((row.item.clone(), format!("(SELECT) AS {}", row.alias)));
    }
    for node in tree.descendants() {
        if node.kind() == SyntaxKind::FIELD_EXPR {
            let text = node.text().to_string();
            let Some((alias, column)) = text.split_once('.') else {
                continue;
            };
            let (alias, column) = (unquote_lower(alias.trim()), unquote_lower(column.trim()));
            let named = rows.iter().filter(|row| row.alias == alias);
            let mut columns = named.flat_map(|row| &row.columns);
            if let Some((_, number)) = columns.find(|(name, _)| *name == column) {
                arrays.insert(*number);
                edits.push((span_of(&node), format!("${number}")));
            }
        } else if let Some(list) = listed_elements(&node) {
            arrays.extend(list.iter().copied());
            let elements: Vec<String> = list.iter().map(|number| format!("${number}")).collect();
            let elements = elements.join(", ");
            let text = match list.len() {
                1 => elements,
                _ => format!("({elements})"),
            };
            edits.push((span_of(&node), text));
        }
    }
    edits.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
    let (mut text, mut done) = (String::new(), 0);
    for (place, replacement) in edits {
        if place.start < done {
            continue;
        }
        text.push_str(&sql[done..place.start]);
        text.push_str(&replacement);
        done = place.end;
    }
    text.push_str(&sql[done..]);
    (text, arrays)
}

/// The parameters of `SELECT unnest($1), unnest($2)` as the list of `IN (…)` or `ANY (…)`, or of `SELECT * FROM unnest($1, $2)`.
fn listed_elements(node: &SyntaxNode) -> Option<Vec<u16>> {
    let select = ast::Select::cast(node.clone())?;
    let mut above = node.ancestors().skip(1);
    let above = above.find(|above| above.kind() != SyntaxKind::PAREN_SELECT);
    let is_from_item = above.is_some_and(|above| {
        matches!(
            above.kind(),
            SyntaxKind::PAREN_FROM_ITEM
                | SyntaxKind::WITH_TABLE
                | SyntaxKind::SOURCE_FILE
                | SyntaxKind::INSERT
        )
    });
    if is_from_item || select.where_clause().is_some() {
        return None;
    }
    let list = select.select_clause()?.target_list()?;
    let targets: Vec<SyntaxNode> = list
        .syntax()
        .children()
        .filter_map(|target| target.children().next())
        .collect();
    let numbers: Option<Vec<u16>> = match select.from_clause() {
        None if !targets.is_empty() && targets.iter().all(is_unnest) => targets
            .iter()
            .map(|target| parameters(target).first().copied())
            .collect(),
        None => None,
        Some(from) => {
            let mut items = from.syntax().children();
            let (item, other) = (items.next()?, items.next());
            let is_all = list.syntax().text().to_string().trim() == "*"
                || list.syntax().children().count() == 1;
            (other.is_none() && is_unnest(&item) && is_all)
                .then(|| arguments(&item).into_iter().collect())
                .flatten()
        }
    };
    numbers.filter(|numbers| !numbers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> Vec<String> {
        let tree = SourceFile::parse(sql).syntax_node();
        let rows = element_rows(&tree).into_iter();
        rows.flat_map(|row| {
            let alias = row.alias;
            let columns = row.columns.into_iter();
            columns.map(move |(column, number)| format!("{alias}.{column} ${number}"))
        })
        .collect()
    }

    #[test]
    fn columns_of_unnested_arrays_are_elements() {
        assert_eq!(
            shown(
                "UPDATE boats SET seen = s.at FROM (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS x(id, at)) AS s \
                 WHERE boats.id = s.id AND boats.name IN (SELECT n FROM unnest($3::text[]) n)"
            ),
            ["s.id $1", "s.at $2", "x.id $1", "x.at $2", "n.n $3"]
        );
        assert_eq!(
            shown(
                "WITH asked AS (SELECT unnest($1::int[]) AS box, unnest($2::text[]) AS \"Code\") SELECT 1 FROM crates JOIN asked a ON a.box = crates.id"
            ),
            ["a.box $1", "a.Code $2"]
        );
        assert_eq!(
            shown("SELECT 1 FROM (SELECT id FROM boats) AS b, words"),
            [""; 0]
        );
    }

    #[test]
    fn elements_stand_for_their_arrays() {
        let (sql, arrays) = without_elements(
            "SELECT 1 FROM crates c JOIN unnest($1::int[], $2::text[]) AS a (box, code) ON a.box = c.box AND a.code = c.code \
             WHERE (c.x, c.y) IN (SELECT unnest($3::int[]), unnest($4::int[])) AND c.z = ANY (SELECT unnest($5::int[])) AND c.w = $6",
        );
        assert_eq!(
            sql,
            "SELECT 1 FROM crates c JOIN (SELECT) AS a ON $1 = c.box AND $2 = c.code \
             WHERE (c.x, c.y) IN (($3, $4)) AND c.z = ANY ($5) AND c.w = $6"
        );
        assert_eq!(arrays, BTreeSet::from([1, 2, 3, 4, 5]));
        let plain = "SELECT 1 FROM crates WHERE box = ANY ($1)";
        assert_eq!(without_elements(plain), (plain.to_owned(), BTreeSet::new()));
    }
}

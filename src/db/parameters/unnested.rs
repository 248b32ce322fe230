//! Arrays that a statement reads as rows: `FROM unnest($1, $2) AS seen (id, at)`. What is compared with `seen.id` is compared with
//! the elements of `$1`. Reads syntax, knows no schema.

use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode};

use super::source::{child, names, parameters};

/// A column of such rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unnested {
    /// As EXPLAIN names it: `seen.id`.
    column: String,
    /// The array.
    number: u16,
}

/// Every column of a statement that is a parameter's elements.
pub(super) fn unnested(sql: &str) -> Vec<Unnested> {
    let tree = SourceFile::parse(sql).syntax_node();
    let items = tree
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::FUNCTION_FROM_ITEM)
        .filter(is_unnest);
    items.flat_map(|item| of_item(&item)).collect()
}

/// Whether a function among a statement's tables is `unnest`.
pub(super) fn is_unnest(item: &SyntaxNode) -> bool {
    let text = item.text().to_string().to_lowercase();
    text.trim_start().starts_with("unnest")
}

/// The parameter that each argument is made of.
pub(super) fn arguments(item: &SyntaxNode) -> Vec<Option<u16>> {
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

/// The names that the alias gives the columns.
pub(super) fn columns(item: &SyntaxNode) -> Vec<String> {
    child(item, SyntaxKind::FROM_ALIAS)
        .and_then(|alias| child(&alias, SyntaxKind::COLUMN_LIST))
        .map(|list| {
            list.children()
                .filter_map(|name| names(&name).into_iter().next())
                .collect()
        })
        .unwrap_or_default()
}

fn of_item(item: &SyntaxNode) -> Vec<Unnested> {
    let alias = child(item, SyntaxKind::FROM_ALIAS).and_then(|alias| {
        let mut words = names(&alias).into_iter();
        words.find(|word| !word.eq_ignore_ascii_case("as"))
    });
    let alias = alias.unwrap_or_else(|| "unnest".to_owned());
    let (numbers, mut columns) = (arguments(item), columns(item));
    // One array's column is called as its rows are.
    if columns.is_empty() && numbers.len() == 1 {
        columns.push(alias.clone());
    }
    let both = numbers.into_iter().zip(columns);
    both.filter_map(|(number, column)| {
        Some(Unnested {
            column: format!("{alias}.{column}"),
            number: number?,
        })
    })
    .collect()
}

/// A condition in which equality with such a column is equality with an element of the array.
pub(super) fn by_element(condition: &str, unnested: &[Unnested]) -> String {
    let mut text = condition.to_owned();
    for Unnested { column, number } in unnested {
        let left = format!("({column} = ");
        if let Some(at) = text.find(&left)
            && let Some(length) = closing(&text[at..])
        {
            let other = text[at + left.len()..at + length].to_owned();
            text.replace_range(at..=at + length, &format!("({other} = ANY (${number}))"));
        }
        text = text.replace(&format!(" = {column})"), &format!(" = ANY (${number}))"));
    }
    text
}

/// Where the parenthesis closes with which the text begins.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, character)| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_unnested_arrays_are_elements() {
        let found = unnested(
            "UPDATE boats SET seen = s.at FROM (SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS s(id, at)) AS s \
             WHERE boats.id = s.id AND boats.name IN (SELECT n FROM unnest($3::text[]) n)",
        );
        let shown: Vec<(&str, u16)> = found
            .iter()
            .map(|one| (one.column.as_str(), one.number))
            .collect();
        assert_eq!(shown, [("s.id", 1), ("s.at", 2), ("n.n", 3)]);
        assert_eq!(
            by_element("(boats.id = s.id)", &found),
            "(boats.id = ANY ($1))"
        );
        assert_eq!(
            by_element("((s.id = boats.id) AND (lower(n.n) = 'x'::text))", &found),
            "((boats.id = ANY ($1)) AND (lower(n.n) = 'x'::text))"
        );
    }
}

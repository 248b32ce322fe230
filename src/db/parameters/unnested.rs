//! Arrays that a statement reads as rows: `FROM unnest($1, $2) AS seen (id, at)`. What is compared with `seen.id` is compared with
//! the elements of `$1`. Reads syntax, knows no schema.

use squawk_syntax::SourceFile;

use crate::schema::quote_identifier;
use crate::sql::elements::element_rows;

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
    let rows = element_rows(&tree).into_iter();
    rows.flat_map(|row| {
        let alias = quote_identifier(&row.alias);
        let columns = row.columns.into_iter();
        columns.map(move |(column, number)| Unnested {
            column: format!("{alias}.{}", quote_identifier(&column)),
            number,
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
        assert_eq!(
            shown,
            [
                ("s.id", 1),
                ("s.at", 2),
                ("s.id", 1),
                ("s.at", 2),
                ("n.n", 3)
            ]
        );
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

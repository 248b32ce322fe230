//! Where a repository makes what a schema lacks: by the words of its SQL files, and of the code that holds SQL.

use std::path::PathBuf;

use super::{Listing, is_aside};

/// Files that may hold SQL, those that hold nothing else first.
const ENDINGS: [&str; 13] = [
    "sql", "go", "rs", "py", "rb", "java", "kt", "ts", "js", "ex", "exs", "php", "cs",
];
/// Kinds of objects that a query may miss.
const KINDS: [&str; 10] = [
    "extension",
    "schema",
    "table",
    "view",
    "function",
    "procedure",
    "type",
    "domain",
    "sequence",
    "aggregate",
];
/// Words between CREATE and the name.
const BETWEEN: [&str; 11] = [
    "or",
    "replace",
    "if",
    "not",
    "exists",
    "unlogged",
    "temp",
    "temporary",
    "materialized",
    "recursive",
    "foreign",
];

/// The file and the 1-based line of the statement that makes an object of this name.
#[must_use]
pub fn definition(listing: &Listing, name: &str) -> Option<(PathBuf, u32)> {
    let bare = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
    if bare.is_empty() {
        return None;
    }
    let schema = name
        .rsplit_once('.')
        .map(|(schema, _)| schema.trim_matches('"'));
    // What names the schema as the query does is surely meant.
    let exactly = schema.and_then(|schema| in_files(listing, bare, Some(schema)));
    exactly.or_else(|| in_files(listing, bare, None))
}

fn in_files(listing: &Listing, bare: &str, schema: Option<&str>) -> Option<(PathBuf, u32)> {
    let with = |ending: &&str| in_files_of(listing, ending, &|text| line_of(text, bare, schema));
    ENDINGS.iter().find_map(with)
}

fn in_files_of(
    listing: &Listing,
    ending: &str,
    line: &dyn Fn(&str) -> Option<u32>,
) -> Option<(PathBuf, u32)> {
    let files = listing.files();
    files
        .filter(|file| file.extension().is_some_and(|own| own == ending) && !is_aside(file))
        .find_map(|file| {
            let text = listing.text(file)?;
            Some((file.to_path_buf(), line(&text)?))
        })
}

/// The SQL file and the 1-based line that adds a column of this name to a table that is there already.
#[must_use]
pub fn addition(listing: &Listing, column: &str) -> Option<(PathBuf, u32)> {
    in_files_of(listing, "sql", &|text| line_of_addition(text, column))
}

/// The line on which `ALTER TABLE … ADD COLUMN name` stands.
fn line_of_addition(text: &str, column: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let column = column.to_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    lower.match_indices(&column).find_map(|(at, _)| {
        let after = lower[at + column.len()..].chars().next();
        let before = &lower[..at];
        if after.is_some_and(is_word) || before.ends_with(is_word) {
            return None;
        }
        let statement = &before[before.rfind(';').map_or(0, |end| end + 1)..];
        let mut words = statement
            .rsplit(|c: char| !is_word(c))
            .filter(|word| !word.is_empty())
            .skip_while(|word| matches!(*word, "column" | "if" | "not" | "exists"));
        let is_added = words.next() == Some("add") && words.any(|word| word == "alter");
        is_added.then(|| u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX))
    })
}

/// The line on which `CREATE … name` stands.
fn line_of(text: &str, name: &str, schema: Option<&str>) -> Option<u32> {
    let lower = text.to_lowercase();
    let name = name.to_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    lower.match_indices(&name).find_map(|(at, _)| {
        let after = lower[at + name.len()..].chars().next();
        let before = &lower[..at];
        if after.is_some_and(is_word) || before.ends_with(is_word) {
            return None;
        }
        let is_meant = schema.is_none_or(|schema| {
            let qualifier = before.trim_end_matches(['"', '`']).strip_suffix('.');
            let schema = schema.to_lowercase();
            qualifier.is_some_and(|text| text.trim_end_matches('"').ends_with(&schema))
        });
        (is_meant && is_made(before))
            .then(|| u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX))
    })
}

/// Whether the text before a name ends as `CREATE TABLE IF NOT EXISTS shop.` does.
fn is_made(before: &str) -> bool {
    // `CREATE FUNCTION /* TEMPLATE: schema */name`.
    let before = match before.trim_end().strip_suffix("*/") {
        Some(comment) => comment.rfind("/*").map_or(comment, |at| &comment[..at]),
        None => before,
    };
    let qualifier = before.trim_end_matches(['"', '`']);
    let before = match qualifier.strip_suffix('.') {
        Some(rest) => rest
            .trim_end_matches('"')
            .trim_end_matches(|c: char| c.is_alphanumeric() || c == '_')
            .trim_end_matches('"'),
        None => qualifier,
    };
    let mut words = before
        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .skip_while(|word| BETWEEN.contains(word));
    let is_kind = words.next().is_some_and(|word| KINDS.contains(&word));
    let begins = words.find(|word| !BETWEEN.contains(word));
    is_kind && begins == Some("create")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_an_object_is_found_by_its_words() {
        let text = "-- busy is read below\nSELECT * FROM busy;\n\
                    CREATE OR REPLACE VIEW shop.\"Busy\" AS SELECT 1;\n\
                    create table if not exists orders (id int);\nDROP TABLE bills;\nCREATE TABLE bills_old ();";
        assert_eq!(line_of(text, "Busy", Some("shop")), Some(3));
        assert_eq!(line_of(text, "orders", None), Some(4));
        assert_eq!(line_of(text, "orders", Some("shop")), None);
        assert_eq!(line_of(text, "bills", None), None);
        assert_eq!(
            line_of("create extension if not exists \"cube\";", "cube", None),
            Some(1)
        );
        assert_eq!(
            line_of("CREATE FUNCTION refill(x int)", "refill", None),
            Some(1)
        );
        assert_eq!(
            line_of("CREATE FUNCTION /* schema */refill()", "refill", None),
            Some(1)
        );
    }

    #[test]
    fn what_adds_a_column_is_found_by_its_words() {
        let text = "CREATE TABLE berths (id int, depth int);\n-- add the depth\nUPDATE berths SET depth = 1;\n\
                    ALTER TABLE berths\n  ADD COLUMN IF NOT EXISTS \"length\" int,\n  ADD width int;\nALTER TABLE berths DROP COLUMN beam;";
        assert_eq!(line_of_addition(text, "length"), Some(5));
        assert_eq!(line_of_addition(text, "width"), Some(6));
        assert_eq!(line_of_addition(text, "depth"), None);
        assert_eq!(line_of_addition(text, "beam"), None);
    }
}

//! One SQL file that holds the whole schema.

use std::path::Path;

use crate::repository::listing::folder;
use crate::repository::{Found, Listing};
use crate::sql::token::{TokenKind, tokens};

/// What such files are called, without `.sql`; also as `schema-postgres`, `shop_schema`.
const NAMES: [&str; 9] = [
    "schema",
    "structure",
    "init",
    "ddl",
    "latest",
    "database",
    "tables",
    "create_tables",
    "setup",
];

/// Whether a file is called as a whole schema is.
fn is_called_schema(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let Some(stem) = name.strip_suffix(".sql") else {
        return false;
    };
    let mut words = stem.split(['-', '_', '.', ' ']);
    NAMES.contains(&stem) || words.any(|word| word == "schema" || word == "structure")
}

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .files()
        .filter(|file| is_called_schema(file) && !is_numbered(file))
        .filter(|file| !folder(file).ends_with("db") || !file.ends_with("structure.sql"))
        .filter(|file| {
            listing.text(file).is_some_and(|text| {
                text.to_ascii_lowercase().contains("create table") && !is_foreign(&text)
            })
        })
        .map(|file| Found::files("a schema file", file, None))
        .collect()
}

/// A migration may be about the schema.
fn is_numbered(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(|c: char| c.is_ascii_digit()) || name.contains("__")
}

/// Whether a script is written for another database: by words that PostgreSQL refuses.
pub(super) fn is_foreign(text: &str) -> bool {
    // Comments and strings may say anything.
    let mut code = String::with_capacity(text.len());
    for token in tokens(text).iter().filter(|token| !token.is_comment()) {
        let is_string = matches!(token.kind, TokenKind::Literal { .. });
        code.push_str(if is_string {
            "''"
        } else {
            &text[token.span.clone()]
        });
    }
    let upper = code.to_ascii_uppercase();
    [
        "AUTO_INCREMENT",
        "AUTOINCREMENT",
        "ENGINE=",
        "ENGINE =",
        "NVARCHAR",
        "IDENTITY(1",
        "VARCHAR2",
        "PRAGMA ",
    ]
    .iter()
    .any(|word| upper.contains(word))
        || code.contains("` (")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_other_databases_are_told_by_their_code_alone() {
        assert!(is_foreign("CREATE TABLE `users` (id INT AUTO_INCREMENT)"));
        assert!(!is_foreign(
            "-- unlike MySQL's `id` (AUTO_INCREMENT)\n/* `id` (ENGINE=) */ create table users (id bigserial)"
        ));
    }
}

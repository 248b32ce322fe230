//! One SQL file that holds the whole schema.

use crate::repository::listing::folder;
use crate::repository::{Found, Listing};

/// What such files are called.
const NAMES: [&str; 8] = [
    "schema.sql",
    "schema.pg.sql",
    "schema.postgres.sql",
    "schema_postgres.sql",
    "schema-postgres.sql",
    "structure.sql",
    "init.sql",
    "ddl.sql",
];

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .named(&NAMES)
        .filter(|file| !folder(file).ends_with("db") || !file.ends_with("structure.sql"))
        .filter(|file| {
            listing.text(file).is_some_and(|text| {
                text.to_ascii_lowercase().contains("create table") && !is_foreign(&text)
            })
        })
        .map(|file| Found::files("a schema file", file, None))
        .collect()
}

/// Whether a script is written for another database: by words that PostgreSQL refuses.
pub(super) fn is_foreign(text: &str) -> bool {
    // Comments may say anything.
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .collect();
    let code = code.join("\n");
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
            "-- unlike MySQL's `id` (AUTO_INCREMENT)\ncreate table users (id bigserial)"
        ));
    }
}

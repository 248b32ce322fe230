//! One SQL file that holds the whole schema.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::table_scripts::Script;
use crate::repository::listing::folder;
use crate::repository::{Found, Listing, SchemaSource, names_postgres};
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
    let mut all = parts(listing);
    all.extend(wholes(listing));
    all
}

/// A schema in several files of one folder (`schema-tables.sql`, `schema-views.sql`), in the order in which they need each
/// other. Of files that make nothing but the same tables, one is taken: that which names PostgreSQL, else the first.
fn parts(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeMap<&Path, Vec<Script>> = BTreeMap::new();
    for file in listing
        .files()
        .filter(|file| is_called_schema(file) && !is_numbered(file))
    {
        let script = listing
            .text(file)
            .and_then(|text| Script::read(file.to_path_buf(), &text));
        if let Some(script) = script.filter(|script| script.creates) {
            folders.entry(folder(file)).or_default().push(script);
        }
    }
    folders
        .into_iter()
        .filter_map(|(path, mut scripts)| {
            scripts.sort_by(|a, b| {
                (!names_postgres(&a.file), &a.file).cmp(&(!names_postgres(&b.file), &b.file))
            });
            let mut made: BTreeSet<String> = BTreeSet::new();
            scripts.retain(|script| {
                // Small parts may be made twice (IF NOT EXISTS); a file that makes nothing of its own is another store's.
                let is_new = script.makes.is_empty()
                    || script.makes.iter().any(|name| !made.contains(name));
                made.extend(script.makes.iter().cloned());
                is_new
            });
            (scripts.len() > 1).then(|| {
                scripts.sort_by(|a, b| a.file.cmp(&b.file));
                let files: Vec<PathBuf> = super::table_scripts::in_order(&scripts)
                    .into_iter()
                    .map(|at| scripts[at].file.clone())
                    .collect();
                Found {
                    tool: "a schema in several files",
                    by: path.to_path_buf(),
                    schema: Some(SchemaSource::SchemaFiles(files)),
                    queries: Vec::new(),
                    note: Some(
                        "their order is taken from the names in them: change it in pgproof.toml where it is another"
                            .to_owned(),
                    ),
                }
            })
        })
        .collect()
}

fn wholes(listing: &Listing) -> Vec<Found> {
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
    let number = name.strip_prefix(['V', 'v']).unwrap_or(&name);
    number.starts_with(|c: char| c.is_ascii_digit())
        || name.contains("__")
        || name.ends_with(".up.sql")
        || name.ends_with(".down.sql")
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

//! How many tables a schema in SQL makes, so that a project's own schema stands before that of one of its parts.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Listing, SchemaSource};

/// Different names behind CREATE TABLE; `None` for what only a program makes.
pub(super) fn count(listing: &Listing, schema: &SchemaSource) -> Option<usize> {
    let mut names = BTreeSet::new();
    let mut read = |file: &Path| {
        if let Some(text) = listing.text(file) {
            collect(&text, &mut names);
        }
    };
    match schema {
        SchemaSource::Files { path, .. } => {
            let root = path.strip_prefix(".").unwrap_or(path);
            listing
                .files()
                .filter(|file| file.starts_with(root) && is_up(file))
                .for_each(&mut read);
        }
        SchemaSource::SchemaFiles(files) | SchemaSource::NumberedFiles(files) => {
            files.iter().for_each(|file| read(file));
        }
        SchemaSource::Program { .. } => return None,
    }
    Some(names.len())
}

fn is_up(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".sql") && name != "down.sql" && !name.ends_with(".down.sql")
}

/// The words are enough for a comparison: what stands in comments is in them for every schema.
fn collect(text: &str, names: &mut BTreeSet<String>) {
    const BEFORE: [&str; 5] = ["if", "not", "exists", "only", "unlogged"];
    let lower = text.to_ascii_lowercase();
    let mut words = lower
        .split(|c: char| c.is_whitespace() || c == '(')
        .filter(|word| !word.is_empty());
    let mut is_create = false;
    while let Some(word) = words.next() {
        if is_create && word == "table" {
            let name = words.find(|word| !BEFORE.contains(word)).unwrap_or("");
            let name = name.rsplit('.').next().unwrap_or(name);
            names.insert(name.trim_matches(['"', '`', ';']).to_owned());
            is_create = false;
        } else {
            is_create = word == "create" || (is_create && word == "unlogged");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_counts_once() {
        let mut names = BTreeSet::new();
        collect(
            "CREATE TABLE a(id int);\ncreate unlogged table IF NOT EXISTS shop.\"b\" (id int); CREATE TABLE\n public.a (id int); \
             CREATE INDEX i ON c (id); ALTER TABLE d ADD e int",
            &mut names,
        );
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}

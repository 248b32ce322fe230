//! A schema in files by the kind of what they make: `create_types.sql`, `create_tables.sql`, `create_primary_keys.sql`,
//! `create_foreign_keys.sql`. What they make says in which order they run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::repository::listing::folder;
use crate::repository::{Found, Listing, SchemaSource};

/// Kinds as such files name them, without signs between the words, in the order in which they need each other.
const KINDS: [&str; 16] = [
    "extensions",
    "schema",
    "schemas",
    "types",
    "enums",
    "domains",
    "sequences",
    "tables",
    "functions",
    "primarykeys",
    "constraints",
    "indexes",
    "indices",
    "foreignkeys",
    "views",
    "triggers",
];

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeMap<&Path, BTreeMap<usize, PathBuf>> = BTreeMap::new();
    for file in listing.files() {
        if let Some(kind) = kind(file) {
            let of_folder = folders.entry(folder(file)).or_default();
            of_folder.insert(kind, file.to_path_buf());
        }
    }
    let tables = KINDS.iter().position(|kind| *kind == "tables");
    folders
        .into_iter()
        .filter(|(_, files)| {
            files.len() > 1 && tables.is_some_and(|kind| files.contains_key(&kind))
        })
        .map(|(path, files)| Found {
            tool: "a schema in files by kind",
            by: path.to_path_buf(),
            schema: Some(SchemaSource::NumberedFiles(files.into_values().collect())),
            queries: Vec::new(),
            note: None,
        })
        .collect()
}

/// The place of `create_primary_keys.sql` or `CreatePrimaryKeys.sql` among the kinds.
fn kind(file: &Path) -> Option<usize> {
    let name = file.file_name()?.to_string_lossy().to_ascii_lowercase();
    let plain: String = name
        .strip_suffix(".sql")?
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let made = plain.strip_prefix("create")?;
    KINDS.iter().position(|kind| *kind == made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_files_make_says_their_order() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "create_foreign_keys.sql",
            "create_tables.sql",
            "CreateTypes.sql",
            "create_primary_keys.sql",
            "create_test_db.sql",
        ] {
            std::fs::write(root.path().join(name), "SELECT 1;").unwrap();
        }
        let found = find(&Listing::of(root.path()));
        let [
            Found {
                schema: Some(SchemaSource::NumberedFiles(files)),
                ..
            },
        ] = found.as_slice()
        else {
            panic!("{found:?}");
        };
        let shown: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "CreateTypes.sql",
                "create_tables.sql",
                "create_primary_keys.sql",
                "create_foreign_keys.sql"
            ]
        );
        std::fs::remove_file(root.path().join("create_tables.sql")).unwrap();
        assert_eq!(find(&Listing::of(root.path())), []);
    }
}

//! Migrations that are code of the project's own program and that no tool can apply without it: named, with the way out.

use std::collections::BTreeMap;
use std::path::Path;

use crate::repository::listing::folder;
use crate::repository::{Found, Listing, is_aside};

/// Languages whose migrations are compiled into the program, by the ending of their files, and how they are called.
const LANGUAGES: [(&str, &str); 8] = [
    ("go", "migrations in Go code"),
    ("rs", "migrations in Rust code"),
    ("java", "migrations in Java code"),
    ("kt", "migrations in Kotlin code"),
    ("cs", "migrations in C# code"),
    ("scala", "migrations in Scala code"),
    ("clj", "migrations in Clojure code"),
    ("exs", "migrations in Elixir code"),
];

/// What a person has to know; what to do about it stands below the list.
const NOTE: &str = "only the project's own program applies them";

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeMap<(&Path, &'static str), &Path> = BTreeMap::new();
    for file in listing.files().filter(|file| !is_aside(file)) {
        if let Some(tool) = language(file)
            && is_called_so(file)
            && listing.text(file).is_some_and(|text| changes_tables(&text))
        {
            folders.entry((folder(file), tool)).or_insert(file);
        }
    }
    folders
        .into_iter()
        .map(|((_, tool), file)| Found {
            tool,
            by: file.to_path_buf(),
            schema: None,
            queries: Vec::new(),
            note: Some(NOTE.to_owned()),
        })
        .collect()
}

fn language(file: &Path) -> Option<&'static str> {
    let own = file.extension()?.to_str()?;
    LANGUAGES
        .iter()
        .find(|(ending, _)| *ending == own)
        .map(|(_, tool)| *tool)
}

/// `migrations.go`, `migration/012_rename.go`.
fn is_called_so(file: &Path) -> bool {
    let says_so = |name: Option<&std::ffi::OsStr>| {
        let name = name.unwrap_or_default().to_string_lossy();
        name.to_ascii_lowercase().contains("migration")
    };
    let is_test = file.to_string_lossy().contains("_test.");
    !is_test && (says_so(file.file_name()) || says_so(folder(file).file_name()))
}

/// Statements of DDL, or the calls that stand for them: xorm, GORM, SeaORM, EF Core, Ecto.
fn changes_tables(text: &str) -> bool {
    const MARKS: [&str; 12] = [
        "CREATE TABLE",
        "create table",
        "ALTER TABLE",
        "alter table",
        "CreateTable",
        "create_table",
        "AutoMigrate",
        "xormigrate",
        ".Sync(",
        "createTable",
        "create table(",
        "AddColumn",
    ];
    MARKS.iter().any(|mark| text.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_migrates_is_named_and_its_tests_are_not() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "app/data/postgres/migrations.go",
                "db.Exec(`CREATE TABLE a (b int)`)",
            ),
            (
                "app/data/mysql/migrations.go",
                "db.Exec(`CREATE TABLE a (b int)`)",
            ),
            (
                "app/data/postgres/migrations_test.go",
                "db.Exec(`CREATE TABLE a (b int)`)",
            ),
            ("store/migration/001_first.go", "sess.Sync(new(user))"),
            ("store/migration/002_second.go", "sess.Sync(new(repo))"),
            ("api/migration_status.go", "package api"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let found: Vec<String> = find(&Listing::of(root.path()))
            .into_iter()
            .map(|found| found.by.display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "app/data/postgres/migrations.go",
                "store/migration/001_first.go"
            ]
        );
    }
}

//! sqlx and golang-migrate: `N_x.sql` (sqlx), `N_x.up.sql` with `N_x.down.sql` (both). They differ in how a file is run. Pop's files
//! say in their names for which database they are (`N_x.postgres.up.sql`, in place of `N_x.up.sql`) and what runs outside a
//! transaction (`.autocommit`).

use crate::source::{Source, SourceError};

use super::tree::Tree;
use super::{Layout, Migration, Script, TransactionRule, by_number, leading_version, script};

/// sqlx reads it as the file's first bytes only.
const NO_TRANSACTION: &str = "-- no-transaction";

pub(super) fn detect(tree: &Tree) -> Option<(Layout, String)> {
    if tree.root.ends_with("supabase/migrations") {
        return Some((Layout::Supabase, "it is supabase/migrations".to_owned()));
    }
    let named: Vec<&Source> = tree
        .top_level()
        .filter(|file| parts(&tree.name(file)).is_some())
        .collect();
    let direction = |file: &Source| parts(&tree.name(file)).map(|(_, _, direction)| direction);
    let first = tree.name(named.first()?);
    if let Some(simple) = named
        .iter()
        .find(|file| direction(file) == Some(Direction::Only))
    {
        return Some((Layout::Sqlx, format!("{} and its like", tree.name(simple))));
    }
    if let Some(file) = named
        .iter()
        .find(|file| file.text.starts_with(NO_TRANSACTION))
    {
        return Some((
            Layout::Sqlx,
            format!("{NO_TRANSACTION} in {}", tree.name(file)),
        ));
    }
    if tree.cargo_project && !tree.go_project {
        return Some((
            Layout::Sqlx,
            format!("{first} and its like, beside a Cargo.toml"),
        ));
    }
    Some((Layout::GolangMigrate, format!("{first} and its like")))
}

pub(super) fn read(tree: &Tree, layout: Layout) -> Result<Vec<Migration>, SourceError> {
    let coded: Vec<&Source> = tree
        .go_migrations()
        .filter(|file| tree.name(file).ends_with(".up.go"))
        .collect();
    if let Some(error) = super::goose::go_migration(tree, &coded) {
        return Err(error);
    }
    let mut migrations: Vec<Migration> = Vec::new();
    let mut downs: Vec<(String, Script)> = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let Some((version, title, direction)) = parts(&name) else {
            continue;
        };
        let rule = if title.ends_with(".autocommit") {
            TransactionRule::Statement
        } else {
            rule(layout, file)
        };
        let script = script(file, rule)?;
        match direction {
            Direction::Down => downs.push((version.to_owned(), script)),
            Direction::Only if layout == Layout::GolangMigrate => {}
            Direction::Up | Direction::Only => {
                migrations.push(Migration {
                    version: version.to_owned(),
                    name: title.to_owned(),
                    up: script,
                    down: None,
                });
            }
        }
    }
    let is_ours = |migration: &Migration| names_dialect(&migration.name, &OURS);
    migrations.sort_by(|a, b| {
        (by_number(&a.version), !is_ours(a)).cmp(&(by_number(&b.version), !is_ours(b)))
    });
    // A file for PostgreSQL stands in the place of the one for every database.
    migrations.dedup_by(|later, kept| {
        by_number(&later.version) == by_number(&kept.version) && is_ours(kept) && !is_ours(later)
    });
    for (version, script) in downs {
        if let Some(up) = migrations
            .iter_mut()
            .find(|m| by_number(&m.version) == by_number(&version))
        {
            up.down = Some(script);
        }
    }
    Ok(migrations)
}

const OURS: [&str; 3] = ["postgres", "postgresql", "pg"];
const OTHERS: [&str; 8] = [
    "mysql",
    "mariadb",
    "sqlite",
    "sqlite3",
    "cockroach",
    "cockroachdb",
    "mssql",
    "oracle",
];

/// Whether a name has one of these databases between its dots.
fn names_dialect(name: &str, dialects: &[&str]) -> bool {
    let mut parts = name.split('.').skip(1);
    parts.any(|part| dialects.contains(&part))
}

/// `1_a.mysql.up.sql`: no file of this database's.
pub(super) fn is_of_another_database(name: &str) -> bool {
    names_dialect(name, &OTHERS)
}

/// sqlx opens a transaction unless the file starts with the mark, and then sends it in one message, as golang-migrate
/// always does.
fn rule(layout: Layout, file: &Source) -> TransactionRule {
    match layout {
        Layout::Sqlx if !file.text.starts_with(NO_TRANSACTION) => TransactionRule::File,
        _ => TransactionRule::Message,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
    Only,
}

/// `7_x.sql`, `7_x.up.sql`; of tools that a program brings along also `V7.x.up.sql` and a number alone.
fn parts(name: &str) -> Option<(&str, &str, Direction)> {
    let (stem, direction) = match (name.strip_suffix(".up.sql"), name.strip_suffix(".down.sql")) {
        (Some(stem), _) => (stem, Direction::Up),
        (None, Some(stem)) => (stem, Direction::Down),
        (None, None) => (name.strip_suffix(".sql")?, Direction::Only),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(stem) {
        return Some((stem, "", direction));
    }
    if let Some(found) = leading_version(stem) {
        return Some((found.0, found.1, direction));
    }
    let (version, title) = stem.strip_prefix(['V', 'v'])?.split_once(['.', '_', '-'])?;
    let is_of_a_pair = direction != Direction::Only && is_number(version);
    is_of_a_pair.then_some((version, title, direction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_for_postgresql_stands_in_the_place_of_the_one_for_all() {
        let files = [
            "1_a.up.sql",
            "1_a.postgres.up.sql",
            "2_b.up.sql",
            "3_c.postgres.autocommit.up.sql",
        ];
        let sources = files.map(|file| Source::new(format!("m/{file}"), "SELECT 1;"));
        let tree = Tree::new(
            std::path::Path::new("m"),
            false,
            sources.to_vec(),
            false,
            true,
        );
        let read = read(&tree, Layout::GolangMigrate).unwrap();
        let found: Vec<_> = read
            .iter()
            .map(|one| (one.name.as_str(), one.up.transaction))
            .collect();
        assert_eq!(
            found,
            [
                ("a.postgres", TransactionRule::Message),
                ("b", TransactionRule::Message),
                ("c.postgres.autocommit", TransactionRule::Statement),
            ]
        );
        assert!(
            is_of_another_database("1_a.sqlite3.up.sql")
                && !is_of_another_database("1_mysql.up.sql")
        );
    }

    #[test]
    fn code_between_the_files_is_named() {
        let files = ["1_a.up.sql", "2_b.up.go", "2_b.down.go", "3_c.up.sql"];
        let sources = files.map(|file| Source::new(format!("m/{file}"), "SELECT 1;"));
        let tree = Tree::new(
            std::path::Path::new("m"),
            false,
            sources.to_vec(),
            false,
            true,
        );
        let error = read(&tree, Layout::GolangMigrate).unwrap_err();
        assert_eq!(
            error.to_string(),
            "m/2_b.up.go:1: a Go migration, which only a program that contains it can apply"
        );
    }

    #[test]
    fn the_number_is_found_with_and_without_its_letter() {
        for (name, expected) in [
            ("7_a.sql", Some(("7", "a", Direction::Only))),
            ("007-a.up.sql", Some(("007", "a", Direction::Up))),
            (
                "V0001.Initial_Schema.up.sql",
                Some(("0001", "Initial_Schema", Direction::Up)),
            ),
            (
                "V0001.Initial_Schema.down.sql",
                Some(("0001", "Initial_Schema", Direction::Down)),
            ),
            ("000001.sql", Some(("000001", "", Direction::Only))),
            ("V1.a.sql", None),
            ("views.up.sql", None),
            ("2.0.0-beta.sql", None),
        ] {
            assert_eq!(parts(name), expected, "{name}");
        }
    }
}

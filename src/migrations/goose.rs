//! goose: one file with `-- +goose Up` and `-- +goose Down`, `NO TRANSACTION`, `StatementBegin` and `StatementEnd`.
//! goose sends the statements one by one.

use crate::source::{Source, SourceError};

use super::sections::{Marker, migration};
use super::tree::Tree;
use super::{Migration, by_number, leading_version};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let coded: Vec<&Source> = tree.go_migrations().collect();
    if let Some(error) = go_migration(tree, &coded) {
        return Err(error);
    }
    let mut migrations = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let Some((version, title)) = name.strip_suffix(".sql").and_then(leading_version) else {
            continue;
        };
        migrations.push(migration(file, Marker::Goose, version, title)?);
    }
    migrations.sort_by(|a, b| by_number(&a.version).cmp(&by_number(&b.version)));
    Ok(migrations)
}

/// What goose would run between the SQL files is code, which only a program that contains it can run. `None` where there is none.
pub(super) fn go_migration(tree: &Tree, files: &[&Source]) -> Option<SourceError> {
    let (first, message) = match files {
        [] => return None,
        [only] => (
            only,
            "a Go migration, which only a program that contains it can apply".to_owned(),
        ),
        [first, .., last] => (
            first,
            format!(
                "the first of {} Go migrations (to {}), which only a program that contains them can apply",
                files.len(),
                tree.name(last)
            ),
        ),
    };
    Some(SourceError::new(first, 0..0, message).help(
        "set migrate-cmd in pgproof.toml to the command that applies all of them to the database in DATABASE_URL, \
         for example migrate-cmd = \"go run ./cmd/migrate up\"; `pgproof diff --to VERSION` needs only those up to there",
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_go_migration_stops_only_those_who_go_so_far() {
        let file = |name: &str, text: &str| Source::new(name, text);
        let tree = Tree::new(
            Path::new("m"),
            false,
            vec![
                file(
                    "m/00001_shop.sql",
                    "-- +goose Up\nCREATE TABLE a (id int);\n",
                ),
                file("m/00002_fill.go", "package m\n"),
                file(
                    "m/00003_more.sql",
                    "-- +goose Up\nCREATE TABLE b (id int);\n",
                ),
            ],
            false,
            true,
        );
        assert!(read(&tree).is_err());
        assert!(read(&tree.clone().until("3")).is_err());
        assert!(read(&tree.clone().until("2")).is_err());
        let versions: Vec<String> = read(&tree.until("1"))
            .unwrap()
            .into_iter()
            .map(|migration| migration.version)
            .collect();
        assert_eq!(versions, ["00001", "00003"]);
    }
}

//! goose: one file with `-- +goose Up` and `-- +goose Down`, `NO TRANSACTION`, `StatementBegin` and `StatementEnd`.
//! goose sends the statements one by one.

use crate::source::{Source, SourceError};

use super::sections::{Marker, migration};
use super::tree::Tree;
use super::{Migration, by_number, leading_version};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    if let Some(file) = tree.go_migrations().next() {
        return Err(go_migration(tree, file));
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

/// What goose would run between the SQL files is code, which only a program that contains it can run.
fn go_migration(tree: &Tree, file: &Source) -> SourceError {
    let names: Vec<String> = tree.go_migrations().map(|file| tree.name(file)).collect();
    let message = match names.as_slice() {
        [_] => "a Go migration, which only a program that contains it can apply".to_owned(),
        [.., last] => format!(
            "the first of {} Go migrations (to {last}), which only a program that contains them can apply",
            names.len()
        ),
        [] => String::new(),
    };
    SourceError::new(file, 0..0, message).help(
        "set migrate-cmd in pgproof.toml to the command that applies all of them to the database in DATABASE_URL, \
         for example migrate-cmd = \"go run ./cmd/migrate up\"",
    )
}

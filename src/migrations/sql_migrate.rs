//! sql-migrate: one file with `-- +migrate Up` and `-- +migrate Down`. The whole file name is the version, so that two files
//! may have one number; the numbers order them first.

use crate::source::SourceError;

use super::sections::{Marker, migration};
use super::tree::Tree;
use super::{Migration, by_number};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let version = name.trim_end_matches(".sql");
        migrations.push(migration(file, Marker::SqlMigrate, version, version)?);
    }
    migrations.sort_by(|a, b| {
        (by_number(digits(&a.version)), &a.version)
            .cmp(&(by_number(digits(&b.version)), &b.version))
    });
    Ok(migrations)
}

fn digits(version: &str) -> &str {
    let end = version.bytes().take_while(u8::is_ascii_digit).count();
    &version[..end]
}

//! prisma: `N_x/migration.sql`, no way back, no transaction; prisma sends the file in one message. The folders' whole names
//! are the order (`20240101_x` comes before `20240101120000_y`).

use std::collections::BTreeMap;

use crate::source::SourceError;

use super::tree::Tree;
use super::{Migration, TransactionRule, script};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations: Vec<(String, Migration)> = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| tree.name(file) == "migration.sql")
    {
        let Some(folder) = tree.folder(file) else {
            continue;
        };
        let (version, name) = folder.split_once('_').unwrap_or((folder.as_str(), ""));
        let migration = Migration {
            version: version.to_owned(),
            name: name.to_owned(),
            up: script(file, TransactionRule::Message)?,
            down: None,
        };
        migrations.push((folder, migration));
    }
    migrations.sort_by(|(a, _), (b, _)| a.cmp(b));
    // Two folders of one time are two migrations: then the whole name is the version.
    let mut versions = BTreeMap::<String, usize>::new();
    for (_, migration) in &migrations {
        *versions.entry(migration.version.clone()).or_default() += 1;
    }
    Ok(migrations
        .into_iter()
        .map(|(folder, mut migration)| {
            if versions.get(&migration.version).is_some_and(|n| *n > 1) {
                migration.version = folder;
            }
            migration
        })
        .collect())
}

//! prisma: `N_x/migration.sql`, no way back, no transaction; prisma sends the file in one message.

use crate::source::SourceError;

use super::tree::Tree;
use super::{Migration, TransactionRule, script};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| tree.name(file) == "migration.sql")
    {
        let Some(folder) = tree.folder(file) else {
            continue;
        };
        let (version, name) = folder.split_once('_').unwrap_or((folder.as_str(), ""));
        let up = script(file, TransactionRule::Message)?;
        migrations.push(Migration {
            version: version.to_owned(),
            name: name.to_owned(),
            up,
            down: None,
        });
    }
    migrations.sort_by(|a, b| (&a.version, &a.name).cmp(&(&b.version, &b.name)));
    Ok(migrations)
}

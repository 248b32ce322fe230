//! diesel: `N_x/up.sql`, `down.sql`, and `metadata.toml` whose `run_in_transaction = false` drops the transaction. Hasura has the
//! same folders, with milliseconds as their version, and sends a file in one message (`run_sql`).

use crate::source::{Source, SourceError};

use super::tree::Tree;
use super::{Layout, Migration, TransactionRule, script};

pub(super) fn detect(tree: &Tree) -> (Layout, String) {
    let in_milliseconds = |folder: &String| {
        let version = folder.split('_').next().unwrap_or_default();
        version.len() == 13 && version.bytes().all(|byte| byte.is_ascii_digit())
    };
    let ups = || tree.files.iter().filter(|file| tree.name(file) == "up.sql");
    if ups()
        .filter_map(|file| tree.folder(file))
        .all(|folder| in_milliseconds(&folder))
    {
        return (
            Layout::Hasura,
            "folders with up.sql and milliseconds as their version".to_owned(),
        );
    }
    (Layout::Diesel, "folders with up.sql".to_owned())
}

pub(super) fn read_hasura(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = read(tree)?;
    for migration in &mut migrations {
        migration.up.transaction = TransactionRule::Message;
    }
    Ok(migrations)
}

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for up in tree.files.iter().filter(|file| tree.name(file) == "up.sql") {
        let Some(folder) = tree.folder(up) else {
            continue;
        };
        let beside = |name: &str| {
            tree.files.iter().find(|file| {
                tree.name(file) == name && tree.folder(file).as_deref() == Some(&folder)
            })
        };
        let rule = match beside("metadata.toml").map(in_transaction).transpose()? {
            // batch_execute sends the file in one message.
            Some(false) => TransactionRule::Message,
            Some(true) | None => TransactionRule::File,
        };
        let (version, name) = folder.split_once('_').unwrap_or((folder.as_str(), ""));
        migrations.push(Migration {
            version: version.to_owned(),
            name: name.to_owned(),
            up: script(up, rule)?,
            down: beside("down.sql")
                .map(|down| script(down, rule))
                .transpose()?,
        });
    }
    // diesel orders by the version's text, without its dashes.
    migrations.sort_by_key(|migration| migration.version.replace('-', ""));
    Ok(migrations)
}

fn in_transaction(metadata: &Source) -> Result<bool, SourceError> {
    let table: toml::Table = metadata.text.parse().map_err(|error: toml::de::Error| {
        SourceError::new(metadata, error.span().unwrap_or(0..0), error.message())
    })?;
    Ok(table
        .get("run_in_transaction")
        .and_then(toml::Value::as_bool)
        .unwrap_or(true))
}

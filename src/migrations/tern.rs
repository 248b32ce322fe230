//! tern: `N_x.sql`, what follows `---- create above / drop below ----` is the way back. A migration runs in a transaction
//! unless it has the line `---- tern: disable-tx ----`.

use crate::source::{Source, SourceError};

use super::statements::split_range;
use super::tree::Tree;
use super::{Migration, Script, TransactionRule, by_number, leading_version};

pub(super) const SEPARATOR: &str = "---- create above / drop below ----";
const NO_TRANSACTION: &str = "---- tern: disable-tx ----";

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let Some((version, title)) = name.strip_suffix(".sql").and_then(leading_version) else {
            continue;
        };
        let (up, down) = scripts(file)?;
        migrations.push(Migration {
            version: version.to_owned(),
            name: title.to_owned(),
            up,
            down,
        });
    }
    migrations.sort_by(|a, b| by_number(&a.version).cmp(&by_number(&b.version)));
    Ok(migrations)
}

fn scripts(file: &Source) -> Result<(Script, Option<Script>), SourceError> {
    if let Some(at) = file.text.find("{{") {
        let message = "tern fills in a template here, which pgproof does not";
        return Err(SourceError::new(file, at..at + 2, message).help(
            "set migrate-cmd in pgproof.toml, for example migrate-cmd = \"tern migrate --conn-string $DATABASE_URL\"",
        ));
    }
    let rule = if file.text.lines().any(|line| line.trim() == NO_TRANSACTION) {
        TransactionRule::Statement
    } else {
        TransactionRule::File
    };
    let script = |range| -> Result<Script, SourceError> {
        Ok(Script {
            source: file.clone(),
            statements: split_range(file, range)?,
            transaction: rule,
            program: None,
        })
    };
    match file.text.find(SEPARATOR) {
        None => Ok((script(0..file.text.len())?, None)),
        Some(at) => {
            let down = script(at + SEPARATOR.len()..file.text.len())?;
            let down = (!down.statements.is_empty()).then_some(down);
            Ok((script(0..at)?, down))
        }
    }
}

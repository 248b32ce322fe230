//! Drizzle: `N_x.sql` in the order of `meta/_journal.json`. Its migrator sends statement by statement, in a transaction.

use serde::Deserialize;

use crate::source::SourceError;

use super::tree::Tree;
use super::{Layout, Migration, TransactionRule, leading_version, script};

const JOURNAL: &str = "meta/_journal.json";

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    tag: String,
}

pub(super) fn detect(tree: &Tree) -> Option<(Layout, String)> {
    tree.files
        .iter()
        .any(|file| tree.relative(file) == JOURNAL)
        .then(|| (Layout::Drizzle, JOURNAL.to_owned()))
}

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let Some(source) = tree
        .files
        .iter()
        .find(|file| tree.relative(file) == JOURNAL)
    else {
        return Ok(Vec::new());
    };
    let journal: Journal = serde_json::from_str(&source.text).map_err(|error| {
        let start = source.offset(
            u32::try_from(error.line()).unwrap_or(1),
            u32::try_from(error.column()).unwrap_or(1),
        );
        SourceError::new(
            source,
            start..start,
            format!("not a journal of Drizzle: {error}"),
        )
    })?;
    journal
        .entries
        .iter()
        .map(|entry| {
            let name = format!("{}.sql", entry.tag);
            let file = tree.top_level().find(|file| tree.name(file) == name);
            let Some(file) = file else {
                let start = source.text.find(&entry.tag).unwrap_or(0);
                let span = start..start + entry.tag.len();
                let message = format!("{name} is not there");
                return Err(SourceError::new(source, span, message));
            };
            let (version, title) = leading_version(&entry.tag).unwrap_or((&entry.tag, ""));
            Ok(Migration {
                version: version.to_owned(),
                name: title.to_owned(),
                up: script(file, TransactionRule::File)?,
                down: None,
            })
        })
        .collect()
}

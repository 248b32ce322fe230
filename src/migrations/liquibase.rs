//! Liquibase's formatted SQL: files that begin with `--liquibase formatted sql`, in the order of their names (`includeAll`), cut
//! into changesets. Each runs in a transaction unless it says `runInTransaction:false`; `splitStatements:false` makes it
//! one statement.

use std::ops::Range;

use crate::source::{Source, SourceError};

use super::statements::{split_range, whole};
use super::tree::Tree;
use super::{Migration, Script, TransactionRule};

pub(super) const HEADER: &str = "--liquibase formatted sql";

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in &tree.files {
        if file.text.trim_start().starts_with(HEADER) {
            changesets(file, &mut migrations)?;
        }
    }
    Ok(migrations)
}

fn changesets(file: &Source, migrations: &mut Vec<Migration>) -> Result<(), SourceError> {
    let marks = marks(file);
    for (n, (span, mark)) in marks.iter().enumerate() {
        let Some(attributes) = mark.strip_prefix("changeset ") else {
            continue;
        };
        let words: Vec<&str> = attributes.split_whitespace().collect();
        let Some(name) = words.first().copied().filter(|name| name.contains(':')) else {
            let message = "a changeset has an author and an id: `--changeset author:id`";
            return Err(SourceError::new(file, span.clone(), message));
        };
        let has = |attribute: &str| {
            words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(attribute))
        };
        let end = marks
            .get(n + 1)
            .map_or(file.text.len(), |(next, _)| next.start);
        let statements = if has("splitStatements:false") {
            whole(file, span.end..end).into_iter().collect()
        } else {
            split_range(file, span.end..end)?
        };
        let transaction = if has("runInTransaction:false") {
            TransactionRule::Statement
        } else {
            TransactionRule::File
        };
        migrations.push(Migration {
            version: name.to_owned(),
            name: file
                .path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            up: Script {
                source: file.clone(),
                statements,
                transaction,
                program: None,
            },
            down: None,
        });
    }
    Ok(())
}

/// The lines that end a changeset's SQL: the next changeset, and its rollback.
fn marks(file: &Source) -> Vec<(Range<usize>, &str)> {
    let mut offset = 0;
    let mut found = Vec::new();
    for line in file.text.split_inclusive('\n') {
        let span = offset..offset + line.len();
        offset = span.end;
        let Some(text) = line.trim().strip_prefix("--").map(str::trim) else {
            continue;
        };
        if text.starts_with("changeset ") || text.starts_with("rollback") {
            found.push((span, text));
        }
    }
    found
}

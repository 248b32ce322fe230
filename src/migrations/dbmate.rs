//! dbmate: one file with `-- migrate:up` and `-- migrate:down`, each with `transaction:false` where needed. dbmate sends a
//! section in one message.

use std::ops::Range;

use crate::source::{Source, SourceError};

use super::statements::split_range;
use super::tree::Tree;
use super::{Migration, Script, TransactionRule, leading_version};

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    for file in tree.top_level() {
        let name = tree.name(file);
        let Some((version, title)) = name.strip_suffix(".sql").and_then(leading_version) else {
            continue;
        };
        let Some(up) = section(file, "migrate:up")? else {
            return Err(SourceError::new(file, 0..0, "there is no -- migrate:up"));
        };
        let down = section(file, "migrate:down")?.filter(|script| !script.statements.is_empty());
        migrations.push(Migration {
            version: version.to_owned(),
            name: title.to_owned(),
            up,
            down,
        });
    }
    migrations.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(migrations)
}

fn section(file: &Source, mark: &str) -> Result<Option<Script>, SourceError> {
    let marks: Vec<(Range<usize>, &str)> = marks(file);
    let Some(at) = marks
        .iter()
        .position(|(_, text)| text.split_whitespace().next() == Some(mark))
    else {
        return Ok(None);
    };
    let end = marks
        .get(at + 1)
        .map_or(file.text.len(), |(span, _)| span.start);
    let alone = marks[at]
        .1
        .split_whitespace()
        .any(|option| option == "transaction:false");
    let statements = split_range(file, marks[at].0.end..end)?;
    let transaction = if alone {
        TransactionRule::Message
    } else {
        TransactionRule::File
    };
    Ok(Some(Script {
        source: file.clone(),
        statements,
        transaction,
        program: None,
    }))
}

fn marks(file: &Source) -> Vec<(Range<usize>, &str)> {
    let mut offset = 0;
    let mut found = Vec::new();
    for line in file.text.split_inclusive('\n') {
        let span = offset..offset + line.len();
        offset = span.end;
        let text = line.trim().strip_prefix("--").map(str::trim_start);
        found.extend(
            text.filter(|text| text.starts_with("migrate:"))
                .map(|text| (span, text)),
        );
    }
    found
}

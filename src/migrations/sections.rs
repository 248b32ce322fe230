//! A file of both directions, cut at its marks: `-- +goose Up` of goose, `-- +migrate Up` of sql-migrate. Between
//! `StatementBegin` and `StatementEnd` stands one statement.

use std::ops::Range;

use crate::source::{Source, SourceError};

use super::statements::{split_range, whole};
use super::{Migration, Script, Statement, TransactionRule};

/// Whose marks they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Goose,
    SqlMigrate,
}

impl Marker {
    /// What stands behind `--`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Goose => "+goose",
            Self::SqlMigrate => "+migrate",
        }
    }

    const fn tool(self) -> &'static str {
        match self {
            Self::Goose => "goose",
            Self::SqlMigrate => "sql-migrate",
        }
    }
}

/// What a file says, by direction.
struct Sections {
    up: Vec<Statement>,
    down: Vec<Statement>,
    no_transaction: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Before,
    Up,
    Down,
}

/// A file's sections as a migration; each runs in a transaction unless the file says otherwise.
pub(super) fn migration(
    file: &Source,
    marker: Marker,
    version: &str,
    name: &str,
) -> Result<Migration, SourceError> {
    let sections = sections(file, marker)?;
    let transaction = if sections.no_transaction {
        TransactionRule::Statement
    } else {
        TransactionRule::File
    };
    let script = |statements| Script {
        source: file.clone(),
        statements,
        transaction,
        program: None,
    };
    Ok(Migration {
        version: version.to_owned(),
        name: name.to_owned(),
        up: script(sections.up),
        down: (!sections.down.is_empty()).then(|| script(sections.down)),
    })
}

fn sections(file: &Source, marker: Marker) -> Result<Sections, SourceError> {
    let mark = marker.as_str();
    let mut found = Sections {
        up: Vec::new(),
        down: Vec::new(),
        no_transaction: false,
    };
    let (mut section, mut start, mut block) = (Section::Before, 0, None::<usize>);
    let mut offset = 0;
    for line in file.text.split_inclusive('\n') {
        let span = offset..offset + line.len();
        offset = span.end;
        let Some(command) = line
            .trim()
            .strip_prefix("--")
            .map(str::trim_start)
            .and_then(|c| c.strip_prefix(mark))
        else {
            continue;
        };
        match command.trim().to_ascii_lowercase().as_str() {
            "up" | "down" | "up notransaction" | "down notransaction" => {
                let command = command.trim().to_ascii_lowercase();
                found.no_transaction |= command.ends_with("notransaction");
                add(file, section, start..span.start, &mut found)?;
                section = if command.starts_with("up") {
                    Section::Up
                } else {
                    Section::Down
                };
                start = span.end;
            }
            "no transaction" => found.no_transaction = true,
            "statementbegin" => {
                add(file, section, start..span.start, &mut found)?;
                block = Some(span.end);
            }
            "statementend" => {
                let Some(from) = block.take() else {
                    return Err(SourceError::new(
                        file,
                        span,
                        format!("-- {mark} StatementEnd has no StatementBegin before it"),
                    ));
                };
                let statement = whole(file, from..span.start);
                into(section, &mut found).extend(statement);
                start = span.end;
            }
            // ENVSUB and what newer versions know does not change where statements end.
            _ => {}
        }
    }
    if let Some(from) = block {
        return Err(SourceError::new(
            file,
            from..from,
            format!("-- {mark} StatementBegin has no StatementEnd"),
        ));
    }
    add(file, section, start..file.text.len(), &mut found)?;
    if section == Section::Before {
        let message = format!("there is no -- {mark} Up");
        return Err(SourceError::new(file, 0..0, message)
            .help(format!("{} runs what follows that line", marker.tool())));
    }
    Ok(found)
}

fn into(section: Section, found: &mut Sections) -> &mut Vec<Statement> {
    match section {
        Section::Before | Section::Up => &mut found.up,
        Section::Down => &mut found.down,
    }
}

fn add(
    file: &Source,
    section: Section,
    range: Range<usize>,
    found: &mut Sections,
) -> Result<(), SourceError> {
    if section != Section::Before {
        let statements = split_range(file, range)?;
        into(section, found).extend(statements);
    }
    Ok(())
}

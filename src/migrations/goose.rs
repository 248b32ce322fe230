//! goose: one file with `-- +goose Up` and `-- +goose Down`, `NO TRANSACTION`, `StatementBegin` and `StatementEnd`.
//! goose sends the statements one by one.

use std::ops::Range;

use crate::source::{Source, SourceError};

use super::statements::{split_range, whole};
use super::tree::Tree;
use super::{Migration, Script, Statement, TransactionRule, by_number, leading_version};

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
        let sections = sections(file)?;
        let rule = if sections.no_transaction {
            TransactionRule::Statement
        } else {
            TransactionRule::File
        };
        let script = |statements| Script {
            source: file.clone(),
            statements,
            transaction: rule,
            program: None,
        };
        migrations.push(Migration {
            version: version.to_owned(),
            name: title.to_owned(),
            up: script(sections.up),
            down: (!sections.down.is_empty()).then(|| script(sections.down)),
        });
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

fn sections(file: &Source) -> Result<Sections, SourceError> {
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
            .and_then(|c| c.strip_prefix("+goose"))
        else {
            continue;
        };
        match command.trim().to_ascii_lowercase().as_str() {
            "up" | "down" => {
                add(file, section, start..span.start, &mut found)?;
                section = if command.trim().eq_ignore_ascii_case("up") {
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
                        "-- +goose StatementEnd has no StatementBegin before it",
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
            "-- +goose StatementBegin has no StatementEnd",
        ));
    }
    add(file, section, start..file.text.len(), &mut found)?;
    if section == Section::Before {
        return Err(SourceError::new(file, 0..0, "there is no -- +goose Up")
            .help("goose runs what follows that line"));
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

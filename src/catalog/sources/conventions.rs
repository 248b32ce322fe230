//! Statements as other tools write them, read in place: query files with headers of their own, and code that holds statements.
//! A tool is one file beside this one and one line in [`ALL`]. What a tool puts together at run time is named, not guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{
    aiosql, clorinde, go, java, javascript, pgtyped, python, rust_macros, sqlalchemy, yesql,
};
use crate::catalog::files::Files;
use crate::catalog::query::{SkipReason, Skipped};
use crate::source::{Source, SourceError};

/// How a tool writes statements.
#[derive(Clone, Copy)]
pub struct Convention {
    /// Its key in pgproof.toml: `{ aiosql = "queries/**/*.sql" }`.
    pub key: &'static str,
    /// The tool's own name.
    pub tool: &'static str,
    /// The endings of its files.
    pub extensions: &'static [&'static str],
    /// Whether a file's text shows that it is this tool's.
    pub shows: fn(&str) -> bool,
    pub(super) read: fn(&Source) -> Vec<Found>,
    /// Names that a file puts together with other texts, where constants are known in the whole folder.
    pub(super) parts: Option<fn(&Source) -> BTreeSet<String>>,
}

/// Every convention, the plainest marks first.
pub const ALL: &[Convention] = &[
    clorinde::CONVENTION,
    pgtyped::CONVENTION,
    yesql::CONVENTION,
    aiosql::CONVENTION,
    sqlalchemy::CONVENTION,
    java::JPA,
    java::JDBC,
    rust_macros::CONVENTION,
    go::CONVENTION,
    python::CONVENTION,
    javascript::CONVENTION,
];

impl std::fmt::Debug for Convention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

impl PartialEq for Convention {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Convention {}

/// The convention of a key.
#[must_use]
pub fn by_key(key: &str) -> Option<Convention> {
    ALL.iter().find(|one| one.key == key).copied()
}

/// A statement in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As the tool names it; empty where it does not.
    pub(super) name: String,
    /// 1-based line of its first word.
    pub(super) line: u32,
    /// Whether it is a constant that nothing in its file uses in a call: other files of its folder may.
    pub(super) is_constant: bool,
    pub(super) what: What,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// SQL, with our parameters, and the word of sqlc's command: `many`, `one`, `exec`.
    Statement { sql: String, command: &'static str },
    /// No statement that is known before the program runs: why, and what to do.
    Unknown { message: String, help: String },
}

impl Found {
    pub(super) fn statement(name: impl Into<String>, line: u32, sql: String) -> Self {
        let command = command_of(&sql);
        Self {
            name: name.into(),
            line,
            is_constant: false,
            what: What::Statement { sql, command },
        }
    }

    /// A text with a place that its program fills in.
    pub(super) fn template(name: impl Into<String>, line: u32, filled: &str) -> Self {
        Self {
            name: name.into(),
            line,
            is_constant: false,
            what: What::Unknown {
                message: format!("a template: its program fills in `{filled}` at run time"),
                help: "`pgproof record -- CMD` or pg_stat_statements sees what it becomes"
                    .to_owned(),
            },
        }
    }

    /// A text that is put together at run time.
    pub(super) fn dynamic(name: impl Into<String>, line: u32) -> Self {
        Self {
            name: name.into(),
            line,
            is_constant: false,
            what: What::Unknown {
                message: "its text is put together at run time".to_owned(),
                help: "`pgproof record -- CMD` or pg_stat_statements sees what it becomes"
                    .to_owned(),
            },
        }
    }
}

/// What a statement's caller expects, where nothing says it: rows of those that read.
pub(super) fn command_of(sql: &str) -> &'static str {
    let first = crate::sql::token::tokens(sql)
        .into_iter()
        .find(|token| !token.is_trivia() && token.kind != crate::sql::token::TokenKind::OpenParen)
        .map(|token| sql[token.span].to_ascii_lowercase());
    match first.as_deref() {
        Some("select" | "with" | "values" | "table") => "many",
        _ => "exec",
    }
}

/// Adds each statement of the files that `read` has, as a source of its own at its line.
pub(super) fn add(convention: &Convention, read: Files, files: &mut Files) {
    files.unreadable.extend(read.unreadable);
    let parts = parts_by_folder(convention, &read.sources);
    for source in &read.sources {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let beside = parts.get(folder(source));
        for found in (convention.read)(source) {
            let is_a_part =
                found.is_constant && beside.is_some_and(|names| names.contains(&found.name));
            let found = match is_a_part {
                true => Found::dynamic(found.name, found.line),
                false => found,
            };
            let name = name(source, &found, &mut taken);
            match found.what {
                What::Statement { sql, command } => {
                    // Lines of the text are lines of the file.
                    let before = "\n".repeat(found.line.saturating_sub(1) as usize);
                    let sql = sql.trim().trim_end_matches(';');
                    let text = format!("{before}/* name: {name} :{command} */ {sql};\n");
                    files.sources.push(Source::new(&source.path, text));
                }
                What::Unknown { message, help } => {
                    let at = source.offset(found.line, 1);
                    let end = source.text[at..]
                        .find('\n')
                        .map_or(source.text.len(), |end| at + end);
                    files.left_out.push(Skipped {
                        name,
                        file: source.path.clone(),
                        line: found.line,
                        why: SkipReason::Mistake(
                            SourceError::new(source, at..end, message).help(help),
                        ),
                    });
                }
            }
        }
    }
}

fn folder(source: &Source) -> &Path {
    source.path.parent().unwrap_or(Path::new(""))
}

/// For each folder the names that its files put together with other texts.
fn parts_by_folder(
    convention: &Convention,
    sources: &[Source],
) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut names: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        if let Some(parts) = convention.parts {
            let known = names.entry(folder(source).to_path_buf()).or_default();
            known.extend(parts(source));
        }
    }
    names
}

/// A name that no other statement of the file has.
fn name(source: &Source, found: &Found, taken: &mut BTreeMap<String, usize>) -> String {
    let plain: String = found
        .name
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .collect();
    let base = if plain.is_empty() {
        let stem = source
            .path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy();
        let stem: String = stem
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        format!("{stem}-line-{}", found.line)
    } else {
        plain
    };
    let count = taken.entry(base.clone()).or_default();
    *count += 1;
    match *count {
        1 => base,
        n => format!("{base}-{n}"),
    }
}

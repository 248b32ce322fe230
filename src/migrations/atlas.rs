//! Atlas: `N_x.sql` or `N.sql` beside `atlas.sum`. A file runs in a transaction unless it begins with
//! `-- atlas:txmode none`; `-- atlas:checkpoint` stands for every file before it.

use crate::source::{Source, SourceError};

use super::statements::whole;
use super::tree::Tree;
use super::{Layout, Migration, Script, Statement, TransactionRule, script};

pub(super) fn detect(tree: &Tree) -> Option<(Layout, String)> {
    // Atlas writes the files of other tools, too, with its checksums beside them: those tools apply them.
    let of_another = |file: &Source| {
        tree.name(file).ends_with(".up.sql")
            || file.text.lines().any(|line| {
                ["-- +goose", "-- migrate:up"]
                    .iter()
                    .any(|mark| line.starts_with(mark))
            })
    };
    if tree.top_level().any(of_another) {
        return None;
    }
    if tree.files.iter().any(|file| tree.name(file) == "atlas.sum") {
        return Some((Layout::Atlas, "atlas.sum".to_owned()));
    }
    let marked = tree
        .top_level()
        .find(|file| directives(file).next().is_some())?;
    Some((
        Layout::Atlas,
        format!("a directive of Atlas in {}", tree.name(marked)),
    ))
}

pub(super) fn read(tree: &Tree) -> Result<Vec<Migration>, SourceError> {
    let mut files: Vec<(&str, &str, &Source)> = tree
        .top_level()
        .filter_map(|file| {
            let stem = file.path.file_stem()?.to_str()?;
            let (version, name) = stem.split_once('_').unwrap_or((stem, ""));
            Some((version, name, file))
        })
        .collect();
    // Atlas orders by the files' names.
    files.sort_by_key(|(version, name, _)| (*version, *name));
    let first = files
        .iter()
        .rposition(|(_, _, file)| directives(file).any(|directive| directive == "checkpoint"))
        .unwrap_or(0);
    files[first..]
        .iter()
        .map(|(version, name, file)| {
            let rule = if directives(file).any(|directive| directive == "txmode none") {
                TransactionRule::Statement
            } else {
                TransactionRule::File
            };
            Ok(Migration {
                version: (*version).to_owned(),
                name: (*name).to_owned(),
                up: match delimiter(file) {
                    Some(delimiter) => Script {
                        source: (*file).clone(),
                        statements: delimited(file, &delimiter),
                        transaction: rule,
                        program: None,
                    },
                    None => script(file, rule)?,
                },
                down: None,
            })
        })
        .collect()
}

/// `-- atlas:delimiter -- end`, `-- atlas:delimiter \n\n`: what ends a statement in place of a semicolon.
fn delimiter(file: &Source) -> Option<String> {
    let written = directives(file).find_map(|directive| directive.strip_prefix("delimiter"))?;
    let text = written.trim().replace("\\n", "\n").replace("\\r", "\r");
    (!text.is_empty()).then_some(text)
}

/// The statements between delimiters, below the line of the directive.
fn delimited(file: &Source, delimiter: &str) -> Vec<Statement> {
    let text = &file.text;
    let directive = text.find("atlas:delimiter").unwrap_or(0);
    let mut start = text[directive..]
        .find('\n')
        .map_or(text.len(), |end| directive + end + 1);
    let mut found = Vec::new();
    loop {
        let end = text[start..].find(delimiter).map(|at| start + at);
        found.extend(whole(file, start..end.unwrap_or(text.len())));
        match end {
            Some(end) => start = end + delimiter.len(),
            None => return found,
        }
    }
}

/// The file's own directives: those of its header, the comment lines before the first line that is none.
fn directives(file: &Source) -> impl Iterator<Item = &str> {
    file.text
        .lines()
        .map(str::trim)
        .take_while(|line| line.starts_with("--"))
        .filter_map(|line| {
            line.trim_start_matches('-')
                .trim_start()
                .strip_prefix("atlas:")
        })
        .map(str::trim)
}

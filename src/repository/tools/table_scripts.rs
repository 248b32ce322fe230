//! SQL scripts that make tables and belong to no tool, where nothing else is found: a folder of them, in the order in which
//! they name each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::schema_file::is_foreign;
use crate::repository::listing::folder;
use crate::repository::{Found, Listing, SchemaSource, names_postgres};
use crate::sql::token::{TokenKind, tokens};

/// How they are called.
pub(in crate::repository) const TOOL: &str = "SQL scripts that make tables";

/// A folder with more scripts is an archive, not a schema.
const MOST: usize = 500;

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeMap<&Path, Vec<(PathBuf, String)>> = BTreeMap::new();
    for file in listing.files() {
        if file.extension().is_some_and(|extension| extension == "sql")
            && let Some(text) = listing.text(file)
        {
            folders
                .entry(folder(file))
                .or_default()
                .push((file.to_path_buf(), text));
        }
    }
    folders
        .into_iter()
        .filter(|(path, _)| !belongs_to_a_tool(path))
        .filter_map(|(path, files)| of_folder(path, files))
        .collect()
}

/// Folders of migrations are read by their own tools, and named by them where they have mistakes.
fn belongs_to_a_tool(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        name.contains("migrat") || name.contains("quer") || name.contains("seed")
    })
}

fn of_folder(path: &Path, files: Vec<(PathBuf, String)>) -> Option<Found> {
    let mut files: Vec<(PathBuf, String)> = files
        .into_iter()
        .filter(|(_, text)| !text.contains("-- name:") && !text.contains("--name:"))
        .filter(|(_, text)| !text.to_ascii_lowercase().contains("drop database"))
        .collect();
    // `shop_mysql.sql` beside `shop_postgresql.sql`: each holds the same.
    let is_named = |(file, _): &(PathBuf, String)| {
        let name = file.file_name().map(Path::new);
        name.is_some_and(names_postgres)
    };
    if files.iter().any(is_named) {
        files.retain(is_named);
    }
    let mut scripts: Vec<Script> = files
        .into_iter()
        .map(|(file, text)| Script::read(file, &text))
        .collect::<Option<_>>()?;
    if scripts.len() > MOST || scripts.iter().all(|script| script.makes.is_empty()) {
        return None;
    }
    scripts.sort_by(|a, b| a.file.cmp(&b.file));
    let order = in_order(&scripts);
    let files: Vec<PathBuf> = order
        .into_iter()
        .map(|at| scripts[at].file.clone())
        .collect();
    let schema = match files.as_slice() {
        [file] => SchemaSource::Files {
            path: file.clone(),
            layout: None,
        },
        _ => SchemaSource::SchemaFiles(files),
    };
    Some(Found {
        tool: TOOL,
        by: path.to_path_buf(),
        schema: Some(schema),
        queries: Vec::new(),
        note: Some(
            "no tool's files say in which order they run: this one is taken from the names in them"
                .to_owned(),
        ),
    })
}

/// A script, with the names that it makes and those that it needs.
pub(super) struct Script {
    pub(super) file: PathBuf,
    pub(super) makes: Vec<String>,
    needs: Vec<String>,
    /// Of what it makes, the functions: whoever calls one is known by its words alone.
    functions: Vec<String>,
    words: BTreeSet<String>,
    /// Whether it makes anything, be it an index.
    pub(super) creates: bool,
}

impl Script {
    /// `None` for a script of another database: then the folder is.
    pub(super) fn read(file: PathBuf, text: &str) -> Option<Self> {
        if is_foreign(text) {
            return None;
        }
        let words: Vec<String> = tokens(text)
            .iter()
            .filter(|token| {
                matches!(
                    token.kind,
                    TokenKind::Ident | TokenKind::QuotedIdent { .. } | TokenKind::Dot
                )
            })
            .map(|token| {
                text[token.span.clone()]
                    .trim_matches('"')
                    .to_ascii_lowercase()
            })
            .collect();
        let mut script = Self {
            file,
            makes: Vec::new(),
            needs: Vec::new(),
            functions: Vec::new(),
            words: words.iter().cloned().collect(),
            creates: false,
        };
        for (at, word) in words.iter().enumerate() {
            let rest = &words[at + 1..];
            match word.as_str() {
                "create" => {
                    script.creates = true;
                    if let Some((kind, name)) = made(rest) {
                        if kind == "function" {
                            script.functions.push(name.clone());
                        }
                        script.makes.push(name);
                    }
                }
                "references" | "from" | "join" | "on" | "into" | "table" | "of" => {
                    script.needs.extend(name(rest));
                }
                _ => {}
            }
        }
        script.needs.retain(|needed| !script.makes.contains(needed));
        Some(script)
    }
}

impl Script {
    /// What functions need stands in their bodies, so they follow what makes tables; what makes nothing (indexes, rights) comes
    /// last.
    fn rank(&self) -> u8 {
        match self.makes.len() {
            0 => 2,
            all if all == self.functions.len() => 1,
            _ => 0,
        }
    }
}

/// The kind and the name behind CREATE TABLE, TYPE, VIEW and the like.
fn made(words: &[String]) -> Option<(&str, String)> {
    const BETWEEN: [&str; 11] = [
        "or",
        "replace",
        "if",
        "not",
        "exists",
        "unlogged",
        "materialized",
        "recursive",
        "temp",
        "global",
        "foreign",
    ];
    let mut rest = words
        .iter()
        .enumerate()
        .filter(|(_, word)| !BETWEEN.contains(&word.as_str()));
    let (_, kind) = rest.next()?;
    if !["table", "type", "view", "domain", "function", "sequence"].contains(&kind.as_str()) {
        return None;
    }
    let (at, _) = rest.next()?;
    Some((kind.as_str(), name(&words[at..])?))
}

/// The last part of `a.b`.
fn name(words: &[String]) -> Option<String> {
    match words {
        [_, dot, name, ..] if dot == "." => Some(name.clone()),
        [name, ..] => Some(name.clone()),
        [] => None,
    }
}

/// Each after those that make what it needs; where they need each other, by their names.
pub(super) fn in_order(scripts: &[Script]) -> Vec<usize> {
    let maker: BTreeMap<&str, usize> = scripts
        .iter()
        .enumerate()
        .flat_map(|(at, script)| script.makes.iter().map(move |name| (name.as_str(), at)))
        .collect();
    let mut done = vec![false; scripts.len()];
    let mut order = Vec::with_capacity(scripts.len());
    while order.len() < scripts.len() {
        let open = |at: &usize| !done[*at];
        let ready = |at: &usize| {
            scripts[*at]
                .needs
                .iter()
                .filter_map(|name| maker.get(name.as_str()))
                .all(|other| done[*other] || other == at)
        };
        let may_call = |at: &usize| {
            let calls = |other: &Script| {
                let mut functions = other.functions.iter();
                functions.any(|function| scripts[*at].words.contains(function))
            };
            (0..scripts.len()).all(|other| done[other] || other == *at || !calls(&scripts[other]))
        };
        let next = (0..scripts.len())
            .filter(open)
            .filter(ready)
            .filter(may_call)
            .min_by_key(|at| (scripts[*at].rank(), *at))
            .or_else(|| {
                (0..scripts.len())
                    .filter(open)
                    .min_by_key(|at| (scripts[*at].rank(), *at))
            });
        let Some(next) = next else { break };
        done[next] = true;
        order.push(next);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_stand_behind_those_that_make_what_they_need() {
        let script = |name: &str, text: &str| Script::read(name.into(), text).unwrap();
        let scripts = [
            script(
                "a.sql",
                "CREATE TABLE IF NOT EXISTS shop.orders (id int, customer int REFERENCES customers (id))",
            ),
            script("b.sql", "CREATE INDEX ON orders (customer)"),
            script(
                "c.sql",
                "create unlogged table \"customers\" (id int primary key, state mood)",
            ),
            script(
                "d.sql",
                "CREATE OR REPLACE VIEW busy AS SELECT * FROM orders JOIN customers USING (id)",
            ),
        ];
        assert_eq!(in_order(&scripts), [2, 0, 3, 1]);
        let calling = [
            script(
                "a.sql",
                "CREATE FUNCTION busy() RETURNS int AS $$ SELECT 1 FROM orders $$;",
            ),
            script("b.sql", "CREATE TABLE orders (id int)"),
            script("c.sql", "CREATE TABLE days (day int DEFAULT busy())"),
        ];
        assert_eq!(in_order(&calling), [1, 0, 2]);
        let round = [
            script("x.sql", "CREATE TABLE x (y int REFERENCES y)"),
            script("y.sql", "CREATE TABLE y (x int REFERENCES x)"),
        ];
        assert_eq!(in_order(&round), [0, 1]);
    }
}

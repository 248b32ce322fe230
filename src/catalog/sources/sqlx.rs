//! sqlx's offline data: `.sqlx/query-<hash>.json`, written by `cargo sqlx prepare`. It has no names and no places: both come
//! from the Rust source that holds the text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::rust_strings::{Literal, literals};
use super::unreadable;
use crate::catalog::directives::RECORDED_TYPES;
use crate::catalog::files::Files;
use crate::source::{Source, SourceError};

#[derive(Deserialize)]
struct Prepared {
    db_name: Option<String>,
    query: String,
    #[serde(default)]
    describe: Described,
}

/// What the server said when sqlx prepared the statement.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Described {
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
enum Parameters {
    /// PostgreSQL's: their types.
    Left(Vec<serde_json::Value>),
    /// Of databases that count them only.
    Right(serde::de::IgnoredAny),
}

impl Prepared {
    fn types(&self) -> Vec<String> {
        match &self.describe.parameters {
            Some(Parameters::Left(types)) => types.iter().map(type_name).collect(),
            Some(Parameters::Right(_)) | None => Vec::new(),
        }
    }
}

/// `"Int8Array"` → `int8[]`, `{"Custom": {"name": "mood", …}}` → `mood`: names that the server reads.
fn type_name(recorded: &serde_json::Value) -> String {
    const UNKNOWN: &str = "unknown";
    match recorded.as_str() {
        // The one-byte type of the catalogs; `char` is another one.
        Some("Char") => "\"char\"".to_owned(),
        Some(name) => match name.strip_suffix("Array") {
            Some(element) => format!("{}[]", element.to_ascii_lowercase()),
            None => name.to_ascii_lowercase(),
        },
        None => recorded
            .pointer("/Custom/name")
            .and_then(serde_json::Value::as_str)
            .unwrap_or(UNKNOWN)
            .to_owned(),
    }
}

/// Where a query's text stands in the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    file: PathBuf,
    line: u32,
    function: Option<String>,
}

/// Adds each query as a source of its own, at its place in the Rust file, or in the `.json` where no source holds its text.
pub(super) fn read(root: &Path, folder: &Path, files: &mut Files) -> Result<(), Vec<SourceError>> {
    let prepared = prepared(root, folder, files)?;
    let crate_root = folder.parent().unwrap_or(Path::new(""));
    let sites = sites(root, crate_root);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (path, prepared) in prepared {
        let (types, query) = (prepared.types(), prepared.query);
        let site = sites.get(&query);
        let base = site
            .and_then(|site| site.function.clone())
            .unwrap_or_else(|| named_by_hash(&path));
        let count = taken.entry(base.clone()).or_default();
        *count += 1;
        let name = match *count {
            1 => base,
            n => format!("{base}-{n}"),
        };
        let (file, line) = site.map_or((path.as_path(), FIRST_LINE), |site| {
            (site.file.as_path(), site.line.max(FIRST_LINE))
        });
        // The header takes the line before the statement, so that places in the text are places in the file.
        let before = "\n".repeat((line - FIRST_LINE) as usize);
        let text = query.trim().trim_end_matches(';');
        let command = command(text);
        // Behind the statement, so that its lines stay where they are.
        let recorded = match types.is_empty() {
            true => String::new(),
            false => format!("\n-- @{RECORDED_TYPES}: {}\n", types.join(", ")),
        };
        files.sources.push(Source::new(
            file,
            format!("{before}-- name: {name} {command}\n{text}{recorded};\n"),
        ));
    }
    Ok(())
}

/// The first line that a statement below its header can have.
const FIRST_LINE: u32 = 2;

/// sqlx records no command; what returns no rows needs none.
fn command(sql: &str) -> &'static str {
    let word = sql.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    let reads = ["select", "with", "values", "table"];
    if reads.iter().any(|read| word.eq_ignore_ascii_case(read)) {
        ":many"
    } else {
        ":exec"
    }
}

/// `query-` and the first digits of the hash that names the file.
fn named_by_hash(path: &Path) -> String {
    const DIGITS: usize = "query-".len() + 12;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().take(DIGITS).collect()
}

fn prepared(
    root: &Path,
    folder: &Path,
    files: &mut Files,
) -> Result<Vec<(PathBuf, Prepared)>, Vec<SourceError>> {
    let entries = std::fs::read_dir(root.join(folder))
        .map_err(|error| vec![unreadable(folder, error).help("`cargo sqlx prepare` writes it")])?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| folder.join(entry.file_name()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let text = match std::fs::read_to_string(root.join(&path)) {
            Ok(text) => text,
            Err(error) => {
                files.unreadable.push(unreadable(&path, error));
                continue;
            }
        };
        match serde_json::from_str::<Prepared>(&text) {
            Ok(query) => {
                if query
                    .db_name
                    .as_deref()
                    .is_none_or(|name| name == "PostgreSQL")
                {
                    found.push((path, query));
                }
            }
            Err(error) => files.unreadable.push(SourceError::new(
                &Source::new(&path, text.as_str()),
                0..0,
                format!("not a query that sqlx prepared: {error}"),
            )),
        }
    }
    Ok(found)
}

/// Every text that a string of the crate's sources, or a file that `query_file!` names, holds.
fn sites(root: &Path, crate_root: &Path) -> BTreeMap<String, Site> {
    let mut found = BTreeMap::new();
    let visible = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || name == "target" || name == "node_modules")
    };
    let base = root.join(crate_root);
    for entry in walkdir::WalkDir::new(&base)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(visible)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
    {
        let Ok(file) = entry.path().strip_prefix(root) else {
            continue;
        };
        let extension = file.extension().unwrap_or_default();
        if extension != "rs" && extension != "sql" {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else {
            continue;
        };
        if extension == "sql" {
            let name = file
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            found.entry(text).or_insert(Site {
                file: file.to_path_buf(),
                line: 2,
                function: name,
            });
            continue;
        }
        for Literal {
            value,
            line,
            function,
        } in literals(&text)
        {
            found.entry(value).or_insert(Site {
                file: file.to_path_buf(),
                line,
                function,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_named_and_placed_by_the_source_that_holds_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let json = |sql: &str, db: &str| {
            let parameters = serde_json::json!({
                "Left": ["Varchar", "Int8Array", "Char", { "Custom": { "name": "mood", "kind": "Simple" } }]
            });
            let describe = match sql.contains("$1") {
                true => {
                    serde_json::json!({ "columns": [], "parameters": parameters, "nullable": [] })
                }
                false => serde_json::json!({}),
            };
            serde_json::json!({ "db_name": db, "query": sql, "describe": describe }).to_string()
        };
        let select = "\n        SELECT id FROM users\n        WHERE email = $1\n    ";
        write(
            ".sqlx/query-aa11bb22cc33dd44.json",
            &json(select, "PostgreSQL"),
        );
        write(
            ".sqlx/query-ff.json",
            &json("DELETE FROM users", "PostgreSQL"),
        );
        write(".sqlx/query-00.json", &json("SELECT 1", "SQLite"));
        write(".sqlx/query-broken.json", "{");
        write(
            "src/users.rs",
            &format!("use x;\n\nasync fn find_user() {{\n    query!(r#\"{select}\"#)\n}}\n"),
        );
        let mut files = Files::default();
        read(root.path(), Path::new(".sqlx"), &mut files).unwrap();
        let catalog = crate::catalog::parse(&files.sources);
        let found: Vec<(&str, &Path, u32)> = catalog
            .queries
            .iter()
            .map(|query| (query.name.as_str(), query.file.as_path(), query.line))
            .collect();
        assert_eq!(
            found,
            [
                ("find_user", Path::new("src/users.rs"), 5),
                ("query-ff", Path::new(".sqlx/query-ff.json"), 2),
            ]
        );
        assert_eq!(files.unreadable.len(), 1);
        let recorded: Vec<_> = catalog
            .queries
            .iter()
            .map(|query| query.recorded_types.join(" "))
            .collect();
        assert_eq!(recorded, ["varchar int8[] \"char\" mood", ""]);
        assert!(!catalog.queries[0].sql.contains("recorded-types"));
    }
}

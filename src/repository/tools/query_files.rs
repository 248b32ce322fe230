//! Query files with sqlc's headers (`-- name: X :many`), wherever they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::written::is_of_another_tool;
use crate::repository::listing::folder;
use crate::repository::{Found, Listing, QuerySource};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for file in listing.files() {
        let is_sql = file.extension().is_some_and(|extension| extension == "sql");
        let has_header = |text: String| {
            text.lines().any(|line| {
                line.trim_start()
                    .strip_prefix("--")
                    .is_some_and(|comment| comment.trim_start().starts_with("name:"))
            })
        };
        let is_ours = |text: String| !is_of_another_tool(&text) && has_header(text);
        if is_sql && listing.text(file).is_some_and(is_ours) {
            *folders.entry(folder(file).to_path_buf()).or_default() += 1;
        }
    }
    folders
        .into_keys()
        .map(|path| {
            let pattern = if path.as_os_str().is_empty() {
                "*.sql".to_owned()
            } else {
                format!("{}/*.sql", path.display())
            };
            Found {
                tool: "query files",
                by: path,
                schema: None,
                queries: vec![QuerySource::Files(pattern)],
                note: None,
            }
        })
        .collect()
}

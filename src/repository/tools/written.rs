//! Statements as other tools write them: query files with headers of their own, and code that holds statements.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::catalog::sources::conventions::{self, Convention};
use crate::catalog::sources::is_of_migrations;
use crate::repository::listing::folder;
use crate::repository::{Found, Listing, QuerySource, is_aside};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    conventions::ALL
        .iter()
        .filter(|convention| !is_known_better(listing, convention))
        .flat_map(|convention| of_convention(listing, convention))
        .collect()
}

/// sqlx's offline data knows more than its macros show.
fn is_known_better(listing: &Listing, convention: &Convention) -> bool {
    convention.key == "rust" && listing.files().any(|file| folder(file).ends_with(".sqlx"))
}

fn of_convention(listing: &Listing, convention: &Convention) -> Vec<Found> {
    let files: Vec<&Path> = listing
        .files()
        .filter(|file| !is_aside(file) && !is_of_migrations(file) && has_ending(file, convention))
        .filter(|file| {
            listing
                .text(file)
                .is_some_and(|text| (convention.shows)(&text))
        })
        .collect();
    let endings: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.extension()?.to_str())
        .collect();
    endings
        .into_iter()
        .flat_map(|ending| {
            let own = files
                .iter()
                .filter(|file| file.extension().is_some_and(|own| own == ending));
            let folders: BTreeSet<PathBuf> = own.map(|file| folder(file).to_path_buf()).collect();
            patterns(&folders, ending)
        })
        .map(|(by, pattern)| Found {
            tool: convention.tool,
            by,
            schema: None,
            queries: vec![QuerySource::Written {
                convention: *convention,
                pattern,
            }],
            note: None,
        })
        .collect()
}

fn has_ending(file: &Path, convention: &Convention) -> bool {
    file.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| convention.extensions.contains(&ending))
}

/// Query files by their folders; code by the folder above all of it, for it is everywhere.
fn patterns(folders: &BTreeSet<PathBuf>, ending: &str) -> Vec<(PathBuf, String)> {
    let pattern = |folder: &Path, rest: &str| {
        if folder.as_os_str().is_empty() {
            format!("{rest}.{ending}")
        } else {
            format!("{}/{rest}.{ending}", folder.display())
        }
    };
    if ending == "sql" {
        return folders
            .iter()
            .map(|folder| (folder.clone(), pattern(folder, "*")))
            .collect();
    }
    let Some(first) = folders.first() else {
        return Vec::new();
    };
    let above = first
        .ancestors()
        .find(|above| folders.iter().all(|folder| folder.starts_with(above)))
        .unwrap_or(Path::new(""));
    vec![(above.to_path_buf(), pattern(above, "**/*"))]
}

/// Whether a query file is another tool's than sqlc's.
pub(super) fn is_of_another_tool(text: &str) -> bool {
    conventions::ALL
        .iter()
        .filter(|convention| convention.extensions.contains(&"sql"))
        .any(|convention| (convention.shows)(text))
}

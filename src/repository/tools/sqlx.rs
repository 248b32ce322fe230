//! sqlx's offline data: `.sqlx` holds every query that the macros check.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::repository::listing::folder;
use crate::repository::{Found, Listing, QuerySource};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    let folders: BTreeSet<PathBuf> = listing
        .files()
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("query-") && name.ends_with(".json") && folder(file).ends_with(".sqlx")
        })
        .map(|file| folder(file).to_path_buf())
        .collect();
    folders
        .into_iter()
        .map(|path| Found {
            tool: "sqlx",
            by: path.clone(),
            schema: None,
            queries: vec![QuerySource::Sqlx(path)],
            note: None,
        })
        .collect()
}

//! sqlc: its configuration names the schema and the queries.

use std::path::{Path, PathBuf};

use crate::catalog::sources::sqlc_packages;
use crate::repository::{Found, Listing, QuerySource, SchemaSource};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .named(&["sqlc.yaml", "sqlc.yml", "sqlc.json"])
        .filter_map(|file| of_configuration(listing, file))
        .collect()
}

fn of_configuration(listing: &Listing, file: &Path) -> Option<Found> {
    let packages = match sqlc_packages(listing.root(), file) {
        Ok(packages) => packages,
        Err(error) => {
            return Some(Found {
                tool: "sqlc",
                by: file.to_path_buf(),
                schema: None,
                queries: Vec::new(),
                note: Some(error.to_string()),
            });
        }
    };
    let mut schemas: Vec<PathBuf> = Vec::new();
    for path in packages.iter().flat_map(|package| &package.schema) {
        if !schemas.contains(path) && listing.root().join(path).exists() {
            schemas.push(path.clone());
        }
    }
    if packages.is_empty() {
        return None;
    }
    let schema = match schemas.as_slice() {
        [] => None,
        [path] => Some(SchemaSource::Files {
            path: path.clone(),
            layout: None,
        }),
        [first, ..] if listing.root().join(first).is_dir() => Some(SchemaSource::Files {
            path: first.clone(),
            layout: None,
        }),
        files => Some(SchemaSource::SchemaFiles(files.to_vec())),
    };
    let note = match (&schema, schemas.len()) {
        (Some(SchemaSource::Files { path, .. }), 2..) => Some(format!(
            "its packages name {} schemas; {} is taken",
            schemas.len(),
            path.display()
        )),
        _ => None,
    };
    Some(Found {
        tool: "sqlc",
        by: file.to_path_buf(),
        schema,
        queries: vec![QuerySource::Sqlc(file.to_path_buf())],
        note,
    })
}

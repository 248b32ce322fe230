//! sqlc: its configuration names the schema and the queries.

use std::path::{Path, PathBuf};

use crate::catalog::sources::sqlc_packages;
use crate::repository::{Found, Listing, QuerySource, SchemaSource};

pub(in crate::repository) fn find(listing: &Listing) -> Vec<Found> {
    listing
        .named(&["sqlc.yaml", "sqlc.yml", "sqlc.json"])
        .flat_map(|file| of_configuration(listing, file))
        .collect()
}

/// One find for each schema that its packages have; all of its queries belong to each.
fn of_configuration(listing: &Listing, file: &Path) -> Vec<Found> {
    let packages = match sqlc_packages(listing.root(), file) {
        Ok(packages) => packages,
        Err(error) => {
            return vec![Found {
                tool: "sqlc",
                by: file.to_path_buf(),
                schema: None,
                queries: Vec::new(),
                note: Some(error.to_string()),
            }];
        }
    };
    let mut schemas: Vec<Vec<PathBuf>> = Vec::new();
    for package in &packages {
        let there: Vec<PathBuf> = package
            .schema
            .iter()
            .filter(|path| listing.root().join(path).exists())
            .cloned()
            .collect();
        if !schemas.contains(&there) {
            schemas.push(there);
        }
    }
    // The package that names most of the schema stands first.
    schemas.sort_by_key(|paths| std::cmp::Reverse(weight(listing, paths)));
    schemas
        .into_iter()
        .map(|paths| Found {
            tool: "sqlc",
            by: file.to_path_buf(),
            note: several_folders(listing, &paths),
            schema: schema(listing, &paths),
            queries: vec![QuerySource::Sqlc(file.to_path_buf())],
        })
        .collect()
}

/// How many tables the files make.
fn weight(listing: &Listing, paths: &[PathBuf]) -> usize {
    let files = listing
        .files()
        .filter(|file| paths.iter().any(|path| file.starts_with(path)));
    files
        .filter_map(|file| listing.text(file))
        .map(|text| text.to_ascii_lowercase().matches("create table").count())
        .sum()
}

fn schema(listing: &Listing, paths: &[PathBuf]) -> Option<SchemaSource> {
    let is_folder = |path: &PathBuf| listing.root().join(path).is_dir();
    match paths {
        [] => None,
        [path] => Some(SchemaSource::Files {
            path: path.clone(),
            layout: None,
        }),
        [first, ..] if is_folder(first) => Some(SchemaSource::Files {
            path: first.clone(),
            layout: None,
        }),
        files => Some(SchemaSource::SchemaFiles(
            files
                .iter()
                .filter(|file| !is_folder(file))
                .cloned()
                .collect(),
        )),
    }
}

fn several_folders(listing: &Listing, paths: &[PathBuf]) -> Option<String> {
    match paths {
        [first, _, ..] if listing.root().join(first).is_dir() => Some(format!(
            "it names {} folders and files of the schema; {} is taken",
            paths.len(),
            first.display()
        )),
        _ => None,
    }
}

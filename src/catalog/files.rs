//! Query files found and read: the only place of the catalog that touches the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

use super::query::Skipped;
use crate::source::{Source, SourceError};

/// The files of a catalog: those that were read, and those that cannot be.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) sources: Vec<Source>,
    pub(super) unreadable: Vec<SourceError>,
    /// What a source holds beside queries.
    pub(super) left_out: Vec<Skipped>,
    /// The package of sqlc that a file belongs to.
    pub(super) packages: BTreeMap<PathBuf, String>,
}

/// Every file that a glob names, each once, in the order of their paths; `globs` are relative to `root`. A glob that names
/// nothing is an error: a moved folder must not leave the catalog silently.
pub(super) fn read(root: &Path, globs: &[String]) -> Result<Files, Vec<SourceError>> {
    let mut errors = Vec::new();
    let mut paths = BTreeMap::new();
    for glob in globs {
        match find(root, glob) {
            Ok(found) if found.is_empty() => errors.push(
                SourceError::new(
                    &Source::new(root, ""),
                    0..0,
                    format!("no file matches `{glob}`"),
                )
                .help(
                    "write your queries there, or set `queries` in pgproof.toml to where they are",
                ),
            ),
            Ok(found) => paths.extend(found),
            Err(error) => errors.push(*error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut files = Files::default();
    for (shown, path) in paths {
        match read_file(&shown, &path) {
            Ok(source) => files.sources.push(source),
            Err(error) => files.unreadable.push(*error),
        }
    }
    Ok(files)
}

/// Every file that a glob names, where it is no mistake that one names nothing.
pub(crate) fn read_any(root: &Path, globs: &[String]) -> Result<Vec<Source>, Vec<SourceError>> {
    let mut paths = BTreeMap::new();
    for glob in globs {
        paths.extend(find(root, glob).map_err(|error| vec![*error])?);
    }
    let read = paths
        .iter()
        .map(|(shown, path)| read_file(shown, path).map_err(|error| vec![*error]));
    read.collect()
}

/// Files of one glob: the path as it is shown, and the path to open.
fn find(root: &Path, glob: &str) -> Result<BTreeMap<PathBuf, PathBuf>, Box<SourceError>> {
    let unreadable = |path: &Path, message: String| {
        Box::new(SourceError::new(&Source::new(path, ""), 0..0, message))
    };
    let matcher = GlobBuilder::new(glob.strip_prefix("./").unwrap_or(glob))
        .literal_separator(true)
        .build()
        .map_err(|error| {
            unreadable(
                root,
                format!("`{glob}` is not a file pattern: {}", error.kind()),
            )
        })?
        .compile_matcher();
    let prefix = literal_prefix(glob);
    let base = root.join(&prefix);
    let mut found = BTreeMap::new();
    if !base.exists() {
        return Ok(found);
    }
    let visible = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0
            || !(name.starts_with('.') || (entry.file_type().is_dir() && name == "node_modules"))
    };
    let shown = |path: &Path| {
        let below = path.strip_prefix(&base).unwrap_or(path);
        match below.as_os_str().is_empty() {
            true => prefix.clone(),
            false => prefix.join(below),
        }
    };
    let is_named = |path: &Path| matcher.is_match(shown(path));
    for entry in WalkDir::new(&base)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(visible)
    {
        let entry = match entry {
            Ok(entry) => entry,
            // A link that leads back to itself leads to nothing new.
            Err(error) if error.loop_ancestor().is_some() => continue,
            // Nor does one that leads nowhere, or to itself, where the pattern does not name it.
            Err(error)
                if error
                    .path()
                    .is_some_and(|path| path.is_symlink() && !is_named(path)) =>
            {
                continue;
            }
            Err(error) => {
                let path = error.path().unwrap_or(&base).to_path_buf();
                let cause = error
                    .io_error()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                return Err(unreadable(&path, format!("cannot be read: {cause}")));
            }
        };
        if entry.file_type().is_file() && is_named(entry.path()) {
            found.insert(shown(entry.path()), entry.path().to_path_buf());
        }
    }
    Ok(found)
}

/// The folders (or the whole path) before the first component with a wildcard.
fn literal_prefix(glob: &str) -> PathBuf {
    let literal = |component: &Component<'_>| {
        !component
            .as_os_str()
            .to_string_lossy()
            .contains(['*', '?', '[', '{', '\\'])
    };
    Path::new(glob)
        .components()
        .filter(|component| *component != Component::CurDir)
        .take_while(literal)
        .collect()
}

pub(super) fn read_file(shown: &Path, path: &Path) -> Result<Source, Box<SourceError>> {
    let empty = Source::new(shown, "");
    let bytes = fs::read(path).map_err(|error| {
        Box::new(SourceError::new(
            &empty,
            0..0,
            format!("cannot be read: {error}"),
        ))
    })?;
    Source::decode(shown, &bytes)
}

//! The files of a migrations directory, wherever they come from.

use std::path::{Path, PathBuf};

use crate::source::Source;

use super::MigrationsError;

/// The `.sql` and `metadata.toml` files of a migrations directory, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The directory (or the file) as the user wrote it.
    pub root: PathBuf,
    /// `root` is one file.
    pub is_file: bool,
    /// Paths as `root/…`; sorted.
    pub files: Vec<Source>,
    /// A Cargo.toml lies in the directory or above it.
    pub cargo_project: bool,
    /// A go.mod lies in the directory or above it.
    pub go_project: bool,
}

impl Tree {
    /// Reads a directory, or a file, of the project; paths in the result are relative to the project.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(project: &Path, root: &Path) -> Result<Self, MigrationsError> {
        let at = project.join(root);
        let unreadable = |path: &Path, reason| MigrationsError::Unreadable {
            path: path.to_path_buf(),
            reason,
        };
        let metadata = std::fs::metadata(&at).map_err(|error| unreadable(root, error))?;
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(&at).sort_by_file_name().max_depth(3) {
            let entry = entry.map_err(|error| unreadable(root, error.into()))?;
            let is_read =
                entry.file_type().is_file() && (metadata.is_file() || Self::may_hold(entry.path()));
            if !is_read {
                continue;
            }
            let bytes =
                std::fs::read(entry.path()).map_err(|error| unreadable(entry.path(), error))?;
            let below = entry.path().strip_prefix(&at).unwrap_or(entry.path());
            let path = if below.as_os_str().is_empty() {
                root.to_path_buf()
            } else {
                root.join(below)
            };
            files.push(Source::decode(&path, &bytes).map_err(|error| *error)?);
        }
        let above = |name: &str| {
            let absolute = std::fs::canonicalize(&at).unwrap_or_else(|_| at.clone());
            absolute
                .ancestors()
                .any(|directory| directory.join(name).is_file())
        };
        Ok(Self::new(
            root,
            metadata.is_file(),
            files,
            above("Cargo.toml"),
            above("go.mod"),
        ))
    }

    /// Reads these files of the project, in this order.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read_files(
        project: &Path,
        root: &Path,
        files: &[PathBuf],
    ) -> Result<Self, MigrationsError> {
        let read = |path: &PathBuf| {
            let bytes = std::fs::read(project.join(path)).map_err(|reason| {
                MigrationsError::Unreadable {
                    path: path.clone(),
                    reason,
                }
            })?;
            Ok(Source::decode(path, &bytes).map_err(|error| *error)?)
        };
        Ok(Self {
            root: root.to_path_buf(),
            is_file: true,
            files: files
                .iter()
                .map(read)
                .collect::<Result<_, MigrationsError>>()?,
            cargo_project: false,
            go_project: false,
        })
    }

    /// From files that were read already (from git, say).
    #[must_use]
    pub fn new(
        root: &Path,
        is_file: bool,
        mut files: Vec<Source>,
        cargo_project: bool,
        go_project: bool,
    ) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            root: root.to_path_buf(),
            is_file,
            files,
            cargo_project,
            go_project,
        }
    }

    /// Whether a file of a migrations directory matters to any layout.
    #[must_use]
    pub fn may_hold(path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_sql = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
        (is_sql && !super::up_down::is_of_another_database(&name))
            || path.file_name().is_some_and(|name| {
                name == "metadata.toml" || name == "atlas.sum" || name == "_journal.json"
            })
            || is_go_migration(path)
            || path
                .extension()
                .is_some_and(|extension| extension == "conf")
    }

    /// Go files that goose registers as migrations.
    pub(super) fn go_migrations(&self) -> impl Iterator<Item = &Source> {
        self.files
            .iter()
            .filter(|file| self.depth(file) == 0 && is_go_migration(&file.path))
    }

    /// Leaves out the Go migrations after a version: whoever goes no farther does not have to run them.
    #[must_use]
    pub fn until(mut self, version: &str) -> Self {
        let is_later = |file: &Source| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            super::leading_version(&name)
                .is_some_and(|(own, _)| super::by_number(own) > super::by_number(version))
        };
        self.files
            .retain(|file| !(is_go_migration(&file.path) && is_later(file)));
        self
    }

    /// The path below the root, with `/`.
    pub(super) fn relative(&self, file: &Source) -> String {
        let below = file.path.strip_prefix(&self.root).unwrap_or(&file.path);
        below
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join("/")
    }

    /// The file's own name.
    pub(super) fn name(&self, file: &Source) -> String {
        file.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The folder's name of a file that lies one folder down.
    pub(super) fn folder(&self, file: &Source) -> Option<String> {
        let relative = self.relative(file);
        let (folder, name) = relative.rsplit_once('/')?;
        (!name.is_empty() && !folder.contains('/')).then(|| folder.to_owned())
    }

    /// 0 for files in the directory itself.
    pub(super) fn depth(&self, file: &Source) -> usize {
        self.relative(file).matches('/').count()
    }

    /// The `.sql` files in the directory itself.
    pub(super) fn top_level(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| {
            self.depth(file) == 0 && self.name(file).to_ascii_lowercase().ends_with(".sql")
        })
    }
}

/// `20250102000000_backfill.go`, but no test of it.
fn is_go_migration(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".go") && !name.ends_with("_test.go") && super::leading_version(&name).is_some()
}

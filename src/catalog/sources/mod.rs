//! Where a project's queries live, read in place: a source is one file here and one arm of [`read`].

mod aiosql;
mod clorinde;
mod code;
pub mod conventions;
mod go;
mod headers;
mod java;
mod javascript;
mod pgtyped;
mod placeholders;
mod python;
mod rust_macros;
mod rust_strings;
mod sqlalchemy;
mod sqlc;
mod sqlx;
pub mod statements;
mod whole;
mod yesql;

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{self, Files};
use crate::source::{Source, SourceError};

use crate::trace::event::Statements;
use statements::StatementsFrom;

pub use sqlc::{SqlcPackage, packages as sqlc_packages};

/// One entry of `queries` in pgproof.toml; paths are relative to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuerySource {
    /// Query files, by a pattern.
    Files(String),
    /// sqlc's configuration: the query files of its PostgreSQL packages.
    Sqlc(PathBuf),
    /// sqlx's offline data (`.sqlx`): every query that its macros check.
    Sqlx(PathBuf),
    /// Statements as another tool writes them, by a pattern of files.
    Written {
        /// The tool's way.
        convention: conventions::Convention,
        /// Its files.
        pattern: String,
    },
    /// What a database was asked: pg_stat_statements, or an export of it.
    Statements {
        /// Where it is read.
        from: StatementsFrom,
        /// How long an export has counted: its calls become rates.
        period: Option<Duration>,
    },
}

impl QuerySource {
    /// A pattern of query files.
    #[must_use]
    pub fn files(pattern: &str) -> Self {
        Self::Files(pattern.to_owned())
    }

    /// The file patterns that it stands for; none where it is no query files.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub fn patterns(&self, root: &Path) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Files(pattern) => Ok(vec![pattern.clone()]),
            Self::Sqlc(configuration) => sqlc::patterns(root, configuration),
            Self::Sqlx(_) | Self::Written { .. } | Self::Statements { .. } => Ok(Vec::new()),
        }
    }
}

/// Every text of the sources, in the form of query files: a header, then the statement. A file that two of them name is read once.
pub(super) fn read(
    root: &Path,
    from: &[QuerySource],
    live: &[(StatementsFrom, Statements)],
) -> Result<Files, Vec<SourceError>> {
    let mut patterns: Vec<String> = Vec::new();
    for source in from {
        let found = source.patterns(root).map_err(|error| vec![error])?;
        patterns.extend(found);
    }
    let mut files = files::read(root, &patterns)?;
    for source in from {
        match source {
            QuerySource::Files(_) => {}
            QuerySource::Sqlc(configuration) => {
                let packages = sqlc::packages_of(root, configuration, &files.sources);
                files.packages.extend(packages);
            }
            QuerySource::Sqlx(folder) => sqlx::read(root, folder, &mut files)?,
            QuerySource::Written {
                convention,
                pattern,
            } => {
                let mut read = files::read(root, std::slice::from_ref(pattern))?;
                let named = Path::new(pattern);
                read.sources.retain(|source| {
                    (!is_a_test(&source.path) || is_a_test(named))
                        && (!is_installed(&source.path) || is_installed(named))
                        && (!is_of_migrations(&source.path) || is_of_migrations(named))
                        && (!is_of_another_database(&source.path) || is_of_another_database(named))
                });
                conventions::add(convention, read, &mut files);
            }
            QuerySource::Statements { from, period } => {
                let read = statements::read(root, from, *period, live);
                statements::add(&read.map_err(|error| vec![error])?, &mut files);
            }
        }
    }
    Ok(files)
}

/// Code in a folder of tests: what it sends is no query of the application's, unless the pattern names that folder.
fn is_a_test(path: &Path) -> bool {
    let is_code = path.extension().is_none_or(|extension| extension != "sql");
    is_code
        && path.components().any(|part| {
            ["test", "tests", "__tests__", "spec"]
                .iter()
                .any(|name| part.as_os_str() == *name)
        })
}

/// Code of migrations, in a folder or a file of that name: what it sends, it sends once.
pub(crate) fn is_of_migrations(path: &Path) -> bool {
    const NAMES: [&str; 5] = ["migrations", "migration", "alembic", "migrate", "migrator"];
    let is_code = path.extension().is_none_or(|extension| extension != "sql");
    let is_one = |part: &OsStr| NAMES.iter().any(|name| part == *name);
    is_code
        && (path.components().any(|part| is_one(part.as_os_str()))
            || path.file_stem().is_some_and(is_one))
}

/// Code of others that lies in the repository, unless the pattern names the folder.
fn is_installed(path: &Path) -> bool {
    const FOLDERS: [&str; 7] = [
        "vendor",
        "third_party",
        "site-packages",
        "dist",
        "venv",
        ".venv",
        "bower_components",
    ];
    path.parent().is_some_and(|folder| {
        folder
            .components()
            .any(|part| FOLDERS.iter().any(|name| part.as_os_str() == *name))
    })
}

/// Code in a folder that names another database: its statements are that one's, unless the pattern names the folder.
fn is_of_another_database(path: &Path) -> bool {
    const OTHERS: [&str; 8] = [
        "h2",
        "hsqldb",
        "derby",
        "mssql",
        "oracle",
        "mariadb",
        "cassandra",
        "clickhouse",
    ];
    path.parent().is_some_and(|folder| {
        folder.components().any(|part| {
            let part = part.as_os_str().to_string_lossy().to_ascii_lowercase();
            OTHERS.contains(&part.as_str()) || part.contains("sqlite") || part.contains("mysql")
        })
    })
}

impl fmt::Display for QuerySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(pattern) => f.write_str(pattern),
            Self::Sqlc(path) | Self::Sqlx(path) => write!(f, "{}", path.display()),
            Self::Written { pattern, .. } => f.write_str(pattern),
            Self::Statements { from, .. } => from.fmt(f),
        }
    }
}

/// What cannot be read, as an error of its file.
fn unreadable(shown: &Path, reason: impl fmt::Display) -> SourceError {
    SourceError::new(
        &Source::new(shown, ""),
        0..0,
        format!("cannot be read: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_migrations_is_known_by_its_folder_or_file() {
        for path in [
            "server/data/migrations.go",
            "migrator/run.go",
            "app/migrations/0001_initial.py",
        ] {
            assert!(is_of_migrations(Path::new(path)), "{path}");
        }
        for path in ["db/migrations/001.sql", "birds/migration_routes.go"] {
            assert!(!is_of_migrations(Path::new(path)), "{path}");
        }
    }
}

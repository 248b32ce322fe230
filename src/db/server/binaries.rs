//! Finds PostgreSQL's programs on this machine. Downloading is [`super::download`]'s.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ServerError;
use crate::db::connect::{NEWEST_MAJOR, OLDEST_MAJOR, ServerVersion};

/// A directory with PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The directory of `postgres` and `initdb`.
    pub bin: PathBuf,
    /// What `postgres --version` says.
    pub version: ServerVersion,
}

impl Installation {
    /// The installation in `directory` or `directory/bin`, if a whole one is there and runs.
    #[must_use]
    pub fn at(directory: &Path) -> Option<Self> {
        let bin = [directory.to_path_buf(), directory.join("bin")]
            .into_iter()
            .find(|bin| bin.join("postgres").is_file() && bin.join("initdb").is_file())?;
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let version = ServerVersion::parse(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { bin, version })
    }
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Named by the user: nothing else is looked at.
    pub named: Option<PathBuf>,
    /// Directories that hold programs, in order of preference.
    pub directories: Vec<PathBuf>,
    /// pgproof's own cache.
    pub cache: Option<PathBuf>,
}

impl Search {
    /// The flag or `PGPROOF_PG_BIN`; else `pg_config --bindir`, `PATH`, the directories of Debian, RPM, Homebrew,
    /// Postgres.app and the BSDs, and the cache.
    #[must_use]
    pub fn of_machine(named: Option<&Path>) -> Self {
        let named = named
            .map(Path::to_path_buf)
            .or_else(|| non_empty("PGPROOF_PG_BIN").map(PathBuf::from));
        let mut directories: Vec<PathBuf> = pg_config().into_iter().collect();
        directories.extend(env::split_paths(&non_empty("PATH").unwrap_or_default()));
        directories.extend(usual());
        Self {
            named,
            directories,
            cache: cache_directory(),
        }
    }

    /// The best installation: the wanted major; where none is wanted the newest supported one of the machine's own,
    /// and of the cache only where the machine has none: what was downloaded once must not change what runs.
    ///
    /// # Errors
    /// [`ServerError::NamedBinaries`] where the directory that the user named holds no usable PostgreSQL.
    pub fn best(&self, wanted: Option<u32>) -> Result<Option<Installation>, ServerError> {
        if let Some(named) = &self.named {
            let found = Installation::at(named).ok_or_else(|| ServerError::NamedBinaries {
                path: named.clone(),
            })?;
            return if supported(found.version.major()) {
                Ok(Some(found))
            } else {
                Err(ServerError::UnsupportedBinaries {
                    path: named.clone(),
                    version: found.version,
                })
            };
        }
        if let Some(major) = wanted {
            let mut all = self.directories.iter().cloned().chain(self.cached());
            return Ok(all.find_map(|directory| {
                Installation::at(&directory)
                    .filter(|installation| installation.version.major() == major)
            }));
        }
        Ok(newest(&self.directories).or_else(|| newest(&self.cached())))
    }

    /// Versions in the cache, newest first.
    fn cached(&self) -> Vec<PathBuf> {
        let Some(cache) = &self.cache else {
            return Vec::new();
        };
        let mut versions = children(&cache.join("postgresql"));
        versions.sort_by_key(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            std::cmp::Reverse(ServerVersion::parse(&name))
        });
        versions
    }
}

/// Of equal majors the first, which the user is likelier to know of.
fn newest(directories: &[PathBuf]) -> Option<Installation> {
    let mut found: Vec<Installation> = directories
        .iter()
        .filter_map(|directory| Installation::at(directory))
        .collect();
    found.retain(|installation| supported(installation.version.major()));
    found.sort_by_key(|installation| std::cmp::Reverse(installation.version.major()));
    found.into_iter().next()
}

/// Finds PostgreSQL's programs on this machine: the wanted major, or the newest supported one.
///
/// # Errors
/// Where a directory that was named holds no usable PostgreSQL.
pub fn find_binaries(
    named: Option<&Path>,
    wanted: Option<u32>,
) -> Result<Option<Installation>, ServerError> {
    Search::of_machine(named).best(wanted)
}

/// Whether pgproof is tested on this major.
#[must_use]
pub fn supported(major: u32) -> bool {
    (OLDEST_MAJOR..=NEWEST_MAJOR).contains(&major)
}

/// `PGPROOF_CACHE_DIR`, or `pgproof` in the user's cache directory.
#[must_use]
pub fn cache_directory() -> Option<PathBuf> {
    if let Some(directory) = non_empty("PGPROOF_CACHE_DIR") {
        return Some(PathBuf::from(directory));
    }
    let home = non_empty("HOME").map(PathBuf::from);
    let caches = if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Caches"))
    } else {
        non_empty("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("pgproof"))
}

fn non_empty(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim();
    (output.status.success() && !line.is_empty()).then(|| PathBuf::from(line))
}

/// Where packagers put several majors side by side.
fn usual() -> Vec<PathBuf> {
    let parents = [
        "/usr/lib/postgresql",
        "/usr/lib64/postgresql",
        "/usr/libexec/postgresql",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/Applications/Postgres.app/Contents/Versions",
        "/Library/PostgreSQL",
    ];
    let mut found: Vec<PathBuf> = parents
        .iter()
        .flat_map(|parent| children(Path::new(parent)))
        .collect();
    found.extend(
        children(Path::new("/usr"))
            .into_iter()
            .filter(|path| starts_with(path, "pgsql-")),
    );
    found.extend(["/usr/local/pgsql", "/usr/local"].map(PathBuf::from));
    // Homebrew's `opt` holds everything that is installed.
    found.retain(|path| {
        !path.parent().is_some_and(|parent| parent.ends_with("opt"))
            || starts_with(path, "postgresql")
    });
    found
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fake(root: &Path, name: &str, version: &str) -> PathBuf {
        let bin = root.join(name).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for program in ["postgres", "initdb"] {
            let path = bin.join(program);
            fs::write(
                &path,
                format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        bin
    }

    #[test]
    fn the_wanted_major_is_preferred_and_the_newest_taken_where_none_is() {
        let root = tempfile::tempdir().unwrap();
        let cache = root.path().join("cache");
        let search = Search {
            named: None,
            directories: vec![
                fake(root.path(), "a", "13.9"),
                fake(root.path(), "b", "15.4 (Debian)"),
                root.path().join("nothing"),
            ],
            cache: Some(cache.clone()),
        };
        fake(&cache.join("postgresql"), "16.9.0", "16.9");
        fake(&cache.join("postgresql"), "16.15.0", "16.15");
        let best = |wanted| {
            search
                .best(wanted)
                .unwrap()
                .map(|found| found.version.to_string())
        };
        assert_eq!(best(Some(15)).as_deref(), Some("15.4"));
        assert_eq!(best(Some(16)).as_deref(), Some("16.15"));
        assert_eq!(
            best(None).as_deref(),
            Some("15.4"),
            "what was downloaded comes last"
        );
        assert_eq!(best(Some(18)), None);
        let only_cached = Search {
            directories: Vec::new(),
            ..search.clone()
        };
        assert_eq!(
            only_cached
                .best(None)
                .unwrap()
                .map(|found| found.version.to_string())
                .as_deref(),
            Some("16.15")
        );
    }

    #[test]
    fn a_named_directory_is_the_only_one_and_must_hold_postgres() {
        let root = tempfile::tempdir().unwrap();
        let fifteen = fake(root.path(), "b", "15.4");
        let named = |path: PathBuf| {
            Search {
                named: Some(path),
                directories: vec![fifteen.clone()],
                cache: None,
            }
            .best(Some(15))
        };
        assert_eq!(named(root.path().join("b")).unwrap().unwrap().bin, fifteen);
        let missing = named(root.path().join("none")).unwrap_err();
        assert!(
            missing.to_string().ends_with(
                "/none holds no usable PostgreSQL (postgres and initdb); name the \
             directory of its programs, e.g. /usr/lib/postgresql/15/bin"
            ),
            "{missing}"
        );
        fake(root.path(), "old", "9.6.24");
        assert!(
            named(root.path().join("old"))
                .unwrap_err()
                .to_string()
                .contains("PostgreSQL 9.6")
        );
    }
}

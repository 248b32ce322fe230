//! sqlc's configuration, versions 1 and 2 (`sqlc.yaml`, `sqlc.yml`, `sqlc.json`): which query files its PostgreSQL packages have,
//! and which schema files. <https://docs.sqlc.dev/en/stable/reference/config.html>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::unreadable;
use crate::source::{Source, SourceError};

/// A package of sqlc; paths are relative to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlcPackage {
    /// Of the generated code, where the configuration says it.
    pub name: Option<String>,
    /// Files, folders or patterns.
    pub queries: Vec<PathBuf>,
    /// Files, folders or patterns.
    pub schema: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    sql: Vec<Package>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    /// Version 1.
    name: Option<String>,
    /// Version 1.
    path: Option<String>,
    /// Version 2: by language.
    #[serde(default)]
    r#gen: BTreeMap<String, Generated>,
    /// Version 2: by plugin.
    #[serde(default)]
    codegen: Vec<Generated>,
    engine: Option<String>,
    queries: Option<OneOrMany>,
    schema: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct Generated {
    package: Option<String>,
    out: Option<String>,
}

impl Package {
    fn name(&self) -> Option<String> {
        let generated = || self.r#gen.values().chain(&self.codegen);
        let last = |path: &String| {
            let name = Path::new(path).file_name()?;
            Some(name.to_string_lossy().into_owned())
        };
        let named = self.name.clone();
        let named = named.or_else(|| generated().find_map(|one| one.package.clone()));
        let folder = || {
            self.path
                .as_ref()
                .or_else(|| generated().find_map(|one| one.out.as_ref()))
        };
        named.or_else(|| last(folder()?))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn below(self, folder: &Path) -> Vec<PathBuf> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        texts.iter().map(|text| joined(folder, text)).collect()
    }
}

/// `a/b` and `../c` → `a/c`.
fn joined(folder: &Path, text: &str) -> PathBuf {
    let mut path = folder.to_path_buf();
    for part in Path::new(text).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if path.pop() => {}
            part => path.push(part),
        }
    }
    path
}

/// The packages of a configuration whose engine is PostgreSQL.
///
/// # Errors
/// A file that cannot be read, or is no configuration of sqlc.
pub fn packages(root: &Path, configuration: &Path) -> Result<Vec<SqlcPackage>, SourceError> {
    let text = std::fs::read_to_string(root.join(configuration))
        .map_err(|error| unreadable(configuration, error))?;
    // JSON is YAML, too.
    let read: Configuration = serde_saphyr::from_str(&text).map_err(|error| {
        let source = Source::new(configuration, text.as_str());
        let place = error.location().map_or(0, |location| {
            source.offset(
                u32::try_from(location.line()).unwrap_or(1),
                u32::try_from(location.column()).unwrap_or(1),
            )
        });
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().to_owned();
        SourceError::new(
            &source,
            place..place,
            format!("not a configuration of sqlc: {first}"),
        )
    })?;
    let folder = configuration.parent().unwrap_or(Path::new(""));
    Ok(read
        .sql
        .into_iter()
        .chain(read.packages)
        .filter(|package| {
            package
                .engine
                .as_deref()
                .is_none_or(|engine| engine == "postgresql")
        })
        .map(|package| SqlcPackage {
            name: package.name(),
            queries: package.queries.map(|q| q.below(folder)).unwrap_or_default(),
            schema: package.schema.map(|s| s.below(folder)).unwrap_or_default(),
        })
        .collect())
}

/// Which package each of these files belongs to. A file of several packages belongs to the first.
pub(super) fn packages_of(
    root: &Path,
    configuration: &Path,
    sources: &[Source],
) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for package in packages(root, configuration).unwrap_or_default() {
        let Some(name) = package.name else { continue };
        let is_its = |file: &Path| {
            let mut queries = package.queries.iter();
            queries.any(|path| path == file || file.parent() == Some(path.as_path()))
        };
        for source in sources.iter().filter(|source| is_its(&source.path)) {
            found
                .entry(source.path.clone())
                .or_insert_with(|| name.clone());
        }
    }
    found
}

/// What sqlc reads of one of its paths: of all that a wildcard names, and of the folders among it, the files that end in `.sql`. The
/// code that it writes often lies beside them.
fn pattern_of(root: &Path, path: &Path) -> String {
    let text = path.display().to_string();
    if root.join(path).is_dir() {
        return format!("{text}/*.sql");
    }
    match text.strip_suffix('*') {
        Some(start) => format!("{}{{*,*/*}}.sql", start.trim_end_matches('*')),
        None => text,
    }
}

/// The patterns of the query files of every PostgreSQL package, each once. Of a folder sqlc reads the files in it, and in none
/// below.
pub(super) fn patterns(root: &Path, configuration: &Path) -> Result<Vec<String>, SourceError> {
    let mut patterns: Vec<String> = Vec::new();
    for path in packages(root, configuration)?
        .iter()
        .flat_map(|package| &package.queries)
    {
        let pattern = pattern_of(root, path);
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    if patterns.is_empty() {
        let source = Source::new(configuration, "");
        let message = "no package of PostgreSQL with queries";
        return Err(SourceError::new(&source, 0..0, message));
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SqlcPackage>, SourceError> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("db")).unwrap();
        std::fs::write(root.path().join("db/sqlc.yaml"), text).unwrap();
        packages(root.path(), Path::new("db/sqlc.yaml"))
    }

    #[test]
    fn packages_of_both_versions_and_of_postgres_alone() {
        let second = "version: \"2\"\nsql:\n  - engine: postgresql\n    queries: [a.sql, ./q]\n    schema: ../migrations\n    \
                      gen:\n      go:\n        package: db\n  - engine: mysql\n    queries: m.sql\n    schema: m\n";
        assert_eq!(
            read(second).unwrap(),
            [SqlcPackage {
                name: Some("db".to_owned()),
                queries: vec!["db/a.sql".into(), "db/q".into()],
                schema: vec!["migrations".into()],
            }]
        );
        let first = "{\"version\": \"1\", \"packages\": [{\"path\": \"x\", \"queries\": \"q\", \"schema\": [\"s.sql\"]}]}";
        assert_eq!(
            read(first).unwrap(),
            [SqlcPackage {
                name: Some("x".to_owned()),
                queries: vec!["db/q".into()],
                schema: vec!["db/s.sql".into()],
            }]
        );
    }

    #[test]
    fn wildcards_name_the_files_of_queries_alone() {
        let of = |path: &str| pattern_of(Path::new("/nowhere"), Path::new(path));
        assert_eq!(of("db/queries/**"), "db/queries/{*,*/*}.sql");
        assert_eq!(of("db/q*"), "db/q{*,*/*}.sql");
        assert_eq!(of("db/*.sql"), "db/*.sql");
        assert_eq!(of("db/queries.sql"), "db/queries.sql");
    }

    #[test]
    fn a_broken_configuration_is_refused_with_its_place() {
        let error = read("sql:\n  - engine: [\n").unwrap_err();
        assert!(
            error.to_string().contains("not a configuration of sqlc"),
            "{error}"
        );
    }
}

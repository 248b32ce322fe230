//! A case of the corpus: what is expected, what is set up, what is run. Shared by the generator and the tests.

#![allow(dead_code, reason = "the generator and the tests each use a part")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A case file, `tests/corpus/<rule>/<fires|quiet>-<name>.sql`.
///
/// ```sql
/// -- One line about it.
/// -- expect: error Seq Scan on orders          (severity and the node's label; fires only)
/// -- told: seq-scan > sort-spill slow-query    (all that is told above info: causes with their symptoms; a line a cause)
/// -- versions: 15 16 17 18                     (all without it)
/// -- run: hot = 7, 'x'                         (values for the parameters; `run Query: …` with several queries)
/// -- setup
/// SET LOCAL work_mem = '1MB';
/// -- name: Query :many
/// SELECT …
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The rule's id: the directory.
    pub(crate) rule: String,
    /// `fires-tracking-code`.
    pub(crate) name: String,
    /// Whether the rule must fire.
    pub(crate) fires: bool,
    /// `error Seq Scan on orders`.
    pub(crate) expect: Option<String>,
    /// Every cause with its symptoms, where the case says so: `seq-scan > sort-spill`.
    pub(crate) told: Vec<String>,
    /// Majors that it is generated on.
    pub(crate) versions: Vec<u32>,
    /// Query name (empty for all), label, values.
    pub(crate) runs: Vec<(String, String, String)>,
    /// Statements before the queries.
    pub(crate) setup: String,
    /// The queries with their headers.
    pub(crate) queries: String,
}

/// Majors that the corpus covers.
pub(crate) const VERSIONS: &[u32] = &[14, 15, 16, 17, 18];

/// Where the cases are.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

impl Case {
    /// Reads a case.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let rule = path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let start = text
            .find("-- name:")
            .ok_or_else(|| format!("{}: no query", path.display()))?;
        let (head, queries) = text.split_at(start);
        let (_, setup) = head.split_once("-- setup\n").unwrap_or((head, ""));
        let mut case = Self {
            fires: name.starts_with("fires-"),
            rule,
            name,
            expect: None,
            told: Vec::new(),
            versions: VERSIONS.to_vec(),
            runs: Vec::new(),
            setup: setup.to_owned(),
            queries: queries.to_owned(),
        };
        for line in head.lines() {
            let Some((key, value)) = line.trim_start_matches("-- ").split_once(": ") else {
                continue;
            };
            match key.split_once(' ').unwrap_or((key, "")) {
                ("expect", _) => case.expect = Some(value.trim().to_owned()),
                ("told", _) => case.told.push(value.trim().to_owned()),
                ("versions", _) => {
                    case.versions = value
                        .split_whitespace()
                        .filter_map(|word| word.parse().ok())
                        .collect()
                }
                ("run", query) => {
                    let (label, values) = value.split_once(" = ").unwrap_or((value, ""));
                    case.runs.push((
                        query.to_owned(),
                        label.trim().to_owned(),
                        values.trim().to_owned(),
                    ));
                }
                _ => {}
            }
        }
        Ok(case)
    }

    /// Every case, in order.
    pub(crate) fn all(corpus: &Path) -> Result<Vec<Self>, String> {
        let mut paths: Vec<PathBuf> = walkdir::WalkDir::new(corpus)
            .min_depth(2)
            .max_depth(2)
            .into_iter()
            .filter_map(Result::ok)
            .map(walkdir::DirEntry::into_path)
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// Labels and values of a query's runs.
    pub(crate) fn runs_of(&self, query: &str) -> Vec<(String, String)> {
        let meant = self
            .runs
            .iter()
            .filter(|(name, _, _)| name.is_empty() || name == query);
        let runs: Vec<_> = meant
            .map(|(_, label, values)| (label.clone(), values.clone()))
            .collect();
        if runs.is_empty() {
            vec![("given".to_owned(), String::new())]
        } else {
            runs
        }
    }

    /// Where a version's plans are kept.
    pub(crate) fn plans_path(&self, corpus: &Path, major: u32) -> PathBuf {
        corpus
            .join("plans")
            .join(major.to_string())
            .join(&self.rule)
            .join(format!("{}.json", self.name))
    }

    /// Where a schema is kept; `hash` is what its plans name.
    pub(crate) fn schema_path(corpus: &Path, major: u32, hash: &str) -> PathBuf {
        corpus
            .join("plans")
            .join(major.to_string())
            .join(format!("{hash}.schema.json"))
    }

    /// The schema that a version's plans name.
    pub(crate) fn schema_hash(&self, corpus: &Path, major: u32) -> Result<String, String> {
        let plans = self.plans(corpus, major)?;
        let named = plans.first().and_then(|plan| plan["schema"].as_str());
        named
            .map(str::to_owned)
            .ok_or_else(|| format!("{}/{} on {major} names no schema", self.rule, self.name))
    }

    /// A version's plans: an array of `{query, label, samples: [[execution ms, planning ms]], explain, schema}`.
    pub(crate) fn plans(&self, corpus: &Path, major: u32) -> Result<Vec<Value>, String> {
        let path = self.plans_path(corpus, major);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

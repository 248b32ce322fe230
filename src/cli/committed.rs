//! What a query was before it was edited: the committed text of a query that is named, or the catalog's query that an ad-hoc
//! statement is a version of. Where there is no git, nothing is compared.

use std::path::Path;
use std::process::{Command, Stdio};

use similar::TextDiff;

use super::settings::Project;
use crate::catalog::{self, Query};
use crate::source::Source;

/// A statement is a version of a query's if so much of it is the same.
const CLOSE: f32 = 0.6;

/// A query as it was.
#[derive(Debug)]
pub struct Committed {
    /// Index of what it is compared with.
    pub of: usize,
    /// What it is called in reports: `HEAD`, or the catalog's name for it.
    pub name: String,
    /// Itself, under a name of its own.
    pub query: Query,
}

/// The earlier versions of queries that have one with another text.
#[must_use]
pub fn versions(queries: &[Query], ad_hoc: &[String], project: &Project) -> Vec<Committed> {
    let mut catalog: Option<Vec<Query>> = None;
    let mut found = Vec::new();
    for (of, query) in queries.iter().enumerate() {
        let version = at_head(query, &project.root).or_else(|| {
            if !ad_hoc.contains(&query.name) {
                return None;
            }
            let all = catalog.get_or_insert_with(|| {
                project
                    .catalog()
                    .map(|catalog| catalog.queries)
                    .unwrap_or_default()
            });
            closest(query, all)
        });
        let Some((name, before)) = version.filter(|(_, before)| before.sql != query.sql) else {
            continue;
        };
        found.push(Committed {
            of,
            query: Query {
                name: format!("{} of {name}", query.name),
                ..before
            },
            name,
        });
    }
    found
}

/// The query of the same name and file as the newest commit has it.
fn at_head(query: &Query, root: &Path) -> Option<(String, Query)> {
    let path = query.file.to_str()?;
    let shown = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["show", &format!("HEAD:./{path}")])
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|shown| shown.status.success())?;
    let text = String::from_utf8(shown.stdout).ok()?;
    let committed = catalog::parse(&[Source::new(&query.file, text)]).queries;
    let same = committed
        .into_iter()
        .find(|before| before.name == query.name)?;
    Some(("HEAD".to_owned(), same))
}

/// The query of the catalog whose text is closest, if it is close.
fn closest(query: &Query, catalog: &[Query]) -> Option<(String, Query)> {
    let likeness = |other: &Query| TextDiff::from_words(&other.source, &query.source).ratio();
    let scored = catalog.iter().map(|other| (likeness(other), other));
    let (_, best) = scored
        .filter(|(likeness, _)| *likeness >= CLOSE)
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some((best.name.clone(), best.clone()))
}

//! The catalog: query files read into [`Query`]s. Reads files, knows no database.

mod directives;
pub(crate) mod files;
mod parameters;
pub mod query;
mod read;
pub mod sources;
mod split;
mod statement;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use query::{
    Allow, Budget, Caller, Command, ForEach, Parameter, ParameterChoice, Query, Segment,
    SkipReason, Skipped, StatementKind,
};

use crate::trace::event::Statements;
pub use sources::QuerySource;
pub use sources::statements::{
    StatementsFrom, has_a_plan, is_of_the_server, name_of, rate, written,
};

use crate::source::{Source, SourceError};

/// Every query of a project, in the order of their files and lines. A statement that cannot be audited stops no other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Names are unique.
    pub queries: Vec<Query>,
    /// What is not audited, and why.
    pub skipped: Vec<Skipped>,
    /// What is odd, and was left out or read as it seems to be meant.
    pub warnings: Vec<SourceError>,
}

impl Catalog {
    /// A query by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Query> {
        self.queries.iter().find(|query| query.name == name)
    }

    /// The catalog where nothing in it is wrong: every mistake and every warning counts.
    ///
    /// # Errors
    /// Every mistake of every file, in order.
    pub fn strict(self) -> Result<Self, Vec<SourceError>> {
        let mistakes = self.skipped.iter().filter_map(Skipped::mistake);
        let mut errors: Vec<SourceError> = mistakes.chain(&self.warnings).cloned().collect();
        if errors.is_empty() {
            return Ok(self);
        }
        errors.sort_by(|a, b| {
            (&a.source_file.path, a.span.start).cmp(&(&b.source_file.path, b.span.start))
        });
        Err(errors)
    }

    /// Takes out the queries that `pattern` (for names and paths) fits.
    pub fn exclude(&mut self, pattern: &str, fits: impl Fn(&str, &Path) -> bool) {
        let excluded = || SkipReason::Excluded {
            pattern: pattern.to_owned(),
        };
        let unread = self
            .skipped
            .iter_mut()
            .filter(|skipped| skipped.mistake().is_some());
        for skipped in unread.filter(|skipped| fits(&skipped.name, &skipped.file)) {
            skipped.why = excluded();
        }
        let (out, kept): (Vec<Query>, Vec<Query>) = std::mem::take(&mut self.queries)
            .into_iter()
            .partition(|query| fits(&query.name, &query.file));
        self.queries = kept;
        self.skipped.extend(out.into_iter().map(|query| Skipped {
            name: query.name,
            file: query.file,
            line: query.line,
            why: excluded(),
        }));
    }
}

/// Reads every source; their paths are relative to `root`. `live` is what the databases among them held.
///
/// # Errors
/// A pattern that names no file or is none, a source that cannot be read, or files in which there is nothing.
pub fn load(
    root: &Path,
    from: &[QuerySource],
    live: &[(StatementsFrom, Statements)],
) -> Result<Catalog, Vec<SourceError>> {
    let files::Files {
        sources,
        unreadable,
        left_out,
        packages,
    } = sources::read(root, from, live)?;
    let mut catalog = parse_packages(&sources, &packages);
    catalog
        .skipped
        .extend(unreadable.into_iter().map(unreadable_file));
    catalog.skipped.extend(left_out);
    if catalog.queries.is_empty() && catalog.skipped.is_empty() {
        let place = Source::new(root, "");
        let message = format!(
            "no query in the {} that {} match",
            files_word(sources.len()),
            sources_word(from)
        );
        let error = SourceError::new(&place, 0..0, message);
        return Err(vec![error.help(
            "a query begins with a header, for example `-- name: ListOrders :many`",
        )]);
    }
    Ok(catalog)
}

/// Reads one file that no pattern names.
#[must_use]
pub fn load_file(path: &Path, shown: &Path) -> Catalog {
    match files::read_file(shown, path) {
        Ok(source) => parse(&[source]),
        Err(error) => Catalog {
            skipped: vec![unreadable_file(*error)],
            ..Catalog::default()
        },
    }
}

fn unreadable_file(error: SourceError) -> Skipped {
    Skipped {
        name: error.source_file.path.display().to_string(),
        file: error.source_file.path.clone(),
        line: error.line(),
        why: SkipReason::Mistake(error),
    }
}

/// Reads query files that are in memory already.
#[must_use]
pub fn parse(sources: &[Source]) -> Catalog {
    parse_packages(sources, &BTreeMap::new())
}

/// The same, with the package of sqlc that a file belongs to.
fn parse_packages(sources: &[Source], packages: &BTreeMap<PathBuf, String>) -> Catalog {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("catalog".into())
            .stack_size(crate::sql::tree::STACK);
        let reading = thread.spawn_scoped(scope, || read::catalog(sources, packages));
        // No thread to be had, or a bug in it that its panic has told: there is nothing to go on with.
        let failed = |message: &str| Catalog {
            skipped: sources
                .iter()
                .map(|source| Skipped {
                    name: source.path.display().to_string(),
                    file: source.path.clone(),
                    line: 1,
                    why: SkipReason::Mistake(SourceError::new(source, 0..0, message)),
                })
                .collect(),
            ..Catalog::default()
        };
        match reading.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(catalog)) => catalog,
            Ok(Err(_)) => failed("the catalog could not be read"),
            Err(error) => failed(&format!("no thread to read the catalog with: {error}")),
        }
    })
}

fn files_word(count: usize) -> String {
    if count == 1 {
        "file".to_owned()
    } else {
        format!("{count} files")
    }
}

fn sources_word(sources: &[QuerySource]) -> String {
    sources
        .iter()
        .map(|source| format!("`{source}`"))
        .collect::<Vec<_>>()
        .join(" and ")
}

#[cfg(test)]
mod tests;

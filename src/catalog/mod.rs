//! The catalog: query files read into [`Query`]s. Reads files, knows no database.

mod directives;
pub(crate) mod files;
mod parameters;
pub mod query;
mod read;
mod split;
mod statement;

use std::path::Path;

pub use query::{
    Allow, Budget, Command, ForEach, Parameter, ParameterChoice, Query, Segment, StatementKind,
};

use crate::source::{Source, SourceError};

/// Every query of a project, in the order of their files and lines.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Never empty when loaded; names are unique.
    pub queries: Vec<Query>,
}

impl Catalog {
    /// A query by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Query> {
        self.queries.iter().find(|query| query.name == name)
    }
}

/// Reads every file that a glob (relative to `root`) names. The error holds every mistake of every file, in order.
pub fn load(root: &Path, globs: &[String]) -> Result<Catalog, Vec<SourceError>> {
    let sources = files::read(root, globs)?;
    let catalog = parse(&sources)?;
    if catalog.queries.is_empty() {
        let place = Source::new(root, "");
        let message = format!(
            "no query in the {} that {} match",
            files_word(sources.len()),
            globs_word(globs)
        );
        let error = SourceError::new(&place, 0..0, message);
        return Err(vec![error.help(
            "a query begins with a header, for example `-- name: ListOrders :many`",
        )]);
    }
    Ok(catalog)
}

/// Reads query files that are in memory already.
pub fn parse(sources: &[Source]) -> Result<Catalog, Vec<SourceError>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("catalog".into())
            .stack_size(crate::sql::tree::STACK);
        let reading = thread.spawn_scoped(scope, || read::queries(sources));
        // No thread to be had, or a bug in it that its panic has told: there is nothing to go on with.
        let failed = |message: &str| {
            Err(vec![SourceError::new(
                &Source::new("queries", ""),
                0..0,
                message,
            )])
        };
        match reading.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(queries)) => queries.map(|queries| Catalog { queries }),
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

fn globs_word(globs: &[String]) -> String {
    globs
        .iter()
        .map(|glob| format!("`{glob}`"))
        .collect::<Vec<_>>()
        .join(" and ")
}

#[cfg(test)]
mod tests;

//! Queries that name what the schema lacks: the file of the repository that makes it, or that no file does.

use crate::cli::settings::Project;
use crate::repository::{Listing, definition};
use crate::run::QueryRuns;

/// What the server calls an object that is not there: table, function, type.
const UNDEFINED: [&str; 3] = ["42P01", "42883", "42704"];

/// Puts the remedy into the failures of such queries.
pub(super) fn explain(runs: &mut [QueryRuns], project: &Project) {
    let mut failures = runs
        .iter_mut()
        .filter_map(|runs| runs.failure.as_mut())
        .filter(|failure| {
            let code = failure.code.as_deref();
            code.is_some_and(|code| UNDEFINED.contains(&code))
        })
        .filter_map(|failure| Some((missing(&failure.message)?, failure)))
        .peekable();
    if failures.peek().is_none() {
        return;
    }
    let listing = Listing::of(&project.root);
    for (name, failure) in failures {
        failure.hint = Some(match definition(&listing, &name) {
            Some((file, line)) => format!(
                "{}:{line} makes {name}: add that file to `migrations` in pgproof.toml.",
                file.display()
            ),
            None if failure.hint.is_some() => continue,
            None => format!(
                "No file of the project makes {name}. Where a program makes it as it runs, take the schema from a database that \
                 has it (pg_dump --schema-only, named in `migrations`, or --database-url); else correct the query, or write \
                 `-- @skip: reason` above it."
            ),
        });
    }
}

/// The object of `relation "x" does not exist` and its like.
fn missing(message: &str) -> Option<String> {
    let (object, _) = message.split_once(" does not exist")?;
    if let Some(function) = object.strip_prefix("function ") {
        return function.split('(').next().map(str::to_owned);
    }
    let quoted = object
        .strip_prefix("relation \"")
        .or_else(|| object.strip_prefix("type \""))?;
    quoted.strip_suffix('"').map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_message_names_what_is_missing() {
        let name = |message: &str| missing(message);
        assert_eq!(
            name("relation \"shop.orders\" does not exist").as_deref(),
            Some("shop.orders")
        );
        assert_eq!(
            name("function refill(integer, text) does not exist").as_deref(),
            Some("refill")
        );
        assert_eq!(
            name("type \"mood\" does not exist").as_deref(),
            Some("mood")
        );
        assert_eq!(name("column \"x\" does not exist"), None);
        assert_eq!(name("operator does not exist: text = integer"), None);
    }
}

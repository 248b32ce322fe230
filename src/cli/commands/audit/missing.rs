//! What queries miss: objects that the schema lacks, with the file of the repository that makes them, and rows of tables that
//! stay empty, with the reason.

use std::path::Path;

use crate::catalog::Query;
use crate::cli::settings::Project;
use crate::finding::{Finding, RuleId};
use crate::repository::{Listing, addition, definition};
use crate::run::QueryRuns;
use crate::schema::Schema;

/// Says of queries that are not proven why a table that they read has no rows: `left_empty` holds tables with their reasons.
pub(super) fn explain_empty(
    findings: &mut [Finding],
    left_empty: &[(&str, &str)],
    (queries, runs): (&[Query], &[QueryRuns]),
    schema: &Schema,
) {
    if left_empty.is_empty() {
        return;
    }
    let unproven = findings
        .iter_mut()
        .filter(|finding| finding.rule == RuleId::NotProven);
    for finding in unproven {
        let at = queries
            .iter()
            .position(|query| finding.query.as_ref() == Some(&query.name));
        let Some(run) = at.and_then(|at| runs.get(at)?.runs.first()) else {
            continue;
        };
        let reads = |table: &str| {
            run.plan.table_scans().any(|(_, node)| {
                let relation = node.relation.as_ref();
                let found = relation
                    .and_then(|relation| schema.table(relation.schema.as_deref(), &relation.name));
                found.is_some_and(|found| schema.root_of(found).name.to_string() == table)
            })
        };
        if let Some((table, reason)) = left_empty.iter().find(|(table, _)| reads(table)) {
            finding.advice = format!("Table {table} stays empty: {reason}.");
        }
    }
}

/// What the server calls an object that is not there: table, function, type, column.
const UNDEFINED: [&str; 4] = ["42P01", "42883", "42704", "42703"];

/// Types and functions of extensions that PostgreSQL does not come with.
const OF_EXTENSIONS: [(&str, &str); 9] = [
    ("vector", "vector"),
    ("halfvec", "vector"),
    ("sparsevec", "vector"),
    ("geometry", "postgis"),
    ("geography", "postgis"),
    ("st_makepoint", "postgis"),
    ("create_hypertable", "timescaledb"),
    ("time_bucket", "timescaledb"),
    ("h3index", "h3"),
];

/// What a query misses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Missing {
    /// A table, a function, a type.
    Object(String),
    Column(String),
}

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
    for (missing, failure) in failures {
        let name = match missing {
            Missing::Object(name) => name,
            Missing::Column(name) => {
                // Without a file that adds it the query is the one to correct.
                if let Some((file, line)) = addition(&listing, &name) {
                    failure.hint = Some(added_by(&file, line, &name, project));
                }
                continue;
            }
        };
        if let Some(hint) = of_an_extension(&name) {
            failure.hint = Some(hint);
            continue;
        }
        failure.hint = Some(match definition(&listing, &name) {
            // What is applied already made it, and a later part of it took it away.
            Some((file, line)) if is_applied(&file, project) => format!(
                "{}:{line} makes {name}, and what is applied after it drops or renames it: the query is of an older schema, or its \
                 program makes {name} as it runs. Correct it, or write `-- @skip: reason` above it.",
                file.display()
            ),
            Some((file, line)) if is_temporary(&listing, &file, line) => format!(
                "{}:{line} makes {name} as a temporary table, in the session that asks: no migration has it, and each query is audited in \
                 a session of its own. `pgproof record -- CMD` sees both; else write `-- @skip: reason` above it.",
                file.display()
            ),
            Some((file, line)) => in_place_of(&file, line, &name),
            None if failure.hint.is_some() => continue,
            None => format!(
                "No file of the project makes {name}. Where a program makes it as it runs, take the schema from a database that \
                 has it (pg_dump --schema-only, named in `migrations`, or --database-url); else correct the query, or write \
                 `-- @skip: reason` above it."
            ),
        });
    }
}

/// What helps where a file adds a column that a query misses.
fn added_by(file: &Path, line: u32, name: &str, project: &Project) -> String {
    let place = file.display();
    if is_applied(file, project) {
        return format!(
            "{place}:{line} adds a column {name}, and what is applied after it drops or renames it, or it is another table's: the query is of \
             an older schema. Correct it, or write `-- @skip: reason` above it."
        );
    }
    format!(
        "{place}:{line} adds a column {name}, and is not applied: the schema that `migrations` of pgproof.toml names is older. Name that file, \
         too, or take the schema from a database that has it (pg_dump --schema-only, or --database-url)."
    )
}

/// What helps where an object is of an extension that this server does not have.
fn of_an_extension(name: &str) -> Option<String> {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let (_, extension) = OF_EXTENSIONS.iter().find(|(own, _)| *own == bare)?;
    Some(format!(
        "{name} is of the extension {extension}, which this server does not have: audit against a server that has it (--database-url), or write \
         `-- @skip: reason` above it."
    ))
}

/// Whether what is made on a line of a file goes with its session.
fn is_temporary(listing: &Listing, file: &Path, line: u32) -> bool {
    let text = listing.text(file).unwrap_or_default();
    let made = text.lines().nth(line.saturating_sub(1) as usize);
    made.is_some_and(makes_temporary)
}

fn makes_temporary(line: &str) -> bool {
    let mut words = line.split_whitespace().map(str::to_ascii_lowercase);
    words.any(|word| matches!(word.as_str(), "temp" | "temporary"))
}

/// What helps where a file that is not among the migrations makes an object.
fn in_place_of(file: &Path, line: u32, name: &str) -> String {
    let place = file.display();
    if file.extension().is_some_and(|ending| ending == "sql") {
        return format!(
            "{place}:{line} makes {name}: add that file to `migrations` in pgproof.toml."
        );
    }
    format!(
        "The program makes {name} as it runs, at {place}:{line}: copy that statement into an SQL file of `migrations`, or take the schema from \
         a database that has it (pg_dump --schema-only); where it is the program's own note, write `-- @skip: reason` above the query."
    )
}

/// Whether a file of the repository is one of the project's migrations.
fn is_applied(file: &Path, project: &Project) -> bool {
    let migrations = &project.settings.migrations;
    let is_listed = migrations.files.iter().any(|listed| file == listed);
    is_listed || migrations.command.is_none() && file.starts_with(&migrations.dir)
}

/// The object of `relation "x" does not exist`, `column t.x does not exist` and their like.
fn missing(message: &str) -> Option<Missing> {
    let (object, _) = message.split_once(" does not exist")?;
    if let Some(function) = object.strip_prefix("function ") {
        let name = function.split('(').next()?;
        return Some(Missing::Object(name.to_owned()));
    }
    if let Some(column) = object.strip_prefix("column ") {
        let column = column.split(" of relation ").next()?;
        let name = column.rsplit('.').next()?.trim_matches('"');
        return Some(Missing::Column(name.to_owned()));
    }
    let quoted = object
        .strip_prefix("relation \"")
        .or_else(|| object.strip_prefix("type \""))?;
    Some(Missing::Object(quoted.strip_suffix('"')?.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Missing, in_place_of, makes_temporary, missing, of_an_extension};

    #[test]
    fn a_table_of_a_session_is_told_from_others() {
        assert!(makes_temporary(
            "CREATE TEMP TABLE staged ON COMMIT DROP AS"
        ));
        assert!(makes_temporary("create temporary table staged (id int);"));
        assert!(!makes_temporary("CREATE TABLE temp_staged (id int);"));
    }

    #[test]
    fn only_a_file_of_sql_is_a_migration() {
        let sql = in_place_of(Path::new("sql/types.sql"), 3, "mood");
        assert!(
            sql.starts_with("sql/types.sql:3 makes mood: add that file"),
            "{sql}"
        );
        let code = in_place_of(Path::new("app/migrate.go"), 118, "history");
        assert!(
            code.contains("app/migrate.go:118: copy that statement"),
            "{code}"
        );
    }

    #[test]
    fn what_an_extension_has_is_told_from_the_projects_own() {
        let hint = of_an_extension("halfvec").unwrap();
        assert!(
            hint.starts_with("halfvec is of the extension vector"),
            "{hint}"
        );
        assert_eq!(of_an_extension("mood"), None);
    }

    #[test]
    fn a_message_names_what_is_missing() {
        let name = |message: &str| match missing(message)? {
            Missing::Object(name) => Some(name),
            Missing::Column(name) => Some(format!("column {name}")),
        };
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
        for message in [
            "column \"depth\" does not exist",
            "column b.depth does not exist",
            "column \"depth\" of relation \"berths\" does not exist",
        ] {
            assert_eq!(name(message).as_deref(), Some("column depth"), "{message}");
        }
        assert_eq!(name("operator does not exist: text = integer"), None);
    }
}

//! `pgproof import`: queries from where other tools keep them, written as query files that a person owns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::catalog::sources::conventions;
use crate::catalog::{self, Query, QuerySource, StatementsFrom};
use crate::cli::Globals;
use crate::cli::args::ImportArgs;
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::statements;
use crate::write;

/// Reads the source and writes its queries.
pub async fn run(args: &ImportArgs, globals: &Globals) -> Result<ExitCode, CliError> {
    let source = source(args, &globals.directory)?;
    let files = match &source {
        QuerySource::Statements { from, .. } if !matches!(from, StatementsFrom::File(_)) => {
            let url = statements::url(from, globals)?.ok_or_else(|| {
                CliError::usage("no database is given").help("give one with --database-url")
            })?;
            let held = statements::read(&url, globals).await?;
            query_files(&source, &[(from.clone(), held)], globals)?
        }
        _ => query_files(&source, &[], globals)?,
    };
    let mut text = String::new();
    for (name, file) in &files {
        let path = args.out.join(name);
        let whole = globals.directory.join(&path);
        if whole.exists() && !args.force {
            return Err(
                CliError::usage(format!("{} is there already", path.display()))
                    .help("--force overwrites it; --out names another folder"),
            );
        }
        if let Some(folder) = whole.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        write::text(&whole, &file.text).map_err(|error| cannot_write(&path, &error))?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "wrote {} ({} queries)", path.display(), file.queries);
    }
    let _ = writeln!(text, "next: pgproof audit {}", args.out.display());
    globals.print(&text)?;
    Ok(ExitCode::Success)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Environment {
        message: format!("{} cannot be written", path.display()),
        causes: vec![error.to_string()],
        help: None,
    }
}

/// What was typed, by its name and what it holds.
fn source(args: &ImportArgs, directory: &Path) -> Result<QuerySource, CliError> {
    let typed = args.source.as_str();
    let path = PathBuf::from(typed);
    let whole = directory.join(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let statements = || QuerySource::Statements {
        from: StatementsFrom::parse(typed),
        period: args.period,
    };
    if matches!(StatementsFrom::parse(typed), StatementsFrom::GivenDatabase)
        || typed.starts_with('$')
    {
        return Ok(statements());
    }
    // `aiosql:queries/*.sql`, where a file alone does not show whose it is.
    if let Some((key, pattern)) = typed.split_once(':')
        && let Some(convention) = conventions::by_key(key)
    {
        return Ok(QuerySource::Written {
            convention,
            pattern: pattern.to_owned(),
        });
    }
    if !whole.exists() && !typed.contains(['*', '?', '[', '{']) {
        return Err(CliError::usage(format!("there is no file or folder {typed}")).help(
            "a source is pg_stat_statements (with --database-url), an export of it (CSV, JSON), sqlc.yaml, .sqlx, or a \
             pattern of query files; of other tools' as TOOL:PATTERN, for example aiosql:queries/*.sql",
        ));
    }
    if whole.is_dir() && name == ".sqlx" {
        return Ok(QuerySource::Sqlx(path));
    }
    if name.starts_with("sqlc.") {
        return Ok(QuerySource::Sqlc(path));
    }
    match extension.as_ref() {
        "csv" | "tsv" | "json" | "jsonl" | "ndjson" => Ok(statements()),
        _ => Ok(shown(&whole, typed).unwrap_or_else(|| QuerySource::files(typed))),
    }
}

/// A file whose text shows that it is another tool's.
fn shown(whole: &Path, typed: &str) -> Option<QuerySource> {
    let text = std::fs::read_to_string(whole).ok()?;
    let extension = whole.extension()?.to_str()?;
    let convention = conventions::ALL
        .iter()
        .find(|one| one.extensions.contains(&extension) && (one.shows)(&text))?;
    Some(QuerySource::Written {
        convention: *convention,
        pattern: typed.to_owned(),
    })
}

/// A query file that is written.
#[derive(Debug, Default)]
struct QueryFile {
    text: String,
    queries: usize,
}

/// The source's queries by the file that they go to: one a file of the source.
fn query_files(
    source: &QuerySource,
    live: &[(StatementsFrom, crate::trace::event::Statements)],
    globals: &Globals,
) -> Result<BTreeMap<String, QueryFile>, CliError> {
    let _reading = crate::interrupt::reading();
    let read = catalog::load(&globals.directory, std::slice::from_ref(source), live)?;
    for warning in &read.warnings {
        globals.progress.note(warning.to_string());
    }
    for skipped in &read.skipped {
        globals.progress.note(format!(
            "{}:{}: {}",
            skipped.file.display(),
            skipped.line,
            skipped.reason()
        ));
    }
    if read.queries.is_empty() {
        return Err(CliError::usage(format!("{source} holds no query")));
    }
    let mut files: BTreeMap<String, QueryFile> = BTreeMap::new();
    for query in &read.queries {
        let stem = query.file.file_stem().unwrap_or_default().to_string_lossy();
        let name = if query.file.starts_with(".sqlx") {
            "sqlx".to_owned()
        } else {
            stem.into_owned()
        };
        let file = files.entry(format!("{name}.sql")).or_default();
        file.queries += 1;
        let separator = if file.text.is_empty() { "" } else { "\n" };
        let _ = write!(
            file.text,
            "{separator}{}",
            written(query, &comments(query, source, globals))
        );
    }
    Ok(files)
}

/// Comment lines between a query's header and its statement: directives, and what people wrote.
fn comments(query: &Query, source: &QuerySource, globals: &Globals) -> String {
    let (QuerySource::Files(_) | QuerySource::Sqlc(_)) = source else {
        return String::new();
    };
    // The file was read a moment ago; where it is gone, its comments are.
    let text = std::fs::read_to_string(globals.directory.join(&query.file)).unwrap_or_default();
    let between = query.line.saturating_sub(query.header_line + 1);
    let lines = text
        .lines()
        .skip(query.header_line as usize)
        .take(between as usize);
    lines
        .filter(|line| line.trim_start().starts_with("--"))
        .fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{}", line.trim());
            text
        })
}

/// A query as a query file holds it.
fn written(query: &Query, comments: &str) -> String {
    let plain = query.name.rsplit('/').next().unwrap_or(&query.name);
    let name = plain.replace([':', ' '], "-");
    let mut text = format!("-- name: {name} :{}\n{comments}", query.command.word());
    if let Some(rate) = query.calls_per_second.filter(|_| comments.is_empty()) {
        let _ = writeln!(text, "-- @calls {}", catalog::rate(rate));
    }
    let _ = writeln!(text, "{};", query.source.trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn what_is_written_reads_as_the_same_queries() {
        let read = |text: &str| catalog::parse(&[Source::new("a.sql", text)]).queries;
        let queries = read(
            "-- name: ListOrders :one\n-- @calls 90/min\nSELECT a -- why\nFROM b WHERE c = @name;\n\n-- name: Drop :exec\nDELETE FROM b;\n",
        );
        let again = read(
            &queries
                .iter()
                .map(|query| written(query, ""))
                .collect::<String>(),
        );
        let shown = |queries: &[Query]| -> Vec<_> {
            queries
                .iter()
                .map(|query| {
                    (
                        query.name.clone(),
                        query.command,
                        query.sql.clone(),
                        query.calls_per_second,
                    )
                })
                .collect()
        };
        assert_eq!(shown(&again), shown(&queries));
        assert_eq!(again.len(), 2);
    }
}

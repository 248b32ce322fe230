//! The keys of pgproof.toml, one function a table.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::keys;
use super::policy::{self, Judgement, Override};
use super::section::{Entry, Reader, Section, number};
use super::{
    AuditSettings, DatasetSettings, ManualStep, Migrations, ServerSettings, Settings, Variable,
};
use crate::catalog::Caller;
use crate::catalog::sources::conventions;
use crate::catalog::{QuerySource, StatementsFrom};
use crate::cli::args::FailOnWord;
use crate::cli::values;
use crate::db::connect::{NEWEST_MAJOR, OLDEST_MAJOR};
use crate::finding::Severity;
use crate::migrations::{Layout, MigrateCommand};
use crate::rules::Rule;
use crate::seed::Clock;
use crate::source::{Source, SourceError, nearest};

/// Versions of PostgreSQL that pgproof runs.
const VERSIONS: std::ops::RangeInclusive<u32> = OLDEST_MAJOR..=NEWEST_MAJOR;

/// Reads the whole file; every mistake at once.
pub(super) fn settings(source: &Source, rules: &[&Rule]) -> Result<Settings, Vec<SourceError>> {
    // What a broken file means is not guessed: keys may have slipped into the wrong table.
    let document =
        DeTable::parse(&source.text).map_err(|error| vec![syntax_error(source, &error)])?;
    let mut reader = Reader {
        source,
        errors: Vec::new(),
    };
    let mut settings = defaults(source);
    for entry in &Section::new("", document.get_ref()).entries {
        top_level(&mut reader, entry, rules, &mut settings);
    }
    if reader.errors.is_empty() {
        return Ok(settings);
    }
    reader.errors.sort_by_key(|error| error.span.start);
    Err(reader.errors)
}

fn defaults(source: &Source) -> Settings {
    Settings {
        migrations: Migrations {
            dir: PathBuf::from("migrations"),
            files: Vec::new(),
            layout: None,
            command: None,
        },
        queries: vec![QuerySource::files("queries/**/*.sql")],
        exclude: Vec::new(),
        seeds: vec!["seeds/*.toml".to_owned()],
        fail_on: Some(Severity::Error).into(),
        baseline: None,
        profile: None,
        database_variable: Variable::default(),
        server: ServerSettings::default(),
        dataset: DatasetSettings::default(),
        rows: Vec::new(),
        audit: AuditSettings {
            runs: 3,
            timeout: Duration::from_secs(30),
            caller: Caller::default(),
        },
        manual_steps: Vec::new(),
        source: source.clone(),
        judgement: Judgement::default(),
        overrides: Vec::<Override>::new(),
    }
}

/// A word, or a list of them; `None` where one of them is none.
fn fail_on(value: &DeValue<'_>) -> Option<Vec<FailOnWord>> {
    let word = |value: &DeValue<'_>| values::fail_on(value.as_str()?).ok();
    match value.as_array() {
        Some(list) => list.iter().map(|item| word(item.get_ref())).collect(),
        None => Some(vec![word(value)?]),
    }
}

fn syntax_error(source: &Source, error: &toml::de::Error) -> SourceError {
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    SourceError::new(
        source,
        error.span().unwrap_or(0..0),
        format!("not valid TOML: {message}"),
    )
}

fn top_level<'a>(
    reader: &mut Reader<'a>,
    entry: &Entry<'a>,
    rules: &[&Rule],
    settings: &mut Settings,
) {
    match entry.key {
        "migrations" => {
            if let Some(migrations) = migrations(reader, entry) {
                settings.migrations = Migrations {
                    command: settings.migrations.command.take(),
                    ..migrations
                };
            }
        }
        "migrate-cmd" => {
            let command =
                reader.string(entry, "expected a command, as in \"bin/rails db:migrate\"");
            settings.migrations.command = command.map(|command| MigrateCommand {
                command: command.to_owned(),
                source: reader.source.clone(),
                span: entry.span.clone(),
            });
        }
        "queries" => replace(&mut settings.queries, query_sources(reader, entry)),
        "exclude" => {
            if entry.value.as_array().is_none_or(|list| !list.is_empty()) {
                settings.exclude = policy::read_patterns(reader, entry);
            }
        }
        "seeds" => replace(
            &mut settings.seeds,
            reader.patterns(entry, "[\"seeds/*.toml\"]"),
        ),
        "baseline" => {
            let file = reader.string(entry, "expected a file, as in \"pgproof.baseline.json\"");
            settings.baseline = file.map(PathBuf::from);
        }
        "fail-on" => match fail_on(entry.value) {
            Some(words) => {
                settings.fail_on = super::fail_on(&words, Some(Severity::Error).into());
            }
            None => reader.expected(
                entry,
                "expected \"error\", \"warning\" or \"never\", or a list of one of them and rules, as in [\"error\", \"not-audited\"]",
            ),
        },
        // A URL in a file that is shared would share its password.
        "database-url" => match entry.value.as_str() {
            Some("env") => settings.database_variable = Variable::Used,
            Some(_) | None => reader.expected(
                entry,
                "expected \"env\", which takes the URL from DATABASE_URL; a URL itself goes to --database-url",
            ),
        },
        "thresholds" => {
            if let Some(section) = reader.table(entry) {
                policy::read_thresholds(reader, &section, rules, &mut settings.judgement);
            }
        }
        "rules" => {
            if let Some(section) = reader.table(entry) {
                policy::read_severities(reader, &section, rules, &mut settings.judgement);
            }
        }
        "override" => settings.overrides = policy::read_overrides(reader, entry, rules),
        "diff" => {
            if let Some(section) = reader.table(entry) {
                for inner in &section.entries {
                    diff(reader, inner, &mut settings.manual_steps);
                }
            }
        }
        "server" | "dataset" | "audit" => {
            let Some(section) = reader.table(entry) else {
                return;
            };
            for inner in &section.entries {
                match entry.key {
                    "server" => server(reader, inner, &mut settings.server),
                    "dataset" if inner.key == "profile" => {
                        let file = reader.string(inner, "expected a file, as in \"shop.profile\"");
                        settings.profile = file.map(PathBuf::from);
                    }
                    "dataset" => dataset(reader, inner, &mut settings.dataset),
                    _ => audit(reader, inner, &mut settings.audit),
                }
            }
        }
        _ => reader.unknown(entry, "", &keys::of("")),
    }
}

fn replace<T>(place: &mut T, read: Option<T>) {
    if let Some(read) = read {
        *place = read;
    }
}

/// `"migrations"` or `{ dir = "migrations", layout = "diesel" }`.
fn migrations<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>) -> Option<Migrations> {
    const EXPECTED: &str = "expected a folder like \"migrations\", a list of schema files, or { dir = \"migrations\", layout = \"diesel\" }";
    let table = match entry.value {
        DeValue::Table(table) => table,
        DeValue::Array(_) => {
            let files = reader.strings(entry, EXPECTED)?;
            let files: Vec<PathBuf> = files.into_iter().map(|(file, _)| file.into()).collect();
            let folder = files.first().and_then(|file| file.parent());
            return Some(Migrations {
                dir: folder.map(PathBuf::from).unwrap_or_default(),
                files,
                layout: Some(Layout::SchemaFile),
                command: None,
            });
        }
        _ => {
            let dir = reader.string(entry, EXPECTED)?;
            return Some(Migrations {
                dir: PathBuf::from(dir),
                files: Vec::new(),
                layout: None,
                command: None,
            });
        }
    };
    let mut dir = None;
    let mut layout = None;
    for inner in &Section::new(&entry.path, table).entries {
        match inner.key {
            "dir" => dir = Some(reader.string(inner, "expected a folder like \"migrations\"")?),
            "layout" => layout = self::layout(reader, inner),
            _ => reader.unknown(inner, &entry.path, &["dir", "layout"]),
        }
    }
    match dir {
        Some(dir) => Some(Migrations {
            dir: PathBuf::from(dir),
            files: Vec::new(),
            layout,
            command: None,
        }),
        None => {
            reader.error(
                entry.span.clone(),
                "`migrations` without `dir`",
                Some(EXPECTED.to_owned()),
            );
            None
        }
    }
}

/// `["queries/**/*.sql", { sqlc = "sqlc.yaml" }, { sqlx = ".sqlx" }]`.
fn query_sources<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>) -> Option<Vec<QuerySource>> {
    const EXPECTED: &str = "expected a list of file patterns and sources, as in \
        [\"queries/**/*.sql\", { sqlc = \"sqlc.yaml\" }, { sqlx = \".sqlx\" }, { statements = \"pg_stat_statements\" }]";
    let list = entry.value.as_array().filter(|list| !list.is_empty());
    let Some(list) = list else {
        reader.expected(entry, EXPECTED);
        return None;
    };
    let before = reader.errors.len();
    let mut found = Vec::new();
    for item in list.iter() {
        match item.get_ref() {
            DeValue::String(text) if !text.is_empty() => match globset::Glob::new(text) {
                Ok(_) => found.push(QuerySource::files(text)),
                Err(error) => reader.error(
                    item.span(),
                    format!("`{text}` is not a pattern: {}", error.kind()),
                    None,
                ),
            },
            DeValue::Table(table) => {
                found.extend(query_source(reader, &Section::new(&entry.path, table)));
            }
            _ => reader.error(
                item.span(),
                format!("bad value in `{}`: {EXPECTED}", entry.path),
                None,
            ),
        }
    }
    (reader.errors.len() == before).then_some(found)
}

/// `{ sqlc = "sqlc.yaml" }`, or another kind of source.
fn query_source<'a>(reader: &mut Reader<'a>, section: &Section<'a>) -> Vec<QuerySource> {
    let mut found = Vec::new();
    let mut period = None;
    for entry in &section.entries {
        let path =
            |reader: &mut Reader<'a>| reader.string(entry, "expected a path").map(PathBuf::from);
        match entry.key {
            "sqlc" => found.extend(path(reader).map(QuerySource::Sqlc)),
            "sqlx" => found.extend(path(reader).map(QuerySource::Sqlx)),
            "statements" => {
                const EXPECTED: &str = "expected \"pg_stat_statements\", \"$VARIABLE\" with a URL, or a file with an export";
                let from = reader.string(entry, EXPECTED).map(StatementsFrom::parse);
                found.extend(from.map(|from| QuerySource::Statements { from, period: None }));
            }
            "period" => period = reader.duration(entry),
            key => match conventions::by_key(key) {
                Some(convention) => {
                    let pattern = reader.string(entry, "expected a pattern of files");
                    found.extend(pattern.map(|pattern| QuerySource::Written {
                        convention,
                        pattern: pattern.to_owned(),
                    }));
                }
                None => {
                    let mut known = vec!["sqlc", "sqlx", "statements", "period"];
                    known.extend(conventions::ALL.iter().map(|convention| convention.key));
                    reader.unknown(entry, &section.path, &known);
                }
            },
        }
    }
    for source in &mut found {
        if let QuerySource::Statements {
            period: counted, ..
        } = source
        {
            *counted = period;
        }
    }
    found
}

fn layout<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>) -> Option<Layout> {
    let names = Layout::ALL.map(Layout::as_str);
    let word = reader.string(entry, &format!("expected one of {}", names.join(", ")))?;
    let known = Layout::ALL
        .into_iter()
        .find(|layout| layout.as_str() == word);
    if known.is_none() {
        let help = match nearest(word, names) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("layouts: {}", names.join(", ")),
        };
        reader.error(
            entry.span.clone(),
            format!("unknown migration layout \"{word}\""),
            Some(help),
        );
    }
    known
}

fn server<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>, server: &mut ServerSettings) {
    match entry.key {
        "version" => {
            let (first, last) = (VERSIONS.start(), VERSIONS.end());
            let version = entry.value.as_str().and_then(|text| text.parse().ok());
            let version = version.or_else(|| {
                super::section::integer(entry.value).and_then(|n| u32::try_from(n).ok())
            });
            match version.filter(|version| VERSIONS.contains(version)) {
                Some(version) => server.version = Some(version),
                None => reader.expected(
                    entry,
                    &format!("expected a major version, \"{first}\" to \"{last}\""),
                ),
            }
        }
        "bin" => {
            server.bin = reader
                .string(
                    entry,
                    "expected a folder, as in \"/usr/lib/postgresql/15/bin\"",
                )
                .map(PathBuf::from)
        }
        "settings" => {
            let Some(section) = reader.table(entry) else {
                return;
            };
            for inner in &section.entries {
                if let Some(setting) = server_setting(reader, inner) {
                    server.settings.push(setting);
                }
            }
        }
        "roles" => match entry.value.as_array() {
            Some(names) => {
                let names = names.iter().map(|name| name.get_ref().as_str());
                match names.map(|name| name.map(str::to_owned)).collect() {
                    Some(roles) => server.roles = roles,
                    None => reader.expected(entry, "expected names of roles, as in [\"app\"]"),
                }
            }
            None => reader.expected(entry, "expected names of roles, as in [\"app\"]"),
        },
        _ => reader.unknown(entry, "server", &keys::of("server")),
    }
}

/// `work_mem = "4MB"`: the server judges the value.
fn server_setting(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<(String, String)> {
    let name_is_plain = entry
        .key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    if !name_is_plain || entry.key.is_empty() {
        let help = Some("names are like work_mem or auto_explain.log_min_duration".to_owned());
        reader.error(
            entry.key_span.clone(),
            format!("`{}` is not the name of a setting", entry.key),
            help,
        );
        return None;
    }
    let value = match entry.value {
        DeValue::String(text) => text.to_string(),
        DeValue::Boolean(value) => (if *value { "on" } else { "off" }).to_owned(),
        DeValue::Integer(_) | DeValue::Float(_) => number(entry.value)?.to_string(),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            reader.expected(entry, "expected a value like \"4MB\", 1.1 or \"on\"");
            return None;
        }
    };
    Some((entry.key.to_owned(), value))
}

fn dataset(reader: &mut Reader<'_>, entry: &Entry<'_>, dataset: &mut DatasetSettings) {
    match entry.key {
        "scale" => match number(entry.value).filter(|scale| *scale > 0.0) {
            Some(scale) => dataset.scale = scale,
            None => reader.expected(entry, "expected a number above 0, as in 0.1"),
        },
        "seed" => {
            match super::section::integer(entry.value).and_then(|seed| u64::try_from(seed).ok()) {
                Some(seed) => dataset.seed = seed,
                None => reader.expected(entry, "expected a whole number, 0 or more"),
            }
        }
        "target-size" => match entry.value.as_str().map(crate::cli::values::size) {
            Some(Ok(bytes)) => dataset.target_size = Some(bytes),
            _ => reader.expected(entry, "expected a size, as in \"1GB\""),
        },
        "today" => {
            let day = match entry.value {
                DeValue::Datetime(day) => Clock::parse(&day.to_string()),
                DeValue::String(day) => Clock::parse(day),
                _ => None,
            };
            match day {
                Some(day) => dataset.today = Some(day),
                None => reader.expected(entry, "expected a day, as in 2026-01-31"),
            }
        }
        _ => reader.unknown(entry, "dataset", &keys::of("dataset")),
    }
}

fn diff<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>, steps: &mut Vec<ManualStep>) {
    if entry.key != "after" {
        reader.unknown(entry, "diff", &keys::of("diff"));
        return;
    }
    let Some(section) = reader.table(entry) else {
        return;
    };
    for step in &section.entries {
        let file = reader.string(step, "expected a file of SQL, as in \"backfill.sql\"");
        if let Some(file) = file {
            steps.push(ManualStep {
                version: step.key.to_owned(),
                file: PathBuf::from(file),
                source: reader.source.clone(),
                span: step.key_span.clone(),
            });
        }
    }
}

fn audit<'a>(reader: &mut Reader<'a>, entry: &Entry<'a>, audit: &mut AuditSettings) {
    match entry.key {
        "runs" => replace(
            &mut audit.runs,
            reader.integer(entry, 1..=1000, "expected a whole number from 1 to 1000"),
        ),
        "timeout" => replace(&mut audit.timeout, reader.duration(entry)),
        "role" => {
            let role = reader.string(entry, "expected the name of a role, as in \"app\"");
            audit.caller.role = role.map(str::to_owned);
        }
        "settings" => {
            let Some(section) = reader.table(entry) else {
                return;
            };
            for inner in &section.entries {
                audit.caller.settings.extend(server_setting(reader, inner));
            }
        }
        _ => reader.unknown(entry, "audit", &keys::of("audit")),
    }
}

//! What a repository holds: where its schema comes from and where its queries are, read off the files of the tools that it
//! uses. Reads files; runs nothing and knows no server. A tool is one file in `tools` and one line in [`TOOLS`].

mod definitions;
mod listing;
mod server_version;
mod tables;
mod test_command;
mod tools;

use std::path::{Path, PathBuf};

use crate::catalog::sources::is_of_migrations;
use crate::migrations::Layout;

pub use crate::catalog::QuerySource;

pub use definitions::{addition, definition};
pub use listing::Listing;
pub use server_version::{NamedVersion, server_version};
pub use test_command::test_command;

/// Where a schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSource {
    /// SQL files that pgproof applies itself.
    Files {
        /// A folder of migrations, or one file with the schema.
        path: PathBuf,
        /// `None` where the files show it.
        layout: Option<Layout>,
    },
    /// Several SQL files that together hold the schema, in this order.
    SchemaFiles(Vec<PathBuf>),
    /// The same where numbers in their names say the order: none is moved behind another.
    NumberedFiles(Vec<PathBuf>),
    /// Migrations that only a program can apply.
    Program {
        /// What it reads: the dataset is made anew when a file below changes.
        reads: PathBuf,
        /// A line for the shell that finds the database in `DATABASE_URL`.
        command: String,
    },
}

/// What one tool's files show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The tool's own name.
    pub tool: &'static str,
    /// The file or folder that shows it.
    pub by: PathBuf,
    /// Its schema, where the tool says where that is.
    pub schema: Option<SchemaSource>,
    pub queries: Vec<QuerySource>,
    /// What a person has to know or do about it.
    pub note: Option<String>,
}

impl Found {
    /// A schema of SQL files.
    fn files(tool: &'static str, path: impl Into<PathBuf>, layout: Option<Layout>) -> Self {
        let path = path.into();
        Self {
            tool,
            by: path.clone(),
            schema: Some(SchemaSource::Files { path, layout }),
            queries: Vec::new(),
            note: None,
        }
    }

    /// A schema that a program makes.
    fn program(
        tool: &'static str,
        by: impl Into<PathBuf>,
        reads: impl Into<PathBuf>,
        command: impl Into<String>,
    ) -> Self {
        Self {
            tool,
            by: by.into(),
            schema: Some(SchemaSource::Program {
                reads: reads.into(),
                command: command.into(),
            }),
            queries: Vec::new(),
            note: None,
        }
    }
}

/// A tool whose traces are looked for.
struct Tool {
    find: fn(&Listing) -> Vec<Found>,
}

/// Those that name their schema exactly come first: of two that fit equally well the first one is taken.
const TOOLS: &[Tool] = &[
    Tool {
        find: tools::sqlc::find,
    },
    Tool {
        find: tools::rails::find,
    },
    Tool {
        find: tools::ecto::find,
    },
    Tool {
        find: tools::laravel::find,
    },
    Tool {
        find: tools::sql_migrations::find,
    },
    Tool {
        find: tools::sqlx::find,
    },
    Tool {
        find: tools::django::find,
    },
    Tool {
        find: tools::alembic::find,
    },
    Tool {
        find: tools::javascript::find,
    },
    Tool {
        find: tools::liquibase::find,
    },
    Tool {
        find: tools::create_files::find,
    },
    Tool {
        find: tools::schema_file::find,
    },
    Tool {
        find: tools::table_scripts::find,
    },
    Tool {
        find: tools::query_files::find,
    },
    Tool {
        find: tools::written::find,
    },
    Tool {
        find: tools::coded::find,
    },
];

/// Everything that the tools' files show, the most likely first: SQL before programs, shallow before deep, what belongs to
/// examples, tests and other databases last.
#[must_use]
pub fn survey(listing: &Listing) -> Vec<Found> {
    let mut found: Vec<(Rank, Found)> = TOOLS
        .iter()
        .enumerate()
        .flat_map(|(preference, tool)| {
            (tool.find)(listing)
                .into_iter()
                .map(move |found| (rank(&found, preference), found))
        })
        .collect();
    mark_minor(listing, &mut found);
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    // Scripts that belong to no tool count where no tool has a schema.
    let has_a_tool = found.iter().any(|(rank, found)| {
        found.tool != tools::table_scripts::TOOL && !rank.aside && !rank.has_no_schema
    });
    found.retain(|(_, found)| !has_a_tool || found.tool != tools::table_scripts::TOOL);
    found.into_iter().map(|(_, found)| found).collect()
}

/// How well a find serves as the project's schema; the least is the best.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    aside: bool,
    has_no_schema: bool,
    needs_a_program: bool,
    /// Another one makes more than twice as many tables: this one is a part's of the project, or a library's.
    is_minor: bool,
    /// Beside folders that leave their database open, one that names PostgreSQL is the one for it.
    names_no_postgres: bool,
    preference: usize,
    depth: usize,
    /// Of several databases (Hasura's `migrations/default`) the main one.
    names_another: bool,
    /// The fuller one of folders beside each other.
    tables: std::cmp::Reverse<usize>,
    by: PathBuf,
}

/// Compares the schemas in SQL by how many tables they make: those of tools with each other, and scripts that belong to none.
fn mark_minor(listing: &Listing, found: &mut [(Rank, Found)]) {
    let belongs_to_none = |found: &Found| found.tool == tools::table_scripts::TOOL;
    let mut most = [0, 0];
    let mut counts = Vec::with_capacity(found.len());
    for (rank, found) in found.iter() {
        let schema = found.schema.as_ref().filter(|_| !rank.aside);
        let count = schema.and_then(|schema| tables::count(listing, schema));
        let most = &mut most[usize::from(belongs_to_none(found))];
        *most = (*most).max(count.unwrap_or(0));
        counts.push(count);
    }
    for ((rank, found), count) in found.iter_mut().zip(counts) {
        let most = most[usize::from(belongs_to_none(found))];
        rank.is_minor = count.is_some_and(|count| count * 2 < most);
        rank.tables = std::cmp::Reverse(count.unwrap_or(0));
    }
}

fn rank(found: &Found, preference: usize) -> Rank {
    let place = match &found.schema {
        Some(SchemaSource::Files { path, .. }) => path,
        Some(SchemaSource::SchemaFiles(files) | SchemaSource::NumberedFiles(files)) => files
            .iter()
            .find(|file| names_postgres(file))
            .or_else(|| files.first())
            .unwrap_or(&found.by),
        Some(SchemaSource::Program { reads, .. }) => reads,
        None => &found.by,
    };
    Rank {
        aside: is_aside(place) || is_aside(&found.by),
        has_no_schema: found.schema.is_none(),
        needs_a_program: matches!(found.schema, Some(SchemaSource::Program { .. })),
        is_minor: false,
        names_no_postgres: !names_postgres(place),
        preference,
        depth: found.by.components().count(),
        names_another: !["default", "main", "primary"]
            .iter()
            .any(|name| place.ends_with(name)),
        tables: std::cmp::Reverse(0),
        by: found.by.clone(),
    }
}

/// `crates/server-postgres/migrations`, `db/pg`.
fn names_postgres(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        let mut words = part.split(|c: char| !c.is_ascii_alphanumeric());
        part.contains("postgres") || words.any(|word| matches!(word, "pg" | "pgsql" | "psql"))
    })
}

/// What may be taken for the schema where the first choice cannot be made on the server: nothing that is set aside, unless
/// everything is, and none that makes less than half of the tables: the schema of a part would pass for the project's.
#[must_use]
pub fn alternatives<'a>(schemas: &[&'a Found], listing: &Listing) -> Vec<&'a Found> {
    let Some((first, rest)) = schemas.split_first() else {
        return Vec::new();
    };
    let count = |found: &Found| tables::count(listing, found.schema.as_ref()?);
    let most = count(first).unwrap_or(0);
    let is_one = |found: &&&Found| {
        let is_minor = count(found).is_some_and(|count| count * 2 < most);
        !is_minor && (is_aside(&first.by) || !is_aside(&found.by))
    };
    let others = rest.iter().filter(is_one).copied();
    std::iter::once(*first).chain(others).collect()
}

/// Examples, tests, what highlighters are tried on, and folders named after another database.
fn is_aside(path: &Path) -> bool {
    const ASIDE: [&str; 43] = [
        "example",
        "examples",
        "sample",
        "samples",
        "demo",
        "demos",
        "test",
        "tests",
        "__tests__",
        "testdata",
        "stub",
        "stubs",
        "syntaxes",
        "mock",
        "mocks",
        "testing",
        "fixtures",
        "spec",
        "e2e",
        "docs",
        "doc",
        "benchmark",
        "benchmarks",
        "mysql",
        "mariadb",
        "sqlite",
        "sqlite3",
        "mssql",
        "oracle",
        "clickhouse",
        "bench",
        "benches",
        "testutil",
        "h2",
        "hsqldb",
        "derby",
        "db2",
        "duckdb",
        "cassandra",
        "rollback",
        "downgrade",
        "upgrade",
        "upgrades",
    ];
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy().to_ascii_lowercase();
        let is_part = ["sqlite", "mysql", "testdata", "clickhouse", "rollback"];
        ASIDE.contains(&part.as_str()) || is_part.iter().any(|word| part.contains(word))
    })
}

/// The query sources that belong to a schema: those of the same find, else all that are not set aside; of code that lies beside
/// several schemas, the part that lies with this one.
#[must_use]
pub fn queries_for(chosen: Option<&Found>, all: &[Found], listing: &Listing) -> Vec<QuerySource> {
    if let Some(found) = chosen.filter(|found| !found.queries.is_empty()) {
        return found.queries.clone();
    }
    let part = chosen.and_then(|chosen| part_of(chosen, all));
    let mut sources: Vec<QuerySource> = Vec::new();
    let is_anothers =
        |found: &Found| chosen.is_some_and(|chosen| is_beside_another(found, chosen, all));
    let own = all
        .iter()
        .filter(|found| !is_aside(&found.by) && !is_anothers(found));
    for found in own {
        for source in &found.queries {
            let narrowed = part.and_then(|part| narrowed(source, part, listing));
            let source = narrowed.unwrap_or_else(|| source.clone());
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    sources
}

/// Whether a tool's own files lie in one folder with a schema that is not the chosen one (`prover/dal/.sqlx` beside
/// `prover/dal/migrations`): its queries are of that schema.
fn is_beside_another(found: &Found, chosen: &Found, all: &[Found]) -> bool {
    let home = |found: &Found| listing::folder(&found.by).to_path_buf();
    let is_sqlx = found
        .queries
        .iter()
        .any(|source| matches!(source, QuerySource::Sqlx(_)));
    let beside = home(found);
    let mut others = all
        .iter()
        .filter(|other| other.schema.is_some() && other.by != chosen.by);
    is_sqlx && home(chosen) != beside && others.any(|other| home(other) == beside)
}

/// The part of a repository that a schema belongs to, where other parts have schemas of their own.
fn part_of<'a>(chosen: &'a Found, all: &[Found]) -> Option<&'a Path> {
    let part = module_of(listing::folder(&chosen.by));
    let is_elsewhere = |other: &&Found| {
        let home = listing::folder(&other.by);
        other.schema.is_some()
            && !is_aside(&other.by)
            && !home.starts_with(part)
            && !part.starts_with(home)
    };
    (!part.as_os_str().is_empty() && all.iter().find(is_elsewhere).is_some()).then_some(part)
}

/// Of a folder below `src` the module that it is a part of: `store-postgres` of `store-postgres/src/main/resources/db`.
fn module_of(folder: &Path) -> &Path {
    let above_src = folder.ancestors().filter(|above| above.ends_with("src"));
    above_src.last().and_then(Path::parent).unwrap_or(folder)
}

/// `crates/**/*.rs` of a schema in `crates/server/migrations` is `crates/server/**/*.rs`, where there is such code.
fn narrowed(source: &QuerySource, part: &Path, listing: &Listing) -> Option<QuerySource> {
    let QuerySource::Written {
        convention,
        pattern,
    } = source
    else {
        return None;
    };
    let (above, ending) = pattern.split_once("**/*")?;
    let is_wider = part.starts_with(above) && part != Path::new(above);
    let is_shown = |file: &&Path| {
        file.starts_with(part)
            && file.to_string_lossy().ends_with(ending)
            && !is_of_migrations(file)
            && listing
                .text(file)
                .is_some_and(|text| (convention.shows)(&text))
    };
    (is_wider && listing.files().any(|file| is_shown(&file))).then(|| QuerySource::Written {
        convention: *convention,
        pattern: format!("{}/**/*{ending}", part.display()),
    })
}

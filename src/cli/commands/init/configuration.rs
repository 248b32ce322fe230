//! The pgproof.toml that `init` writes: what was found, and every other key with its default, to be edited.

use std::fmt::Write as _;
use std::path::Path;

use crate::catalog::QuerySource;
use crate::repository::SchemaSource;

/// What is written of the repository, and what was found out about its server.
#[derive(Debug, Clone, Default)]
pub(super) struct Configuration {
    pub(super) schema: Option<SchemaSource>,
    pub(super) queries: Vec<QuerySource>,
    pub(super) note: Option<String>,
    /// Production's major version as the project names it.
    pub(super) version: Option<Version>,
    /// Roles that migrations grant to and do not make.
    pub(super) roles: Vec<String>,
}

/// A server's major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// It is on this machine.
    Here(u32),
    /// Its programs here cannot load a library that the schema needs: written as a comment.
    Unable(u32),
    /// It is not: written as a comment.
    Elsewhere { major: u32, by: String },
}

pub(super) fn text(configuration: &Configuration) -> String {
    let Configuration {
        schema,
        queries,
        note,
        version,
        roles,
    } = configuration;
    let mut text = String::from(
        "# pgproof: what is audited, and on what. Every key may be left out; unless a comment says otherwise, these are the defaults.\n",
    );
    for line in note.iter().flat_map(|note| note.lines()) {
        let _ = writeln!(text, "# {line}");
    }
    text.push_str(&migrations(schema.as_ref()));
    // Files of the project's own are still to be written.
    let is_of_files = |source: &QuerySource| matches!(source, QuerySource::Files(_));
    let form = if queries.is_empty() || queries.iter().any(is_of_files) {
        "   # sqlc's form: -- name: ListOrders :many"
    } else {
        ""
    };
    let _ = writeln!(text, "queries    = [{}]{form}", sources(queries));
    text.push_str(
        "seeds      = [\"seeds/*.toml\"]       # what the tables hold\n\
         fail-on    = \"error\"                # or \"warning\", \"never\"\n\n\
         [server]                            # the embedded server\n",
    );
    text.push_str(&server(version.as_ref(), roles));
    text.push_str(
        "# settings = { work_mem = \"4MB\", random_page_cost = \"1.1\" }   # production's, where plans depend on them\n\n\
         [dataset]\n\
         scale = 1.0                         # multiplies every table's rows\n\
         seed  = 42                          # the same seed makes the same rows\n\n\
         [audit]\n\
         runs    = 3                         # how often each query is measured\n\
         timeout = \"30s\"\n\n\
         # [thresholds]                      # `pgproof rules` prints all of them\n\
         # seq-scan.min-pages = 1000\n",
    );
    text
}

fn server(version: Option<&Version>, roles: &[String]) -> String {
    let mut text = match version {
        Some(Version::Here(major)) => {
            format!("version  = \"{major}\"                   # production's major version\n")
        }
        Some(Version::Unable(major)) => {
            format!(
                "# version  = \"{major}\"                 # production's; this machine's {major} lacks a library that the schema needs\n"
            )
        }
        Some(Version::Elsewhere { major, by }) => {
            format!(
                "# version  = \"{major}\"                 # as {by} has it; it is not on this machine yet\n"
            )
        }
        None => "# version  = \"17\"                 # production's major version\n".to_owned(),
    };
    if !roles.is_empty() {
        let roles: Vec<String> = roles.iter().map(|role| quoted(role)).collect();
        let _ = writeln!(
            text,
            "roles    = [{}]   # the schema speaks of them and does not make them",
            roles.join(", ")
        );
    }
    text
}

fn migrations(schema: Option<&SchemaSource>) -> String {
    match schema {
        None => "# migrations = \"migrations\"        # not found: the schema is that of --database-url\n\
                 # migrate-cmd = \"…\"              # or a command that makes it in the database of DATABASE_URL\n"
            .to_owned(),
        Some(SchemaSource::Files { path, layout: None }) => {
            format!("migrations = {}\n", quoted(&path.display().to_string()))
        }
        Some(SchemaSource::Files {
            path,
            layout: Some(layout),
        }) => format!(
            "migrations = {{ dir = {}, layout = \"{layout}\" }}\n",
            quoted(&path.display().to_string())
        ),
        Some(SchemaSource::SchemaFiles(files) | SchemaSource::NumberedFiles(files)) => {
            let files: Vec<String> = files
                .iter()
                .map(|file| quoted(&file.display().to_string()))
                .collect();
            format!("migrations = [{}]\n", files.join(", "))
        }
        Some(SchemaSource::Program { reads, command }) => {
            let reads = if reads.as_os_str().is_empty() {
                Path::new(".")
            } else {
                reads
            };
            format!(
                "migrations  = {}   # the dataset is made anew when a file here changes\n\
                 migrate-cmd = {}   # finds the database in DATABASE_URL\n",
                quoted(&reads.display().to_string()),
                quoted(command)
            )
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// As they are written in pgproof.toml.
fn sources(queries: &[QuerySource]) -> String {
    if queries.is_empty() {
        return "\"queries/**/*.sql\"".to_owned();
    }
    let written: Vec<String> = queries
        .iter()
        .map(|source| match source {
            QuerySource::Files(pattern) => quoted(pattern),
            QuerySource::Sqlc(path) => {
                format!("{{ sqlc = {} }}", quoted(&path.display().to_string()))
            }
            QuerySource::Sqlx(path) => {
                format!("{{ sqlx = {} }}", quoted(&path.display().to_string()))
            }
            QuerySource::Written {
                convention,
                pattern,
            } => format!("{{ {} = {} }}", convention.key, quoted(pattern)),
            QuerySource::Statements { from, .. } => {
                format!("{{ statements = {} }}", quoted(&from.to_string()))
            }
        })
        .collect();
    written.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::{self, Settings};
    use crate::rules;
    use crate::source::Source;

    #[test]
    fn what_is_written_can_be_read() {
        let read = |schema: &SchemaSource, queries: &[QuerySource]| {
            let text = text(&Configuration {
                schema: Some(schema.clone()),
                queries: queries.to_vec(),
                note: Some("a note\nof two lines".to_owned()),
                version: Some(Version::Here(16)),
                roles: vec!["a \"b".to_owned()],
            });
            Settings::read(&Source::new(settings::FILE, text), rules::ALL).unwrap()
        };
        let folder = SchemaSource::Files {
            path: "db/\"migrate\"".into(),
            layout: None,
        };
        let settings = read(&folder, &[]);
        assert_eq!(settings.migrations.dir, Path::new("db/\"migrate\""));
        assert_eq!(settings.server.version, Some(16));
        assert_eq!(settings.server.roles, ["a \"b"]);
        assert_eq!((settings.audit.runs, settings.dataset.seed), (3, 42));
        assert_eq!(settings.queries, [QuerySource::files("queries/**/*.sql")]);
        let program = SchemaSource::Program {
            reads: "".into(),
            command: "cd 'a b' && bin/rails db:schema:load".to_owned(),
        };
        let sources = [
            QuerySource::files("sql/*.sql"),
            QuerySource::Sqlc("db/sqlc.yaml".into()),
            QuerySource::Sqlx(".sqlx".into()),
        ];
        let settings = read(&program, &sources);
        let command = settings.migrations.command.unwrap();
        assert_eq!(command.command, "cd 'a b' && bin/rails db:schema:load");
        assert_eq!(settings.queries, sources);
        let files = SchemaSource::SchemaFiles(vec!["a/b.sql".into(), "a/a.sql".into()]);
        let settings = read(&files, &[]);
        assert_eq!(
            settings.migrations.files,
            [Path::new("a/b.sql"), Path::new("a/a.sql")]
        );
    }
}

//! The pgproof.toml that `init` writes: what was found, and every other key with its default, to be edited.

use std::fmt::Write as _;
use std::path::Path;

use crate::catalog::QuerySource;
use crate::repository::SchemaSource;

pub(super) fn text(
    schema: Option<&SchemaSource>,
    queries: &[QuerySource],
    note: Option<&str>,
) -> String {
    let mut text = String::from(
        "# pgproof: what is audited, and on what. Every key may be left out; unless a comment says otherwise, these are the defaults.\n",
    );
    for line in note.into_iter().flat_map(str::lines) {
        let _ = writeln!(text, "# {line}");
    }
    text.push_str(&migrations(schema));
    let _ = writeln!(
        text,
        "queries    = [{}]   # sqlc's form: -- name: ListOrders :many",
        sources(queries)
    );
    text.push_str(
        "seeds      = [\"seeds/*.toml\"]       # what the tables hold\n\
         fail-on    = \"error\"                # or \"warning\", \"never\"\n\n\
         [server]                            # the embedded server\n\
         # version  = \"17\"                 # production's major version\n\
         # settings = { work_mem = \"4MB\", random_page_cost = \"1.1\" }   # production's, where plans depend on them\n\n\
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

fn migrations(schema: Option<&SchemaSource>) -> String {
    match schema {
        None => "# migrations = \"migrations\"        # not found: the schema is that of --database-url\n"
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
        Some(SchemaSource::SchemaFiles(files)) => {
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
            let text = text(Some(schema), queries, Some("a note\nof two lines"));
            Settings::read(&Source::new(settings::FILE, text), rules::ALL).unwrap()
        };
        let folder = SchemaSource::Files {
            path: "db/\"migrate\"".into(),
            layout: None,
        };
        let settings = read(&folder, &[]);
        assert_eq!(settings.migrations.dir, Path::new("db/\"migrate\""));
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

//! What every command gets: where it works, where it writes, which database was named.

use std::io::Write;
use std::path::PathBuf;

use super::args::{Color, FormatRequest, GlobalArgs};
use super::exit::CliError;
use super::settings::Project;
use crate::progress::{Event, Progress};
use crate::secret::DatabaseUrl;

/// The global flags with the environment, resolved.
#[derive(Debug, Clone)]
pub struct Globals {
    /// Where pgproof was started.
    pub directory: PathBuf,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// A database that is there already, and who named it.
    pub database: Option<(DatabaseUrl, UrlSource)>,
    /// `--format`, in order; a command reads them with [`Globals::formats`].
    pub requested_formats: Vec<FormatRequest>,
    /// How much is said.
    pub verbosity: Verbosity,
    /// `--offline`.
    pub offline: bool,
    /// Where progress and notes go.
    pub progress: Progress,
}

/// Who named the database: `seed` fills only one that the flag names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlSource {
    /// `--database-url`.
    Flag,
    /// `DATABASE_URL`.
    Environment,
}

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// Progress and notes.
    Normal,
    /// Details too.
    Verbose,
}

impl Globals {
    /// Reads the environment (working directory, `DATABASE_URL`) and sets the process's colour choice.
    pub fn new(args: &GlobalArgs) -> Result<Self, CliError> {
        match args.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let directory = std::env::current_dir().map_err(|error| CliError::Environment {
            message: "the current directory cannot be read".into(),
            causes: vec![error.to_string()],
            help: None,
        })?;
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        Ok(Self {
            directory,
            config: args.config.clone(),
            database: database(args.database_url.as_deref(), std::env::var("DATABASE_URL").ok().as_deref())?,
            requested_formats: args.format.clone(),
            verbosity,
            offline: args.offline,
            progress: notes(verbosity),
        })
    }

    /// The project that is worked on.
    pub fn project(&self) -> Result<Project, CliError> {
        Project::load(self.config.as_deref(), &self.directory)
    }

    /// Standard output; colours are taken out where it is not a terminal.
    pub fn stdout(&self) -> impl Write {
        anstream::stdout().lock()
    }

    /// Writes text to standard output.
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = self.stdout();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| CliError::stdout(&error))
    }

    /// The requested formats with what they mean to this command; `[]` if none was asked for. At most one may go to standard
    /// output.
    pub fn formats<T: Copy>(&self, known: &[(&str, T)]) -> Result<Vec<(T, Option<PathBuf>)>, CliError> {
        let mut formats = Vec::new();
        for request in &self.requested_formats {
            let Some((_, format)) = known.iter().find(|(name, _)| *name == request.name) else {
                return Err(unknown_format(&request.name, &known.iter().map(|(name, _)| *name).collect::<Vec<_>>()));
            };
            if request.file.is_none() && formats.iter().any(|(_, file): &(T, Option<PathBuf>)| file.is_none()) {
                return Err(CliError::usage("two formats for standard output")
                    .help(format!("write one of them to a file: --format {}=FILE", request.name)));
            }
            formats.push((*format, request.file.clone()));
        }
        Ok(formats)
    }
}

fn unknown_format(name: &str, known: &[&str]) -> CliError {
    let error = CliError::usage(format!("unknown format `{name}`"));
    match (crate::source::nearest(name, known.iter().copied()), known) {
        (_, []) => CliError::usage("this command has no --format"),
        (Some(near), _) => error.help(format!("did you mean `{near}`?")),
        (None, _) => error.help(format!("formats: {}", known.join(", "))),
    }
}

/// The flag wins over the environment; an empty variable is none.
fn database(flag: Option<&str>, environment: Option<&str>) -> Result<Option<(DatabaseUrl, UrlSource)>, CliError> {
    match (flag, environment) {
        (Some(url), _) if url.trim().is_empty() => {
            Err(CliError::usage("--database-url is empty")
                .help("for example --database-url postgres://app@localhost/shop"))
        }
        (Some(url), _) => Ok(Some((DatabaseUrl::new(url), UrlSource::Flag))),
        (None, Some(url)) if !url.trim().is_empty() => Ok(Some((DatabaseUrl::new(url), UrlSource::Environment))),
        (None, _) => Ok(None),
    }
}

/// Notes and details on standard error, as far as they are wanted.
fn notes(verbosity: Verbosity) -> Progress {
    Progress::to(move |event| {
        let (text, from) = match event {
            Event::Note(text) => (text, Verbosity::Normal),
            Event::Detail(text) => (text, Verbosity::Verbose),
            Event::Started { .. } | Event::Advanced { .. } | Event::Doing { .. } | Event::Finished { .. } => return,
        };
        if verbosity >= from {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(anstream::stderr(), "{}", crate::secret::redact(&text));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_and_says_so() {
        let flag = database(Some("postgres://a"), Some("postgres://b"));
        assert_eq!(flag, Ok(Some((DatabaseUrl::new("postgres://a"), UrlSource::Flag))));
        let environment = database(None, Some("postgres://b"));
        assert_eq!(environment, Ok(Some((DatabaseUrl::new("postgres://b"), UrlSource::Environment))));
        assert_eq!(database(None, Some(" ")), Ok(None));
        assert!(matches!(database(Some(""), None), Err(CliError::Usage { .. })));
    }
}

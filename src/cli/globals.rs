//! What every command gets: where it works, where it writes, which database was named.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use super::args::{Color, FormatRequest, GlobalArgs};
use super::exit::CliError;
use super::profiles;
use super::settings::{Project, Variable};
use crate::db::connect::DatabaseUrl;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::progress::{Details, Display, Show};
use crate::visible::{Address, Colors, Guard};

/// The global flags with the environment, resolved.
#[derive(Debug, Clone)]
pub struct Globals {
    /// Where pgproof was started.
    pub directory: PathBuf,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--format`, in order; which formats there are is the command's to say.
    pub requested_formats: Vec<FormatRequest>,
    /// How much is said.
    pub verbosity: Verbosity,
    /// `--offline`.
    pub offline: bool,
    /// Where progress and notes go.
    pub progress: Progress,
    /// Set by Ctrl-C and SIGTERM: work stops and cleans up.
    pub interrupt: Interrupt,
    /// Shows the events of `progress` until the command ends.
    #[expect(dead_code, reason = "held, not read: its end is the end of the bars")]
    display: Arc<Display>,
    /// As it was typed.
    database_flag: Option<String>,
    /// `DATABASE_URL`.
    database_variable: Option<String>,
    /// Where the docs are.
    pub docs: Option<Address>,
    /// That the variable is not used is said once.
    unused_variable: Arc<Once>,
}

/// Who named the database: `seed` fills only one that the flag names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlSource {
    /// `--database-url`, by itself or as `env`.
    Flag,
    /// `database-url = "env"` in pgproof.toml, by `DATABASE_URL`.
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
    /// `--database-url`, as it was typed.
    #[must_use]
    pub fn database_flag(&self) -> Option<&str> {
        self.database_flag.as_deref()
    }

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
        let display = display(verbosity);
        Ok(Self {
            directory,
            config: args.config.clone(),
            requested_formats: args.formats(),
            verbosity,
            offline: args.offline,
            progress: display.progress(),
            display: Arc::new(display),
            interrupt: Interrupt::new(),
            database_flag: args.database_url.clone(),
            database_variable: std::env::var("DATABASE_URL").ok(),
            docs: docs()?,
            unused_variable: Arc::new(Once::new()),
        })
    }

    /// The project that is worked on.
    pub fn project(&self) -> Result<Project, CliError> {
        self.project_with(None)
    }

    /// The same with a profile that was typed, which takes the place of the project's own.
    pub fn project_with(&self, typed: Option<&Path>) -> Result<Project, CliError> {
        let mut project = Project::load(self.config.as_deref(), &self.directory)?;
        let own = project.settings.profile.as_ref();
        let path = match (typed, own) {
            (Some(typed), _) => Some((self.directory.clone(), typed.to_path_buf())),
            (None, Some(own)) => Some((project.root.clone(), own.clone())),
            (None, None) => None,
        };
        if let Some((directory, path)) = path {
            let profile = profiles::read_in(&directory, &path, self)?;
            profiles::obey(&profile, &mut project);
        }
        Ok(project)
    }

    /// A database that is there already, and who named it.
    pub fn database(&self) -> Result<Option<(DatabaseUrl, UrlSource)>, CliError> {
        let variable = self.database_variable.as_deref();
        let found = database(self.database_flag.as_deref(), variable, self.asked_for())?;
        if found.is_none() && variable.is_some_and(|url| !url.trim().is_empty()) {
            self.unused_variable.call_once(|| {
                self.progress.note(
                    "DATABASE_URL is set and not used: `--database-url env` works on the database that it names",
                );
            });
        }
        Ok(found)
    }

    /// What pgproof.toml says of the variable; its mistakes are reported where the project is loaded.
    fn asked_for(&self) -> Variable {
        match Project::load_if_there(self.config.as_deref(), &self.directory) {
            Ok(Some(project)) => project.settings.database_variable,
            Ok(None) | Err(_) => Variable::Unused,
        }
    }

    /// Standard output for people: colours are taken out where it is not a terminal, and whatever else a terminal would obey is
    /// shown instead. To be flushed.
    pub fn stdout(&self) -> impl Write {
        Guard::new(anstream::stdout().lock(), Colors::Kept)
    }

    /// Standard output for a format that has rules of its own for what a text may hold.
    pub fn raw_stdout(&self) -> impl Write {
        anstream::stdout().lock()
    }

    /// Columns of standard output, where it is a terminal, and whether it takes colours.
    pub fn stdout_canvas(&self) -> (Option<usize>, bool) {
        let stdout = std::io::stdout();
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        (
            width,
            anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        )
    }

    /// Writes text to standard output.
    pub fn print(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = self.stdout();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| CliError::stdout(&error))
    }
}

/// `PGPROOF_DOCS_URL`, or what it was when this program was built.
fn docs() -> Result<Option<Address>, CliError> {
    const NAME: &str = "PGPROOF_DOCS_URL";
    let own = std::env::var(NAME).ok();
    let text = own.as_deref().or(option_env!("PGPROOF_DOCS_URL"));
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let address = |text| {
        Address::of(text).ok_or_else(|| {
            CliError::usage(format!(
                "{NAME} is no address: `https://…/pgproof`, of the pages that `mdbook build` makes of the docs"
            ))
        })
    };
    text.map(address).transpose()
}

/// The word that stands for `DATABASE_URL`.
const ENVIRONMENT: &str = "env";

/// The flag wins over pgproof.toml; the environment counts only where one of them asks for it.
fn database(
    flag: Option<&str>,
    variable: Option<&str>,
    asked_for: Variable,
) -> Result<Option<(DatabaseUrl, UrlSource)>, CliError> {
    let variable = variable.filter(|url| !url.trim().is_empty());
    let (text, source, name) = match (flag, asked_for, variable) {
        (Some(ENVIRONMENT), _, Some(url)) => (url, UrlSource::Flag, "DATABASE_URL"),
        (Some(ENVIRONMENT), _, None) => {
            return Err(CliError::usage(
                "--database-url env: DATABASE_URL is not set",
            ));
        }
        (Some(url), _, _) => (url, UrlSource::Flag, "--database-url"),
        (None, Variable::Used, Some(url)) => (url, UrlSource::Environment, "DATABASE_URL"),
        (None, Variable::Used, None) => {
            return Err(CliError::usage("DATABASE_URL is not set")
                .help("pgproof.toml says `database-url = \"env\"`: set it, or take the key out"));
        }
        (None, Variable::Unused, _) => return Ok(None),
    };
    match DatabaseUrl::parse(text) {
        Ok(url) => Ok(Some((url, source))),
        Err(error) => Err(CliError::usage(format!("bad {name}: {error}"))),
    }
}

/// Bars on a terminal, notes alone in a pipe, nothing with `--quiet`.
fn display(verbosity: Verbosity) -> Display {
    let show = match (verbosity, std::io::stderr().is_terminal()) {
        (Verbosity::Quiet, _) => Show::Nothing,
        (Verbosity::Normal | Verbosity::Verbose, true) => Show::Bars,
        (Verbosity::Normal | Verbosity::Verbose, false) => Show::Notes,
    };
    Display::on_stderr(
        show,
        if verbosity == Verbosity::Verbose {
            Details::Told
        } else {
            Details::Hidden
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_and_says_so() {
        let source = |flag, variable, asked_for| {
            database(flag, variable, asked_for).map(|found| found.map(|(_, source)| source))
        };
        let other = Some("postgres://b@h/d");
        assert_eq!(
            source(Some("postgres://a@h/d"), other, Variable::Used),
            Ok(Some(UrlSource::Flag))
        );
        assert_eq!(
            source(None, other, Variable::Used),
            Ok(Some(UrlSource::Environment))
        );
        assert_eq!(
            source(Some("env"), other, Variable::Unused),
            Ok(Some(UrlSource::Flag))
        );
        assert_eq!(source(None, other, Variable::Unused), Ok(None));
        assert!(source(Some("env"), Some(" "), Variable::Unused).is_err());
        let wrong = source(None, Some("mysql://ann:s3cret@h/d"), Variable::Used);
        let expected = "bad DATABASE_URL: the database URL must start with postgres:// or postgresql://, e.g. \
                        postgres://user@host:5432/database";
        assert_eq!(wrong, Err(CliError::usage(expected)));
    }
}

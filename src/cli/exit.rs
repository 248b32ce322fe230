//! How a command ends: its exit code, and what a person reads when it failed. No command prints an error itself.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use crate::secret::redact;
use crate::source::SourceError;
use crate::visible::{self, Colors, Guard};

/// The process's exit code, a contract with CI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: nothing at or above `fail-on`.
    Success,
    /// 1: findings at or above it.
    Findings,
    /// 2: wrong usage, configuration or catalog.
    Usage,
    /// 3: the environment failed.
    Environment,
    /// 130: stopped by the user.
    Interrupted,
}

impl ExitCode {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

/// Why a command did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CliError {
    /// Typed wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to type instead.
        help: Option<String>,
    },
    /// Mistakes in files; never empty.
    #[error("{} in the input files", mistakes(.0.len()))]
    Sources(Vec<SourceError>),
    /// Mistakes in seed files, never empty, and what no seed file says how to meet.
    #[error("{} in the input files\n{unsolved}", mistakes(.sources.len()))]
    Seeds {
        /// The mistakes, each with its place.
        sources: Vec<SourceError>,
        /// One a line.
        unsolved: String,
    },
    /// No server, connection lost, disk full.
    #[error("{message}")]
    Environment {
        message: String,
        /// Why, from the outermost cause in.
        causes: Vec<String>,
        /// What to do.
        help: Option<String>,
    },
    /// Ctrl-C or SIGTERM, and everything was cleaned up.
    #[error("interrupted")]
    Interrupted,
    /// Whoever reads standard output has seen enough (`| head`): not a failure.
    #[error("standard output was closed")]
    StdoutClosed,
}

impl CliError {
    /// Typed wrong: exit code 2.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: None,
        }
    }

    /// The environment failed: exit code 3. Causes come from the error's chain.
    #[must_use]
    pub fn environment(error: &dyn Error) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors repeat their cause in their own message.
            if !causes.last().unwrap_or(&message).contains(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        Self::Environment {
            message,
            causes,
            help: None,
        }
    }

    /// Standard output could not be written.
    #[must_use]
    pub fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::StdoutClosed;
        }
        Self::Environment {
            message: "cannot write to standard output".into(),
            causes: vec![error.to_string()],
            help: None,
        }
    }

    /// Adds the remedy. Mistakes in files carry their own, each.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { help, .. } | Self::Environment { help, .. } => *help = Some(text.into()),
            Self::Sources(_) | Self::Seeds { .. } | Self::Interrupted | Self::StdoutClosed => {}
        }
        self
    }

    /// Says where in front of the message. Mistakes in files carry their own place.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        match &mut self {
            Self::Usage { message, .. } | Self::Environment { message, .. } => {
                *message = format!("{place}: {message}")
            }
            Self::Sources(_) | Self::Seeds { .. } | Self::Interrupted | Self::StdoutClosed => {}
        }
        self
    }

    /// What the process returns.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. } | Self::Sources(_) | Self::Seeds { .. } => ExitCode::Usage,
            Self::Environment { .. } => ExitCode::Environment,
            Self::Interrupted => ExitCode::Interrupted,
            Self::StdoutClosed => ExitCode::Success,
        }
    }
}

impl From<Vec<SourceError>> for CliError {
    fn from(errors: Vec<SourceError>) -> Self {
        Self::Sources(errors)
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        Self::Sources(vec![error])
    }
}

/// How errors are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// ASCII, no colours: pipes, logs.
    Plain,
    /// Box characters, no colours: a terminal with NO_COLOR.
    Drawn,
    /// Box characters and colours.
    Colored,
}

/// The whole text a person reads. Passwords are taken out of everything but the lines of the user's own files.
#[must_use]
pub fn render(error: &CliError, style: Style) -> String {
    match error {
        CliError::Usage { message, help } => {
            draw(&Shown::new(message, &[], help.as_deref()), style)
        }
        CliError::Environment {
            message,
            causes,
            help,
        } => draw(&Shown::new(message, causes, help.as_deref()), style),
        CliError::Sources(errors) => drawn_sources(errors, style),
        CliError::Seeds { sources, unsolved } => {
            format!(
                "{}\n{}",
                drawn_sources(sources, style),
                draw(&Shown::new(unsolved, &[], None), style)
            )
        }
        CliError::Interrupted => "interrupted\n".to_owned(),
        CliError::StdoutClosed => String::new(),
    }
}

fn drawn_sources(errors: &[SourceError], style: Style) -> String {
    let mut out: String = errors
        .iter()
        .map(|error| draw(&Shown::at(error), style))
        .collect::<Vec<_>>()
        .join("\n");
    if errors.len() > 1 {
        out.push_str(&format!("\n{}\n", mistakes(errors.len())));
    }
    out
}

/// Writes the error to standard error and returns the exit code: the end of `main`.
pub fn finish(outcome: Result<ExitCode, CliError>) -> std::process::ExitCode {
    match outcome {
        Ok(code) => code.into(),
        Err(error) => {
            show(&error);
            error.exit_code().into()
        }
    }
}

/// Writes an error to standard error.
pub fn show(error: &CliError) {
    let stream = anstream::stderr();
    let style = match (
        anstream::AutoStream::choice(&io::stderr()),
        stream.is_terminal(),
    ) {
        (anstream::ColorChoice::Never, false) => Style::Plain,
        (anstream::ColorChoice::Never, true) => Style::Drawn,
        (
            anstream::ColorChoice::Auto
            | anstream::ColorChoice::Always
            | anstream::ColorChoice::AlwaysAnsi,
            _,
        ) => Style::Colored,
    };
    // Nobody is left to tell if standard error is closed.
    let _ = stream.lock().write_all(render(error, style).as_bytes());
}

/// What clap has to say: help and version on standard output, a mistake on standard error, without the passwords in it.
pub fn finish_parse(error: &clap::Error) -> std::process::ExitCode {
    let colors = Colors::Kept;
    let text = redact(&error.render().ansi().to_string());
    // A closed stream is not a failure of ours.
    if error.use_stderr() {
        let mut out = Guard::new(anstream::stderr(), colors);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        ExitCode::Usage.into()
    } else {
        let _ = anstream::stdout().write_all(text.as_bytes());
        ExitCode::Success.into()
    }
}

/// A bug says so, in one line, with the place: a backtrace is for those who ask for it with RUST_BACKTRACE.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let what = info.payload_as_str().unwrap_or("no message");
        let trace = std::backtrace::Backtrace::capture();
        let mut text = format!(
            "error: this is a bug in pgproof: {what}\n  at {place}, version {}\n",
            env!("CARGO_PKG_VERSION")
        );
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            text.push_str(&trace.to_string());
        }
        text.push_str("  help: please report it with the command line and this message\n");
        let _ = io::stderr().write_all(shown(&text).as_bytes());
    }));
}

fn mistakes(count: usize) -> String {
    if count == 1 {
        "1 mistake".to_owned()
    } else {
        format!("{count} mistakes")
    }
}

/// What others wrote, as a terminal may show it: without passwords, controls spelled out.
fn shown(text: &str) -> String {
    visible::text(&redact(text)).into_owned()
}

/// Lines shown of what is marked; with one before and one after it an excerpt has ten at most.
const LINES: usize = 8;
/// Characters shown of a line on either side of what is marked in it.
const AROUND: usize = 160;

/// The lines of a file around a mistake, controls spelled out: the file itself may be large, and hold anything.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    marked: std::ops::Range<usize>,
    /// Lines of the file before the text.
    lines_before: usize,
    /// Characters of the first line that were cut off in front.
    cut: usize,
}

impl Excerpt {
    fn of(error: &SourceError) -> Self {
        let text = &error.source_file.text;
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(error.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        // One line before, if it is not too long, and what is marked with the line after it.
        let before = text[..line_start.saturating_sub(1)]
            .rfind('\n')
            .map_or(0, |at| at + 1);
        let (from, cut) = if start - line_start > AROUND {
            let from = boundary(start - AROUND);
            (from, text[line_start..from].chars().count())
        } else if line_start > 0 && line_start - before <= AROUND {
            (before, 0)
        } else {
            (line_start, 0)
        };
        let end = boundary(error.span.end.max(start).min(start + AROUND * 4));
        let end = text[start..end]
            .match_indices('\n')
            .nth(LINES - 1)
            .map_or(end, |(at, _)| start + at);
        let after = text[end..]
            .match_indices('\n')
            .nth(1)
            .map_or(text.len(), |(at, _)| end + at + 1);
        let to = boundary(after.min(end + AROUND * 2));
        let mut excerpt = Self {
            name: visible::line(&error.source_file.path.display().to_string()).into_owned(),
            text: String::new(),
            marked: 0..0,
            lines_before: text[..from].matches('\n').count(),
            cut,
        };
        excerpt.push(&text[from..start]);
        let marked = excerpt.text.len();
        excerpt.push(&text[start..end]);
        excerpt.marked = marked..excerpt.text.len();
        excerpt.push(&text[end..to]);
        excerpt
    }

    fn push(&mut self, part: &str) {
        for character in part.chars() {
            match character {
                // The end of a line as Windows writes it shows nothing.
                '\r' => {}
                harmful if visible::is_harmful(harmful) => {
                    visible::push_escaped(&mut self.text, harmful);
                }
                other => self.text.push(other),
            }
        }
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str();
        let found = inner.read_span(span, lines_before, lines_after)?;
        let column = if found.line() == 0 {
            found.column() + self.cut
        } else {
            found.column()
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            found.data(),
            *found.span(),
            found.line() + self.lines_before,
            column,
            found.line_count(),
        )))
    }
}

/// One error in miette's terms.
#[derive(Debug)]
struct Shown {
    message: String,
    cause: Option<Box<Shown>>,
    help: Option<String>,
    place: Option<Excerpt>,
}

impl Shown {
    fn new(message: &str, causes: &[String], help: Option<&str>) -> Self {
        let cause = causes
            .split_first()
            .map(|(first, rest)| Box::new(Self::new(first, rest, None)));
        Self {
            message: shown(message),
            cause,
            help: help.map(shown),
            place: None,
        }
    }

    fn at(error: &SourceError) -> Self {
        let source = &error.source_file;
        // A file that is missing or empty has no line to show: its name goes into the message.
        let place = (!source.text.is_empty()).then(|| Excerpt::of(error));
        let mut shown = Self::new(&error.message, &[], error.help.as_deref());
        if place.is_none() {
            let path = source.path.display().to_string();
            shown.message = format!("{}: {}", visible::line(&path), shown.message);
        }
        shown.place = place;
        shown
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Shown {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place
            .as_ref()
            .map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.place.as_ref().map(|excerpt| {
            let label = LabeledSpan::new_primary_with_span(None, excerpt.marked.clone());
            Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = _>>
        })
    }
}

fn draw(shown: &Shown, style: Style) -> String {
    let mut theme = match style {
        Style::Plain => GraphicalTheme::none(),
        Style::Drawn => GraphicalTheme::unicode_nocolor(),
        Style::Colored => GraphicalTheme::unicode(),
    };
    theme.characters.error = "error:".into();
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(110)
        .with_context_lines(1)
        .with_break_words(false);
    let mut out = String::new();
    // Writing to a string cannot fail; a span that miette cannot place leaves the message.
    if handler.render_report(&mut out, shown).is_err() {
        out = format!("  error: {shown}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn an_excerpt_has_ten_lines_at_most() {
        let text: String = (1..=40).map(|n| format!("line {n}\n")).collect();
        let source = Source::new("long.sql", text.as_str());
        let lines = |span: std::ops::Range<usize>| {
            let error = SourceError::new(&source, span, "is wrong");
            let drawn = drawn_sources(&[error], Style::Plain);
            drawn.lines().filter(|row| row.contains("line ")).count()
        };
        let start = text.find("line 5\n").unwrap_or_default();
        assert_eq!(lines(start..text.len()), 10);
        assert_eq!(lines(start..start + 6), 3);
    }
}

//! Where a report goes. Knows no format's inside.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Report;
use super::formats::terminal::{self, TerminalStyle};
use super::formats::{FORMATS, Format};
use crate::write;

/// One `--format FORMAT[=FILE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub format: &'static Format,
    /// Where; `None` is stdout.
    pub file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            None => Self::named(text, None),
            Some((_, "")) => Err(ReportError::NoFile {
                typed: text.to_owned(),
            }),
            Some((name, file)) => Self::named(name, Some(PathBuf::from(file))),
        }
    }
}

impl Output {
    /// From a format's name and a file.
    ///
    /// # Errors
    /// No format has that name.
    pub fn named(name: &str, file: Option<PathBuf>) -> Result<Self, ReportError> {
        let file = file.filter(|file| !write::is_standard_output(file));
        let format = Format::named(name).ok_or_else(|| ReportError::UnknownFormat {
            name: name.to_owned(),
        })?;
        Ok(Self { format, file })
    }
}

/// Why a report could not be asked for or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A typing error, or a format that this version does not have.
    #[error("there is no report format {name:?}: the formats are {}", names())]
    UnknownFormat {
        /// As typed.
        name: String,
    },
    /// `json=`.
    #[error("--format {typed} names no file: write {} for stdout, or a path after the `=`", typed.trim_end_matches('='))]
    NoFile { typed: String },
    /// Two formats without a file.
    #[error(
        "--format {first} and --format {second} would both go to stdout: give one of them a file, as in --format {second}=FILE"
    )]
    TwoOnStdout {
        /// The one that keeps stdout.
        first: &'static Format,
        /// The one that needs a file.
        second: &'static Format,
    },
    /// The same file twice.
    #[error("two reports would be written to {}: give each its own file", file.display())]
    SameFile { file: PathBuf },
    /// The file's directory is not there.
    #[error("cannot write the {format} report to {}: there is no directory {}; make it first", file.display(), directory.display())]
    NoDirectory {
        /// Which report.
        format: &'static Format,
        file: PathBuf,
        /// What is missing.
        directory: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the {format} report to {}: {source}", file.display())]
    File {
        /// Which report.
        format: &'static Format,
        file: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Stdout cannot be written.
    #[error("cannot write the {format} report to stdout: {source}")]
    Stdout {
        /// Which report.
        format: &'static Format,
        /// The system's words.
        source: io::Error,
    },
}

impl ReportError {
    /// Whether the reader went away (`| head`): no failure.
    #[must_use]
    pub fn is_closed_stdout(&self) -> bool {
        matches!(self, Self::Stdout { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether it is about what was typed (exit code 2), not about the machine (3).
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::UnknownFormat { .. }
            | Self::NoFile { .. }
            | Self::TwoOnStdout { .. }
            | Self::SameFile { .. }
            | Self::NoDirectory { .. } => true,
            Self::File { .. } | Self::Stdout { .. } => false,
        }
    }
}

fn names() -> String {
    FORMATS
        .iter()
        .map(|format| format.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Finds what would fail after a long audit before it starts.
///
/// # Errors
/// Two reports on stdout or in one file; a file whose directory is not there.
pub fn validate(outputs: &[Output]) -> Result<(), ReportError> {
    let mut on_stdout = outputs.iter().filter(|output| output.file.is_none());
    if let (Some(first), Some(second)) = (on_stdout.next(), on_stdout.next()) {
        return Err(ReportError::TwoOnStdout {
            first: first.format,
            second: second.format,
        });
    }
    for (index, output) in outputs.iter().enumerate() {
        let Some(file) = &output.file else { continue };
        if outputs[..index]
            .iter()
            .any(|earlier| earlier.file.as_ref() == Some(file))
        {
            return Err(ReportError::SameFile { file: file.clone() });
        }
        // What is there can be opened wherever it is.
        let directory = directory_of(file);
        if !file.exists() && !directory.is_dir() {
            return Err(ReportError::NoDirectory {
                format: output.format,
                file: file.clone(),
                directory: directory.to_path_buf(),
            });
        }
    }
    Ok(())
}

/// Writes every report that was asked for: files first, so that a closed stdout loses none, and a file that cannot be
/// written loses none of the others. Where all go to files, or none was asked for, the terminal report goes to stdout.
///
/// # Errors
/// What [`validate`] finds, or the first file (or stdout) that cannot be written.
pub fn write_all(
    outputs: &[Output],
    report: &Report,
    style: &TerminalStyle,
    stdout: &mut dyn Write,
) -> Result<(), ReportError> {
    validate(outputs)?;
    let mut failed = None;
    for Output { format, file } in outputs {
        let Some(file) = file else { continue };
        let written = write::whole(file, |out| format.write(report, &TerminalStyle::FILE, out));
        if let Err(source) = written {
            failed.get_or_insert(ReportError::File {
                format,
                file: file.clone(),
                source,
            });
        }
    }
    let format = outputs
        .iter()
        .find(|output| output.file.is_none())
        .map_or(&terminal::FORMAT, |output| output.format);
    let shown = format
        .write(report, style, stdout)
        .and_then(|()| stdout.flush())
        .map_err(|source| ReportError::Stdout { format, source });
    match failed {
        Some(error) => Err(error),
        None => shown,
    }
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_parsed() {
        assert_eq!(
            "json".parse::<Output>().unwrap(),
            Output {
                format: &crate::report::json::FORMAT,
                file: None
            }
        );
        assert_eq!(
            "markdown=out/a=b.md".parse::<Output>().unwrap(),
            Output {
                format: &crate::report::markdown::FORMAT,
                file: Some("out/a=b.md".into())
            }
        );
        let messages: Vec<String> = ["yaml", "json=", ""]
            .iter()
            .map(|text| text.parse::<Output>().unwrap_err().to_string())
            .collect();
        let known = names();
        assert_eq!(
            messages,
            [
                &format!("there is no report format \"yaml\": the formats are {known}"),
                "--format json= names no file: write json for stdout, or a path after the `=`",
                &format!("there is no report format \"\": the formats are {known}"),
            ]
        );
    }

    #[test]
    fn impossible_outputs_are_found_before_the_audit() {
        let outputs = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<Vec<Output>>()
        };
        let message = |texts: &[&str]| validate(&outputs(texts)).unwrap_err().to_string();
        assert!(validate(&outputs(&["terminal", "json=r.json", "markdown=r.md"])).is_ok());
        assert_eq!(
            message(&["terminal", "json"]),
            "--format terminal and --format json would both go to stdout: give one of them a file, as in --format json=FILE"
        );
        assert_eq!(
            message(&["json=r", "markdown=r"]),
            "two reports would be written to r: give each its own file"
        );
        assert_eq!(
            message(&["json=no/such/r.json"]),
            "cannot write the json report to no/such/r.json: there is no directory no/such; make it first"
        );
    }
}

//! The report for programs, and read back for `pgproof diff BEFORE.json AFTER.json`. `docs/schema/report.schema.json` is its
//! documentation; a test holds the two together. Keys are never renamed within a version.

mod diff;
mod of_report;
mod saved;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::{Escaping, Format};
use crate::report::{Origin, Report};
use crate::visible;

pub use diff::SavedDiff;
pub use saved::{
    SavedBuffers, SavedCause, SavedCompared, SavedDataset, SavedFailOn, SavedFailure, SavedFinding,
    SavedNotAudited, SavedOutcome, SavedParameter, SavedPlace, SavedQuery, SavedReport,
    SavedReused, SavedRun, SavedServer, SavedSummary, SavedTable, SavedTaken, SavedTool,
    SavedUnchanged,
};

/// The version of the shape that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// Why a file is no saved report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON at all.
    #[error("it is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// JSON of something else.
    #[error(
        "it is not a pgproof report: it has no \"version\" key; write one with `pgproof audit --format json=FILE`"
    )]
    NotAReport,
    /// Of another version.
    #[error(
        "it is a report of version {found}, and this pgproof reads version {VERSION}: write it again with this pgproof"
    )]
    OtherVersion {
        /// Its version.
        found: Value,
    },
    /// Right version, wrong content.
    #[error("it is not a valid report of version {VERSION}: {0}")]
    Invalid(serde_json::Error),
}

/// For programs.
pub const FORMAT: Format = Format {
    name: "json",
    about: "for programs, `pgproof report` and `pgproof diff`; docs/schema describes it",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    match (report.origin, &report.comparison) {
        (Origin::Diff, Some(comparison)) => {
            write_document(&diff::document(report, comparison), out)
        }
        (Origin::Audit | Origin::Explain | Origin::Diff | Origin::Trace, _) => {
            write_document(&SavedReport::of(report), out)
        }
    }
}

/// One JSON document, indented, with nothing in it that a terminal would obey.
pub(super) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Harmless::default());
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    writeln!(out)
}

/// JSON's own escapes for every character that a terminal would obey: the standard asks them of some only.
#[derive(Default)]
struct Harmless {
    pretty: PrettyFormatter<'static>,
}

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(visible::is_harmful) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let length = from.chars().next().map_or(0, char::len_utf8);
            let (harmful, after) = from.split_at(length);
            for unit in harmful.encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(out)
    }
}

/// Reads a report of queries that [`render`] wrote.
///
/// # Errors
/// The text is no report, or one of another version.
pub fn read(text: &str) -> Result<SavedReport, ReadError> {
    known(text)?;
    // From the text, not from a value: so that an error names line and column.
    serde_json::from_str(text).map_err(ReadError::Invalid)
}

/// What [`render`] writes.
#[derive(Debug, Clone)]
pub enum Saved {
    /// Of `audit` and `explain`.
    Queries(Box<SavedReport>),
    /// Of `diff`.
    Diff(Box<SavedDiff>),
}

/// Reads whatever [`render`] wrote.
///
/// # Errors
/// As [`read`].
pub fn read_any(text: &str) -> Result<Saved, ReadError> {
    let value = known(text)?;
    // Only a diff has two sides.
    if value.get("from").is_some() && value.get("statements").is_some() {
        let diff = serde_json::from_str(text).map_err(ReadError::Invalid)?;
        return Ok(Saved::Diff(Box::new(diff)));
    }
    let report = serde_json::from_str(text).map_err(ReadError::Invalid)?;
    Ok(Saved::Queries(Box::new(report)))
}

fn known(text: &str) -> Result<Value, ReadError> {
    let value: Value = serde_json::from_str(text).map_err(ReadError::NotJson)?;
    match value.get("version") {
        None => Err(ReadError::NotAReport),
        Some(version) if version.as_u64() != Some(VERSION) => Err(ReadError::OtherVersion {
            found: version.clone(),
        }),
        Some(_) => Ok(value),
    }
}

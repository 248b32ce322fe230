//! Checkstyle's XML, which review tools read: an error a finding, by file.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::finding::Finding;
use crate::report::Report;
use crate::report::place::{PROJECT_FILE, Place};
use crate::report::summary::shown;

use super::xml::attribute;
use super::{Escaping, Format};

/// For review tools.
pub(super) const FORMAT: Format = Format {
    name: "checkstyle",
    about: "Checkstyle's XML, for review tools",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut files: BTreeMap<String, Vec<(u32, u32, &Finding)>> = BTreeMap::new();
    for found in shown(report) {
        let (file, line, column) = match Place::of(report, found) {
            Some(place) => (place.path(), place.start.line, place.start.column),
            None => (PROJECT_FILE.to_owned(), 1, 1),
        };
        files.entry(file).or_default().push((line, column, found));
    }
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<checkstyle version=\"4.3\">")?;
    for (file, findings) in &mut files {
        findings.sort_by_key(|(line, column, _)| (*line, *column));
        writeln!(out, "  <file name=\"{}\">", attribute(file))?;
        for (line, column, found) in findings {
            writeln!(
                out,
                "    <error line=\"{line}\" column=\"{column}\" severity=\"{}\" message=\"{}\" source=\"pgproof.{}\"/>",
                found.severity,
                attribute(&super::in_words(found)),
                found.rule
            )?;
        }
        writeln!(out, "  </file>")?;
    }
    writeln!(out, "</checkstyle>")
}

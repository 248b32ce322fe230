//! One line a finding, as editors and `grep` read it: `file:line:column: severity[rule]: message`.

use std::io::{self, Write};

use crate::finding::Finding;
use crate::report::Report;
use crate::report::excerpt::clean;
use crate::report::impact::costliest_first;
use crate::report::place::{PROJECT_FILE, Place};
use crate::report::summary::shown;

use super::{Escaping, Format};

/// For editors.
pub(super) const FORMAT: Format = Format {
    name: "short",
    about: "one line a finding, as editors read it",
    escaping: Escaping::Visible,
    render: |report, _, out| render(report, out),
};

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    costliest_first(report, shown(report))
        .into_iter()
        .try_for_each(|found| writeln!(out, "{}", line(report, found)))
}

/// The line of a finding.
pub(super) fn line(report: &Report, found: &Finding) -> String {
    let place = match Place::of(report, found) {
        Some(place) => place.to_text(),
        None => format!("{PROJECT_FILE}:1:1"),
    };
    let query = found
        .query
        .as_ref()
        .map(|query| format!("{query}: "))
        .unwrap_or_default();
    let words: Vec<&str> = found.message.split_whitespace().collect();
    format!(
        "{}: {}[{}]: {}",
        clean(&place),
        found.severity,
        found.rule,
        clean(&format!("{query}{}", words.join(" ")))
    )
}

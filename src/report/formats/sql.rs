//! `sql`: the fixes of a report as one script for psql, each statement once.

use std::io::{self, Write};

use super::{Escaping, Format};
use crate::advise::changes::Change;
use crate::report::{Report, TOOL_VERSION};

/// For psql.
pub(super) const FORMAT: Format = Format {
    name: "sql",
    about: "the fixes of the schema, as a script for psql",
    escaping: Escaping::Visible,
    render: |report, _, out| render(report, out),
};

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let data = match &report.dataset {
        Some(dataset) => format!(
            ", dataset {}",
            dataset.fingerprint.get(..8).unwrap_or(&dataset.fingerprint)
        ),
        None => match &report.copy_of {
            Some(original) => format!(", a copy of {original}"),
            None => String::new(),
        },
    };
    writeln!(
        out,
        "-- Fixes from pgproof {TOOL_VERSION}, PostgreSQL {}{data}.\n\
         -- psql -v ON_ERROR_STOP=1 -f FILE, without --single-transaction: CONCURRENTLY runs outside a transaction.\n\
         -- An index whose build fails stays behind as invalid: DROP INDEX CONCURRENTLY it before the next try.",
        report.server_version.as_deref().unwrap_or("unknown")
    )?;
    let changes = &report.changes;
    if changes.is_empty() && changes.unproven.is_empty() {
        let has_fix = report
            .findings
            .iter()
            .any(|finding| finding.fix.is_some() && finding.suppressed.is_none());
        // What was counted is nothing where nothing was looked at.
        let is_unread = has_fix && changes.of_queries == 0;
        let words = match is_unread {
            true => {
                "A saved report does not hold the schema that the safe form of a statement depends on: `pgproof audit --format sql=FILE` \
                 writes the fixes."
            }
            false => "No finding has a fix in the schema.",
        };
        writeln!(out, "\n-- {words}")?;
    }
    for change in &changes.made {
        write_change(change, "", out)?;
    }
    if !changes.unproven.is_empty() {
        writeln!(
            out,
            "\n-- Not measured on this database, so they are comments: audit a copy of it (--copy), or a dataset of pgproof's own, to have them proven."
        )?;
    }
    for change in &changes.unproven {
        write_change(change, "-- ", out)?;
    }
    if changes.of_queries > 0 {
        writeln!(
            out,
            "\n-- Not here: fixes of {} that change a query or its session, not the schema.",
            findings(changes.of_queries)
        )?;
    }
    Ok(())
}

fn findings(number: usize) -> String {
    match number {
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    }
}

fn write_change(change: &Change, mark: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for reason in &change.reasons {
        writeln!(out, "-- {reason}")?;
    }
    for step in &change.online {
        for line in step.up.lines() {
            write!(out, "{mark}{line}")?;
            writeln!(out, "{}", if step.up.ends_with(line) { ";" } else { "" })?;
        }
    }
    Ok(())
}

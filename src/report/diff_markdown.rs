//! A diff for pull requests: a table of verdicts, a unified diff of canonical plans per query, what the migration did.

use std::io::{self, Write};

use similar::TextDiff;

use super::diff_words::{blocked_sentence, blocks, cause_sentence, index_sentence, locks_phrase, statement_facts};
use crate::diff::outcome::{Presence, QueryDiff, RunDiff};
use crate::diff::report::DiffReport;
use crate::diff::verdict::Verdict;

/// So that one comment is updated and not a second one written.
const MARKER: &str = "<!-- pgproof-diff -->";

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{MARKER}\n## Plans: {} → {}\n", cell(&report.from), cell(&report.to))?;
    let told: Vec<&QueryDiff> = report
        .queries
        .iter()
        .filter(|diff| diff.verdict() != Verdict::Unchanged || diff.presence != Presence::Both)
        .collect();
    if told.is_empty() {
        writeln!(out, "No query's plan changed ({} queries).\n", report.queries.len())?;
    } else {
        writeln!(out, "| query | verdict | blocks | since |\n|---|---|---|---|")?;
        for diff in &told {
            let run = diff.runs.first();
            let cause = run.and_then(|run| run.cause.as_ref()).map(cause_sentence).unwrap_or_default();
            let verdict = match diff.presence {
                Presence::New => "new",
                Presence::Removed => "removed",
                Presence::Both | Presence::Changed => diff.verdict().as_str(),
            };
            let blocks = run.map(blocks).unwrap_or_default();
            writeln!(out, "| {} | {verdict} | {blocks} | {} |", cell(&diff.query), cell(&cause))?;
        }
        writeln!(out)?;
        for diff in &told {
            if let Some(run) = diff.runs.first() {
                plan(diff, run, out)?;
            }
        }
    }
    migration(report, out)?;
    for index in &report.indexes {
        writeln!(out, "- {}", cell(&index_sentence(index)))?;
    }
    for diff in &report.rolling {
        let told: Vec<String> =
            diff.runs.iter().take(1).flat_map(|run| run.changes.iter().map(|c| c.describe())).collect();
        writeln!(
            out,
            "- the old {} on the new schema: {}: {}",
            cell(&diff.query),
            diff.verdict().as_str(),
            cell(&told.join("; "))
        )?;
    }
    if let Some(trip) = &report.round_trip {
        let told = if trip.is_clean() { "leads to the same schema and the same plans" } else { "does not lead back" };
        writeln!(out, "- the way back {told}")?;
    }
    Ok(())
}

fn plan(diff: &QueryDiff, run: &RunDiff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<details><summary>{} ({}): {}</summary>\n",
        cell(&diff.query),
        cell(&run.label),
        run.verdict.as_str()
    )?;
    for change in &run.changes {
        writeln!(out, "- `{}`: {}", change.name(), cell(&change.describe()))?;
    }
    if let Some(after) = &run.after {
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let (old, new) = (text(&run.before.tree), text(&after.tree));
        let changes = TextDiff::from_lines(&old, &new);
        let unified = changes.unified_diff().context_radius(20).header("before", "after").to_string();
        // Plans may hold backticks in names: a longer fence keeps them inside.
        writeln!(out, "\n~~~~diff\n{unified}~~~~")?;
    }
    writeln!(out, "\n</details>\n")
}

fn migration(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    if report.statements.is_empty() {
        return Ok(());
    }
    writeln!(out, "### The migration\n\n| statement | what it did | locks | blocked |\n|---|---|---|---|")?;
    for statement in &report.statements {
        let blocked = statement
            .blocked
            .first()
            .map(|b| blocked_sentence(b, &report.probes, &statement.place))
            .unwrap_or_default();
        writeln!(
            out,
            "| `{}` {} | {} | {} | {} |",
            statement.place.label(),
            cell(&statement.place.excerpt()),
            cell(&statement_facts(statement).join(", ")),
            cell(&locks_phrase(statement).unwrap_or_default()),
            cell(&blocked)
        )?;
    }
    writeln!(out)
}

/// Text in a table's cell: no pipes, no line breaks, no markup of its own.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_")
}

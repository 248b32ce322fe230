//! A diff for pull requests: a table of verdicts, a unified diff of canonical plans per query, what the migration did.

use std::io::{self, Write};

use similar::TextDiff;

use super::diff_words::{
    blocked_sentence, blocks, cause_sentence, cause_sentences, deadlock_sentence, index_sentence,
    kept, kept_sentence, locks_phrase, measured_sentence, outside_sentence, pile_up_sentence,
    standing, statement_facts, worst_sentence,
};
use crate::diff::observation::StatementObservation;
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
    writeln!(
        out,
        "{MARKER}\n## Plans: {} → {}\n",
        cell(&report.from),
        cell(&report.to)
    )?;
    let told: Vec<&QueryDiff> = report
        .queries
        .iter()
        .filter(|diff| {
            diff.verdict() != Verdict::Unchanged
                || diff.presence != Presence::Both
                || diff.failed_before.is_some()
        })
        .collect();
    if told.is_empty() {
        writeln!(
            out,
            "No query's plan changed ({} queries).\n",
            report.queries.len()
        )?;
    } else {
        writeln!(
            out,
            "| query | verdict | blocks | since |\n|---|---|---|---|"
        )?;
        for diff in &told {
            let run = diff.runs.first();
            let cause = run
                .and_then(RunDiff::deciding_cause)
                .map(cause_sentence)
                .unwrap_or_default();
            let verdict = match &diff.fails_after {
                Some(message) => format!("{}: {}", standing(diff), cell(message)),
                None => standing(diff),
            };
            let fresh = diff.fresh.first().and_then(|fresh| fresh.side.work.blocks);
            let fresh = fresh.map(|pages| format!("- → {}", crate::units::Count(pages.0 as f64)));
            let blocks = run.map(blocks).or(fresh).unwrap_or_default();
            writeln!(
                out,
                "| {} | {verdict} | {blocks} | {} |",
                cell(&diff.query),
                cell(&cause)
            )?;
        }
        writeln!(out)?;
        for diff in &told {
            if let Some(run) = diff.runs.first() {
                plan(diff, run, out)?;
            }
            if let Some(fresh) = diff.fresh.first() {
                let (query, label) = (cell(&diff.query), cell(&fresh.label));
                writeln!(
                    out,
                    "<details><summary>{query} ({label}): {}</summary>\n\n~~~~",
                    standing(diff)
                )?;
                fresh
                    .side
                    .tree
                    .iter()
                    .try_for_each(|line| writeln!(out, "{line}"))?;
                writeln!(out, "~~~~\n\n</details>\n")?;
            }
        }
    }
    migration(report, out)?;
    for index in &report.indexes {
        writeln!(out, "- {}", cell(&index_sentence(index)))?;
    }
    for diff in &report.rolling {
        let told: Vec<String> = diff
            .runs
            .iter()
            .take(1)
            .flat_map(|run| run.changes.iter().map(|c| c.describe()))
            .collect();
        writeln!(
            out,
            "- the old {} on the new schema: {}: {}",
            cell(&diff.query),
            diff.verdict().as_str(),
            cell(&told.join("; "))
        )?;
    }
    if let Some(trip) = &report.round_trip {
        let told = if trip.is_clean() {
            "leads to the same schema and the same plans"
        } else {
            "does not lead back"
        };
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
    for told in cause_sentences(run) {
        writeln!(out, "- {}", cell(&told))?;
    }
    if let Some(after) = &run.after {
        let text = |lines: &[String]| {
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        let (old, new) = (text(&run.before.tree), text(&after.tree));
        let changes = TextDiff::from_lines(&old, &new);
        let unified = changes
            .unified_diff()
            .context_radius(20)
            .header("before", "after")
            .to_string();
        // Plans may hold backticks in names: a longer fence keeps them inside.
        writeln!(out, "\n~~~~diff\n{unified}~~~~")?;
    }
    writeln!(out, "\n</details>\n")
}

fn migration(report: &DiffReport, out: &mut dyn Write) -> io::Result<()> {
    if report.statements.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "### The migration\n\n| statement | what it did | locks | blocked |\n|---|---|---|---|"
    )?;
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
    writeln!(out)?;
    for statement in &report.statements {
        details(statement, report, out)?;
    }
    if let Some(told) = outside_sentence(report) {
        writeln!(out, "{}.\n", cell(&told))?;
    }
    match &report.safer_schema {
        None => Ok(()),
        Some(difference) if difference.is_none() => {
            writeln!(
                out,
                "With the safer forms the migration ends in the same schema.\n"
            )
        }
        Some(_) => writeln!(
            out,
            "With the safer forms the migration ends in **another** schema.\n"
        ),
    }
}

/// What a statement did to others, and what to write instead.
fn details(
    statement: &StatementObservation,
    report: &DiffReport,
    out: &mut dyn Write,
) -> io::Result<()> {
    let blocked = statement
        .blocked
        .iter()
        .take(5)
        .map(|b| blocked_sentence(b, &report.probes, &statement.place));
    let kept = kept(statement).map(|kept| kept_sentence(kept, &report.probes, &statement.place));
    let pile_up = statement.pile_up.as_ref().and_then(pile_up_sentence);
    let told: Vec<String> = blocked
        .chain(worst_sentence(statement))
        .chain(kept)
        .chain(deadlock_sentence(statement))
        .chain(pile_up)
        .collect();
    if told.is_empty() && statement.safer.is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "<details><summary><code>{}</code></summary>\n",
        cell(&statement.place.label())
    )?;
    told.iter()
        .try_for_each(|line| writeln!(out, "- {}", cell(line)))?;
    if let Some(safer) = &statement.safer {
        writeln!(out, "- safer: {}", cell(&safer.form.why))?;
        if let Some(line) = measured_sentence(safer, statement) {
            writeln!(out, "- {}", cell(&line))?;
        }
        if !safer.form.statements.is_empty() {
            writeln!(out, "\n~~~~sql")?;
            safer
                .form
                .statements
                .iter()
                .try_for_each(|sql| writeln!(out, "{sql};"))?;
            writeln!(out, "~~~~")?;
        }
    }
    writeln!(out, "\n</details>\n")
}

/// Text in a table's cell: no pipes, no line breaks, no markup of its own.
fn cell(text: &str) -> String {
    text.replace('\n', " ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('*', "\\*")
        .replace('_', "\\_")
}

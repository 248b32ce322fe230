//! A diff for pull requests: a table of verdicts, a unified diff of canonical plans per query, what the migration did.

use std::io::{self, Write};

use similar::TextDiff;

use super::Comment;
use crate::diff::observation::StatementObservation;
use crate::diff::outcome::{Presence, QueryDiff, RunDiff};
use crate::diff::report::Comparison;
use crate::diff::verdict::Verdict;
use crate::report::diff_words::{
    blocked_sentence, blocks, cause_sentence, cause_sentences, deadlock_sentence, index_sentence,
    kept, kept_sentence, locks_phrase, measured_sentence, outside_sentence, pile_up_sentence,
    standing, statement_facts, worst_sentence,
};

/// So that one comment is updated and not a second one written.
const MARKER: &str = "<!-- pgproof-diff -->";

/// Writes the report; what does not fit in one comment is counted.
///
/// # Errors
/// What `out` returns.
pub(super) fn render(report: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut comment = Comment::new(format!(
        "{MARKER}\n## Plans: {} → {}\n\n",
        cell(&report.from),
        cell(&report.to)
    ));
    let shown: Vec<&QueryDiff> = report
        .queries
        .iter()
        .filter(|diff| {
            diff.verdict() != Verdict::Unchanged
                || diff.presence != Presence::Both
                || diff.failed_before.is_some()
        })
        .collect();
    if shown.is_empty() {
        comment.add(&format!(
            "No query's plan changed ({} queries).\n\n",
            report.queries.len()
        ));
    } else {
        comment.rows(
            "| query | verdict | blocks | since |\n|---|---|---|---|\n",
            shown.iter().map(|diff| row(diff)),
        );
        for diff in &shown {
            comment.add(&written(|section| plans(diff, section))?);
        }
    }
    migration(report, &mut comment)?;
    for index in &report.indexes {
        comment.add(&format!("- {}\n", cell(&index_sentence(index))));
    }
    for diff in &report.rolling {
        let parts: Vec<String> = diff
            .runs
            .iter()
            .take(1)
            .flat_map(|run| run.changes.iter().map(|c| c.describe()))
            .collect();
        comment.add(&format!(
            "- the old {} on the new schema: {}: {}\n",
            cell(&diff.query),
            diff.verdict().as_str(),
            cell(&parts.join("; "))
        ));
    }
    if let Some(trip) = &report.round_trip {
        let sentence = if trip.is_clean() {
            "leads to the same schema and the same plans"
        } else {
            "does not lead back"
        };
        comment.add(&format!("- the way back {sentence}\n"));
    }
    out.write_all(comment.finish().as_bytes())
}

/// What a function writes, as text.
fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    let mut section = Vec::new();
    write(&mut section)?;
    Ok(String::from_utf8_lossy(&section).into_owned())
}

/// A query's line of the table.
fn row(diff: &QueryDiff) -> String {
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
    format!(
        "| {} | {verdict} | {blocks} | {} |\n",
        cell(&diff.query),
        cell(&cause)
    )
}

/// The plans of a query, folded.
fn plans(diff: &QueryDiff, out: &mut dyn Write) -> io::Result<()> {
    if let Some(run) = diff.runs.first() {
        plan(diff, run, out)?;
    }
    let Some(fresh) = diff.fresh.first() else {
        return Ok(());
    };
    let (query, label) = (cell(&diff.query), cell(&fresh.id.to_string()));
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
    writeln!(out, "~~~~\n\n</details>\n")
}

fn plan(diff: &QueryDiff, run: &RunDiff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<details><summary>{} ({}): {}</summary>\n",
        cell(&diff.query),
        cell(&run.id.to_string()),
        run.verdict.as_str()
    )?;
    for change in &run.changes {
        writeln!(out, "- `{}`: {}", change.name(), cell(&change.describe()))?;
    }
    for sentence in cause_sentences(run) {
        writeln!(out, "- {}", cell(&sentence))?;
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

fn migration(report: &Comparison, comment: &mut Comment) -> io::Result<()> {
    if report.statements.is_empty() {
        return Ok(());
    }
    let row = |statement: &StatementObservation| {
        let blocked = statement
            .blocked
            .first()
            .map(|b| blocked_sentence(b, &report.probes, &statement.place))
            .unwrap_or_default();
        format!(
            "| `{}` {} | {} | {} | {} |\n",
            statement.place.label(),
            cell(&statement.place.excerpt()),
            cell(&statement_facts(statement).join(", ")),
            cell(&locks_phrase(statement).unwrap_or_default()),
            cell(&blocked)
        )
    };
    comment.rows(
        "### The migration\n\n| statement | what it did | locks | blocked |\n|---|---|---|---|\n",
        report.statements.iter().map(row),
    );
    for statement in &report.statements {
        comment.add(&written(|section| details(statement, report, section))?);
    }
    if let Some(sentence) = outside_sentence(report) {
        comment.add(&format!("{}.\n\n", cell(&sentence)));
    }
    match &report.safer_schema {
        None => {}
        Some(difference) if difference.is_none() => {
            comment.add("With the safer forms the migration ends in the same schema.\n\n");
        }
        Some(_) => {
            comment.add("With the safer forms the migration ends in **another** schema.\n\n");
        }
    }
    Ok(())
}

/// What a statement did to others, and what to write instead.
fn details(
    statement: &StatementObservation,
    report: &Comparison,
    out: &mut dyn Write,
) -> io::Result<()> {
    let blocked = statement
        .blocked
        .iter()
        .take(5)
        .map(|b| blocked_sentence(b, &report.probes, &statement.place));
    let kept = kept(statement).map(|kept| kept_sentence(kept, &report.probes, &statement.place));
    let pile_up = statement.pile_up.as_ref().and_then(pile_up_sentence);
    let parts: Vec<String> = blocked
        .chain(worst_sentence(statement))
        .chain(kept)
        .chain(deadlock_sentence(statement))
        .chain(pile_up)
        .collect();
    if parts.is_empty() && statement.safer.is_none() {
        return Ok(());
    }
    writeln!(
        out,
        "<details><summary><code>{}</code></summary>\n",
        cell(&statement.place.label())
    )?;
    parts
        .iter()
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

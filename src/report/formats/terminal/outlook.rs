//! The page of a catalog that was planned at another size: what changes there, then the costs of all that stays.

use std::io::{self, Write};

use crate::lab::change::ChangeKind;
use crate::lab::outlook::{NOT_RUN, Outlook, PlannedRun, SizedChange, rounded};
use crate::report::excerpt::clean;
use crate::report::summary::{Standing, plural};
use crate::report::{Report, TOOL_VERSION};
use crate::units::Count;

use super::style::TerminalStyle;

/// Writes the page.
pub(super) fn render(
    report: &Report,
    outlook: &Outlook,
    style: TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let palette = style.palette();
    let head = format!(
        "pgproof {TOOL_VERSION}, {}, {} planned at {} rows of {} ({} now); nothing was run",
        super::server(report),
        plural(report.queries.len(), "query", "queries"),
        Count(outlook.rows_then),
        outlook.table,
        Count(outlook.rows_now)
    );
    writeln!(out, "{}", palette.quiet(clean(&head)))?;
    for column in &outlook.exhausted {
        let text = format!("{column} has no number for the last of these rows");
        writeln!(out, "{}", palette.standing(Standing::Error, clean(&text)))?;
    }
    let (changed, same): (Vec<&PlannedRun>, Vec<&PlannedRun>) =
        outlook.runs.iter().partition(|run| !run.changes.is_empty());
    for run in &changed {
        writeln!(
            out,
            "\n{}  {}",
            palette.strong(clean(&run.query)),
            clean(&run.parameters)
        )?;
        writeln!(out, "  {}", costs(run))?;
        for change in &run.changes {
            let text = clean(&change_in_words(change, &outlook.table)).to_string();
            match change.change.kind {
                ChangeKind::Access => {
                    writeln!(out, "  {}", palette.standing(Standing::Warning, text))?
                }
                ChangeKind::Order | ChangeKind::Parallel => {
                    writeln!(out, "  {}", palette.quiet(text))?
                }
            }
        }
    }
    if !same.is_empty() {
        writeln!(out, "\nthe same plan up to there")?;
    }
    for run in &same {
        writeln!(
            out,
            "  {}, {}: {}",
            clean(&run.query),
            clean(&run.parameters),
            costs(run)
        )?;
    }
    let refused: Vec<&str> = report
        .runs
        .iter()
        .filter(|runs| runs.failure.is_some())
        .filter_map(|runs| Some(report.queries.get(runs.query)?.name.as_str()))
        .collect();
    if !refused.is_empty() {
        writeln!(
            out,
            "\nnot planned, the server refuses them: {}",
            clean(&refused.join(", "))
        )?;
    }
    let count = plural(outlook.runs.len(), "plan", "plans");
    writeln!(
        out,
        "\n{} of {count} change; {NOT_RUN}, in {}",
        changed.len(),
        report.elapsed
    )
}

/// `cost 1,204 → 12,345,678 (10,254 times); planned, not run`.
fn costs(run: &PlannedRun) -> String {
    let Some(then) = run.cost_then else {
        return format!(
            "cost {}; refused at that size; {NOT_RUN}",
            cost(run.cost_now)
        );
    };
    let times = then / run.cost_now.max(0.01);
    let times = match times {
        ..10.0 => format!("{times:.1}"),
        _ => Count(times).to_string(),
    };
    format!(
        "cost {} → {} ({times} times); {NOT_RUN}",
        cost(run.cost_now),
        cost(then)
    )
}

fn cost(cost: f64) -> String {
    match cost {
        ..100.0 => format!("{cost:.2}"),
        _ => Count(cost).to_string(),
    }
}

/// `from about 4,300,000 rows of orders: Index Scan … → Seq Scan on orders; planned, not run`.
pub(super) fn change_in_words(change: &SizedChange, table: &str) -> String {
    let rows = rounded(change.rows);
    format!(
        "from about {} rows of {}: {}; {NOT_RUN}",
        Count(rows),
        table,
        change.change.words()
    )
}

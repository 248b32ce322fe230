//! How a catalog's work grows, and what it becomes at another size, in words: every format that people read has the same ones.

use crate::lab::change::ChangeKind;
use crate::lab::growth::{Class, CliffLimit, GrowthReport, Prediction, RunGrowth};
use crate::lab::outlook::{NOT_RUN, Outlook, PlannedRun, SizedChange, rounded};
use crate::units::{Count, Millis};

use super::Report;
use super::summary::Standing;

/// One query with one parameter set.
#[derive(Debug, Clone, PartialEq)]
pub struct SizedRun<'r> {
    /// The query's name.
    pub query: &'r str,
    /// What its values stand for.
    pub parameters: &'r str,
    /// What there is to say, the most important first.
    pub lines: Vec<SizedLine>,
}

/// A sentence about a size.
#[derive(Debug, Clone, PartialEq)]
pub struct SizedLine {
    /// How bad that is.
    pub tone: Tone,
    /// The words.
    pub text: String,
}

/// How a line is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As good or as bad as a query of this standing.
    Of(Standing),
    /// As it is.
    Plain,
    /// Beside the others.
    Quiet,
}

fn line(tone: Tone, text: String) -> SizedLine {
    SizedLine { tone, text }
}

/// At which sizes a catalog ran: `100 queries run with 25,000 / 100,000 rows of orders, looked ahead to …`, behind the number of
/// queries.
#[must_use]
pub fn growth_basis(growth: &GrowthReport) -> String {
    let sizes: Vec<String> = growth
        .sizes
        .iter()
        .map(|rows| Count(*rows).to_string())
        .collect();
    format!(
        "run with {} rows of {}, looked ahead to {}",
        sizes.join(" / "),
        growth.table,
        Count(growth.to)
    )
}

/// At which size a catalog was planned, behind the number of queries.
#[must_use]
pub fn outlook_basis(outlook: &Outlook) -> String {
    format!(
        "planned at {} rows of {} ({} now); nothing was run",
        Count(outlook.rows_then),
        outlook.table,
        Count(outlook.rows_now)
    )
}

/// Columns whose type ends before the size.
#[must_use]
pub fn exhausted(outlook: &Outlook) -> Vec<String> {
    let columns = outlook.exhausted.iter();
    columns
        .map(|column| format!("{column} has no number for the last of these rows"))
        .collect()
}

/// What grows fastest first.
#[must_use]
pub fn growths(growth: &GrowthReport) -> Vec<SizedRun<'_>> {
    let mut runs: Vec<&RunGrowth> = growth.runs.iter().collect();
    let order = |run: &RunGrowth| run.exponent.map_or(-1.0, |exponent| exponent.value);
    runs.sort_by(|a, b| order(b).total_cmp(&order(a)));
    let runs = runs.into_iter();
    runs.map(|run| SizedRun {
        query: &run.query,
        parameters: &run.parameters,
        lines: growth_lines(run, &growth.table),
    })
    .collect()
}

fn growth_lines(run: &RunGrowth, table: &str) -> Vec<SizedLine> {
    let mut lines = vec![law(run)];
    if let Some(predicted) = run.predicted {
        let text = format!(
            "at {} rows while the plan stays: {}",
            Count(predicted.rows),
            expected(&predicted)
        );
        lines.push(line(Tone::Plain, text));
    }
    if let Some(cliff) = run.cliff {
        let limit = match cliff.limit {
            CliffLimit::Pages(pages) => pages.to_string(),
            CliffLimit::Time(time) => time.to_string(),
        };
        let text = format!(
            "passes {limit} at about {} rows of {table}",
            Count(rounded(cliff.rows))
        );
        lines.push(line(Tone::Of(Standing::Error), text));
    }
    let changes = run.changes.iter();
    let changes = changes.filter(|change| change.change.kind == ChangeKind::Access);
    lines.extend(changes.map(|change| line(Tone::Plain, change_in_words(change, table))));
    if let Some(confirmation) = run.confirmation {
        let text = format!(
            "confirmed at {} rows: the smaller sizes said {}, measured {} and {}",
            Count(confirmation.measured.rows),
            expected(&confirmation.predicted),
            confirmation.measured.pages,
            confirmation.measured.time_ms
        );
        lines.push(line(Tone::Quiet, text));
    }
    lines
}

fn law(run: &RunGrowth) -> SizedLine {
    let standing = match run.class {
        Class::Constant | Class::Sublinear => Standing::Fine,
        Class::Linear => Standing::Warning,
        Class::Superlinear => Standing::Error,
    };
    let pages: Vec<String> = run
        .points
        .iter()
        .map(|point| Count(point.pages.0 as f64).to_string())
        .collect();
    let exponent = match run.exponent {
        Some(exponent) => format!(
            "k = {:.2} ({:.2} to {:.2})",
            exponent.value, exponent.low, exponent.high
        ),
        None => "too few pages to tell, constant so far".to_owned(),
    };
    let text = format!(
        "{}: {exponent}; pages {}",
        run.class.words(),
        pages.join(" / ")
    );
    line(Tone::Of(standing), text)
}

/// Plans that change at a larger size, then those that stay.
#[must_use]
pub fn outlooks(outlook: &Outlook) -> (Vec<SizedRun<'_>>, Vec<SizedRun<'_>>) {
    let (changed, same): (Vec<&PlannedRun>, Vec<&PlannedRun>) =
        outlook.runs.iter().partition(|run| !run.changes.is_empty());
    (
        outlook_runs(changed, &outlook.table),
        outlook_runs(same, &outlook.table),
    )
}

fn outlook_runs<'r>(runs: Vec<&'r PlannedRun>, table: &str) -> Vec<SizedRun<'r>> {
    let runs = runs.into_iter();
    runs.map(|run| outlook_run(run, table)).collect()
}

fn outlook_run<'r>(run: &'r PlannedRun, table: &str) -> SizedRun<'r> {
    let mut lines = vec![line(Tone::Plain, costs(run))];
    lines.extend(run.changes.iter().map(|change| {
        let tone = match change.change.kind {
            ChangeKind::Access => Tone::Of(Standing::Warning),
            ChangeKind::Order | ChangeKind::Parallel => Tone::Quiet,
        };
        line(tone, change_in_words(change, table))
    }));
    SizedRun {
        query: &run.query,
        parameters: &run.parameters,
        lines,
    }
}

/// Queries that the server refuses to plan.
#[must_use]
pub fn refused(report: &Report) -> Vec<&str> {
    let runs = report.runs.iter();
    let refused = runs.filter(|runs| runs.failure.is_some());
    let names = refused.filter_map(|runs| report.queries.get(runs.query));
    names.map(|query| query.name.as_str()).collect()
}

/// `12,000 to 14,000 pages, 40 ms to 90 ms`.
fn expected(predicted: &Prediction) -> String {
    format!(
        "{} to {} pages, {} to {}",
        Count(predicted.pages.low),
        Count(predicted.pages.high),
        Millis(predicted.time_ms.low),
        Millis(predicted.time_ms.high)
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
fn change_in_words(change: &SizedChange, table: &str) -> String {
    format!(
        "from about {} rows of {table}: {}; {NOT_RUN}",
        Count(rounded(change.rows)),
        change.change.words()
    )
}

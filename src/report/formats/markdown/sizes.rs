//! How the catalog's work grows, and what it becomes at another size, as folded sections.

use std::fmt::Write as _;

use crate::lab::growth::GrowthReport;
use crate::lab::outlook::Outlook;
use crate::report::sizes::{
    SizedRun, Tone, exhausted, growth_basis, growths, outlook_basis, outlooks, refused,
};
use crate::report::{Report, summary};

use super::{code, prose};

/// A section for each query of `growth`, below a line that says what ran.
pub(super) fn growth(report: &Report, growth: &GrowthReport) -> Vec<String> {
    let head = format!(
        "### Growth\n\n{} {}\n\n",
        queries(report),
        prose(&growth_basis(growth))
    );
    let runs = growths(growth);
    std::iter::once(head)
        .chain(runs.iter().map(folded))
        .collect()
}

/// The same of `audit --at`: plans that change, then the costs of those that stay.
pub(super) fn outlook(report: &Report, outlook: &Outlook) -> Vec<String> {
    let mut head = format!(
        "### At another size\n\n{} {}\n\n",
        queries(report),
        prose(&outlook_basis(outlook))
    );
    for text in exhausted(outlook) {
        let _ = writeln!(head, "- **{}**", prose(&text));
    }
    let refused = refused(report);
    if !refused.is_empty() {
        let names: Vec<String> = refused.into_iter().map(code).collect();
        let _ = writeln!(
            head,
            "- not planned, the server refuses them: {}",
            names.join(", ")
        );
    }
    let (changed, same) = outlooks(outlook);
    let mut sections = vec![head + "\n"];
    sections.extend(changed.iter().map(folded));
    if !same.is_empty() {
        sections.push(format!(
            "#### The same plan up to there\n\n{}\n",
            same.iter().map(one_line).collect::<String>()
        ));
    }
    sections
}

fn queries(report: &Report) -> String {
    summary::plural(report.queries.len(), "query", "queries")
}

fn folded(run: &SizedRun<'_>) -> String {
    let mut text = format!("#### {} {}\n\n", code(run.query), prose(run.parameters));
    for line in &run.lines {
        let words = prose(&line.text);
        let _ = match line.tone {
            Tone::Of(summary::Standing::Error) => writeln!(text, "- **{words}**"),
            Tone::Of(_) | Tone::Plain => writeln!(text, "- {words}"),
            Tone::Quiet => writeln!(text, "- <sub>{words}</sub>"),
        };
    }
    text + "\n"
}

fn one_line(run: &SizedRun<'_>) -> String {
    let lines: Vec<String> = run.lines.iter().map(|line| prose(&line.text)).collect();
    format!(
        "- {} {}: {}\n",
        code(run.query),
        prose(run.parameters),
        lines.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::outlook::PlannedRun;

    #[test]
    fn an_outlook_is_a_list_in_which_no_name_is_markup() {
        let planned = |query: &str, then: Option<f64>| PlannedRun {
            query: query.to_owned(),
            parameters: "<b>".to_owned(),
            cost_now: 8.0,
            cost_then: then,
            changes: Vec::new(),
        };
        let sized = Outlook {
            table: "orders".to_owned(),
            rows_now: 1e5,
            rows_then: 1e10,
            exhausted: vec!["orders.id (integer)".to_owned()],
            runs: vec![planned("a`b", Some(16.0)), planned("Gone", None)],
        };
        let text = outlook(&Report::default(), &sized).concat();
        assert_eq!(
            text,
            "### At another size\n\n0 queries planned at 10,000,000,000 rows of orders (100,000 now); nothing was run\n\n\
             - **orders.id (integer) has no number for the last of these rows**\n\n\
             #### The same plan up to there\n\n\
             - `` a`b `` &lt;b&gt;: cost 8.00 → 16.00 (2.0 times); planned, not run\n\
             - `Gone` &lt;b&gt;: cost 8.00; refused at that size; planned, not run\n\n"
        );
    }
}

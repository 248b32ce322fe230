//! The report for a pull request or a step summary: a table of verdicts, then a folded section a query. A hidden marker
//! lets a bot find its own comment and update it.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::finding::{Finding, Fix, RuleId, Severity};
use crate::units::Count;

use crate::report::evidence;
use crate::report::excerpt::clean;
use crate::report::summary::{Standing, Summary, Verdict, beside_queries, plural, verdicts};
use crate::report::{Origin, Report, TOOL_VERSION};

use super::{Escaping, Format};

mod diff;
mod sizes;

/// The first line of every Markdown report.
pub const MARKER: &str = "<!-- pgproof:audit -->";
/// GitHub refuses comments beyond 65,536 characters; the rest is room for the closing lines.
const LONGEST: usize = 64_000;
/// How far tables fill it.
const LONGEST_TABLES: usize = 32_000;

/// For pull requests.
pub const FORMAT: Format = Format {
    name: "markdown",
    about: "for one comment on a pull request, or a step summary",
    escaping: Escaping::Visible,
    render: |report, _, out| render(report, out),
};

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    match (report.origin, &report.comparison) {
        (Origin::Diff, Some(comparison)) => diff::render(comparison, out),
        (Origin::Audit | Origin::Explain | Origin::Diff | Origin::Trace, _) => {
            out.write_all(page(report).as_bytes())
        }
    }
}

fn page(report: &Report) -> String {
    let summary = Summary::of(report);
    let verdicts: Vec<Verdict<'_>> = verdicts(report);
    let shown: Vec<&Verdict<'_>> = verdicts
        .iter()
        .filter(|verdict| is_shown(verdict))
        .collect();
    let beside = beside_queries(report);
    let mut comment = Comment::new(match &report.traffic {
        None => format!(
            "{MARKER}\n## pgproof: {} in {}\n\n",
            summary.counts(),
            plural(summary.queries, "query", "queries")
        ),
        Some(traffic) => format!(
            "{MARKER}\n## pgproof: {} in {} executions of {} statements{}\n\n",
            summary.counts(),
            traffic.executions,
            traffic.statements,
            if traffic.inconclusive.is_empty() {
                ""
            } else {
                ", inconclusive"
            }
        ),
    });
    if !shown.is_empty() {
        comment.rows(TABLE, shown.iter().map(|verdict| row(verdict)));
    }
    // Nothing was run at the sizes that they are about: what is beside them says less.
    let outlook = report.outlook.iter();
    let sized = outlook.flat_map(|outlook| sizes::outlook(report, outlook));
    let growth = report.growth.iter();
    let sized = sized.chain(growth.flat_map(|growth| sizes::growth(report, growth)));
    sized.for_each(|section| comment.add(&section));
    let (unread, beside): (Vec<&Finding>, Vec<&Finding>) = beside
        .into_iter()
        .partition(|found| found.rule == RuleId::NotAudited);
    let sections = shown
        .iter()
        .map(|verdict| section(verdict))
        .chain((!beside.is_empty()).then(|| schema_section(&beside)))
        .chain((!unread.is_empty()).then(|| unread_section(&unread)));
    sections.for_each(|section| comment.add(&section));
    comment.finish() + &closing(report, &summary)
}

/// The text of one comment: what does not fit any more is counted.
struct Comment {
    text: String,
    length: usize,
    left_out: usize,
}

impl Comment {
    /// Its beginning, which always fits.
    fn new(text: String) -> Self {
        Self {
            length: text.chars().count(),
            text,
            left_out: 0,
        }
    }

    fn takes(&mut self, part: &str, limit: usize) -> bool {
        let length = part.chars().count();
        if self.length + length > limit {
            return false;
        }
        self.length += length;
        self.text += part;
        true
    }

    /// A section, whole or not at all.
    fn add(&mut self, section: &str) {
        if !self.takes(section, LONGEST) {
            self.left_out += 1;
        }
    }

    /// A table, which leaves room for the sections below it.
    fn rows(&mut self, heading: &str, rows: impl Iterator<Item = String>) {
        self.add(heading);
        let mut missing = 0;
        for row in rows {
            if missing > 0 || !self.takes(&row, LONGEST_TABLES) {
                missing += 1;
            }
        }
        if missing > 0 {
            let more = plural(missing, "row is", "rows are");
            self.add(&format!("\n{more} left out: see the JSON report.\n"));
        }
        self.add("\n");
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let _ = writeln!(
                self.text,
                "{} left out: see the JSON report.\n",
                plural(self.left_out, "section is", "sections are")
            );
        }
        self.text
    }
}

fn is_shown(verdict: &Verdict<'_>) -> bool {
    verdict.standing() != Standing::Fine || !verdict.findings.is_empty()
}

const TABLE: &str = "| | query | time | pages | rows | findings |\n|---|---|--:|--:|--:|---|\n";

fn row(verdict: &Verdict<'_>) -> String {
    let number = |number: Option<f64>| {
        number.map_or_else(|| "-".to_owned(), |number| Count(number).to_string())
    };
    format!(
        "| {} | {} | {} | {} | {} | {} |\n",
        badge(verdict.standing()),
        code(&verdict.query.name).replace('|', "\\|"),
        verdict.time().replace('>', "&gt;"),
        number(verdict.pages().map(|pages| pages.0 as f64)),
        number(verdict.rows()),
        verdict.rules()
    )
}

fn badge(standing: Standing) -> &'static str {
    match standing {
        Standing::NotAudited => "**not audited**",
        Standing::PlannedOnly => "planned only",
        Standing::Error => "**error**",
        Standing::Warning => "warning",
        Standing::NotProven => "not proven",
        Standing::Fine => "note",
    }
}

fn section(verdict: &Verdict<'_>) -> String {
    let query = verdict.query;
    let place = format!("{}:{}", query.file.display(), query.line);
    let mut text = format!(
        "<details><summary>{} <code>{}</code> {}</summary>\n\n{}\n\n",
        verdict.standing().as_str(),
        html(&query.name),
        html(&verdict.rules()),
        code(&place)
    );
    text += &fenced("sql", &query.source);
    for found in &verdict.findings {
        text += &finding(found);
    }
    text + "</details>\n\n"
}

fn schema_section(beside: &[&Finding]) -> String {
    let mut text = "<details><summary>schema</summary>\n\n".to_owned();
    for found in beside {
        let place = found
            .location
            .as_ref()
            .map(|place| format!("{}:{}", place.file.display(), place.line));
        text += &place.map(|place| code(&place) + "\n\n").unwrap_or_default();
        text += &finding(found);
    }
    text + "</details>\n\n"
}

/// Statements that are no queries of the report: one line each.
fn unread_section(unread: &[&Finding]) -> String {
    let mut text = format!(
        "<details><summary>{}</summary>\n\n",
        plural(
            unread.len(),
            "statement is not audited",
            "statements are not audited"
        )
    );
    for found in unread {
        let place = found
            .location
            .as_ref()
            .map(|place| code(&format!("{}:{}", place.file.display(), place.line)) + " ")
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "- {place}{}. {}",
            prose(found.message.trim_end_matches('.')),
            prose(&found.advice)
        );
    }
    text + "\n</details>\n\n"
}

fn finding(found: &Finding) -> String {
    let severity = match found.severity {
        Severity::Error => "**error**",
        Severity::Warning => "**warning**",
        Severity::Info => "note",
    };
    let mut text = format!("{severity} `{}`: {}\n\n", found.rule, prose(&found.message));
    if let Some(node) = &found.evidence.node_label {
        let condition = found
            .evidence
            .condition
            .as_deref()
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        let _ = writeln!(text, "- {}", code(&format!("{node}{condition}")));
    }
    let numbers = evidence::at_the_node(found);
    if !numbers.is_empty() {
        let _ = writeln!(text, "- {}", prose(&numbers.join(" · ")));
    }
    for (label, shown) in [("Why", &found.why), ("Do", &found.advice)] {
        if !shown.is_empty() {
            let _ = writeln!(text, "- {label}: {}", prose(shown));
        }
    }
    for symptom in &found.symptoms {
        let _ = writeln!(
            text,
            "- Also {} `{}`: {}",
            symptom.severity,
            symptom.rule,
            prose(&symptom.message)
        );
    }
    text.push('\n');
    text + &found.fix.as_ref().map(fix).unwrap_or_default()
}

fn fix(fix: &Fix) -> String {
    let mut text = fenced("sql", &fix.sql);
    if let Some(proof) = &fix.proof {
        let size = evidence::size(fix)
            .map(|size| format!(" · {size}"))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "Measured: {}{size}\n",
            evidence::proven(proof).join(" · ")
        );
    }
    text
}

fn closing(report: &Report, summary: &Summary) -> String {
    let suppressed = match summary.suppressed {
        0 => String::new(),
        some => format!(
            "{}. ",
            plural(some, "finding does not count", "findings do not count")
        ),
    };
    format!(
        "{}: {}. {suppressed}Exit code {}: {}.\n\n<sub>pgproof {TOOL_VERSION} on PostgreSQL {}</sub>\n",
        plural(summary.queries, "query", "queries"),
        summary.standings(),
        summary.exit_code(),
        summary.exit_reason(),
        prose(report.server_version.as_deref().unwrap_or("unknown"))
    )
}

/// Text in a code span, whatever backticks it holds.
fn code(text: &str) -> String {
    let text = clean(text);
    let fence = "`".repeat(longest_run_of_backticks(&text) + 1);
    if text.contains('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// Text in a code block, whatever backticks it holds.
fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run_of_backticks(text) + 1).max(3));
    let lines: Vec<String> = text.lines().map(clean).collect();
    format!("{fence}{language}\n{}\n{fence}\n\n", lines.join("\n"))
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn html(text: &str) -> String {
    clean(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// One paragraph in which nothing is markup but the code spans that its writer set.
fn prose(text: &str) -> String {
    let line = clean(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let parts: Vec<&str> = line.split('`').collect();
    let paired = parts.len() % 2 == 1;
    let set = |(index, part): (usize, &&str)| {
        if paired && index % 2 == 1 {
            code(part)
        } else {
            escaped(part)
        }
    };
    parts
        .iter()
        .enumerate()
        .map(set)
        .collect::<Vec<_>>()
        .join(if paired { "" } else { "\\`" })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in html(text).chars() {
        if matches!(character, '*' | '_' | '[' | ']' | '|' | '\\' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_is_markup() {
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(
            prose("<b> *x* a_b | `c_d`"),
            "&lt;b&gt; \\*x\\* a\\_b \\| `c_d`"
        );
        assert_eq!(prose("a ` b"), "a \\` b");
        assert_eq!(
            fenced("sql", "SELECT '```'"),
            "````sql\nSELECT '```'\n````\n\n"
        );
    }
}

//! The last screen: what costs most, what to do, what was not seen, and how it ends. At most [`LINES`] lines unless more was
//! asked for, so that the thing to do is on the screen when the command ends.

use std::io::{self, Write};

use crate::finding::{Finding, RuleId, Severity};
use crate::report::evidence;
use crate::report::excerpt::clean;
use crate::report::fixes::{self, ListedFix};
use crate::report::impact::{Impact, costliest_first};
use crate::report::place::Place;
use crate::report::summary::{Summary, counting, is_not_audited, plural, shown};
use crate::report::wrapped::below;
use crate::report::{Grouping, Report};

use super::finding::{joined_facts, lines_of_facts, statement_lines};
use super::style::TerminalStyle;

/// Lines of the whole page.
pub(super) const LINES: usize = 60;
/// Findings at the top.
const TOP: usize = 3;
/// Queries without a row that are named: hundreds of names would take the place of the fixes.
const NAMED: usize = 12;
/// Findings without a fix that keep their place, however many fixes there are.
const OTHERS: usize = 3;
/// Queries that were not audited, each with its reason.
const UNSEEN: usize = 4;
/// A rewrite of more lines is a query's whole text: the finding shows it.
const REWRITE: usize = 4;
const INDENT: usize = 4;

/// Some lines that stay together.
type Block = Vec<String>;

/// What stands on the page before the last screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// So many lines that say what was audited.
    Head(usize),
    /// Every finding, and every query that was not audited.
    Everything,
}

/// Writes the screen.
pub(super) fn render(
    report: &Report,
    summary: &Summary,
    style: TerminalStyle,
    before: Before,
    out: &mut dyn Write,
) -> io::Result<()> {
    let screen = Screen {
        report,
        style,
        before,
    };
    let used = match before {
        Before::Head(lines) => lines,
        Before::Everything => 0,
    };
    let top = screen.top();
    let unseen = screen.unseen(summary);
    let mut closing = Vec::new();
    super::verdict(summary, style, &mut closing)?;
    let closing_lines = closing.iter().filter(|byte| **byte == b'\n').count();
    let fixed = used + lines_in(&top) + lines_in(&unseen) + closing_lines;
    let room = match screen.is_limited() {
        true => LINES.saturating_sub(fixed),
        false => usize::MAX,
    };
    let blocks = match report.view.by {
        Grouping::Impact | Grouping::Index => screen.what_to_do(room),
        Grouping::Query => screen.groups(&|found| found.query.clone()),
        Grouping::Table => screen.groups(&|found| found.evidence.relation.clone()),
    };
    for block in [top, blocks, unseen] {
        for line in block.iter().flatten() {
            writeln!(out, "{line}")?;
        }
    }
    out.write_all(&closing)
}

fn lines_in(blocks: &[Block]) -> usize {
    blocks.iter().map(Vec::len).sum()
}

struct Screen<'a> {
    report: &'a Report,
    style: TerminalStyle,
    before: Before,
}

impl Screen<'_> {
    /// A view that was asked for is shown in full.
    fn is_limited(&self) -> bool {
        let view = &self.report.view;
        !self.style.verbose && view.top.is_none() && view.by == Grouping::Impact
    }

    /// The findings that cost most.
    fn top(&self) -> Vec<Block> {
        let matters = |found: &&Finding| found.severity != Severity::Info && !is_not_audited(found);
        let costly = costliest_first(self.report, shown(self.report).filter(matters));
        let number = self.report.view.top.unwrap_or(TOP).min(costly.len());
        if number == 0 {
            return Vec::new();
        }
        let heading = match number {
            1 => "What costs most".to_owned(),
            number => format!("The {number} findings that cost most"),
        };
        let first = costly.iter().take(number).enumerate();
        std::iter::once(self.heading(&heading))
            .chain(first.map(|(at, found)| self.costly(at + 1, found)))
            .collect()
    }

    fn heading(&self, text: &str) -> Block {
        vec![String::new(), self.style.palette().strong(text).to_string()]
    }

    /// One finding: what, where, why, and what to do where no fix below says it.
    fn costly(&self, number: usize, found: &Finding) -> Block {
        let palette = self.style.palette();
        let label = palette.label(found);
        let name = palette.strong(clean(&subject(found)));
        let mut facts = vec![format!("{label} {name}")];
        facts.extend(
            self.place(found)
                .map(|place| palette.place(place).to_string()),
        );
        facts.extend(self.cost(found));
        let mut lines = below(&format!("{number}. "), 3, &facts.join("  "), self.columns());
        lines.extend(below("   ", 3, &one_line(&found.message), self.columns()));
        let mut say = |label: &str, text: &str| {
            let text = one_line(first_sentence(text));
            if !text.is_empty() {
                let label = format!("   {} ", palette.quiet(label));
                lines.extend(below(&label, 8, &text, self.columns()));
            }
        };
        say("why:", &found.why);
        if found.fix.is_none() {
            say("do: ", &found.advice);
        }
        lines
    }

    fn columns(&self) -> usize {
        self.style.columns()
    }

    fn place(&self, found: &Finding) -> Option<String> {
        Place::of(self.report, found).map(|place| clean(&place.to_text()))
    }

    /// `505 ms a call, 60 calls a second`.
    fn cost(&self, found: &Finding) -> Option<String> {
        let impact = Impact::of(self.report, found);
        let time = impact.per_call.filter(|time| time.0 > 0.0)?;
        let calls = impact
            .calls_per_second
            .map(|calls| format!(" × {calls} calls/s"))
            .unwrap_or_default();
        Some(format!("{time} a call{calls}"))
    }

    /// Every fix, then what has none; no more than there is room for.
    fn what_to_do(&self, room: usize) -> Vec<Block> {
        let fixes: Vec<Block> = fixes::of(self.report)
            .iter()
            .map(|listed| self.fix(listed))
            .collect();
        let others: Vec<Block> = self
            .without_fix()
            .into_iter()
            .map(|found| vec![self.one_line(found)])
            .collect();
        let reserved = match others.len() {
            0 => 0,
            some => some.min(OTHERS) + 3,
        };
        let mut blocks = self.section(
            "What to do, by what it saves",
            fixes,
            room.saturating_sub(reserved),
            ["fix", "fixes"],
        );
        let left = room.saturating_sub(lines_in(&blocks));
        blocks.extend(self.section(
            "Findings without a ready fix",
            others,
            left,
            ["finding", "findings"],
        ));
        blocks
    }

    /// A heading with as many blocks as fit, and how many did not.
    fn section(
        &self,
        heading: &str,
        blocks: Vec<Block>,
        room: usize,
        words: [&str; 2],
    ) -> Vec<Block> {
        if blocks.is_empty() {
            return Vec::new();
        }
        let total = blocks.len();
        let mut shown = vec![self.heading(heading)];
        // A line is kept for what does not fit.
        let mut left = room.saturating_sub(3);
        let mut reported = 0;
        for block in blocks {
            if block.len() > left && room != usize::MAX {
                break;
            }
            left = left.saturating_sub(block.len());
            reported += 1;
            shown.push(block);
        }
        if reported < total {
            let more = plural(total - reported, words[0], words[1]);
            let more = format!("  and {more} more: --verbose, or --format html=FILE");
            shown.push(vec![self.style.palette().quiet(more).to_string()]);
        }
        shown
    }

    /// A statement to paste, and under it what it serves, saves and costs.
    fn fix(&self, listed: &ListedFix<'_>) -> Block {
        let palette = self.style.palette();
        let queries = listed.queries().join(", ");
        let sql = listed.statements.iter().flat_map(|statement| {
            let end = if statement.ends_with(';') { "" } else { ";" };
            statement_lines(
                &format!("{statement}{end}"),
                self.columns().saturating_sub(2),
            )
        });
        let sql: Vec<String> = sql.collect();
        let mut lines: Block = if listed.is_rewrite() && sql.len() > REWRITE && !self.style.verbose
        {
            vec![format!(
                "  {}",
                palette.good(format_args!(
                    "rewrite {queries}: `pgproof audit {queries} --verbose` shows the form"
                ))
            )]
        } else {
            sql.iter()
                .map(|line| format!("  {}", palette.good(line)))
                .collect()
        };
        if !listed.listed_before.is_empty() {
            let names = clean(&listed.listed_before.join(", "));
            let with = match sql.is_empty() {
                true => names,
                false => format!("with {names}"),
            };
            let text = format!("{with}, listed above");
            lines.extend(
                below("  ", INDENT, &text, self.columns())
                    .iter()
                    .map(|line| palette.good(line).to_string()),
            );
        }
        let mut facts = Vec::new();
        if !queries.is_empty() {
            facts.push(format!("for {}", clean(&queries)));
        }
        if let Some(proof) = &listed.fix.proof {
            facts.extend(evidence::proven(proof).into_iter().take(1));
        } else {
            facts.push("not measured".to_owned());
        }
        facts.extend(listed.bytes().map(|bytes| format!("{bytes} on disk")));
        let facts = lines_of_facts(&joined_facts(&facts), self.columns().saturating_sub(INDENT));
        lines.extend(
            facts
                .iter()
                .map(|line| format!("    {}", palette.quiet(line))),
        );
        for price in listed.write_prices() {
            let price = below("    ", INDENT, &one_line(price), self.columns());
            lines.extend(price.iter().map(|line| palette.quiet(line).to_string()));
        }
        lines
    }

    fn without_fix(&self) -> Vec<&Finding> {
        let top = self.report.view.top.unwrap_or(TOP);
        let matters = |found: &&Finding| found.severity != Severity::Info && !is_not_audited(found);
        let costly = costliest_first(self.report, shown(self.report).filter(matters));
        costly
            .into_iter()
            .skip(top)
            .filter(|found| found.fix.is_none())
            .collect()
    }

    /// A finding on one line; its message is cut where the line ends.
    fn one_line(&self, found: &Finding) -> String {
        /// A message of fewer columns says nothing.
        const LEAST: usize = 16;
        let palette = self.style.palette();
        let label = format!("{}[{}]", found.severity, found.rule);
        let name = clean(&subject(found));
        let place = self.place(found).unwrap_or_default();
        let widths = [&label, &name, &place].map(|text| textwrap::core::display_width(text));
        let taken = widths.iter().sum::<usize>() + 6;
        let room = self.columns().saturating_sub(taken);
        let place = if self.columns() < taken && widths[2] > 0 {
            String::new()
        } else {
            format!("  {}", palette.place(place))
        };
        let message = if room >= LEAST {
            format!("  {}", super::table::cut(&one_line(&found.message), room))
        } else {
            String::new()
        };
        let label = palette.label(found);
        format!("  {label} {}{place}{message}", palette.strong(name))
            .trim_end()
            .to_owned()
    }

    /// Every finding under what it is about, the costliest group first.
    fn groups(&self, key: &dyn Fn(&Finding) -> Option<String>) -> Vec<Block> {
        let matters = |found: &&Finding| !is_not_audited(found);
        let mut groups: Vec<(f64, String, Vec<&Finding>)> = Vec::new();
        for found in costliest_first(self.report, shown(self.report).filter(matters)) {
            let name = key(found).unwrap_or_else(|| "(the schema)".to_owned());
            let weight = Impact::of(self.report, found).weight();
            match groups.iter_mut().find(|(_, known, _)| *known == name) {
                Some((sum, _, findings)) => {
                    *sum += weight;
                    findings.push(found);
                }
                None => groups.push((weight, name, vec![found])),
            }
        }
        groups.sort_by(|a, b| b.0.total_cmp(&a.0));
        groups
            .into_iter()
            .flat_map(|(_, name, findings)| {
                let lines = findings.into_iter().map(|found| self.one_line(found));
                [self.heading(&clean(&name)), lines.collect()]
            })
            .collect()
    }

    /// What nothing is known of, and what is not shown.
    fn unseen(&self, summary: &Summary) -> Vec<Block> {
        let palette = self.style.palette();
        // What stands in full above is not said again.
        let not_audited: Vec<&Finding> = counting(self.report)
            .filter(|found| self.before != Before::Everything && is_not_audited(found))
            .collect();
        let mut lines: Block = Vec::new();
        for found in not_audited.iter().take(UNSEEN) {
            let place = self
                .place(found)
                .map(|place| format!("{place} "))
                .unwrap_or_default();
            // The label says it already.
            let message = found.message.replacen(" is not audited: ", ": ", 1);
            let text = format!("{place}{}", one_line(&message));
            lines.extend(below("  not audited: ", INDENT, &text, self.columns()));
        }
        if not_audited.len() > UNSEEN {
            lines.push(format!(
                "  and {} more not audited",
                not_audited.len() - UNSEEN
            ));
        }
        let mut unproven: Vec<String> = counting(self.report)
            .filter(|found| found.rule == RuleId::NotProven)
            .map(subject)
            .collect();
        if !unproven.is_empty() {
            let more = unproven.len().saturating_sub(NAMED);
            if more > 1 && !self.style.verbose {
                unproven.truncate(NAMED);
                unproven.push(format!("and {more} more"));
            }
            let text = format!("not proven, no row was met: {}", unproven.join(", "));
            lines.extend(below("  ", INDENT, &clean(&text), self.columns()));
        }
        let hidden = [
            (summary.left_out, ["query left out", "queries left out"]),
            (summary.infos, ["note", "notes"]),
            (
                summary.suppressed,
                ["accepted finding", "accepted findings"],
            ),
        ];
        let hidden: Vec<String> = hidden
            .iter()
            .filter(|(number, _)| *number > 0 && !self.style.verbose)
            .map(|(number, [one, many])| plural(*number, one, many))
            .collect();
        if !hidden.is_empty() {
            let text = format!("  --verbose lists: {}", hidden.join(", "));
            lines.push(palette.quiet(text).to_string());
        }
        if lines.is_empty() {
            return Vec::new();
        }
        vec![self.heading("Not shown above"), lines]
    }
}

/// The query, else the table, else the schema.
fn subject(found: &Finding) -> String {
    found
        .query
        .clone()
        .or_else(|| found.evidence.relation.clone())
        .unwrap_or_else(|| "(the schema)".to_owned())
}

/// Up to the first full stop that ends a sentence.
fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn one_line(text: &str) -> String {
    clean(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

//! One finding as a block: what, where, the SQL, the node and its numbers, why, what to do, and the proof.

use std::io::{self, Write};

use crate::finding::{Finding, Fix, RuleId, Severity};
use crate::report::Report;
use crate::report::evidence;
use crate::report::excerpt::{self, clean};
use crate::report::summary::plural;
use crate::report::wrapped;
use crate::run::{BoundParameter, Run};
use crate::sql::token::{TokenKind, tokens};

use super::style::TerminalStyle;

/// Labels stand in a column of this width.
const LABEL: usize = 9;
/// Digits of a fingerprint that are shown: enough to tell a project's findings apart.
const SHOWN: usize = 8;
/// A parameter's value is cut beyond this.
const LONGEST_VALUE: usize = 32;

/// Where findings are written.
pub(super) struct Page<'a, 'w> {
    pub(super) report: &'a Report,
    pub(super) style: TerminalStyle,
    pub(super) out: &'w mut dyn Write,
    /// An excerpt was the last thing written: a blank line parts it from what follows.
    after_excerpt: bool,
    /// The excerpt of the finding before, and its query.
    shown: Option<(String, Vec<excerpt::Line>)>,
}

impl<'a, 'w> Page<'a, 'w> {
    pub(super) fn new(report: &'a Report, style: TerminalStyle, out: &'w mut dyn Write) -> Self {
        Self {
            report,
            style,
            out,
            after_excerpt: false,
            shown: None,
        }
    }

    /// Called before each line of a block that is no excerpt.
    fn begin_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.after_excerpt) {
            writeln!(self.out)
        } else {
            Ok(())
        }
    }

    /// A whole finding.
    pub(super) fn finding(&mut self, found: &Finding) -> io::Result<()> {
        self.heading(found)?;
        self.prose("", &found.message)?;
        let query = found
            .query
            .as_deref()
            .and_then(|name| self.report.query_named(name));
        if let Some((_, query)) = query {
            let lines = excerpt::lines(query, found.rule, &found.evidence);
            let shown = Some((query.name.clone(), lines));
            // Two findings about the same lines show them once.
            let is_new = |(_, lines): &&(String, Vec<excerpt::Line>)| {
                !lines.is_empty() && shown != self.shown
            };
            if let Some((_, lines)) = shown.as_ref().filter(is_new) {
                self.sql(lines, found.severity)?;
            }
            self.shown = shown;
        }
        self.node(found, query.map(|(index, _)| index))?;
        self.prose("why", &found.why)?;
        self.prose("do", &found.advice)?;
        if let Some(fix) = &found.fix {
            self.fix(fix)?;
        }
        let seen = evidence::symptom_at_the_node(found);
        for symptom in &found.symptoms {
            let line = if seen.is_some_and(|seen| std::ptr::eq(seen, symptom)) {
                "as seen above"
            } else {
                &symptom.message
            };
            self.prose(
                "also",
                &format!("{} {}: {line}", symptom.severity, symptom.rule),
            )?;
        }
        Ok(())
    }

    fn heading(&mut self, found: &Finding) -> io::Result<()> {
        self.after_excerpt = false;
        let palette = self.style.palette();
        write!(self.out, "\n{}", palette.label(found))?;
        let mut used = format!("{}[{}]", found.severity, found.rule).len();
        if let Some(name) = found
            .query
            .as_deref()
            .or(found.evidence.relation.as_deref())
        {
            let name = clean(name);
            used += 1 + textwrap::core::display_width(&name);
            write!(self.out, " {}", palette.strong(name))?;
        }
        if let Some(location) = &found.location {
            let place = clean(&format!("{}:{}", location.file.display(), location.line));
            let width = textwrap::core::display_width(&place);
            let fits = used + 2 + width <= self.style.columns();
            write!(
                self.out,
                "{}{}",
                if fits { "  " } else { "\n  " },
                palette.place(place)
            )?;
            used = if fits { used + 2 + width } else { 2 + width };
        }
        // What `pgproof accept` takes.
        let mark = format!(
            "#{}",
            found
                .fingerprint
                .0
                .get(..SHOWN)
                .unwrap_or(&found.fingerprint.0)
        );
        let fits = used + 2 + mark.len() <= self.style.columns();
        writeln!(
            self.out,
            "{}{}",
            if fits { "  " } else { "\n  " },
            palette.quiet(mark)
        )
    }

    /// A labelled paragraph; nothing where there is no text.
    fn prose(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.wrapped(label, &one_paragraph(text))
    }

    fn wrapped(&mut self, label: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let palette = self.style.palette();
        let (first, rest) = match label {
            "" => ("  ".to_owned(), 2),
            label => (
                format!(
                    "  {}",
                    palette.quiet(format_args!("{label:<width$}", width = LABEL - 2))
                ),
                LABEL,
            ),
        };
        let rest = " ".repeat(rest);
        let options = textwrap::Options::new(self.style.prose())
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        self.begin_line()?;
        for line in textwrap::wrap(text, options) {
            writeln!(self.out, "{}", line.replace(KEEP, " "))?;
        }
        Ok(())
    }

    /// Several short facts on as few lines as they need; a fact is never split.
    fn facts(&mut self, label: &str, facts: &[String]) -> io::Result<()> {
        self.wrapped(label, &joined_facts(facts))
    }

    fn sql(&mut self, lines: &[excerpt::Line], severity: Severity) -> io::Result<()> {
        let palette = self.style.palette();
        let margin = lines
            .iter()
            .map(|line| line.number.to_string().len())
            .max()
            .unwrap_or(1)
            .max(3);
        let room = self.style.columns().saturating_sub(margin + 5);
        writeln!(self.out)?;
        for line in lines {
            if line.gap_before {
                writeln!(
                    self.out,
                    "  {}",
                    palette.quiet(format_args!("{:>margin$} ⋮", ""))
                )?;
            }
            let number = palette
                .quiet(format_args!("{:>margin$} │", line.number))
                .to_string();
            let text: String = line.text.chars().take(room).collect();
            let text = if text.len() < line.text.len() {
                text + "…"
            } else {
                text
            };
            writeln!(self.out, "{}", format!("  {number} {text}").trim_end())?;
            let carets = carets(line, room);
            if !carets.is_empty() {
                let bar = palette.quiet(format!("{:>margin$} │", ""));
                writeln!(self.out, "  {bar} {}", palette.severity(severity, carets))?;
            }
        }
        self.after_excerpt = true;
        Ok(())
    }

    fn node(&mut self, found: &Finding, query: Option<usize>) -> io::Result<()> {
        let evidence = &found.evidence;
        if let Some(label) = &evidence.node_label {
            let condition = evidence
                .condition
                .as_deref()
                .map(|text| format!(": {text}"))
                .unwrap_or_default();
            self.prose("node", &format!("{label}{condition}"))?;
        }
        let run = query
            .and_then(|index| self.report.runs_of(index))
            .and_then(|runs| {
                runs.runs
                    .iter()
                    .find(|run| Some(&run.id) == evidence.run.as_ref())
            });
        if let Some(with) = run.map(parameters) {
            self.facts("with", &with)?;
        }
        self.facts("seen", &evidence::at_the_node(found))
    }

    fn fix(&mut self, fix: &Fix) -> io::Result<()> {
        let palette = self.style.palette();
        self.begin_line()?;
        for (index, line) in statement_lines(&fix.sql, self.style.columns().saturating_sub(LABEL))
            .iter()
            .enumerate()
        {
            let label = if index == 0 { "fix" } else { "" };
            let label = palette.quiet(format!("{label:<width$}", width = LABEL - 2));
            writeln!(self.out, "  {label}{}", palette.good(line))?;
        }
        let Some(proof) = &fix.proof else {
            return self.wrapped("proof", "not measured");
        };
        let mut facts = evidence::proven(proof);
        let built = proof
            .build_ms
            .map(|time| format!(", built in {time}"))
            .unwrap_or_default();
        facts.extend(evidence::size(fix).map(|size| format!("{size}{built}")));
        self.facts("proof", &facts)
    }

    /// Every query of which nothing is known, each with its place, the reason and the remedy; and what was left out.
    pub(super) fn not_audited(&mut self) -> io::Result<()> {
        let report = self.report;
        let found: Vec<&Finding> = report
            .findings
            .iter()
            .filter(|found| found.rule == RuleId::NotAudited && found.suppressed.is_none())
            .collect();
        let palette = self.style.palette();
        self.after_excerpt = false;
        if !found.is_empty() {
            let worst = found.iter().map(|found| found.severity).max();
            let count = plural(
                found.len(),
                "query is not audited",
                "queries are not audited",
            );
            let heading = palette.severity(worst.unwrap_or(Severity::Warning), count);
            writeln!(self.out, "\n{heading}")?;
        }
        for found in &found {
            self.not_audited_one(found)?;
        }
        let left_out: Vec<_> = report
            .skipped
            .iter()
            .filter(|skipped| skipped.mistake().is_none())
            .collect();
        if left_out.is_empty() {
            return Ok(());
        }
        let count = plural(left_out.len(), "query is left out", "queries are left out");
        let more = if self.style.verbose {
            ""
        } else {
            " (--verbose lists them)"
        };
        writeln!(
            self.out,
            "\n{}",
            palette.quiet(format_args!("{count}{more}"))
        )?;
        if self.style.verbose {
            for skipped in left_out {
                let place = format!("{}:{}", skipped.file.display(), skipped.line);
                self.listed(&format!("{place} {}: {}", skipped.name, skipped.reason()))?;
            }
        }
        Ok(())
    }

    fn not_audited_one(&mut self, found: &Finding) -> io::Result<()> {
        let place = found
            .location
            .as_ref()
            .map(|place| format!("{}:{} ", place.file.display(), place.line))
            .unwrap_or_default();
        let message = found.message.trim_end_matches('.');
        self.listed(&format!("{place}{message}. {}", found.advice))?;
        let known = found
            .query
            .as_deref()
            .and_then(|name| self.report.query_named(name));
        let Some((index, query)) = known else {
            return Ok(());
        };
        let failure = self
            .report
            .runs_of(index)
            .and_then(|runs| runs.failure.as_ref());
        if let Some(position) = failure.and_then(|failure| failure.position) {
            self.sql(&excerpt::at_position(query, position), found.severity)?;
            self.begin_line()?;
        }
        Ok(())
    }

    /// How many findings do not count; with `verbose`, which and why.
    pub(super) fn suppressed(&mut self) -> io::Result<()> {
        let mut suppressed = self
            .report
            .findings
            .iter()
            .filter_map(|found| Some((found, found.suppressed.as_ref()?)))
            .peekable();
        if suppressed.peek().is_none() {
            return Ok(());
        }
        let palette = self.style.palette();
        let suppressed: Vec<_> = suppressed.collect();
        let mut by: Vec<(&str, usize)> = Vec::new();
        for (_, suppression) in &suppressed {
            match by.iter_mut().find(|(name, _)| *name == suppression.by) {
                Some((_, number)) => *number += 1,
                None => by.push((&suppression.by, 1)),
            }
        }
        let by = by
            .iter()
            .map(|(name, number)| format!("{number} by {}", clean(name)))
            .collect::<Vec<_>>()
            .join(", ");
        let more = if self.style.verbose {
            ""
        } else {
            " (--verbose lists them)"
        };
        let count = plural(
            suppressed.len(),
            "finding does not count",
            "findings do not count",
        );
        writeln!(
            self.out,
            "\n{}",
            palette.quiet(format_args!("{count}: {by}{more}"))
        )?;
        if self.style.verbose {
            for (found, suppression) in suppressed {
                self.bullet(
                    found,
                    &format!(
                        "{} Allowed by {}: {}",
                        found.message, suppression.by, suppression.reason
                    ),
                )?;
            }
        }
        Ok(())
    }

    fn bullet(&mut self, found: &Finding, text: &str) -> io::Result<()> {
        let name = found
            .query
            .as_deref()
            .or(found.evidence.relation.as_deref());
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        self.listed(&format!("{}{name}: {text}", found.rule))
    }

    fn listed(&mut self, text: &str) -> io::Result<()> {
        let text = one_paragraph(text);
        let options = textwrap::Options::new(self.style.prose())
            .initial_indent("  - ")
            .subsequent_indent("    ")
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(&text, options) {
            writeln!(self.out, "{}", line.replace(KEEP, " "))?;
        }
        Ok(())
    }
}

/// A space where a line is not broken.
const KEEP: char = '\u{a0}';

/// Facts with a dot between them, each unbroken when lines are.
pub(super) fn joined_facts(facts: &[String]) -> String {
    let unbroken: Vec<String> = facts
        .iter()
        .map(|fact| fact.replace(' ', &KEEP.to_string()))
        .collect();
    unbroken.join(&format!("{KEEP}· "))
}

/// The lines of a text of [`joined_facts`], none with a dot at its end. A fact that is wider than the page is broken between its
/// words.
pub(super) fn lines_of_facts(joined: &str, columns: usize) -> Vec<String> {
    let whole = textwrap::Options::new(columns)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(joined, whole)
        .iter()
        .flat_map(|line| wrapped::lines(&line.replace(KEEP, " "), columns))
        .map(|line| line.trim_end_matches(" ·").to_owned())
        .filter(|line| line != "·")
        .collect()
}

/// Words with one space between them; a number keeps its unit beside it.
fn one_paragraph(text: &str) -> String {
    let mut paragraph = String::new();
    for word in text.split_whitespace() {
        let follows_number = paragraph.ends_with(|c: char| c.is_ascii_digit());
        let is_unit =
            UNITS.contains(&word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%'));
        if !paragraph.is_empty() {
            paragraph.push(if follows_number && is_unit { KEEP } else { ' ' });
        }
        paragraph += &clean(word);
    }
    paragraph
}

const UNITS: [&str; 10] = [
    "ms", "s", "min", "bytes", "kB", "MB", "GB", "TB", "pages", "%",
];

/// A statement to paste, broken between its clauses and words, never in what is quoted.
pub(super) fn statement_lines(sql: &str, columns: usize) -> Vec<String> {
    let mut kept = sql.to_owned();
    for token in tokens(sql) {
        if matches!(
            token.kind,
            TokenKind::Literal { .. } | TokenKind::QuotedIdent { .. }
        ) {
            // A place of two bytes for one would move the tokens that follow: a control character stands in.
            kept.replace_range(token.span.clone(), &sql[token.span].replace(' ', "\u{1}"));
        }
    }
    let unbroken = textwrap::Options::new(columns)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent("    ");
    let mut lines = Vec::new();
    for line in kept.lines() {
        if textwrap::core::display_width(line) <= columns {
            lines.push(line.to_owned());
            continue;
        }
        let by_clause = [" ON ", " INCLUDE ", " WHERE "]
            .iter()
            .fold(line.to_owned(), |line, clause| {
                line.replacen(clause, &format!("\n {clause}"), 1)
            });
        let broken = by_clause
            .lines()
            .flat_map(|clause| textwrap::wrap(clause, &unbroken));
        lines.extend(broken.map(|line| line.trim_end().to_owned()));
    }
    lines
        .iter()
        .map(|line| clean(&line.replace('\u{1}', " ")))
        .collect()
}

/// `hot customer_id: $1 = 4711`, then the other values.
fn parameters(run: &Run) -> Vec<String> {
    let mut values: Vec<String> = run.parameters.iter().map(parameter).collect();
    if let Some(first) = values.first_mut() {
        *first = format!("{}: {first}", clean(&run.id.to_string()));
    }
    values
}

fn parameter(parameter: &BoundParameter) -> String {
    let name = parameter
        .name
        .clone()
        .unwrap_or_else(|| format!("${}", parameter.number));
    let value = match &parameter.value {
        None => "NULL".to_owned(),
        Some(value) => shown_value(value),
    };
    format!("{} = {value}", clean(&name))
}

/// As one would write it in SQL: numbers and booleans as they are, everything else quoted.
fn shown_value(value: &str) -> String {
    let number = value.parse::<f64>().is_ok_and(f64::is_finite);
    let plain = number || ["true", "false"].contains(&value);
    let mut text: String = clean(value).chars().take(LONGEST_VALUE).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    if plain {
        text
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// `^^^^` under the guilty parts.
fn carets(line: &excerpt::Line, room: usize) -> String {
    let mut carets = String::new();
    for (column, character) in line.text.chars().take(room).enumerate() {
        let mark = if line.marks.iter().any(|mark| mark.contains(&column)) {
            "^"
        } else {
            " "
        };
        // A wide character takes two columns, a combining one none.
        carets += &mark.repeat(textwrap::core::display_width(
            character.encode_utf8(&mut [0; 4]),
        ));
    }
    carets.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{joined_facts, lines_of_facts};

    #[test]
    fn no_line_of_facts_ends_with_a_dot() {
        let long = "12 queries read small tables: A, B, C, D, E, F and 6 others";
        let facts = [
            "largest table orders, 1.2 M rows".to_owned(),
            long.to_owned(),
        ];
        for columns in 30..100 {
            let lines = lines_of_facts(&joined_facts(&facts), columns);
            assert!(lines.iter().all(|line| !line.ends_with('·')), "{lines:?}");
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let shown = words(&lines.join(" ").replace('·', " "));
            assert_eq!(shown, facts.join(" "));
        }
    }
}

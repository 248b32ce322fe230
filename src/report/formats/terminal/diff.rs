//! A diff for people at a terminal: verdicts, plans side by side, what each statement did. Judges nothing.

use std::io::{self, Write};

use similar::{ChangeTag, DiffTag, TextDiff};

use crate::diff::observation::StatementObservation;
use crate::diff::outcome::{Presence, QueryDiff, RunDiff};
use crate::diff::report::{Comparison, SchemaDifference, Spent};
use crate::diff::verdict::Verdict;
use crate::finding::Severity;
use crate::report::Report;
use crate::report::diff_words::{
    Side, blocked_sentence, blocks, cause_sentence, cause_sentences, deadlock_sentence,
    extrapolation_sentence, index_sentence, kept, kept_sentence, locks_phrase, measured_sentence,
    outside_sentence, pile_up_sentence, standing, statement_facts, worst_sentence,
};

use super::TerminalStyle;

/// Writes the report.
///
/// # Errors
/// What `out` returns.
pub(super) fn render(
    whole: &Report,
    report: &Comparison,
    style: &TerminalStyle,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page {
        whole,
        report,
        style: *style,
        out,
    };
    page.head()?;
    page.verdicts()?;
    page.plans()?;
    page.rolling()?;
    page.migration()?;
    page.indexes()?;
    page.way_back()?;
    page.foot()
}

/// Safer forms of more lines are shown on demand.
const SAFER_LINES: usize = 6;

struct Page<'a, 'w> {
    whole: &'a Report,
    report: &'a Comparison,
    style: TerminalStyle,
    out: &'w mut dyn Write,
}

impl Page<'_, '_> {
    fn paint(&self, color: anstyle::AnsiColor, text: &str) -> String {
        if !self.style.color {
            return text.to_owned();
        }
        let style = color.on_default().bold();
        format!("{style}{text}{style:#}")
    }

    fn head(&mut self) -> io::Result<()> {
        writeln!(self.out, "{} → {}", self.report.from, self.report.to)?;
        if let Some((layout, because)) = &self.report.layout {
            writeln!(self.out, "migrations: {layout} layout, by {because}")?;
        }
        if let Some(dataset) = &self.whole.dataset {
            writeln!(
                self.out,
                "dataset {}, seed {}, scale {}; {}",
                dataset.fingerprint,
                dataset.seed,
                dataset.scale,
                super::server(self.whole)
            )?;
        }
        writeln!(self.out)
    }

    fn verdicts(&mut self) -> io::Result<()> {
        let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
        let mut quiet = 0;
        for diff in &self.report.queries {
            let verdict = diff.verdict();
            let always_shown = diff.presence != Presence::Both || diff.failed_before.is_some();
            if verdict == Verdict::Unchanged && !always_shown {
                quiet += 1;
                continue;
            }
            let run = diff.runs.first();
            rows.push(vec![
                diff.query.clone(),
                standing(diff),
                run.map(blocks).unwrap_or_default(),
                run.map(times).unwrap_or_default(),
                run.map(|run| run.id.to_string()).unwrap_or_default(),
                run.and_then(RunDiff::deciding_cause)
                    .map(cause_sentence)
                    .unwrap_or_default(),
            ]);
        }
        if let Some(table) = fitting(rows, self.style.columns()) {
            writeln!(self.out, "{table}")?;
        }
        if quiet > 0 {
            writeln!(
                self.out,
                "{quiet} {} unchanged",
                if quiet == 1 { "query" } else { "queries" }
            )?;
        }
        writeln!(self.out)
    }

    fn plans(&mut self) -> io::Result<()> {
        let report = self.report;
        for diff in &report.queries {
            self.fresh(diff)?;
            for run in diff
                .runs
                .iter()
                .filter(|run| !matches!(run.verdict, Verdict::Unchanged | Verdict::Unstable))
            {
                self.plan(diff, run)?;
                if !self.style.verbose {
                    break;
                }
            }
        }
        Ok(())
    }

    fn plan(&mut self, diff: &QueryDiff, run: &RunDiff) -> io::Result<()> {
        let color = match run.verdict {
            Verdict::Error | Verdict::MajorRegression | Verdict::Regression => {
                anstyle::AnsiColor::Red
            }
            Verdict::Slower | Verdict::Unstable => anstyle::AnsiColor::Yellow,
            Verdict::Improvement | Verdict::MajorImprovement => anstyle::AnsiColor::Green,
            Verdict::Neutral | Verdict::Unchanged => anstyle::AnsiColor::Cyan,
        };
        let verdict = self.paint(color, run.verdict.as_str());
        writeln!(
            self.out,
            "{} ({}): {verdict}, {}:{}",
            diff.query,
            run.id,
            diff.file.display(),
            diff.line
        )?;
        for change in &run.changes {
            writeln!(self.out, "  · {} [{}]", change.describe(), change.name())?;
        }
        for sentence in cause_sentences(run) {
            writeln!(self.out, "  {sentence}")?;
        }
        if let Some(state) = &run.before_analyze {
            let names: Vec<String> = state
                .changes
                .iter()
                .map(|change| change.describe())
                .collect();
            writeln!(
                self.out,
                "  until ANALYZE has run: {}: {}",
                state.verdict.as_str(),
                names.join("; ")
            )?;
        }
        if let Some(after) = &run.after {
            self.side_by_side(&run.before.tree, &after.tree)?;
        }
        writeln!(self.out)
    }

    /// A query that has nothing to be compared with: how it runs now.
    fn fresh(&mut self, diff: &QueryDiff) -> io::Result<()> {
        let standing = standing(diff);
        if let Some(message) = &diff.fails_after {
            let fails = self.paint(anstyle::AnsiColor::Red, "fails");
            writeln!(
                self.out,
                "{} ({standing}): {fails}, {}:{}",
                diff.query,
                diff.file.display(),
                diff.line
            )?;
            writeln!(self.out, "  {message}")?;
            return writeln!(self.out);
        }
        let shown = if self.style.verbose {
            diff.fresh.len()
        } else {
            1
        };
        for fresh in diff.fresh.iter().take(shown) {
            let time = fresh
                .side
                .time
                .map(|time| format!(", {time}"))
                .unwrap_or_default();
            let pages = fresh
                .side
                .work
                .blocks
                .map(|pages| format!(", {pages}"))
                .unwrap_or_default();
            let place = format!("{}:{}", diff.file.display(), diff.line);
            writeln!(
                self.out,
                "{} ({standing}, {}){time}{pages}, {place}",
                diff.query, fresh.id
            )?;
            fresh
                .side
                .tree
                .iter()
                .try_for_each(|line| writeln!(self.out, "    {line}"))?;
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn side_by_side(&mut self, before: &[String], after: &[String]) -> io::Result<()> {
        let (old, new) = (joined(before), joined(after));
        let diff = TextDiff::from_lines(&old, &new);
        if self.style.width < 100 {
            for change in diff.iter_all_changes() {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                write!(self.out, "  {sign} {change}")?;
            }
            return Ok(());
        }
        let column = (self.style.width - 7) / 2;
        for op in diff.ops() {
            let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
            for n in 0..old.len().max(new.len()) {
                let mark = match op.tag() {
                    DiffTag::Equal => ' ',
                    DiffTag::Delete => '-',
                    DiffTag::Insert => '+',
                    DiffTag::Replace => '~',
                };
                let left = cut(old.get(n).map_or("", String::as_str), column);
                let right = cut(new.get(n).map_or("", String::as_str), column);
                let line = format!("  {left:<column$} {mark} {right}");
                writeln!(self.out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }

    fn rolling(&mut self) -> io::Result<()> {
        if self.report.rolling.is_empty() {
            return Ok(());
        }
        writeln!(
            self.out,
            "The old catalog on the new schema (while a deploy rolls)"
        )?;
        for diff in &self.report.rolling {
            let sentence = diff.runs.first().map(|run| {
                run.changes
                    .iter()
                    .map(|c| c.describe())
                    .collect::<Vec<_>>()
                    .join("; ")
            });
            writeln!(
                self.out,
                "  {}: {}: {}",
                diff.query,
                diff.verdict().as_str(),
                sentence.unwrap_or_default()
            )?;
        }
        writeln!(self.out)
    }

    fn migration(&mut self) -> io::Result<()> {
        if self.report.statements.is_empty() {
            return Ok(());
        }
        writeln!(
            self.out,
            "The migration as it ran, with the catalog as light traffic beside it"
        )?;
        let report = self.report;
        for (n, statement) in report.statements.iter().enumerate() {
            self.statement(statement)?;
            for (_, query, message) in report.broken.iter().filter(|(at, _, _)| *at == Some(n)) {
                writeln!(self.out, "      {query} fails from here on: {message}")?;
            }
        }
        match &report.safer_schema {
            None => {}
            Some(difference) if difference.is_none() => {
                writeln!(
                    self.out,
                    "  With the safer forms the migration ends in the same schema"
                )?;
            }
            Some(difference) => {
                writeln!(
                    self.out,
                    "  With the safer forms the migration ends in another schema"
                )?;
                self.difference(difference)?;
            }
        }
        if let Some(sentence) = outside_sentence(report) {
            writeln!(self.out, "  {sentence}")?;
        }
        writeln!(self.out)
    }

    fn statement(&mut self, statement: &StatementObservation) -> io::Result<()> {
        let label = self.paint(anstyle::AnsiColor::Cyan, &statement.place.label());
        writeln!(
            self.out,
            "  {label}  {}",
            cut(
                &statement.place.excerpt(),
                self.style.width.saturating_sub(40).max(30)
            )
        )?;
        writeln!(self.out, "      {}", statement_facts(statement).join(", "))?;
        if let Some(locks) = locks_phrase(statement) {
            writeln!(self.out, "      {locks}")?;
        }
        for blocked in statement.blocked.iter().take(5) {
            let sentence = blocked_sentence(blocked, &self.report.probes, &statement.place);
            writeln!(
                self.out,
                "      {}",
                self.paint(anstyle::AnsiColor::Red, &sentence)
            )?;
        }
        if statement.blocked.len() > 5 {
            writeln!(
                self.out,
                "      and {} more queries",
                statement.blocked.len() - 5
            )?;
        }
        if let Some(sentence) = worst_sentence(statement) {
            writeln!(self.out, "      {sentence}")?;
        }
        if let Some(kept) = kept(statement) {
            let sentence = kept_sentence(kept, &self.report.probes, &statement.place);
            writeln!(
                self.out,
                "      {}",
                self.paint(anstyle::AnsiColor::Red, &sentence)
            )?;
        }
        for sentence in deadlock_sentence(statement)
            .into_iter()
            .chain(statement.pile_up.as_ref().and_then(pile_up_sentence))
        {
            writeln!(self.out, "      {sentence}")?;
        }
        if let Some(at) = &statement.extrapolation {
            writeln!(self.out, "      {}", extrapolation_sentence(at))?;
        }
        self.safer(statement)
    }

    fn safer(&mut self, statement: &StatementObservation) -> io::Result<()> {
        let Some(safer) = &statement.safer else {
            return Ok(());
        };
        writeln!(self.out, "      safer: {}", safer.form.why)?;
        let lines: Vec<&str> = safer
            .form
            .statements
            .iter()
            .flat_map(|sql| sql.lines())
            .collect();
        if lines.len() > SAFER_LINES && !self.style.verbose {
            let statements = match safer.form.statements.len() {
                1 => "1 statement".to_owned(),
                n => format!("{n} statements"),
            };
            writeln!(
                self.out,
                "        {statements}, shown with --verbose and by the other formats"
            )?;
        } else {
            lines
                .iter()
                .try_for_each(|line| writeln!(self.out, "        {line}"))?;
        }
        match measured_sentence(safer, statement) {
            Some(line) => writeln!(self.out, "      {line}"),
            None => Ok(()),
        }
    }

    fn indexes(&mut self) -> io::Result<()> {
        for index in &self.report.indexes {
            writeln!(self.out, "{}", index_sentence(index))?;
        }
        if self.report.indexes.is_empty() {
            Ok(())
        } else {
            writeln!(self.out)
        }
    }

    fn way_back(&mut self) -> io::Result<()> {
        let Some(trip) = &self.report.round_trip else {
            return Ok(());
        };
        if trip.is_clean() {
            return writeln!(self.out, "The way back: same schema, same plans\n");
        }
        writeln!(self.out, "The way back does not lead to where it began")?;
        if let Some(failure) = &trip.failure {
            writeln!(self.out, "  it fails: {failure}")?;
        }
        self.difference(&trip.schema)?;
        trip.changed_plans
            .iter()
            .try_for_each(|query| writeln!(self.out, "  another plan: {query}"))?;
        writeln!(self.out)
    }

    fn difference(&mut self, schema: &SchemaDifference) -> io::Result<()> {
        schema
            .missing
            .iter()
            .try_for_each(|line| writeln!(self.out, "  missing: {line}"))?;
        schema
            .left_over
            .iter()
            .try_for_each(|line| writeln!(self.out, "  left over: {line}"))
    }

    fn foot(&mut self) -> io::Result<()> {
        for finding in &self.whole.findings {
            let place = finding
                .location
                .as_ref()
                .map(|at| format!("{}:{}", at.file.display(), at.line))
                .unwrap_or_default();
            let query = finding
                .query
                .as_ref()
                .map(|query| format!("{query} "))
                .unwrap_or_default();
            if let Some(suppressed) = &finding.suppressed {
                writeln!(
                    self.out,
                    "allowed[{}] {place}: {query}{}",
                    finding.rule, suppressed.reason
                )?;
                continue;
            }
            writeln!(
                self.out,
                "{}[{}] {place}: {query}{}",
                finding.severity, finding.rule, finding.message
            )?;
            writeln!(self.out, "  {}", finding.why)?;
            writeln!(self.out, "  {}", finding.advice)?;
        }
        let spent = &self.report.spent;
        write!(self.out, "{}; {}", self.counts(), self.whole.elapsed)?;
        if *spent == Spent::default() {
            // Saved reports: nothing ran.
            return writeln!(self.out);
        }
        writeln!(
            self.out,
            " ({:.0} % in migrations and queries: queries {}, migrations {} with {} behind readers meanwhile, beside traffic {}, copies {}, dataset {})",
            spent.share(self.whole.elapsed) * 100.0,
            spent.queries,
            spent.migrations,
            spent.rehearsals,
            spent.traffic,
            spent.copies,
            spent.dataset
        )
    }
}

impl Page<'_, '_> {
    /// What the page shows, counted: queries by their verdict, findings by their severity.
    fn counts(&self) -> String {
        let counted = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let many = self.report.queries.len();
        let all = if many == 1 { "query" } else { "queries" };
        let of = |counts: fn(Verdict) -> bool| {
            let queries = self.report.queries.iter();
            queries.filter(|diff| counts(diff.verdict())).count()
        };
        let verdicts = [
            (of(|verdict| verdict == Verdict::Error), "in error"),
            (of(Verdict::is_regression), "worse"),
            (of(|verdict| verdict == Verdict::Slower), "slower"),
            (of(Verdict::is_improvement), "better"),
            (
                of(|verdict| verdict == Verdict::Neutral),
                "with another plan",
            ),
            (of(|verdict| verdict == Verdict::Unstable), "unstable"),
            (of(|verdict| verdict == Verdict::Unchanged), "unchanged"),
        ];
        let verdicts = verdicts.iter().filter(|(n, _)| *n > 0);
        let verdicts: Vec<String> = verdicts.map(|(n, what)| format!("{n} {what}")).collect();
        let severities = [
            (Severity::Error, "error"),
            (Severity::Warning, "warning"),
            (Severity::Info, "info"),
        ];
        let shown = |severity| {
            let findings = self.whole.findings.iter();
            findings
                .filter(|f| f.severity == severity && f.suppressed.is_none())
                .count()
        };
        let findings: Vec<String> = severities
            .into_iter()
            .filter(|(severity, _)| shown(*severity) > 0)
            .map(|(severity, what)| counted(shown(severity), what))
            .collect();
        let findings = match findings.as_slice() {
            [] => "no findings".to_owned(),
            found => format!("findings: {}", found.join(", ")),
        };
        let verdicts = match verdicts.as_slice() {
            [] => String::new(),
            found => format!(": {}", found.join(", ")),
        };
        format!("{many} {all}{verdicts}; {findings}")
    }
}

const HEADINGS: [&str; 6] = ["query", "verdict", "blocks", "time", "parameters", "since"];
/// Columns of the table that a narrow page goes without, the first of them first: the plans below say them again.
const DROPPED: [&str; 4] = ["parameters", "since", "time", "blocks"];

/// The table without the columns that do not fit; `None` where it has no rows but its heading.
fn fitting(mut rows: Vec<Vec<String>>, columns: usize) -> Option<String> {
    if rows.len() < 2 {
        return None;
    }
    let drawn = |rows: &[Vec<String>]| {
        let mut table = tabled::builder::Builder::from_iter(rows.to_vec()).build();
        table.with(tabled::settings::Style::blank());
        table.to_string()
    };
    for name in DROPPED {
        let table = drawn(&rows);
        let widest = table.lines().map(textwrap::core::display_width).max();
        if widest.is_none_or(|widest| widest <= columns) {
            return Some(table);
        }
        if let Some(at) = rows[0].iter().position(|heading| heading == name) {
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
    Some(drawn(&rows))
}

fn times(run: &RunDiff) -> String {
    let time = |side: Side<'_>| {
        side.and_then(|side| side.time)
            .map_or_else(|| "-".to_owned(), |time| time.to_string())
    };
    format!("{} → {}", time(Some(&run.before)), time(run.after.as_ref()))
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => {
            let kept: String = text.chars().take(width.saturating_sub(1)).collect();
            format!("{kept}…")
        }
        None => text.to_owned(),
    }
}

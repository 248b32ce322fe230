//! What a report comes to: counts, the verdict on each query, the exit code. Shared by all formats, so that they agree.

use std::collections::{HashMap, HashSet};

use crate::catalog::Query;
use crate::finding::{FailOn, Finding, Proof, RuleId, Severity};
use crate::run::{EndedEarly, Outcome, QueryRuns, Run};
use crate::units::{Millis, Pages};

use super::{Report, TableInfo};

/// Counts of an audit. Symptoms are reported under their cause and not counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Queries of the catalog, without those that somebody left out.
    pub queries: usize,
    /// Queries that ran, found rows and have neither an error nor a warning.
    pub fine: usize,
    /// Queries that were only planned and have neither.
    pub planned_only: usize,
    /// Queries that could not be read or run.
    pub not_audited: usize,
    /// Queries that `@skip` or `exclude` leave out.
    pub left_out: usize,
    /// Queries that were executed with at least one parameter set.
    pub executed: usize,
    /// Executed queries that found rows with at least one of them.
    pub found_rows: usize,
    /// Queries that met no row of the data with any parameter set, whatever else was found.
    pub not_proven: usize,
    /// Findings at error.
    pub errors: usize,
    /// Findings at warning.
    pub warnings: usize,
    /// Findings at info.
    pub infos: usize,
    /// Findings that somebody decided not to count.
    pub suppressed: usize,
    /// Findings that fail the audit.
    pub gating: usize,
    /// Which they are.
    pub fail_on: FailOn,
    /// How it ended.
    pub end: End,
    /// The whole command.
    pub elapsed: Millis,
}

/// How an audit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every query was seen.
    Whole,
    /// It was interrupted.
    Interrupted,
    /// The server was lost.
    ServerLost,
}

impl Summary {
    /// Counts a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let counted = |severity| {
            report
                .findings
                .iter()
                .filter(|found| found.suppressed.is_none() && found.severity == severity)
                .count()
        };
        let verdicts = verdicts(report);
        let standing = |standing: Standing| {
            verdicts
                .iter()
                .filter(|verdict| verdict.standing() == standing)
                .count()
        };
        let unread = report
            .skipped
            .iter()
            .filter(|skipped| skipped.mistake().is_some())
            .count();
        Self {
            queries: report.queries.len() + unread,
            fine: standing(Standing::Fine),
            planned_only: standing(Standing::PlannedOnly),
            not_audited: standing(Standing::NotAudited) + unread,
            left_out: report.skipped.len() - unread,
            executed: verdicts
                .iter()
                .filter(|verdict| verdict.is_executed())
                .count(),
            found_rows: verdicts
                .iter()
                .filter(|verdict| verdict.found_rows())
                .count(),
            not_proven: verdicts
                .iter()
                .filter(|verdict| verdict.found_nothing())
                .count(),
            errors: counted(Severity::Error),
            warnings: counted(Severity::Warning),
            infos: counted(Severity::Info),
            suppressed: report
                .findings
                .iter()
                .filter(|found| found.suppressed.is_some())
                .count(),
            gating: report
                .findings
                .iter()
                .filter(|found| gates(report, found))
                .count(),
            fail_on: report.fail_on.clone(),
            end: match report.ended_early {
                None => End::Whole,
                Some(EndedEarly::Interrupted) => End::Interrupted,
                Some(EndedEarly::ServerLost { .. }) => End::ServerLost,
            },
            elapsed: report.elapsed,
        }
    }

    /// What the process should end with: 130 where it was interrupted, 3 where the server was lost, 1 where findings gate.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.end, self.gating) {
            (End::Interrupted, _) => 130,
            (End::ServerLost, _) => 3,
            (End::Whole, 0) => 0,
            (End::Whole, _) => 1,
        }
    }

    /// `4 errors, 1 warning, 2 notes`; `no findings`.
    #[must_use]
    pub fn counts(&self) -> String {
        let parts: Vec<String> = [
            (self.errors, "error", "errors"),
            (self.warnings, "warning", "warnings"),
            (self.infos, "note", "notes"),
        ]
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| plural(number, one, many))
        .collect();
        if parts.is_empty() {
            "no findings".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// Every query once, by how it came out: `12 fine, 3 flagged, 2 planned only, 1 not proven, 1 not audited`; `all
    /// fine`.
    #[must_use]
    pub fn standings(&self) -> String {
        let left_out = (self.left_out > 0).then(|| format!("{} left out", self.left_out));
        let fine = if self.fine == self.queries {
            "all fine".to_owned()
        } else {
            format!("{} fine", crate::units::Count(self.fine as f64))
        };
        let counted = |number: usize, words: &str| {
            (number > 0).then(|| format!("{} {words}", crate::units::Count(number as f64)))
        };
        let others = self.fine + self.planned_only + self.not_proven + self.not_audited;
        let parts = [
            Some(fine),
            counted(self.queries.saturating_sub(others), "flagged"),
            counted(self.planned_only, "planned only"),
            counted(self.not_proven, "not proven"),
            counted(self.not_audited, "not audited"),
            left_out,
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// `43 executed, 42 of them found rows`: what the audit rests on.
    #[must_use]
    pub fn executions(&self) -> String {
        let others = self.executed + self.not_audited;
        let planned = self.queries.saturating_sub(others);
        let mut parts = vec![format!(
            "{} executed, {} of them found rows",
            plural(self.executed, "query", "queries"),
            crate::units::Count(self.found_rows as f64)
        )];
        if planned > 0 {
            parts.push(format!("{planned} planned only"));
        }
        if self.not_audited > 0 {
            parts.push(format!("{} did not run", self.not_audited));
        }
        parts.join(", ")
    }

    /// Why the exit code is what it is.
    #[must_use]
    pub fn exit_reason(&self) -> String {
        let fail_on = &self.fail_on;
        match (self.end, self.gating) {
            (End::Interrupted, _) => "interrupted; what was finished is above".to_owned(),
            (End::ServerLost, _) => "the server was lost; what was finished is above".to_owned(),
            (End::Whole, 0) if fail_on.is_never() => format!("fail-on = {fail_on}"),
            (End::Whole, 0) => format!("nothing at or above fail-on = {fail_on}"),
            (End::Whole, _) => format!(
                "{} at or above fail-on = {fail_on}",
                plural(self.gating, "finding", "findings")
            ),
        }
    }
}

/// `1 query`, `2 queries`.
#[must_use]
pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        crate::units::Count(number as f64),
        if number == 1 { one } else { many }
    )
}

/// How a query came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It found rows and has neither error nor warning; may have notes.
    Fine,
    /// It was planned, not run, and has neither error nor warning.
    PlannedOnly,
    /// It met no row of the data: neither fine nor slow.
    NotProven,
    /// The worst is a warning.
    Warning,
    /// It could not be judged.
    NotAudited,
    /// The worst is an error.
    Error,
}

impl Standing {
    /// The word for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::PlannedOnly => "planned",
            Self::NotProven => "not proven",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::NotAudited => "unknown",
        }
    }
}

/// One query's row in a summary table.
#[derive(Debug, Clone)]
pub struct Verdict<'a> {
    pub query: &'a Query,
    /// What was seen of it.
    pub runs: Option<&'a QueryRuns>,
    /// Findings that count, worst first.
    pub findings: Vec<&'a Finding>,
    /// It was seen among what an application sent, and nothing says how it ran.
    pub only_sent: bool,
}

impl<'a> Verdict<'a> {
    /// How the query came out.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.runs.is_some_and(|runs| runs.failure.is_some()) {
            return Standing::NotAudited;
        }
        let only_planned = self.runs.is_some_and(QueryRuns::only_planned);
        if self.found_nothing() && self.findings.iter().all(|found| is_only_not_proven(found)) {
            return Standing::NotProven;
        }
        match self.findings.iter().map(|found| found.severity).max() {
            Some(Severity::Error) => Standing::Error,
            Some(Severity::Warning) => Standing::Warning,
            Some(Severity::Info) | None if self.only_sent => Standing::NotProven,
            Some(Severity::Info) | None if only_planned => Standing::PlannedOnly,
            Some(Severity::Info) | None => Standing::Fine,
        }
    }

    /// Whether at least one parameter set was executed, to its end or to the timeout.
    #[must_use]
    pub fn is_executed(&self) -> bool {
        self.runs.is_some_and(|runs| {
            let executed = |run: &Run| match run.outcome {
                Outcome::Completed { .. } | Outcome::TimedOut { .. } => true,
                Outcome::Estimated => false,
            };
            runs.runs.iter().any(executed)
        })
    }

    /// Whether a parameter set found rows.
    #[must_use]
    pub fn found_rows(&self) -> bool {
        let found = |run: &Run| run.rows_found().is_some_and(|rows| rows > 0.0);
        self.runs.is_some_and(|runs| runs.runs.iter().any(found))
    }

    /// Whether it met no row of the data.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        self.runs.is_some_and(QueryRuns::found_nothing)
    }

    /// The run that the figures are of: the one that the first proof begins with, so that a row compares one parameter set
    /// with itself; else the worst.
    #[must_use]
    pub fn shown_run(&self) -> Option<&'a Run> {
        let runs = &self.runs?.runs;
        let shown = self
            .first_proven()
            .and_then(|found| found.evidence.run.as_ref());
        let proven = runs.iter().find(|run| Some(&run.id) == shown);
        proven.or_else(|| runs.first())
    }

    /// The worst finding whose fix was measured, and saved time: memory that only spares the disk does not always.
    fn first_proven(&self) -> Option<&'a Finding> {
        let is_faster = |proof: &Proof| {
            proof
                .before
                .as_ref()
                .is_none_or(|before| proof.after.time_ms.0 < before.time_ms.0)
        };
        let mut findings = self.findings.iter().copied();
        findings.find(|found| {
            let proof = found.fix.as_ref().and_then(|fix| fix.proof.as_ref());
            proof.is_some_and(is_faster)
        })
    }

    /// Execution time of the shown run: `1.21 s`, `> 30.00 s` where it was cancelled, `-` where it was only planned.
    #[must_use]
    pub fn time(&self) -> String {
        match self.shown_run().map(|run| (&run.outcome, run.time())) {
            Some((Outcome::Completed { .. }, Some(time))) => time.to_string(),
            Some((Outcome::TimedOut { after }, _)) => format!("> {after}"),
            Some((Outcome::Completed { .. } | Outcome::Estimated, _)) | None => "-".to_owned(),
        }
    }

    /// Pages that the shown run touched.
    #[must_use]
    pub fn pages(&self) -> Option<Pages> {
        self.shown_run()
            .and_then(|run| run.plan.root().buffers)
            .map(|buffers| buffers.touched())
    }

    /// Rows that the shown run returned or changed.
    #[must_use]
    pub fn rows(&self) -> Option<f64> {
        self.shown_run().and_then(Run::rows)
    }

    /// The best execution time that a measured fix gave to the shown run.
    #[must_use]
    pub fn time_with_fix(&self) -> Option<Millis> {
        let run = self.first_proven()?.evidence.run.as_ref();
        let same = self
            .findings
            .iter()
            .filter(|found| found.evidence.run.as_ref() == run);
        same.filter_map(|found| found.fix.as_ref()?.proof.as_ref())
            .map(|proof| proof.after.time_ms)
            .min_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// Ids of the rules that count, each once: `missing-index, sort-spill`.
    #[must_use]
    pub fn rules(&self) -> String {
        let mut ids: Vec<&str> = Vec::new();
        for found in self
            .findings
            .iter()
            .filter(|found| found.severity != Severity::Info)
        {
            if !ids.contains(&found.rule.as_str()) {
                ids.push(found.rule.as_str());
            }
        }
        ids.join(", ")
    }
}

/// Whether a finding fails the command.
#[must_use]
pub fn gates(report: &Report, found: &Finding) -> bool {
    found.gates(&report.fail_on)
}

/// Whether it says that a query was not audited.
#[must_use]
pub fn is_not_audited(found: &Finding) -> bool {
    found.rule == RuleId::NotAudited
}

/// A note, or the finding that says no more than that the query met no row.
fn is_only_not_proven(found: &Finding) -> bool {
    found.severity == Severity::Info
        || found.rule == RuleId::NotProven && found.severity < Severity::Error
}

/// Every query's verdict, worst first, in the catalog's order within a standing.
#[must_use]
pub fn verdicts(report: &Report) -> Vec<Verdict<'_>> {
    let mut by_query: HashMap<&str, Vec<&Finding>> = HashMap::new();
    for found in counting(report) {
        if let Some(name) = &found.query {
            by_query.entry(name).or_default().push(found);
        }
    }
    let mut verdicts: Vec<Verdict<'_>> = report
        .queries
        .iter()
        .enumerate()
        .map(|(index, query)| {
            let mut findings = by_query.remove(query.name.as_str()).unwrap_or_default();
            findings.sort_by_key(|found| std::cmp::Reverse(found.severity));
            let runs = report.runs_of(index);
            Verdict {
                query,
                runs,
                findings,
                only_sent: report.traffic.is_some() && runs.is_none_or(|runs| runs.runs.is_empty()),
            }
        })
        .collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.standing()));
    verdicts
}

/// Below this a table says nothing of what a plan costs in production.
const TOO_SMALL: u64 = 1_000;

/// Queries whose tables all have fewer rows than a judgement needs.
#[must_use]
pub fn on_small_tables(report: &Report) -> Vec<&str> {
    let rows_of = |schema: Option<&str>, name: &str| {
        let full = match schema {
            Some(schema) if schema != "public" => format!("{schema}.{name}"),
            Some(_) | None => name.to_owned(),
        };
        let is_it = |table: &&TableInfo| table.name == full || table.partitions.contains(&full);
        report.tables.iter().find(is_it).map(|table| table.rows)
    };
    let is_small = |runs: &QueryRuns| {
        let mut largest = None;
        for run in &runs.runs {
            for (_, scan) in run.plan.table_scans() {
                let Some(relation) = &scan.relation else {
                    continue;
                };
                largest = largest.max(rows_of(relation.schema.as_deref(), &relation.name));
            }
        }
        largest.is_some_and(|rows| rows < TOO_SMALL)
    };
    let small = report.runs.iter().filter(|runs| is_small(runs));
    small
        .filter_map(|runs| Some(report.queries.get(runs.query)?.name.as_str()))
        .collect()
}

/// Findings that count and are about no query of this report: about a table, an index, a migration.
#[must_use]
pub fn beside_queries(report: &Report) -> Vec<&Finding> {
    let names: HashSet<&str> = report
        .queries
        .iter()
        .map(|query| query.name.as_str())
        .collect();
    let about_one = |found: &Finding| {
        found
            .query
            .as_deref()
            .is_some_and(|name| names.contains(name))
    };
    let mut findings: Vec<&Finding> = shown(report).filter(|found| !about_one(found)).collect();
    findings.sort_by_key(|found| std::cmp::Reverse(found.severity));
    findings
}

/// Findings that count, whatever is shown of them.
pub fn counting(report: &Report) -> impl Iterator<Item = &Finding> {
    report
        .findings
        .iter()
        .filter(|found| found.suppressed.is_none())
}

/// Findings that count and are asked for.
pub fn shown(report: &Report) -> impl Iterator<Item = &Finding> {
    counting(report).filter(|found| report.view.shows(found))
}

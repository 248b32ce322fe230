//! What the comparison of two databases found, query by query: verdicts, named differences, causes. Pure; the pieces are
//! measured elsewhere.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::catalog::Query;
use crate::run::{BoundParameter, Outcome, QueryFailure, Run};
use crate::run_id::RunId;
use crate::units::Millis;

use super::canonical::{CanonicalPlan, Decorator, OperatorKind, PlanHashes};
use super::change::Change;
use super::compare::compare;
use super::names::{Names, Renames};
use super::observation::StatementPlace;
use super::significance::Slowdown;
use super::snapshot::Asked;
use super::verdict::{Limits, Verdict, judge, steady};
use super::work::Work;

/// One side of a comparison: a plan in canonical form with its work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The canonical tree, for people.
    pub tree: Vec<String>,
    pub hashes: PlanHashes,
    /// What it did; of an estimate nothing.
    pub work: Work,
    /// Median time: shown, never judged alone.
    #[serde(rename = "time_ms")]
    pub time: Option<Millis>,
    /// It was cancelled at the timeout: the plan is the estimate.
    #[serde(skip)]
    pub timed_out: bool,
    /// The plan, for the comparison; an empty one after reading a saved report.
    #[serde(skip, default = "CanonicalPlan::unknown")]
    pub plan: CanonicalPlan,
}

impl Side {
    /// A run as one side.
    #[must_use]
    pub fn of(run: &Run, names: &Names<'_>) -> Self {
        let plan = super::canonicalize(&run.plan, names);
        let timed_out = matches!(run.outcome, Outcome::TimedOut { .. });
        Self {
            time: run.time(),
            work: Work::of(&run.plan),
            timed_out,
            ..Self::of_plan(plan)
        }
    }

    /// A plan without measurements.
    #[must_use]
    pub fn of_plan(plan: CanonicalPlan) -> Self {
        Self {
            tree: plan.lines(),
            hashes: plan.hashes(),
            work: Work::default(),
            time: None,
            timed_out: false,
            plan,
        }
    }
}

/// What became of a statement on one database.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It has a plan, and ran if it could, to its end or to the timeout.
    Planned(Box<Side>),
    Failed(QueryFailure),
}

impl Fate {
    /// Of a run.
    #[must_use]
    pub fn of(run: &Run, names: &Names<'_>) -> Self {
        Self::Planned(Box::new(Side::of(run, names)))
    }

    /// The plan, where there is one.
    #[must_use]
    pub fn side(&self) -> Option<&Side> {
        match self {
            Self::Planned(side) => Some(side),
            Self::Failed(_) => None,
        }
    }
}

/// Every named difference between what became of a statement before and after.
#[must_use]
pub fn differences(before: &Side, after: &Fate, renames: &Renames) -> Vec<Change> {
    let after = match after {
        Fate::Failed(failure) => return failure_changes(failure, renames),
        Fate::Planned(side) => side,
    };
    let mut changes = Vec::new();
    match (before.timed_out, after.timed_out) {
        (false, true) => changes.push(Change::TimesOut),
        // An estimate alone did not finish either.
        (true, false) if after.work.is_measured() => changes.push(Change::Finishes),
        (true, _) | (false, false) => {}
    }
    changes.extend(compare(&before.plan, &after.plan, renames));
    changes.extend(spill_change(before, after));
    if let (Some(from), Some(to)) = (before.work.rows, after.work.rows)
        && (from - to).abs() >= 0.5
    {
        changes.push(Change::ResultChanged {
            from: format!("{from:.0} rows"),
            to: format!("{to:.0} rows"),
        });
    }
    changes
}

/// Whether the unchanged copy shows every kind of error that the changed one does: a statement that returns what chance or the
/// clock will, or ends now within its time and now past it.
fn errors_alike(changes: &[Change], control: &[Change]) -> bool {
    let mut errors = changes.iter().filter(|change| change.is_error()).peekable();
    errors.peek().is_some()
        && errors.all(|error| control.iter().any(|other| other.name() == error.name()))
}

/// How many times as far as the unchanged copy's result another one may be from the first, where the copy's differs at all, or by
/// which share of the first: chance may take the copy's a row farther only.
const CHANCE: f64 = 4.0;
const CHANCE_SHARE: f64 = 0.05;

/// Whether a result is no farther from the first than chance takes the unchanged copy's.
fn results_alike(before: &Work, control: &Work, after: &Work) -> bool {
    let off = |work: &Work| Some((work.rows? - before.rows?).abs());
    match (off(control), off(after)) {
        (Some(control), Some(after)) => {
            after <= (control * CHANCE).max(before.rows.unwrap_or(0.0) * CHANCE_SHARE)
        }
        (None, _) | (_, None) => true,
    }
}

fn spill_change(before: &Side, after: &Side) -> Option<Change> {
    let spills = |side: &Side| side.work.temp_blocks.map(|pages| pages.0 > 0);
    match (spills(before)?, spills(after)?) {
        (false, true) => Some(Change::SpillBegan {
            operator: spilling(&after.plan),
        }),
        (true, false) => Some(Change::SpillEnded {
            operator: spilling(&before.plan),
        }),
        (true, true) | (false, false) => None,
    }
}

/// What goes to disk in a plan, as far as its nodes say.
fn spilling(plan: &CanonicalPlan) -> String {
    let mut found = None;
    let mut aggregate = None;
    plan.root.each(&mut |operator| {
        for decorator in &operator.decorators {
            if let Decorator::Sort { spilled: true, .. } | Decorator::Hash { spilled: true } =
                decorator
            {
                found.get_or_insert_with(|| format!("the {}", lower_first(&decorator.label())));
            }
        }
        if matches!(operator.kind, OperatorKind::Aggregate { .. }) {
            aggregate.get_or_insert_with(|| format!("the {}", operator.label()));
        }
    });
    found.or(aggregate).unwrap_or_else(|| "the plan".to_owned())
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}

/// The server's refusal, by what is gone or renamed.
#[must_use]
pub fn failure_changes(failure: &QueryFailure, renames: &Renames) -> Vec<Change> {
    let fails = || Change::StatementFails {
        message: failure.message.clone(),
    };
    match failure.code.as_deref() {
        Some("42P01") => {
            let table = between_quotes(&failure.message);
            let bare = table.rsplit('.').next().unwrap_or(&table);
            let renamed = renames
                .tables
                .iter()
                .find(|(old, _)| old.rsplit('.').next() == Some(bare));
            match renamed {
                Some((from, to)) => vec![
                    Change::TableRenamed {
                        from: from.clone(),
                        to: to.clone(),
                    },
                    fails(),
                ],
                None => vec![Change::TableVanished { table }],
            }
        }
        Some("42703") => {
            let column = missing_column(&failure.message);
            let bare = column.rsplit('.').next().unwrap_or(&column);
            match renames.columns.iter().find(|(_, old, _)| old == bare) {
                Some((table, from, to)) => {
                    vec![
                        Change::ColumnRenamed {
                            table: table.clone(),
                            from: from.clone(),
                            to: to.clone(),
                        },
                        fails(),
                    ]
                }
                None => vec![Change::ColumnVanished { column }],
            }
        }
        Some("57014") => vec![Change::TimesOut],
        _ => vec![fails()],
    }
}

fn between_quotes(message: &str) -> String {
    message.split('"').nth(1).unwrap_or(message).to_owned()
}

/// `column "price" does not exist`, `column p.price does not exist`.
fn missing_column(message: &str) -> String {
    let named = message
        .strip_prefix("column ")
        .and_then(|rest| rest.strip_suffix(" does not exist"));
    named.map_or_else(|| between_quotes(message), |name| name.replace('"', ""))
}

/// The comparison of one query with one parameter set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDiff {
    /// Which of the query's runs it compares.
    #[serde(rename = "label")]
    pub id: RunId,
    /// The values, the same on all copies.
    #[serde(skip)]
    pub parameters: Vec<BoundParameter>,
    /// What it means.
    pub verdict: Verdict,
    /// What differs.
    pub changes: Vec<Change>,
    /// As it was.
    pub before: Side,
    /// As it is; `None` where it fails.
    pub after: Option<Side>,
    /// What differs on the unchanged copy: makes it unstable.
    pub control: Vec<Change>,
    /// The state after the migration and before ANALYZE, where it is worse than both.
    pub before_analyze: Option<BeforeAnalyze>,
    /// Interleaved times, where they were taken.
    #[serde(skip)]
    pub slowdown: Option<Slowdown>,
    /// How often another sample of ANALYZE's led to another plan, where one did.
    pub chance: Option<Chance>,
    /// What made the plan, or the work of the same plan, another.
    pub cause: Option<Cause>,
    /// What made the result another.
    pub result_cause: Option<Cause>,
}

/// Samples of ANALYZE beside the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Chance {
    /// How many were taken, each on the unchanged copy and on the migrated one.
    pub samples: u32,
    /// With how many the unchanged copy left its plan, or the migrated one did.
    pub otherwise: u32,
}

/// What production sees until ANALYZE has run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeforeAnalyze {
    /// Against the state before the migration.
    pub verdict: Verdict,
    /// What differs.
    pub changes: Vec<Change>,
    /// The plan.
    pub side: Option<Side>,
}

/// Why a plan changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// From this statement on.
    Statement {
        #[serde(flatten)]
        place: StatementPlace,
    },
    /// Only once the tables that the migration touched were analyzed.
    Statistics,
    /// The statement itself was changed.
    QueryText,
    /// A feature of a newer major version of PostgreSQL.
    Version {
        /// The first one that has it.
        since: u32,
        /// What it does, and how that was seen.
        feature: String,
    },
}

impl RunDiff {
    /// Judges one parameter set: before against after, with the unchanged copy as the noise band.
    #[must_use]
    pub fn judge(
        run: &Run,
        before: Side,
        after: &Fate,
        control: Option<&Fate>,
        renames: &Renames,
        limits: &Limits,
    ) -> Self {
        Self::judge_set(&Asked::from(run), before, after, control, renames, limits)
    }

    /// The same for a set that is known by its values alone.
    #[must_use]
    pub fn judge_set(
        set: &Asked,
        before: Side,
        after: &Fate,
        control: Option<&Fate>,
        renames: &Renames,
        limits: &Limits,
    ) -> Self {
        let changes = differences(&before, after, renames);
        let work = after.side().map_or_else(Work::default, |side| side.work);
        let plain = judge(&before.work, &work, &changes, limits);
        let none = Renames::default();
        let (verdict, control_changes) = match control {
            None => (plain, Vec::new()),
            Some(control) => {
                let control_changes = differences(&before, control, &none);
                let control_work = control.side().map_or_else(Work::default, |side| side.work);
                let noise = judge(&before.work, &control_work, &control_changes, limits);
                let like_control = match (control.side(), after.side()) {
                    // Both left the old plan for the same new one: statistics did it, not the migration.
                    (Some(control), Some(after)) => {
                        control.hashes.shape != before.hashes.shape
                            && control.hashes.shape == after.hashes.shape
                    }
                    _ => false,
                };
                let chance = errors_alike(&changes, &control_changes)
                    && results_alike(&before.work, &control_work, &work);
                let verdict = if chance {
                    Verdict::Unstable
                } else {
                    steady(plain, noise, like_control)
                };
                (verdict, control_changes)
            }
        };
        Self {
            id: set.id.clone(),
            parameters: set.parameters.clone(),
            verdict,
            changes,
            before,
            after: after.side().cloned(),
            control: control_changes,
            before_analyze: None,
            slowdown: None,
            chance: None,
            cause: None,
            result_cause: None,
        }
    }

    /// Whether it returns another number of rows.
    #[must_use]
    pub fn changes_result(&self) -> bool {
        let result = |change: &Change| matches!(change, Change::ResultChanged { .. });
        self.changes.iter().any(result)
    }

    /// Where the difference comes from that decides the verdict: of another result, what made it so.
    #[must_use]
    pub fn deciding_cause(&self) -> Option<&Cause> {
        match self.verdict {
            Verdict::Error if self.changes_result() => {
                self.result_cause.as_ref().or(self.cause.as_ref())
            }
            _ => self.cause.as_ref(),
        }
    }

    /// Blocks after over blocks before, where both were measured.
    #[must_use]
    pub fn blocks_factor(&self) -> Option<f64> {
        let before = self.before.work.blocks?.0 as f64;
        let after = self.after.as_ref()?.work.blocks?.0 as f64;
        Some(after / before.max(1.0))
    }
}

/// In which catalogs a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// The same statement in both.
    Both,
    /// The same name, another statement.
    Changed,
    /// Only afterwards.
    New,
    /// Only before.
    Removed,
}

/// One query of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryDiff {
    /// Its name.
    pub query: String,
    pub file: PathBuf,
    /// 1-based line of its statement.
    pub line: u32,
    /// In which catalogs it is.
    pub presence: Presence,
    /// Every parameter set, worst first; empty where one side has no plan to compare.
    pub runs: Vec<RunDiff>,
    /// It failed before the migration, and why: then nothing can be compared.
    pub failed_before: Option<String>,
    /// It has nothing to be compared with and fails after the migration, and why.
    pub fails_after: Option<String>,
    /// As it runs after the migration, where there is nothing to compare it with: new, failed before, or with other
    /// parameters now.
    pub fresh: Vec<FreshRun>,
}

/// A parameter set that only the database after the migration has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FreshRun {
    /// Which of the query's runs it is.
    #[serde(rename = "label")]
    pub id: RunId,
    /// Its plan and work.
    #[serde(flatten)]
    pub side: Side,
}

impl QueryDiff {
    /// Of a query of which nothing is known yet.
    #[must_use]
    pub fn of(query: &Query, presence: Presence) -> Self {
        Self {
            query: query.name.clone(),
            file: query.file.clone(),
            line: query.line,
            presence,
            runs: Vec::new(),
            failed_before: None,
            fails_after: None,
            fresh: Vec::new(),
        }
    }

    /// Puts the worst parameter set first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.runs.sort_by(|a, b| {
            let factor = |run: &RunDiff| run.blocks_factor().unwrap_or(0.0);
            a.verdict
                .cmp(&b.verdict)
                .then(factor(b).total_cmp(&factor(a)))
        });
        self
    }

    /// The worst parameter set wins. A new or changed query that fails is an error; one that failed before is none.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.fails_after.is_some() && self.failed_before.is_none() {
            return Verdict::Error;
        }
        self.runs
            .iter()
            .map(|run| run.verdict)
            .min()
            .unwrap_or(Verdict::Unchanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_takes_a_result_four_times_as_far_or_a_twentieth() {
        let alike = |before: f64, control: f64, after: f64| {
            let rows = |rows| Work {
                rows: Some(rows),
                ..Work::default()
            };
            results_alike(&rows(before), &rows(control), &rows(after))
        };
        // Four times the unchanged copy's distance.
        assert!(alike(100.0, 105.0, 120.0));
        assert!(!alike(100.0, 105.0, 121.0));
        assert!(alike(100.0, 95.0, 80.0));
        // A twentieth of the first, where the copy moved by less.
        assert!(alike(1000.0, 1001.0, 1050.0));
        assert!(!alike(1000.0, 1001.0, 1051.0));
    }
}

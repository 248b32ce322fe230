//! The catalog's queries before and after the migration: what each does, whether the unchanged copy does so too, and what chance
//! has in it.

use std::collections::BTreeSet;

use crate::catalog::Query;
use crate::diff::canonical::{CanonicalPlan, OperatorKind};
use crate::diff::names::Names;
use crate::diff::outcome::{BeforeAnalyze, Chance, Fate, Presence, QueryDiff, RunDiff, Side};
use crate::diff::verdict::{Limits, Verdict};
use crate::progress::Unit;
use crate::run::{QueryRuns, Run};

use super::reach::Reach;
use super::slower::{self, Contest};
use super::touched::{Touched, analyze, vacuum_analyze};
use super::{CompareError, Copy, Sides, Task, rerun, runs_of, successor};

/// How many further samples ANALYZE takes where a plan may depend on which one it took.
const SAMPLES: u32 = 3;

/// The copies that queries are compared on.
pub(super) struct Bench<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) before: Copy,
    pub(super) after: Copy,
    /// Made where something differs: else there is nothing that it could explain.
    pub(super) control: Option<Copy>,
    pub(super) old_runs: &'a [QueryRuns],
    pub(super) sides: &'a Sides<'a>,
    pub(super) touched: &'a Touched,
}

/// A query with what it is compared with.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) query: &'a Query,
    pub(super) successor: &'a Query,
    pub(super) runs: &'a [Run],
}

/// A parameter set on *before* and *after*.
struct Judged {
    diff: RunDiff,
    fate: Fate,
}

impl<'a> Bench<'a> {
    pub(super) async fn discard(self) -> Result<(), CompareError> {
        for copy in [Some(self.before), Some(self.after), self.control]
            .into_iter()
            .flatten()
        {
            copy.discard().await?;
        }
        Ok(())
    }

    /// Every query of both catalogs.
    pub(super) async fn compare_queries(&mut self) -> Result<Vec<QueryDiff>, CompareError> {
        let task = self.task;
        let unanalyzed = self.state_before_analyze().await?;
        vacuum_analyze(&self.after.session, &self.touched.after).await?;
        let pairs: Vec<Option<Pair<'a>>> = task
            .before
            .iter()
            .enumerate()
            .map(|(n, query)| {
                Some(Pair {
                    query,
                    successor: successor(task, query)?,
                    runs: runs_of(self.old_runs, n),
                })
            })
            .collect();
        let compared = self.compare_pairs(&pairs, "Comparing plans").await?;
        let mut found = Vec::with_capacity(compared.len());
        for (((n, query), runs), unanalyzed) in
            task.before.iter().enumerate().zip(compared).zip(unanalyzed)
        {
            let failed = self.old_runs.iter().find(|runs| runs.query == n);
            let failed = failed.and_then(|runs| runs.failure.as_ref());
            let mut diff = QueryDiff {
                failed_before: failed.map(|failure| failure.message.clone()),
                ..QueryDiff::of(query, presence(task, query))
            };
            if let Some(successor) = successor(task, query) {
                (diff.file, diff.line) = (successor.file.clone(), successor.line);
            }
            for (mut run, unanalyzed) in runs.into_iter().zip(unanalyzed) {
                let limits = (task.limits_for)(query);
                run.before_analyze =
                    unanalyzed.and_then(|fate| before_analyze(&run, &fate, self.sides, &limits));
                diff.runs.push(run);
            }
            found.push(diff);
        }
        if let Some(control) = &self.control {
            let copies = [&self.before, &self.after, control];
            slower::confirm(task, copies, self.old_runs, &mut found).await?;
        }
        found = found.into_iter().map(QueryDiff::sorted).collect();
        let new = task
            .after
            .iter()
            .filter(|query| !task.before.iter().any(|before| before.name == query.name));
        found.extend(new.map(|query| QueryDiff::of(query, Presence::New)));
        Ok(found)
    }

    /// Changed and removed queries in their old form on the new schema: what a rolling deploy runs for a while.
    pub(super) async fn rolling(&mut self) -> Result<Vec<QueryDiff>, CompareError> {
        let task = self.task;
        let changed = |query: &Query| presence(task, query) != Presence::Both;
        let pairs: Vec<Option<Pair<'a>>> = task
            .before
            .iter()
            .enumerate()
            .map(|(n, query)| {
                changed(query).then(|| Pair {
                    query,
                    successor: query,
                    runs: runs_of(self.old_runs, n),
                })
            })
            .collect();
        if pairs.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let compared = self.compare_pairs(&pairs, "Comparing old forms").await?;
        let diffs = task.before.iter().zip(compared).map(|(query, runs)| {
            QueryDiff {
                runs,
                ..QueryDiff::of(query, presence(task, query))
            }
            .sorted()
        });
        let worse = |diff: &QueryDiff| {
            let verdict = diff.verdict();
            verdict == Verdict::Error || verdict.is_regression()
        };
        Ok(diffs.filter(worse).collect())
    }

    /// First on *after* alone; what differs there, and it only, on the unchanged copy too.
    async fn compare_pairs(
        &mut self,
        pairs: &[Option<Pair<'a>>],
        label: &str,
    ) -> Result<Vec<Vec<RunDiff>>, CompareError> {
        let task = self.task;
        let steps = task
            .progress
            .task(label, Unit::Steps, Some(pairs.len() as u64));
        let mut judged: Vec<Vec<Judged>> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            task.interrupt.check()?;
            judged.push(match pair {
                None => Vec::new(),
                Some(pair) => {
                    steps.doing(pair.query.name.clone());
                    self.on_after(pair).await?
                }
            });
            steps.advance(1);
        }
        let suspect = |judged: &Judged| {
            judged.diff.verdict != Verdict::Unchanged || self.may_be_slower(&judged.diff)
        };
        let suspects: Vec<bool> = judged.iter().map(|runs| runs.iter().any(suspect)).collect();
        if suspects.contains(&true) {
            self.make_control().await?;
            for ((pair, judged), suspect) in pairs.iter().zip(&mut judged).zip(&suspects) {
                task.interrupt.check()?;
                if let (Some(pair), true) = (pair, suspect) {
                    self.against_control(pair, judged).await?;
                }
            }
            self.sample_again(pairs, &mut judged).await?;
        }
        let diffs = |runs: Vec<Judged>| runs.into_iter().map(|judged| judged.diff).collect();
        Ok(judged.into_iter().map(diffs).collect())
    }

    fn reach(&self) -> Reach<'_> {
        Reach {
            task: self.task,
            after: &self.after.session,
            sides: self.sides,
            touched: self.touched,
        }
    }

    async fn make_control(&mut self) -> Result<(), CompareError> {
        if self.control.is_none() {
            let control = Copy::of(self.task, self.task.template).await?;
            vacuum_analyze(&control.session, &self.touched.before).await?;
            self.control = Some(control);
        }
        Ok(())
    }

    async fn on_after(&self, pair: &Pair<'a>) -> Result<Vec<Judged>, CompareError> {
        let (task, names) = (self.task, self.sides.new_names());
        let limits = (task.limits_for)(pair.query);
        let after = match self.reach().misses(pair).await? {
            true => None,
            false => Some(
                rerun::rerun(
                    &self.after.session,
                    pair.successor,
                    pair.runs,
                    1,
                    &task.options,
                )
                .await?,
            ),
        };
        let mut found = Vec::with_capacity(pair.runs.len());
        for (at, run) in pair.runs.iter().enumerate() {
            let old = Side::of(run, &self.sides.old_names());
            let fate = match &after {
                Some(after) => rerun::fate(&after[at], &names),
                // The same plan over the same rows: it is what it was.
                None => Fate::Planned(Box::new(old.clone())),
            };
            let diff = RunDiff::judge(run, old, &fate, None, &self.sides.renames, &limits);
            found.push(Judged { diff, fate });
        }
        Ok(found)
    }

    async fn against_control(
        &self,
        pair: &Pair<'a>,
        judged: &mut [Judged],
    ) -> Result<(), CompareError> {
        let Some(copy) = &self.control else {
            return Ok(());
        };
        let task = self.task;
        let limits = (task.limits_for)(pair.query);
        let control = rerun::rerun(&copy.session, pair.query, pair.runs, 1, &task.options).await?;
        let names = Names {
            schema: Some(self.sides.old),
            renames: Some(&self.sides.renames),
            ..Names::UNKNOWN
        };
        for ((run, judged), control) in pair.runs.iter().zip(judged).zip(&control) {
            let old = Side::of(run, &self.sides.old_names());
            let control = rerun::fate(control, &names);
            let renames = &self.sides.renames;
            judged.diff = RunDiff::judge(run, old, &judged.fate, Some(&control), renames, &limits);
            let told_by_nothing =
                matches!(judged.diff.verdict, Verdict::Unchanged | Verdict::Neutral);
            if told_by_nothing && self.may_be_slower(&judged.diff) {
                let sessions = [&self.before.session, &self.after.session, &copy.session];
                let contest = Contest {
                    sessions,
                    query: pair.query,
                    successor: pair.successor,
                    limits: task.options.limits_of(pair.query),
                };
                judged.diff.slowdown = contest.slowdown(run).await?;
            }
        }
        Ok(())
    }

    /// Where a plan depends on ANALYZE's sample, one sample says little: others on the unchanged copy and on the migrated one.
    async fn sample_again(
        &self,
        pairs: &[Option<Pair<'a>>],
        judged: &mut [Vec<Judged>],
    ) -> Result<(), CompareError> {
        let (task, Some(control)) = (self.task, &self.control) else {
            return Ok(());
        };
        let depends = |diff: &RunDiff| {
            let sampled = |side: &Side| !relations(&side.plan).is_disjoint(&self.touched.sampled);
            !matches!(
                diff.verdict,
                Verdict::Unchanged | Verdict::Error | Verdict::Unstable
            ) && (sampled(&diff.before) || diff.after.as_ref().is_some_and(sampled))
        };
        if !judged.iter().flatten().any(|judged| depends(&judged.diff)) {
            return Ok(());
        }
        let old_names = Names {
            schema: Some(self.sides.old),
            renames: Some(&self.sides.renames),
            ..Names::UNKNOWN
        };
        for _ in 0..SAMPLES {
            task.interrupt.check()?;
            analyze(&control.session, &self.touched.before).await?;
            analyze(&self.after.session, &self.touched.after).await?;
            for (pair, judged) in pairs.iter().zip(judged.iter_mut()) {
                let Some(pair) = pair.filter(|_| judged.iter().any(|j| depends(&j.diff))) else {
                    continue;
                };
                let unchanged =
                    rerun::plan(&control.session, pair.query, pair.runs, &task.options).await?;
                let migrated = rerun::plan(
                    &self.after.session,
                    pair.successor,
                    pair.runs,
                    &task.options,
                )
                .await?;
                for ((judged, unchanged), migrated) in
                    judged.iter_mut().zip(&unchanged).zip(&migrated)
                {
                    if !depends(&judged.diff) {
                        continue;
                    }
                    let shape = |plan: &crate::plan::Plan, names: &Names<'_>| {
                        crate::diff::canonicalize(plan, names).hashes().shape
                    };
                    let was = &judged.diff.before.hashes.shape;
                    let is = judged.diff.after.as_ref().map(|after| &after.hashes.shape);
                    let flips = unchanged
                        .as_ref()
                        .is_ok_and(|plan| shape(plan, &old_names) != *was);
                    let wavers = migrated
                        .as_ref()
                        .is_ok_and(|plan| Some(&shape(plan, &self.sides.new_names())) != is);
                    let chance = judged.diff.chance.get_or_insert_default();
                    *chance = Chance {
                        samples: chance.samples + 1,
                        otherwise: chance.otherwise + u32::from(flips || wavers),
                    };
                }
            }
        }
        for judged in judged.iter_mut().flatten() {
            match judged.diff.chance {
                Some(chance) if chance.otherwise > 0 => judged.diff.verdict = Verdict::Unstable,
                Some(_) | None => judged.diff.chance = None,
            }
        }
        Ok(())
    }

    /// For each query and parameter set the state between migration and ANALYZE: what it would do, where its plan is another.
    async fn state_before_analyze(&self) -> Result<Vec<Vec<Option<Fate>>>, CompareError> {
        let (task, after) = (self.task, &self.after.session);
        let names = self.sides.new_names();
        let mut all = Vec::with_capacity(task.before.len());
        for (n, query) in task.before.iter().enumerate() {
            task.interrupt.check()?;
            let runs = runs_of(self.old_runs, n);
            let mut fates = vec![None; runs.len()];
            // Where nothing is analyzed the state is the one that stays.
            let Some(successor) = successor(task, query).filter(|_| !self.touched.after.is_empty())
            else {
                all.push(fates);
                continue;
            };
            let planned = rerun::plan(after, successor, runs, &task.options).await?;
            for (at, plan) in planned.into_iter().enumerate() {
                let Ok(plan) = plan else { continue };
                let side = Side::of_plan(crate::diff::canonicalize(&plan, &names));
                let old = Side::of(&runs[at], &self.sides.old_names());
                if side.hashes.shape != old.hashes.shape {
                    let ran =
                        rerun::rerun(after, successor, &runs[at..=at], 1, &task.options).await?;
                    fates[at] = ran.first().map(|ran| rerun::fate(ran, &names));
                }
            }
            all.push(fates);
        }
        Ok(all)
    }

    /// Worth measuring again, run by run in turn: it reads, or writes, a table that the migration touched.
    fn may_be_slower(&self, diff: &RunDiff) -> bool {
        looks_slower(diff) && !relations(&diff.before.plan).is_disjoint(&self.touched.relations)
    }
}

/// Tables that a plan reads or writes.
pub(super) fn relations(plan: &CanonicalPlan) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    plan.root.each(&mut |operator| match &operator.kind {
        OperatorKind::Scan(scan) => {
            found.insert(scan.relation.clone());
        }
        OperatorKind::Modify { relation, .. } => {
            found.insert(relation.clone());
        }
        OperatorKind::Join { .. } | OperatorKind::Aggregate { .. } | OperatorKind::Other { .. } => {
        }
    });
    found
}

pub(super) fn presence(task: &Task<'_>, query: &Query) -> Presence {
    match task.after.iter().find(|after| after.name == query.name) {
        None => Presence::Removed,
        Some(after) if after.sql == query.sql => Presence::Both,
        Some(_) => Presence::Changed,
    }
}

/// Worth measuring again, run by run in turn.
fn looks_slower(diff: &RunDiff) -> bool {
    let after = diff.after.as_ref().and_then(|side| side.time);
    matches!((diff.before.time, after), (Some(before), Some(after)) if after.0 >= before.0 * 1.1 && after.0 - before.0 >= 1.0)
}

/// The state before ANALYZE, where it is worse than before the migration and worse than after ANALYZE.
fn before_analyze(
    run: &RunDiff,
    fate: &Fate,
    sides: &Sides<'_>,
    limits: &Limits,
) -> Option<BeforeAnalyze> {
    let changes = crate::diff::outcome::differences(&run.before, fate, &sides.renames);
    let work = fate.side().map(|side| side.work).unwrap_or_default();
    let verdict = crate::diff::verdict::judge(&run.before.work, &work, &changes, limits);
    let worse = verdict < run.verdict && (verdict == Verdict::Error || verdict.is_regression());
    worse.then(|| BeforeAnalyze {
        verdict,
        changes,
        side: fate.side().cloned(),
    })
}

//! The order of a load over several connections: a table's indexes follow its rows, foreign keys follow both tables',
//! and the longest work is begun first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{LoadError, LoadReport, steps};
use crate::db::connect::{DatabaseUrl, Session};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Task, Unit};
use crate::schema::{Schema, Table};
use crate::seed::SeedPlan;
use crate::seed::chunks::Part;
use crate::seed::plan::Fill;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    /// Rows of a planned table, or of some of its leaves.
    Copy { table: usize, part: Part },
    /// An index of a leaf.
    Index { leaf: u32, name: String },
    /// ANALYZE of a leaf, when its indexes are there.
    Analyze { leaf: u32 },
    /// A foreign key of a leaf.
    ForeignKey { leaf: u32, name: String },
}

/// What is to be done, and what waits for what.
#[derive(Debug)]
struct Board {
    /// Ready, by weight (bytes): the heaviest is taken first.
    ready: BTreeSet<(u64, Job)>,
    running: usize,
    /// Indexes that a leaf still waits for.
    indexes_left: BTreeMap<u32, usize>,
    /// Tables whose rows are not there yet, with the parts that are left.
    unfilled: BTreeMap<usize, usize>,
    /// Foreign keys that wait for tables.
    waiting: Vec<(u64, Job, BTreeSet<usize>)>,
    report: LoadReport,
}

struct Shared {
    schema: Arc<Schema>,
    plan: Arc<SeedPlan>,
    board: Mutex<Board>,
    changed: Notify,
    streams: usize,
    rows: Task,
    steps: Task,
    interrupt: Interrupt,
}

/// Runs the whole load but its last steps.
pub(super) async fn run(
    url: &DatabaseUrl,
    schema: &Arc<Schema>,
    plan: &Arc<SeedPlan>,
    streams: usize,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<LoadReport, LoadError> {
    let board = Board::new(schema, plan, streams);
    let step_count = board.waiting.len() + count_steps(schema, plan);
    let shared = Arc::new(Shared {
        schema: Arc::clone(schema),
        plan: Arc::clone(plan),
        board: Mutex::new(board),
        changed: Notify::new(),
        streams,
        rows: progress.task("Loading rows", Unit::Rows, Some(plan.total_rows())),
        steps: progress.task(
            "Indexes, keys, ANALYZE",
            Unit::UnevenSteps,
            Some(step_count as u64),
        ),
        interrupt: interrupt.clone(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..streams {
        let session = Session::open(url, interrupt).await?;
        let shared = Arc::clone(&shared);
        workers.spawn(async move {
            let result = shared.work(&session).await;
            session.close().await;
            result
        });
    }
    while let Some(finished) = workers.join_next().await {
        match finished {
            Ok(Ok(())) => {}
            // The first failure ends the load: the other workers' sessions close with them.
            Ok(Err(error)) => return Err(error),
            Err(panic) => {
                return Err(LoadError::Refused {
                    action: "load",
                    reason: panic.to_string(),
                    fault: None,
                });
            }
        }
    }
    Ok(shared.board().report.clone())
}

impl Shared {
    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, session: &Session) -> Result<(), LoadError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the board is looked at: no wake-up is lost.
            changed.as_mut().enable();
            let (next, idle) = {
                let mut board = self.board();
                let next = board.ready.pop_last();
                match (&next, board.running) {
                    (None, 0) => {
                        self.changed.notify_waiters();
                        return Ok(());
                    }
                    (None, _) => {}
                    (Some(_), _) => board.running += 1,
                }
                (
                    next,
                    self.streams
                        .saturating_sub(board.running + board.ready.len()),
                )
            };
            match next {
                None => changed.await,
                Some((_, job)) => {
                    self.interrupt.check()?;
                    self.run(session, &job, idle).await?;
                    self.done(&job);
                    self.changed.notify_waiters();
                }
            }
        }
    }

    /// Does one thing; `idle` streams have nothing to do meanwhile.
    async fn run(&self, session: &Session, job: &Job, idle: usize) -> Result<(), LoadError> {
        let start = Instant::now();
        let leaf = |oid: u32| self.schema.table_by_oid(oid);
        match job {
            Job::Copy { table, part } => {
                self.rows.doing(self.plan.tables[*table].name.to_string());
                let rows = steps::copy(
                    session,
                    &self.schema,
                    &self.plan,
                    (*table, *part),
                    &self.rows,
                    &self.interrupt,
                )
                .await?;
                let mut board = self.board();
                board.report.rows += rows;
                let planned = &self.plan.tables[*table];
                if !planned.kept_where.is_empty() {
                    let missing = planned.rows.saturating_sub(rows);
                    *board.report.removed.entry(planned.oid).or_default() += missing;
                }
                steps::add(&mut board.report.copy, start);
            }
            Job::Index { leaf: oid, name } => {
                let Some(table) = leaf(*oid) else {
                    return Ok(());
                };
                let Some(index) = table.indexes.iter().find(|index| index.name == *name) else {
                    return Ok(());
                };
                self.steps.doing(name.as_str());
                let removed = steps::build_index(session, &self.schema, table, index, idle).await?;
                let mut board = self.board();
                steps::add(&mut board.report.index, start);
                if removed > 0 {
                    let root = self.schema.root_of(table);
                    let note = format!(
                        "{}: {removed} rows fewer, because they repeated the unique index {name}",
                        root.name
                    );
                    *board.report.removed.entry(root.oid).or_default() += removed;
                    board.report.rows -= removed;
                    board.report.notes.push(note);
                }
            }
            Job::Analyze { leaf: oid } => {
                let Some(table) = leaf(*oid) else {
                    return Ok(());
                };
                self.steps.doing(table.name.to_string());
                steps::analyze_leaf(session, table).await?;
                steps::add(&mut self.board().report.analyze, start);
            }
            Job::ForeignKey { leaf: oid, name } => {
                let Some(table) = leaf(*oid) else {
                    return Ok(());
                };
                self.steps.doing(name.as_str());
                steps::validate_foreign_key(session, table, name).await?;
                steps::add(&mut self.board().report.foreign_keys, start);
            }
        }
        Ok(())
    }

    /// Makes ready what waited for this.
    fn done(&self, job: &Job) {
        let mut board = self.board();
        board.running -= 1;
        match job {
            Job::Copy { table, part } => {
                let planned = &self.plan.tables[*table];
                for leaf in steps::storage_of(&self.schema, planned, *part) {
                    board.make_ready(leaf, planned.rows * u64::from(planned.width));
                }
                if let Some(left) = board.unfilled.get_mut(table) {
                    *left -= 1;
                }
                board.unfilled.retain(|_, left| *left > 0);
                let Board {
                    waiting,
                    unfilled,
                    ready,
                    ..
                } = &mut *board;
                waiting.retain(|(weight, job, needs)| {
                    let waits = needs.iter().any(|table| unfilled.contains_key(table));
                    if !waits {
                        ready.insert((*weight, job.clone()));
                    }
                    waits
                });
            }
            Job::Index { leaf, .. } => {
                self.steps.advance(1);
                if let Some(left) = board.indexes_left.get_mut(leaf) {
                    *left -= 1;
                    if *left == 0 {
                        board
                            .ready
                            .insert((u64::MAX / 4, Job::Analyze { leaf: *leaf }));
                    }
                }
            }
            Job::Analyze { .. } | Job::ForeignKey { .. } => self.steps.advance(1),
        }
    }
}

/// Copies come before everything else, whatever their size.
const COPY_FIRST: u64 = u64::MAX / 2;

impl Board {
    fn new(schema: &Schema, plan: &SeedPlan, streams: usize) -> Self {
        let mut board = Self {
            ready: BTreeSet::new(),
            running: 0,
            indexes_left: BTreeMap::new(),
            unfilled: BTreeMap::new(),
            waiting: Vec::new(),
            report: LoadReport::default(),
        };
        for (index, table) in plan
            .tables
            .iter()
            .enumerate()
            .filter(|(_, table)| table.fill == Fill::Generate)
        {
            let weight = table
                .rows
                .saturating_mul(u64::from(table.width))
                .min(COPY_FIRST - 1);
            let parts = steps::parts(plan, table, streams);
            for part in Part::all(parts) {
                board.ready.insert((
                    COPY_FIRST + weight / parts as u64,
                    Job::Copy { table: index, part },
                ));
            }
            board.unfilled.insert(index, parts);
            for leaf in steps::storage(schema, table) {
                for key in leaf.foreign_keys.iter().filter(|key| key.validated) {
                    let parent = schema
                        .table_by_oid(key.references)
                        .map(|parent| schema.root_of(parent).oid);
                    let needs = [Some(index), parent.and_then(|oid| plan.table_index(oid))]
                        .into_iter()
                        .flatten();
                    let job = Job::ForeignKey {
                        leaf: leaf.oid,
                        name: key.name.clone(),
                    };
                    board.waiting.push((weight / 2, job, needs.collect()));
                }
            }
        }
        board
    }

    fn make_ready(&mut self, leaf: &Table, weight: u64) {
        if leaf.indexes.is_empty() {
            self.ready.insert((weight, Job::Analyze { leaf: leaf.oid }));
            return;
        }
        self.indexes_left.insert(leaf.oid, leaf.indexes.len());
        for index in &leaf.indexes {
            self.ready.insert((
                weight,
                Job::Index {
                    leaf: leaf.oid,
                    name: index.name.clone(),
                },
            ));
        }
    }
}

fn count_steps(schema: &Schema, plan: &SeedPlan) -> usize {
    plan.tables
        .iter()
        .filter(|table| table.fill == Fill::Generate)
        .flat_map(|table| steps::storage(schema, table))
        .map(|leaf| leaf.indexes.len() + 1)
        .sum()
}

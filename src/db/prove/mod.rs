//! Proves index candidates: each is built for real in a transaction that rolls back, on a private copy, and the queries
//! that it could serve are executed with it; then those of a query together ([`several`]), and what is chosen for the
//! catalog as a whole ([`whole`]). Decides nothing: `advise::select` does.

mod given;
mod known;
mod several;
mod whole;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::advise::{
    self, AdviceBudget, Audited, Candidate, Effect, IndexSpec, Part, Trial, WriteCost, ddl,
    rewrites,
};
use crate::catalog::Query;
use crate::db::audit::{AuditError, RunOptions};
use crate::db::bench::Bench;
use crate::db::explain::{
    self, Access, ExplainError, Explained, Limits, Mode, PlanChoice, Prepared, quote_literal,
};
use crate::db::prove_rewrites::prove_rewrites;
use crate::finding::{Finding, Measurement};
use crate::interrupt::Interrupt;
use crate::plan::{Metrics, NodeId, NodeKind, Plan, Wal};
use crate::progress::{Progress, Unit};
use crate::run::{Outcome, QueryRuns, Run, is_settled};
use crate::schema::{Schema, quote_identifier};
use crate::units::{Bytes, Millis, Pages};

/// Memory for building an index: the copy is pgproof's own.
const BUILD_MEMORY: &str = "256MB";
/// A run that touches no more pages gains nothing from an index that it did not ask for.
const CHEAP: Pages = Pages(16);
/// From so many times as fast or as slow on, a slow statement's second execution would decide nothing.
const CLEAR: f64 = 3.0;
/// A statement that takes so long is not executed once more where its verdict is clear.
const SLOW: Millis = Millis(100.0);
/// A build may take this many times as long as a statement.
pub(super) const BUILD_PATIENCE: f64 = 10.0;

use known::{Building, Built, Pieces, Proofs};

pub use given::{Blocker, Intent, advise_given, blockers, may_be_built, repeatable};
pub(super) use several::index_names;
pub use whole::prove_whole;
use words::Words;

/// What to advise.
#[derive(Debug)]
pub struct Advice {
    /// `query-rewrite` for queries that need another form, `missing-index` for each other query that an index serves.
    pub findings: Vec<Finding>,
    /// The candidates that were built.
    pub tried: Vec<Candidate>,
    /// The indexes that are advised.
    pub chosen: Vec<IndexSpec>,
    /// Indexes that serve a query and are not advised, each with the query that it makes worse.
    pub harmful: Vec<(IndexSpec, usize)>,
    /// Existing indexes that the advised forms of queries read.
    pub used: BTreeSet<String>,
}

/// Tries other forms of queries, then builds indexes for the rest, chooses, measures the chosen ones as a set, and says what
/// came of it.
///
/// # Errors
/// [`AuditError`].
pub async fn advise<'a>(
    bench: impl Into<Bench<'a>>,
    audited: Audited<'_>,
    options: &RunOptions,
    budget: &AdviceBudget,
    events: (&Progress, &Interrupt),
) -> Result<Advice, AuditError> {
    let bench = bench.into();
    let forms = prove_rewrites(bench, audited, options, events).await?;
    let mut findings = rewrites::findings(&forms, audited);
    // A query that needs another form needs no index for the form that it has.
    let rewritten = |query: usize| forms.iter().any(|form| form.rewrite.query == query);
    let left: Vec<QueryRuns> = audited
        .runs
        .iter()
        .filter(|runs| !rewritten(runs.query))
        .cloned()
        .collect();
    let whole_catalog = audited;
    let audited = Audited {
        runs: &left,
        ..whole_catalog
    };
    let candidates = &advise::candidates(&audited);
    let Trials { trials, left_out } =
        prove(bench, audited, candidates, options, budget, events).await?;
    let chosen = advise::select(&trials, &audited, budget);
    let whole = prove_whole(bench, audited, chosen, options, events).await?;
    let harmful = whole.harmful;
    let built = candidates.len().saturating_sub(left_out);
    let proposals = advise::proposals(&whole.kept, &audited);
    findings.extend(advise::findings(&proposals, audited));
    let chosen = proposals
        .iter()
        .flat_map(|proposal| proposal.trial.index.all());
    let chosen: Vec<IndexSpec> = chosen.map(advise::set::alone).collect();
    let mut superseded = whole.superseded;
    superseded.retain(|old| chosen.contains(&old.by));
    findings.extend(advise::findings::superseded(&superseded));
    Ok(Advice {
        findings,
        tried: candidates[..built].to_vec(),
        harmful,
        chosen,
        used: forms.into_iter().flat_map(|form| form.indexes).collect(),
    })
}

/// What trying candidates showed.
#[derive(Debug)]
pub struct Trials {
    /// Of each index, or each group of them, that a query uses.
    pub trials: Vec<Trial>,
    /// Candidates that there was no time for.
    pub left_out: usize,
}

/// Builds and measures every candidate, one after the other, then those of a query together where one alone leaves it with
/// much to read. A candidate that cannot be built (its expression is not immutable, its operator class is missing) or that
/// no query uses has no trial.
///
/// # Errors
/// [`AuditError`].
pub async fn prove(
    bench: Bench<'_>,
    audited: Audited<'_>,
    candidates: &[Candidate],
    options: &RunOptions,
    budget: &AdviceBudget,
    (progress, interrupt): (&Progress, &Interrupt),
) -> Result<Trials, AuditError> {
    let started = Instant::now();
    let task = progress.task(
        "Proving indexes",
        Unit::Steps,
        Some(candidates.len() as u64),
    );
    let mut prover = Prover::new(bench, audited, options, interrupt);
    let mut trials = Vec::new();
    let mut left_out = 0;
    let is_over = || budget.time.is_some_and(|limit| started.elapsed() >= limit);
    for candidate in candidates {
        interrupt.check()?;
        if is_over() {
            left_out += 1;
            continue;
        }
        let name = ddl::name(&candidate.index, audited.schema);
        task.doing(name.clone());
        let trial = prover.try_out(candidate, &name).await;
        interrupt.check()?;
        trials.extend(stands(bench, name, trial, progress)?.flatten());
        task.advance(1);
    }
    for group in several::groups(audited, candidates, &trials, &prover.refused) {
        interrupt.check()?;
        if is_over() {
            break;
        }
        let name = audited.queries[group.query].name.clone();
        task.doing(name.clone());
        let trial = prover.try_together(&group).await;
        interrupt.check()?;
        trials.extend(stands(bench, name, trial, progress)?.flatten());
    }
    prover
        .finish()
        .await
        .map_err(|source| server(String::new(), source))?;
    Ok(Trials { trials, left_out })
}

/// What a trial gave, where it gave anything: the server may refuse one thing and go on with the others, but not without a
/// connection.
fn stands<T>(
    bench: Bench<'_>,
    name: String,
    tried: Result<T, ExplainError>,
    progress: &Progress,
) -> Result<Option<T>, AuditError> {
    match tried {
        Ok(found) => Ok(Some(found)),
        Err(ExplainError::Refused(refusal)) => {
            progress.note(format!(
                "{name} could not be tried: {} (SQLSTATE {})",
                refusal.message, refusal.code
            ));
            Ok(None)
        }
        Err(source) if bench.is_closed() => Err(server(name, source)),
        // The server had not enough memory, locks or space for this one: the others may fit.
        Err(source) => {
            progress.note(format!("{name} could not be tried: {source}"));
            Ok(None)
        }
    }
}

fn server(query: String, source: ExplainError) -> AuditError {
    AuditError::Server { query, source }
}

struct Prover<'a> {
    bench: Bench<'a>,
    proofs: Proofs<'a>,
    words: Words,
    schema: &'a Schema,
    queries: &'a [Query],
    runs: &'a [QueryRuns],
    options: &'a RunOptions,
    /// By index of the query; they outlive the transactions.
    prepared: BTreeMap<usize, Prepared>,
    /// What the server would not build.
    refused: BTreeSet<IndexSpec>,
    ground: Ground,
}

/// Whose database candidates are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A private copy: anything may be done to it.
    OwnCopy,
    /// Somebody's. Nothing that is there is dropped, analyzed or vacuumed, and statements run READ ONLY.
    Given,
}

impl<'a> Prover<'a> {
    fn new(
        bench: Bench<'a>,
        audited: Audited<'a>,
        options: &'a RunOptions,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            bench,
            proofs: Proofs::of(bench.results, audited.runs, interrupt),
            words: Words::of(&audited),
            schema: audited.schema,
            queries: audited.queries,
            runs: audited.runs,
            options,
            prepared: BTreeMap::new(),
            refused: BTreeSet::new(),
            ground: match options.access {
                Access::PrivateCopy => Ground::OwnCopy,
                Access::ReadOnly | Access::Writes => Ground::Given,
            },
        }
    }

    /// The limits of a transaction that builds: on a given database it asks for READ WRITE, which its session is not by default.
    fn building_limits(&self) -> Limits {
        let limits = self.options.limits();
        match self.ground {
            Ground::OwnCopy => limits,
            Ground::Given => Limits {
                access: Access::Writes,
                ..limits
            },
        }
    }

    /// Sent before a statement is run beside what was built, and undone after it.
    fn before_a_statement(&self) -> &'static str {
        match self.ground {
            Ground::OwnCopy => "",
            Ground::Given => "SET LOCAL transaction_read_only = on;",
        }
    }
}

impl Prover<'_> {
    async fn try_out(
        &mut self,
        candidate: &Candidate,
        name: &str,
    ) -> Result<Option<Trial>, ExplainError> {
        let touched = self.touched(candidate);
        let writers = self.writers(candidate);
        let mut pieces = self.proofs.pieces(candidate, &touched, &writers);
        let refused = matches!(pieces.building, Some(Building::Refused));
        if !refused && !pieces.are_complete(&touched, &writers) {
            self.measure_missing(candidate, name, &touched, &writers, &mut pieces)
                .await?;
        }
        let Some(Building::Done(built)) = pieces.building else {
            self.refused.insert(candidate.index.clone());
            return Ok(None);
        };
        let effects: Vec<Effect> = pieces.effects.into_values().flatten().collect();
        if effects.is_empty() {
            return Ok(None);
        }
        let index = candidate.index.clone();
        Ok(Some(Trial {
            names: ddl::names(&index, name, self.schema),
            index,
            bytes: built.bytes,
            build: built.build,
            effects,
            sites: candidate.sites.clone(),
            writes: pieces.writes.into_values().flatten().collect(),
        }))
    }

    /// Builds the index and runs what is not known with it.
    async fn measure_missing(
        &mut self,
        candidate: &Candidate,
        name: &str,
        touched: &[Place],
        writers: &[usize],
        pieces: &mut Pieces,
    ) -> Result<(), ExplainError> {
        let is_missing = |place: &&Place| !pieces.effects.contains_key(*place);
        let missing: Vec<Place> = touched.iter().filter(is_missing).copied().collect();
        for query in missing
            .iter()
            .map(|place| place.query)
            .chain(writers.iter().copied())
        {
            self.prepare(query).await?;
        }
        let limits = self.building_limits();
        self.open(&limits).await?;
        let measured = self
            .in_transaction(candidate, name, (&missing, writers), pieces)
            .await;
        if self.rolled_back(measured).await?.is_none() {
            pieces.building = Some(Building::Refused);
        }
        self.clean_up(&missing).await
    }

    /// A transaction for building in. The build sets its own limit; the settings for statements come after it.
    async fn open(&self, limits: &Limits) -> Result<(), ExplainError> {
        let opening = explain::opening(limits, PlanChoice::Custom);
        explain::texts(self.bench.client()?, &opening, explain::NO_POSITION).await?;
        Ok(())
    }

    /// Leaves the transaction. `None` where the server refused what was tried (not immutable, no such operator class, too
    /// wide) or it took too long to build here.
    async fn rolled_back<T>(
        &self,
        tried: Result<T, ExplainError>,
    ) -> Result<Option<T>, ExplainError> {
        let left = explain::texts(self.bench.client()?, "ROLLBACK", explain::NO_POSITION).await;
        match tried {
            Err(ExplainError::Refused(refusal)) if refusal.is_of_the_server() => {
                left.and(Err(ExplainError::Refused(refusal)))
            }
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => left.map(|_| None),
            Err(error) => Err(error),
            Ok(tried) => left.map(|_| Some(tried)),
        }
    }

    /// What statements wrote and rolled back still fills pages, and takes the marks of index-only scans away: it would be
    /// counted against the next index.
    async fn clean_up(&self, touched: &[Place]) -> Result<(), ExplainError> {
        if self.ground == Ground::Given {
            return Ok(());
        }
        let written: BTreeSet<usize> = touched
            .iter()
            .filter(|place| self.queries[place.query].writes)
            .map(|place| place.query)
            .collect();
        let runs = self
            .runs
            .iter()
            .filter(|runs| written.contains(&runs.query));
        let plans = runs.flat_map(|runs| &runs.runs).map(|run| &run.plan);
        explain::vacuum(self.bench.session()?, self.schema, plans).await
    }

    async fn in_transaction(
        &self,
        candidate: &Candidate,
        name: &str,
        (missing, writers): (&[Place], &[usize]),
        pieces: &mut Pieces,
    ) -> Result<(), ExplainError> {
        let (index, limits) = (&candidate.index, self.options.limits());
        let built = match self.build(index, name, &limits).await {
            Ok(built) => built,
            Err(error) => {
                if error.is_of_the_statement() {
                    self.proofs.keep_building(index, &Building::Refused);
                }
                return Err(error);
            }
        };
        for place in missing {
            let effect = self.effect(place, &built.names).await?;
            self.proofs.keep_effect(index, place, effect.as_ref());
            pieces.effects.insert(*place, effect);
        }
        // Measured for what serves something only.
        if pieces.serves() {
            for query in writers {
                if !pieces.writes.contains_key(query) {
                    let cost = self.write_cost(*query).await?;
                    self.proofs.keep_write(index, *query, cost.as_ref());
                    pieces.writes.insert(*query, cost);
                }
            }
        }
        if pieces.building.is_none() {
            let building = Building::Done(built);
            self.proofs.keep_building(index, &building);
            pieces.building = Some(building);
        }
        Ok(())
    }

    /// What a run takes with indexes that are there; `None` where its plan does not use them.
    async fn effect(
        &self,
        place: &Place,
        names: &BTreeSet<String>,
    ) -> Result<Option<Effect>, ExplainError> {
        let (Some(before), Some(prepared)) = (
            self.run(place.query, place.run),
            self.prepared.get(&place.query),
        ) else {
            return Ok(None);
        };
        if place.why == Why::Scan && !self.would_use(prepared, before, names).await? {
            return Ok(None);
        }
        let taken = self.measure(prepared, before).await?;
        Ok(taken.map(|taken| effect(place, before, &taken)))
    }

    /// Runs that asked for the candidate, and those of queries that read its table and name a key of it.
    fn touched(&self, candidate: &Candidate) -> Vec<Place> {
        let mut found: BTreeSet<Place> = BTreeSet::new();
        for site in &candidate.sites {
            let why = if site.node == 0 && self.asks_for_check(site.query, site.run) {
                Why::Check
            } else {
                Why::Scan
            };
            found.insert(Place {
                query: site.query,
                run: site.run,
                why,
            });
        }
        let may_search = |query: usize, plan: &Plan| {
            candidate.index.all().any(|index| {
                self.words.name_a_key(query, index) && self.reads(plan, index.table_oid)
            })
        };
        for query_runs in self.runs {
            for (at, run) in query_runs.runs.iter().enumerate() {
                let place = |why| Place {
                    query: query_runs.query,
                    run: at,
                    why,
                };
                let checks = found.contains(&place(Why::Check));
                let is_cheap = run
                    .measurement()
                    .is_some_and(|found| found.blocks <= CHEAP && found.temp_blocks.0 == 0);
                if !checks && !is_cheap && may_search(query_runs.query, &run.plan) {
                    found.insert(place(Why::Scan));
                }
            }
        }
        found.into_iter().collect()
    }

    fn asks_for_check(&self, query: usize, run: usize) -> bool {
        self.run(query, run).is_some_and(|run| {
            let mut triggers = run.plan.triggers.iter();
            let is_unfinished = matches!(run.outcome, Outcome::TimedOut { .. });
            triggers.any(|trigger| trigger.constraint.is_some())
                || is_unfinished && !self.schema.deleted_from(&run.plan).is_empty()
        })
    }

    fn reads(&self, plan: &Plan, table: u32) -> bool {
        plan.nodes
            .iter()
            .filter_map(|node| node.relation.as_ref())
            .any(|relation| {
                let found = self
                    .schema
                    .table(relation.schema.as_deref(), &relation.name);
                found.is_some_and(|found| self.schema.root_of(found).oid == table)
            })
    }

    fn run(&self, query: usize, run: usize) -> Option<&Run> {
        self.runs
            .iter()
            .find(|runs| runs.query == query)?
            .runs
            .get(run)
    }

    async fn prepare(&mut self, query: usize) -> Result<(), ExplainError> {
        if !self.prepared.contains_key(&query) {
            let (source, client) = (&self.queries[query], self.bench.client()?);
            let name = format!("pgproof_prove_{query}");
            // It was looked at when the audit ran it, and its session is this command's own: it is prepared once.
            let limits = Limits {
                access: Access::PrivateCopy,
                ..self.options.limits_of(source)
            };
            let prepared = Prepared::of_query(client, &name, source, &limits).await?;
            self.prepared.insert(query, prepared);
        }
        Ok(())
    }

    async fn build(
        &self,
        index: &IndexSpec,
        name: &str,
        limits: &Limits,
    ) -> Result<Built, ExplainError> {
        let names = ddl::names(index, name, self.schema);
        let mut statement = ddl::statement(index, &names);
        if self.ground == Ground::Given {
            // What the database lacks is not created in it.
            let lines = statement
                .lines()
                .filter(|line| line.starts_with("CREATE INDEX "));
            statement = lines.collect::<Vec<_>>().join("\n");
        }
        let limit = (limits.statement.0 * BUILD_PATIENCE).max(1.0);
        // Only an index with an expression brings statistics of its own.
        let has_expression = |index: &&IndexSpec| {
            let mut keys = index.keys.iter();
            keys.any(|key| matches!(key.part, Part::Expression(_)))
        };
        let analyzed: BTreeSet<String> = index
            .all()
            .filter(has_expression)
            // What ANALYZE says of when it ran last does not roll back.
            .filter(|_| self.ground == Ground::OwnCopy)
            .map(|index| format!("ANALYZE {};", index.table.sql()))
            .collect();
        let analyze = String::from_iter(analyzed);
        let memory = match self.ground {
            Ground::OwnCopy => format!("SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}';"),
            Ground::Given => String::new(),
        };
        let indexes = self.oids(index, name);
        // Only the owner builds an index; who asks is the session's role again afterwards.
        let sql = format!(
            "SET LOCAL statement_timeout = {limit:.0};{memory}SET LOCAL ROLE NONE;{statement}\
             SELECT (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::text;{analyze}\
             SELECT json_agg(json_build_array(c.relname, pg_relation_size(c.oid)))::text \
             FROM pg_class c WHERE c.oid IN ({indexes}) \
               OR c.oid IN (SELECT relid FROM unnest(ARRAY[{indexes}]) built, pg_partition_tree(built));\
             RESET ROLE;SET LOCAL statement_timeout = {:.0};",
            limits.statement.0.max(1.0)
        );
        let answer = explain::texts(self.bench.client()?, &sql, explain::NO_POSITION).await?;
        let [milliseconds, members] = &answer[..] else {
            return Err(ExplainError::NoPlan);
        };
        let unreadable = |text: &str| ExplainError::Unreadable(text.to_owned());
        let members: Vec<(String, u64)> =
            serde_json::from_str(members).map_err(|_| unreadable(members))?;
        Ok(Built {
            build: Millis(milliseconds.parse().map_err(|_| unreadable(milliseconds))?),
            bytes: Bytes(members.iter().map(|(_, bytes)| bytes).sum()),
            names: members.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// The OIDs of an index and those beside it, as SQL.
    fn oids(&self, index: &IndexSpec, name: &str) -> String {
        let names = ddl::names(index, name, self.schema);
        let oids: Vec<String> = index
            .all()
            .zip(&names)
            .map(|(index, name)| {
                let schema = quote_identifier(&index.table.schema);
                let qualified = format!("{schema}.{}", quote_identifier(name));
                format!("{}::regclass", quote_literal(&qualified))
            })
            .collect();
        oids.join(", ")
    }

    /// The queries that write to an index's table.
    fn writers(&self, candidate: &Candidate) -> Vec<usize> {
        let writes = |query: &usize| {
            let first = self.run(*query, 0).filter(|_| self.queries[*query].writes);
            let mut indexes = candidate.index.all();
            first.is_some_and(|run| indexes.any(|index| self.modifies(&run.plan, index.table_oid)))
        };
        let queries = self.runs.iter().map(|runs| runs.query);
        queries.filter(writes).collect()
    }

    /// What the indexes that are there cost a query that writes.
    async fn write_cost(&self, query: usize) -> Result<Option<WriteCost>, ExplainError> {
        let (Some(run), Some(prepared)) = (self.run(query, 0), self.prepared.get(&query)) else {
            return Ok(None);
        };
        let taken = self.measure(prepared, run).await?;
        let Some(last) = taken.as_ref().and_then(|taken| taken.last()) else {
            return Ok(None);
        };
        let (before, after) = (run.plan.root(), last.plan.root());
        let wal = before.wal.zip(after.wal);
        let blocks = before.buffers.zip(after.buffers);
        Ok(wal.zip(blocks).map(|(wal, blocks)| WriteCost {
            query,
            pages: (blocks.0.touched(), blocks.1.touched()),
            wal: (without_images(wal.0), without_images(wal.1)),
        }))
    }

    fn modifies(&self, plan: &Plan, table: u32) -> bool {
        plan.nodes
            .iter()
            .filter(|node| node.kind == NodeKind::ModifyTable)
            .any(|node| {
                let relation = node.relation.as_ref();
                let found = relation.and_then(|relation| {
                    self.schema
                        .table(relation.schema.as_deref(), &relation.name)
                });
                found.is_some_and(|found| self.schema.root_of(found).oid == table)
            })
    }

    async fn would_use(
        &self,
        prepared: &Prepared,
        run: &Run,
        names: &BTreeSet<String>,
    ) -> Result<bool, ExplainError> {
        let client = self.bench.client()?;
        let (values, choice, mode) = (values(run), choice(run), Mode::Estimate);
        let first = self.before_a_statement();
        match explain::in_savepoint(client, prepared, &values, choice, mode, first).await {
            Ok(explained) => Ok(uses(&explained.plan, names)),
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The samples with the index, after one for warming up; `None` where the statement fails or does not finish.
    async fn measure(
        &self,
        prepared: &Prepared,
        run: &Run,
    ) -> Result<Option<Vec<Explained>>, ExplainError> {
        let mode = if prepared.writes {
            Mode::AnalyzeWrite
        } else {
            Mode::Analyze
        };
        let client = self.bench.client()?;
        let mut taken: Vec<Explained> = Vec::new();
        for round in 0..=self.options.runs {
            let slow = taken
                .last()
                .and_then(|last| last.time)
                .is_some_and(|time| time.0 > 1_000.0);
            let times: Vec<Millis> = taken.iter().filter_map(|one| one.time).collect();
            if (slow && round > 1) || is_settled(&times) || is_clear(run, &times) {
                break;
            }
            let (values, choice, first) = (values(run), choice(run), self.before_a_statement());
            match explain::in_savepoint(client, prepared, &values, choice, mode, first).await {
                Ok(explained) => taken.push(explained),
                Err(ExplainError::Refused(_) | ExplainError::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        if taken.len() > 1 {
            taken.remove(0);
        }
        Ok(Some(taken))
    }

    async fn finish(self) -> Result<(), ExplainError> {
        for prepared in self.prepared.into_values() {
            prepared.deallocate(self.bench.client()?).await?;
        }
        Ok(())
    }
}

/// A run that an index may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    query: usize,
    run: usize,
    why: Why,
}

/// What a query might get from an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A better scan.
    Scan,
    /// A faster check of a foreign key.
    Check,
}

pub(in crate::db) fn values(run: &Run) -> Vec<Option<String>> {
    run.parameters
        .iter()
        .map(|parameter| parameter.value.clone())
        .collect()
}

pub(in crate::db) fn choice(run: &Run) -> PlanChoice {
    if run.is_generic() {
        PlanChoice::Generic
    } else {
        PlanChoice::Custom
    }
}

fn uses(plan: &Plan, names: &BTreeSet<String>) -> bool {
    several::indexes_searched(plan).any(|name| names.contains(name))
}

/// Whether a slow statement is so much faster or slower than before that no further execution can change the verdict.
fn is_clear(run: &Run, times: &[Millis]) -> bool {
    let (Some(before), [.., last]) = (run.fastest(), times) else {
        return false;
    };
    let factor = before.0.max(last.0) / before.0.min(last.0).max(f64::MIN_POSITIVE);
    *last > SLOW && factor >= CLEAR
}

fn effect(place: &Place, before: &Run, taken: &[Explained]) -> Effect {
    let time = |explained: &Explained| explained.time.map_or(f64::INFINITY, |time| time.0);
    let mut order: Vec<&Explained> = taken.iter().collect();
    order.sort_by(|a, b| time(a).total_cmp(&time(b)));
    let median = order[order.len() / 2];
    // What was cancelled shows no check. The execution that shows its time is the first one, which may have waited for a disk
    // or a processor: a check takes no longer than the whole statement did.
    let measured = before.measurement().filter(|_| place.why == Why::Check);
    let checks = measured.map(|whole| {
        let shown = check_time(&before.plan);
        (
            Millis(shown.0.min(whole.time_ms.0)),
            check_time(&median.plan),
        )
    });
    let fastest = before
        .fastest()
        .zip(taken.iter().map(time).reduce(f64::min).map(Millis));
    Effect {
        query: place.query,
        run: place.run,
        before: before.measurement(),
        after: measurement(median),
        fastest,
        checks,
        reading: reading(&before.plan).zip(reading(&median.plan)),
    }
    .settled()
}

/// The pages that a statement touches outside of the nodes that write, those of its CTEs included; `None` where it writes nothing.
fn reading(plan: &Plan) -> Option<Pages> {
    let writes = |id: &NodeId| plan.node(*id).kind == NodeKind::ModifyTable;
    plan.ids().find(writes)?;
    let metrics = Metrics::of(plan);
    let own = plan
        .ids()
        .filter(|id| !writes(id))
        .filter_map(|id| metrics.node(id).exclusive_blocks);
    Some(Pages(own.map(|blocks| blocks.0).sum()))
}

/// Full page images depend on when the last checkpoint was, not on the statement.
fn without_images(wal: Wal) -> Bytes {
    Bytes(
        wal.bytes
            .0
            .saturating_sub(wal.full_page_images * Pages::SIZE),
    )
}

fn check_time(plan: &Plan) -> Millis {
    let checks = plan
        .triggers
        .iter()
        .filter(|trigger| trigger.constraint.is_some());
    Millis(
        checks
            .filter_map(|trigger| trigger.time_ms)
            .map(|time| time.0)
            .sum(),
    )
}

pub(super) fn measurement(explained: &Explained) -> Measurement {
    measured(&explained.plan, explained.time)
}

fn measured(plan: &Plan, time: Option<Millis>) -> Measurement {
    let root = plan.root();
    let buffers = root.buffers;
    Measurement {
        time_ms: time.unwrap_or_default(),
        blocks: buffers.map_or(Pages(0), |buffers| buffers.touched()),
        temp_blocks: buffers.map_or(Pages(0), |buffers| buffers.temp()),
        rows: root
            .actual
            .map_or(0.0, |actual| actual.rows.0 * actual.loops),
    }
}

//! Proves index candidates: each is built for real in a transaction that rolls back, on a private copy, and the queries
//! that it could serve are executed with it. Decides nothing: `advise::select` does.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use crate::advise::{Audited, Candidate, Effect, Part, Trial, WriteCost, ddl};
use crate::catalog::Query;
use crate::db::audit::{AuditError, RunOptions};
use crate::db::connect::Session;
use crate::db::explain::{
    self, ExplainError, Explained, Limits, Mode, PlanChoice, Prepared, quote_literal,
};
use crate::finding::Measurement;
use crate::interrupt::Interrupt;
use crate::plan::{NodeKind, Plan, Wal};
use crate::progress::{Progress, Unit};
use crate::run::{QueryRuns, Run};
use crate::schema::{Schema, quote_identifier};
use crate::units::{Bytes, Millis, Pages};

/// Memory for building an index: the copy is pgproof's own.
const BUILD_MEMORY: &str = "256MB";
/// A build may take this many times as long as a statement.
const BUILD_PATIENCE: f64 = 10.0;

/// Builds and measures every candidate, one after the other. A candidate that cannot be built (its expression is not
/// immutable, its operator class is missing) or that no query uses has no trial.
///
/// # Errors
/// [`AuditError`].
pub async fn prove(
    session: &Session,
    audited: Audited<'_>,
    candidates: &[Candidate],
    options: &RunOptions,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Vec<Trial>, AuditError> {
    let task = progress.task(
        "Proving indexes",
        Unit::Steps,
        Some(candidates.len() as u64),
    );
    let Audited {
        queries,
        runs,
        schema,
        ..
    } = audited;
    let mut prover = Prover {
        client: session.client(),
        schema,
        queries,
        runs,
        options,
        prepared: BTreeMap::new(),
    };
    let mut trials = Vec::new();
    for candidate in candidates {
        interrupt.check()?;
        let name = ddl::name(&candidate.index, schema);
        task.doing(name.clone());
        let trial = prover.try_out(candidate, &name).await;
        interrupt.check()?;
        match trial {
            Ok(trial) => trials.extend(trial),
            Err(source) if session.client().is_closed() => {
                return Err(AuditError::Server {
                    query: name,
                    source,
                });
            }
            // The server had not enough memory, locks or space for this one: the others may fit.
            Err(source) => progress.note(format!("index {name} could not be tried: {source}")),
        }
        task.advance(1);
    }
    prover.finish().await.map_err(|source| AuditError::Server {
        query: String::new(),
        source,
    })?;
    Ok(trials)
}

struct Prover<'a> {
    client: &'a Client,
    schema: &'a Schema,
    queries: &'a [Query],
    runs: &'a [QueryRuns],
    options: &'a RunOptions,
    /// By index of the query; they outlive the transactions.
    prepared: BTreeMap<usize, Prepared>,
}

impl Prover<'_> {
    async fn try_out(
        &mut self,
        candidate: &Candidate,
        name: &str,
    ) -> Result<Option<Trial>, ExplainError> {
        let touched = self.touched(candidate);
        for (query, _, _) in &touched {
            self.prepare(*query).await?;
        }
        let limits = self.options.limits();
        // The build sets its own limit; the settings for statements come after it.
        let opening = explain::opening(&limits, PlanChoice::Custom);
        explain::texts(self.client, &opening, explain::NO_POSITION).await?;
        let trial = self
            .in_transaction(candidate, name, &touched, &limits)
            .await;
        let left = explain::texts(self.client, "ROLLBACK", explain::NO_POSITION).await;
        match trial {
            // Refused: not immutable, no such operator class, too wide. Timed out: too large to build here.
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => left.map(|_| None),
            Err(error) => Err(error),
            Ok(trial) => left.map(|_| Some(trial).filter(|trial| !trial.effects.is_empty())),
        }
    }

    async fn in_transaction(
        &self,
        candidate: &Candidate,
        name: &str,
        touched: &[(usize, usize, Why)],
        limits: &Limits,
    ) -> Result<Trial, ExplainError> {
        let built = self.build(candidate, name, limits).await?;
        let mut effects = Vec::new();
        for &(query, run, why) in touched {
            let Some(before) = self.run(query, run) else {
                continue;
            };
            let Some(prepared) = self.prepared.get(&query) else {
                continue;
            };
            if why == Why::Scan && !self.would_use(prepared, before, &built.names).await? {
                continue;
            }
            if let Some(taken) = self.measure(prepared, before).await? {
                effects.push(effect(query, run, why, before, &taken));
            }
        }
        // Measured for what serves something only.
        let writes = if effects.is_empty() {
            Vec::new()
        } else {
            self.write_costs(candidate).await?
        };
        let Built { bytes, build, .. } = built;
        let (index, name, sites) = (
            candidate.index.clone(),
            name.to_owned(),
            candidate.sites.clone(),
        );
        Ok(Trial {
            index,
            name,
            bytes,
            build,
            effects,
            sites,
            writes,
        })
    }

    /// Runs of queries that read the candidate's table, or whose deletes check it.
    fn touched(&self, candidate: &Candidate) -> Vec<(usize, usize, Why)> {
        let mut found: BTreeSet<(usize, usize, Why)> = BTreeSet::new();
        for site in &candidate.sites {
            let why = if site.node == 0 && self.asks_for_check(site.query, site.run) {
                Why::Check
            } else {
                Why::Scan
            };
            found.insert((site.query, site.run, why));
        }
        for query_runs in self.runs {
            for (at, run) in query_runs.runs.iter().enumerate() {
                let checks = found.contains(&(query_runs.query, at, Why::Check));
                if !checks && self.reads(&run.plan, candidate.index.table_oid) {
                    found.insert((query_runs.query, at, Why::Scan));
                }
            }
        }
        found.into_iter().collect()
    }

    fn asks_for_check(&self, query: usize, run: usize) -> bool {
        self.run(query, run).is_some_and(|run| {
            run.plan
                .triggers
                .iter()
                .any(|trigger| trigger.constraint.is_some())
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
            let (name, limits) = (format!("pgproof_prove_{query}"), self.options.limits());
            let source = &self.queries[query];
            let prepared =
                Prepared::new(self.client, &name, &source.sql, source.writes, &limits).await?;
            self.prepared.insert(query, prepared);
        }
        Ok(())
    }

    async fn build(
        &self,
        candidate: &Candidate,
        name: &str,
        limits: &Limits,
    ) -> Result<Built, ExplainError> {
        let statement = ddl::statement(&candidate.index, name, self.schema);
        let limit = (limits.statement.0 * BUILD_PATIENCE).max(1.0);
        // Only an index with an expression brings statistics of its own.
        let mut keys = candidate.index.all().flat_map(|index| &index.keys);
        let has_expression = keys.any(|key| matches!(key.part, Part::Expression(_)));
        let analyze = if has_expression {
            format!("ANALYZE {};", candidate.index.table.sql())
        } else {
            String::new()
        };
        let schema = quote_identifier(&candidate.index.table.schema);
        let names = ddl::names(&candidate.index, name, self.schema);
        let names: Vec<String> = names
            .iter()
            .map(|name| {
                format!(
                    "{}::regclass",
                    quote_literal(&format!("{schema}.{}", quote_identifier(name)))
                )
            })
            .collect();
        let indexes = names.join(", ");
        // Only the owner builds an index; who asks is the session's role again afterwards.
        let sql = format!(
            "SET LOCAL statement_timeout = {limit:.0};SET LOCAL maintenance_work_mem = '{BUILD_MEMORY}';\
             SET LOCAL ROLE NONE;{statement}\
             SELECT (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)::text;{analyze}\
             SELECT json_agg(json_build_array(c.relname, pg_relation_size(c.oid)))::text \
             FROM pg_class c WHERE c.oid IN ({indexes}) \
               OR c.oid IN (SELECT relid FROM unnest(ARRAY[{indexes}]) built, pg_partition_tree(built));\
             RESET ROLE;SET LOCAL statement_timeout = {:.0};",
            limits.statement.0.max(1.0)
        );
        let answer = explain::texts(self.client, &sql, explain::NO_POSITION).await?;
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

    /// What the index costs the statements that write to its table. Their prepared forms are there: they read it, too.
    async fn write_costs(&self, candidate: &Candidate) -> Result<Vec<WriteCost>, ExplainError> {
        let mut costs = Vec::new();
        for runs in self.runs {
            let Some(run) = runs.runs.first() else {
                continue;
            };
            let Some(prepared) = self
                .prepared
                .get(&runs.query)
                .filter(|prepared| prepared.writes)
            else {
                continue;
            };
            if !self.modifies(&run.plan, candidate.index.table_oid) {
                continue;
            }
            let Some(taken) = self.measure(prepared, run).await? else {
                continue;
            };
            let Some(last) = taken.last() else { continue };
            let (before, after) = (run.plan.root(), last.plan.root());
            let (Some(wal_before), Some(wal_after)) = (before.wal, after.wal) else {
                continue;
            };
            let (Some(blocks_before), Some(blocks_after)) = (before.buffers, after.buffers) else {
                continue;
            };
            costs.push(WriteCost {
                query: runs.query,
                pages: (blocks_before.touched(), blocks_after.touched()),
                wal: (without_images(wal_before), without_images(wal_after)),
            });
        }
        Ok(costs)
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
        match explain::in_savepoint(
            self.client,
            prepared,
            &values(run),
            choice(run),
            Mode::Estimate,
        )
        .await
        {
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
        let mut taken: Vec<Explained> = Vec::new();
        for round in 0..=self.options.runs {
            let slow = taken
                .last()
                .and_then(|last| last.plan.execution_ms)
                .is_some_and(|time| time.0 > 1_000.0);
            if slow && round > 1 {
                break;
            }
            match explain::in_savepoint(self.client, prepared, &values(run), choice(run), mode)
                .await
            {
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
            prepared.deallocate(self.client).await?;
        }
        Ok(())
    }
}

/// What a query might get from an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A better scan.
    Scan,
    /// A faster check of a foreign key.
    Check,
}

struct Built {
    /// The index's and, on a partitioned table, those of its partitions.
    names: BTreeSet<String>,
    bytes: Bytes,
    build: Millis,
}

pub(super) fn values(run: &Run) -> Vec<Option<String>> {
    run.parameters
        .iter()
        .map(|parameter| parameter.value.clone())
        .collect()
}

pub(super) fn choice(run: &Run) -> PlanChoice {
    if run.is_generic() {
        PlanChoice::Generic
    } else {
        PlanChoice::Custom
    }
}

fn uses(plan: &Plan, names: &BTreeSet<String>) -> bool {
    plan.nodes
        .iter()
        .filter_map(|node| node.index_name.as_ref())
        .any(|name| names.contains(name))
}

fn effect(query: usize, run: usize, why: Why, before: &Run, taken: &[Explained]) -> Effect {
    let time = |explained: &Explained| {
        explained
            .plan
            .execution_ms
            .map_or(f64::INFINITY, |time| time.0)
    };
    let mut order: Vec<&Explained> = taken.iter().collect();
    order.sort_by(|a, b| time(a).total_cmp(&time(b)));
    let median = order[order.len() / 2];
    let checks = (why == Why::Check).then(|| (check_time(&before.plan), check_time(&median.plan)));
    let fastest = before
        .fastest()
        .zip(taken.iter().map(time).reduce(f64::min).map(Millis));
    Effect {
        query,
        run,
        before: before.measurement(),
        after: measurement(&median.plan),
        fastest,
        checks,
    }
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

pub(super) fn measurement(plan: &Plan) -> Measurement {
    let root = plan.root();
    let buffers = root.buffers;
    Measurement {
        time_ms: plan.execution_ms.unwrap_or_default(),
        blocks: buffers.map_or(Pages(0), |buffers| buffers.touched()),
        temp_blocks: buffers.map_or(Pages(0), |buffers| buffers.temp()),
        rows: root
            .actual
            .map_or(0.0, |actual| actual.rows.0 * actual.loops),
    }
}

//! Indexes that are good only together: both sides of a join, each branch of a UNION ALL. All of a query's candidates are
//! built at once, the planner takes its pick, and what does nothing is taken away again.

use std::collections::{BTreeMap, BTreeSet};

use crate::advise::{Audited, Candidate, IndexSpec, Site, Trial, ddl};
use crate::db::explain::{self, ExplainError, Mode};
use crate::plan::{NodeKind, Plan};
use crate::rules::missing_index::MIN_PAGES;
use crate::run::Run;
use crate::schema::quote_identifier;

use super::{Ground, Prover, choice, values};

/// More candidates of one query are not built at once.
const MAX_MEMBERS: usize = 24;
/// An index whose loss makes a query touch no more than this many times the pages, or so many more, does nothing for it.
const NOTHING: f64 = 1.1;
const NO_PAGES: f64 = 20.0;

/// The candidates of one query.
pub(super) struct Group {
    pub(super) query: usize,
    members: Vec<IndexSpec>,
    sites: Vec<Site>,
}

/// Queries of which every single index leaves more to read than is worth an index, with their candidates.
pub(super) fn groups(
    audited: Audited<'_>,
    candidates: &[Candidate],
    trials: &[Trial],
    refused: &BTreeSet<IndexSpec>,
) -> Vec<Group> {
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for candidate in candidates {
        for site in &candidate.sites {
            let group = groups.entry(site.query).or_insert_with(|| Group {
                query: site.query,
                members: Vec::new(),
                sites: Vec::new(),
            });
            group.sites.push(*site);
            for index in candidate.index.all() {
                let alone = IndexSpec {
                    beside: Vec::new(),
                    ..index.clone()
                };
                if !refused.contains(&alone) && !group.members.contains(&alone) {
                    group.members.push(alone);
                }
            }
        }
    }
    let mut groups: Vec<Group> = groups
        .into_values()
        .filter(|group| group.members.len() > 1)
        .filter(|group| is_left_with_much(group.query, audited, trials))
        .collect();
    for group in &mut groups {
        group.members.truncate(MAX_MEMBERS);
    }
    groups
}

/// Whether some run of a query still touches many pages with the best single index.
fn is_left_with_much(query: usize, audited: Audited<'_>, trials: &[Trial]) -> bool {
    let Some(runs) = audited.runs.iter().find(|runs| runs.query == query) else {
        return false;
    };
    let policy = (audited.policy_for)(&audited.queries[query]);
    let floor = policy.limit(&MIN_PAGES);
    runs.runs.iter().enumerate().any(|(at, run)| {
        let effects = trials.iter().flat_map(|trial| &trial.effects);
        let best = effects
            .filter(|effect| effect.query == query && effect.run == at)
            .map(|effect| effect.after.blocks.0 as f64)
            .reduce(f64::min);
        let now = run
            .measurement()
            .map_or(f64::INFINITY, |found| found.blocks.0 as f64);
        best.unwrap_or(now).min(now) >= floor
    })
}

/// A member that is built, by its name.
struct Built<'a> {
    index: &'a IndexSpec,
    name: String,
    /// Its own and those of its partitions.
    names: BTreeSet<String>,
}

impl Prover<'_> {
    /// Builds a query's candidates together and measures those that it uses; `None` where that is none, or one alone.
    pub(super) async fn try_together(
        &mut self,
        group: &Group,
    ) -> Result<Option<Trial>, ExplainError> {
        let kept = match self.proofs.group(group.query, &group.members) {
            Some(known) => known,
            None => self.measured_group(group).await?,
        };
        let Some((first, beside)) = kept.split_first().filter(|(_, beside)| !beside.is_empty())
        else {
            return Ok(None);
        };
        let index = IndexSpec {
            beside: beside.to_vec(),
            ..first.clone()
        };
        let name = ddl::name(&index, self.schema);
        let sites = group.sites.clone();
        self.try_out(&Candidate { index, sites }, &name).await
    }

    async fn measured_group(&mut self, group: &Group) -> Result<Vec<IndexSpec>, ExplainError> {
        self.prepare(group.query).await?;
        let limits = self.building_limits();
        self.open(&limits).await?;
        let kept = self.useful(group).await;
        let kept = self.rolled_back(kept).await?.unwrap_or_default();
        self.proofs.keep_group(group.query, &group.members, &kept);
        Ok(kept)
    }

    /// The members of a group that some plan of the query uses when all are there, without those whose loss costs nothing.
    async fn useful(&self, group: &Group) -> Result<Vec<IndexSpec>, ExplainError> {
        let limits = self.options.limits();
        let names = ddl::unique_names(&group.members, self.schema);
        let mut built = Vec::new();
        for (index, name) in group.members.iter().zip(names) {
            let found = self.build(index, &name, &limits).await?;
            built.push(Built {
                index,
                name,
                names: found.names,
            });
        }
        let mut used = BTreeSet::new();
        for run in self.runs_of(group.query) {
            used.extend(self.indexes_used(group.query, run).await?.searched);
        }
        let (mut kept, idle): (Vec<Built<'_>>, Vec<Built<'_>>) = built
            .into_iter()
            .partition(|member| !member.names.is_disjoint(&used));
        // DROP INDEX would lock a given table against its readers, too.
        let idle = match self.ground {
            Ground::OwnCopy => idle,
            Ground::Given => Vec::new(),
        };
        for member in &idle {
            self.execute(&drop_index(member.index, &member.name))
                .await?;
        }
        if kept.len() > 1 && self.ground == Ground::OwnCopy {
            self.drop_idle(group.query, &mut kept).await?;
        }
        Ok(kept
            .into_iter()
            .map(|member| member.index.clone())
            .collect())
    }

    /// Takes away, one after the other, what the query does without as well.
    async fn drop_idle(&self, query: usize, kept: &mut Vec<Built<'_>>) -> Result<(), ExplainError> {
        let Some(with_all) = self.pages_of(query).await? else {
            return Ok(());
        };
        let mut at = 0;
        while at < kept.len() && kept.len() > 1 {
            let member = &kept[at];
            let drop = drop_index(member.index, &member.name);
            let without = format!("SAVEPOINT pgproof_member;{drop}");
            self.execute(&without).await?;
            let pages = self.pages_of(query).await?;
            let most = (with_all * NOTHING).max(with_all + NO_PAGES);
            if pages.is_some_and(|pages| pages <= most) {
                self.execute("RELEASE SAVEPOINT pgproof_member").await?;
                kept.remove(at);
            } else {
                self.execute("ROLLBACK TO SAVEPOINT pgproof_member").await?;
                at += 1;
            }
        }
        Ok(())
    }

    /// Pages that all runs of a query touch as things are; `None` where one of them does not finish.
    async fn pages_of(&self, query: usize) -> Result<Option<f64>, ExplainError> {
        let Some(prepared) = self.prepared.get(&query) else {
            return Ok(None);
        };
        let mut pages = 0.0;
        for run in self.runs_of(query) {
            let (values, choice) = (values(run), choice(run));
            let (client, mode) = (self.bench.client()?, Mode::Analyze);
            let first = self.before_a_statement();
            match explain::in_savepoint(client, prepared, &values, choice, mode, first).await {
                Ok(taken) => {
                    let buffers = taken.plan.root().buffers;
                    pages += buffers.map_or(0.0, |buffers| buffers.touched().0 as f64);
                }
                Err(ExplainError::Refused(_) | ExplainError::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(pages))
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<(), ExplainError> {
        explain::texts(self.bench.client()?, sql, explain::NO_POSITION)
            .await
            .map(|_| ())
    }

    pub(super) fn runs_of(&self, query: usize) -> impl Iterator<Item = &Run> {
        self.runs
            .iter()
            .filter(move |runs| runs.query == query)
            .flat_map(|runs| &runs.runs)
    }

    pub(super) async fn indexes_used(&self, query: usize, run: &Run) -> Result<Read, ExplainError> {
        let Some(prepared) = self.prepared.get(&query) else {
            return Ok(Read::default());
        };
        let (values, choice) = (values(run), choice(run));
        let (client, mode, first) = (
            self.bench.client()?,
            Mode::Estimate,
            self.before_a_statement(),
        );
        match explain::in_savepoint(client, prepared, &values, choice, mode, first).await {
            Ok(explained) => Ok(Read::of(&explained.plan)),
            Err(ExplainError::Refused(_) | ExplainError::TimedOut) => Ok(Read::default()),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn drop_index(index: &IndexSpec, name: &str) -> String {
    let schema = quote_identifier(&index.table.schema);
    format!("DROP INDEX {schema}.{};", quote_identifier(name))
}

/// The indexes that a plan reads, and those of them that it searches.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) all: Vec<String>,
    pub(super) searched: Vec<String>,
}

impl Read {
    fn of(plan: &Plan) -> Self {
        Self {
            all: index_names(plan),
            searched: indexes_searched(plan).map(str::to_owned).collect(),
        }
    }
}

/// The indexes that a plan searches, or walks for their order until a LIMIT is full. One that is merely smaller than its
/// table, and read from end to end, is no reason for an index.
pub(super) fn indexes_searched(plan: &Plan) -> impl Iterator<Item = &str> {
    let limited = |id| {
        let mut above = plan.ancestors(id);
        above.any(|above| {
            let node = plan.node(above);
            matches!(node.kind, NodeKind::Limit | NodeKind::Unique)
                || node.conditions.run_condition.is_some()
        })
    };
    let searched = plan
        .ids()
        .filter(move |id| plan.node(*id).conditions.index.is_some() || limited(*id));
    searched.filter_map(|id| plan.node(id).index_name.as_deref())
}

/// The indexes that a plan reads.
pub(in crate::db) fn index_names(plan: &Plan) -> Vec<String> {
    let names = plan.nodes.iter();
    names.filter_map(|node| node.index_name.clone()).collect()
}

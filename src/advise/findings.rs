//! Proven indexes as `missing-index` findings, one for each query that an index serves. `rules::settle` puts what the rules
//! found at the same place under them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::finding::{Evidence, Finding, Fingerprint, Fix, Proof, Quantity, RuleId, Severity};
use crate::plan::{Metrics, NodeId, Plan, label};
use crate::rules;
use crate::run::{Outcome, Run};
use crate::schema::{Schema, quote_identifier};
use crate::units::{Count, Millis, Rows};

use super::ddl::{self, has_trigrams};
use super::hot::{self, Lost};
use super::select::{self, Proposal, hurts};
use super::set::Superseded;
use super::{Audited, Candidate, Effect, IndexSpec, KeySpec, Method, Part, Site, Trial};

/// From so many times fewer pages on it is an error.
const MUCH_FEWER: f64 = 5.0;
/// A call that takes less time…
const QUICK: Millis = Millis(1.0);
/// …on fewer pages is a warning at most.
const FEW_PAGES: u64 = 2_000;
/// So is one of fewer pages where the index takes HOT from the catalog's updates.
const SHORT_PAGES: u64 = 5_000;

/// The `missing-index` findings of the proposals, in the order of the catalog.
#[must_use]
pub fn findings(proposals: &[Proposal<'_>], audited: Audited<'_>) -> Vec<Finding> {
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for proposal in proposals {
        let effects = &proposal.effects;
        for effect in effects {
            if let Some(finding) = finding(proposal, effect, effects, audited) {
                found.push((effect.query, finding));
            }
        }
    }
    found.sort_by_key(|(query, _)| *query);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Existing indexes that the advised ones do the work of: the set was measured without them.
#[must_use]
pub fn superseded(indexes: &[Superseded]) -> Vec<Finding> {
    let finding = |old: &Superseded| {
        let (name, relation) = (&old.index.name, old.table.to_string());
        let pair = format!("{name} = {}", key_text(&old.by));
        Finding {
            rule: RuleId::DuplicateIndex,
            severity: Severity::Info,
            query: None,
            location: None,
            message: format!(
                "{name} of {relation} is the beginning of the advised index on {}, {}",
                key_text(&old.by),
                old.index.bytes
            ),
            why: "With both there, every INSERT and most UPDATEs write to both; queries need only one."
                .to_owned(),
            advice: "Drop it once the advised index is there, CONCURRENTLY where the table is in use: the whole set was measured \
                     without it, and no query is worse for it."
                .to_owned(),
            evidence: Evidence {
                relation: Some(relation.clone()),
                condition: Some(pair.clone()),
                ..Evidence::default()
            }
            .with("index_bytes", Quantity::Bytes(old.index.bytes)),
            fix: Some(Fix {
                sql: format!(
                    "DROP INDEX {}.{};",
                    quote_identifier(&old.table.schema),
                    quote_identifier(name)
                ),
                proof: None,
            }),
            fingerprint: Fingerprint::of([RuleId::DuplicateIndex.as_str(), &relation, &pair]),
            suppressed: None,
            symptoms: Vec::new(),
        }
    };
    indexes.iter().map(finding).collect()
}

/// Candidates that nothing was built for, because the database is not pgproof's own: worth knowing, with the statement
/// but without proof. Of each table of a query the one that narrows most by the statistics of its columns; none that leaves much.
#[must_use]
pub fn unproven(candidates: &[Candidate], audited: Audited<'_>) -> Vec<Finding> {
    let mut best: BTreeMap<(usize, String), (&Candidate, Site)> = BTreeMap::new();
    for candidate in candidates {
        for site in &candidate.sites {
            let key = (site.query, candidate.index.table.to_string());
            let known = best.entry(key).or_insert((candidate, *site));
            let rank = |candidate| rank(candidate, audited.schema);
            if rank(candidate) > rank(known.0) {
                *known = (candidate, *site);
            }
        }
    }
    let narrows = |candidate: &Candidate| {
        let left = Narrowing::of(&candidate.index, audited.schema);
        left.is_none_or(|left| left.rows <= left.of * MUCH)
    };
    let sites = best
        .into_iter()
        .filter(|(_, (candidate, _))| narrows(candidate))
        .filter_map(|((_, relation), (candidate, site))| {
            unproven_finding(candidate, site, &relation, audited)
        });
    sites.collect()
}

fn unproven_finding(
    candidate: &Candidate,
    site: Site,
    relation: &str,
    audited: Audited<'_>,
) -> Option<Finding> {
    let query = audited.queries.get(site.query)?;
    let run = audited.run(site.query, site.run)?;
    let severity = (audited.policy_for)(query).severity(RuleId::MissingIndex, Severity::Info)?;
    let name = ddl::name(&candidate.index, audited.schema);
    let key = key_text(&candidate.index);
    Some(Finding {
        rule: RuleId::MissingIndex,
        // Whatever is set for proven ones.
        severity: severity.min(Severity::Info),
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message: format!(
            "an index on {relation} {key} could serve this query{}; it was not built here, so nothing is proven",
            Narrowing::of(&candidate.index, audited.schema).map_or_else(String::new, |left| left.to_string())
        ),
        why: "Without it each call reads the pages of rows that it then throws away; they grow with the table."
            .to_owned(),
        advice: "Add --copy: pgproof then copies the database to its embedded server, builds the index there and measures; --prove \
                 builds it in the database itself and rolls back, for staging databases. Where the extension hypopg is created there, \
                 it is at least planned. Without --database-url pgproof measures on a dataset of its own."
            .to_owned(),
        evidence: node_evidence(run, Some(&site), &candidate.index, audited.schema)
            .with("index_key", Quantity::Text(key.clone())),
        fix: Some(Fix {
            sql: ddl::statement(
                &candidate.index,
                &ddl::names(&candidate.index, &name, audited.schema),
            ),
            proof: None,
        }),
        fingerprint: Fingerprint::of([RuleId::MissingIndex.as_str(), &query.name, relation, &key]),
        suppressed: None,
        symptoms: Vec::new(),
    })
}

/// A guess that leaves more of the table than this is none.
const MUCH: f64 = 0.2;
/// Rows that no further column needs to narrow.
const HANDFUL: f64 = 100.0;

/// What the statistics say of one value of each of a B-tree's keys.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Narrowing {
    /// Rows that have them, by independent columns.
    rows: f64,
    /// The table's.
    of: f64,
}

impl Narrowing {
    /// `None` where they say nothing: of other methods, expressions, partial indexes, and tables that were never analyzed.
    fn of(index: &IndexSpec, schema: &Schema) -> Option<Self> {
        if index.method != Method::Btree || index.predicate.is_some() || !index.beside.is_empty() {
            return None;
        }
        let table = schema.table_by_oid(index.table_oid)?;
        let of = table.stats.rows.filter(|rows| *rows > 0.0)?;
        let mut groups = 1.0;
        for key in &index.keys {
            let Part::Column(name) = &key.part else {
                return None;
            };
            let stats = table.column(name)?.stats.as_ref()?;
            let distinct = match stats.distinct {
                relative if relative < 0.0 => -relative * of,
                absolute => absolute,
            };
            groups *= distinct.max(1.0);
        }
        Some(Self {
            rows: of / groups.min(of),
            of,
        })
    }
}

impl std::fmt::Display for Narrowing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            ": by the statistics one value of its key has about {} of {} rows",
            Count(self.rows.round().max(1.0)),
            Count(self.of)
        )
    }
}

/// Without a measurement: not partial, not covering, the one that leaves fewest rows by the statistics, the shortest of those
/// that leave a handful; where they say nothing, the one with the most conditions in its key.
fn rank(candidate: &Candidate, schema: &Schema) -> (bool, bool, i64, i64) {
    let index = &candidate.index;
    let keys = i64::try_from(index.keys.len()).unwrap_or(i64::MAX);
    let (few, length) = match Narrowing::of(index, schema) {
        Some(left) => (-(left.rows.max(HANDFUL).round() as i64), -keys),
        None => (i64::MIN, keys),
    };
    (
        index.predicate.is_none(),
        index.include.is_empty(),
        few,
        length,
    )
}

fn finding(
    proposal: &Proposal<'_>,
    effect: &Effect,
    all: &[&Effect],
    audited: Audited<'_>,
) -> Option<Finding> {
    let trial = proposal.trial;
    let query = audited.queries.get(effect.query)?;
    let run = audited.run(effect.query, effect.run)?;
    let relation = trial.index.table.to_string();
    let site = trial
        .sites
        .iter()
        .find(|site| site.query == effect.query && site.run == effect.run);
    let proof = Proof {
        before: effect.before.clone(),
        cancelled_ms: cancelled_after(run),
        after: effect.after.clone(),
        index_bytes: Some(trial.bytes),
        build_ms: Some(trial.build),
    };
    let key = key_text(&trial.index);
    let without_a_filter = serves_filters_left_out_only(trial, effect, audited);
    let mut finding = Finding {
        rule: RuleId::MissingIndex,
        severity: severity(trial, effect, without_a_filter, audited),
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message: message(&trial.index, effect, &relation, &key),
        why: why(&trial.index, effect),
        advice: match without_a_filter {
            true => advice(trial, effect, all, audited) + OF_A_FILTER_LEFT_OUT,
            false => advice(trial, effect, all, audited),
        },
        evidence: evidence(
            node_evidence(run, site, &trial.index, audited.schema),
            effect,
            &key,
        ),
        fix: Some(Fix {
            sql: ddl::statement(&trial.index, &trial.names),
            proof: Some(proof),
        }),
        fingerprint: Fingerprint::of([RuleId::MissingIndex.as_str(), &query.name, &relation, &key]),
        suppressed: None,
        symptoms: Vec::new(),
    };
    rules::weigh(&mut finding, Some(query));
    // What the user set has the last word.
    finding.severity =
        (audited.policy_for)(query).severity(RuleId::MissingIndex, finding.severity)?;
    Some(finding)
}

/// `(provider, created_at) WHERE …`, for people; several are joined by `and`.
pub(super) fn key_text(index: &IndexSpec) -> String {
    let key = |other: &IndexSpec| {
        let key = one_key_text(other);
        if other.table == index.table {
            key
        } else {
            format!("{} {key}", other.table)
        }
    };
    index.all().map(key).collect::<Vec<_>>().join(" and ")
}

fn one_key_text(index: &IndexSpec) -> String {
    let parts: Vec<String> = index.keys.iter().map(part_text).collect();
    let include = if index.include.is_empty() {
        String::new()
    } else {
        format!(" INCLUDE ({})", index.include.join(", "))
    };
    let filter = index
        .predicate
        .as_ref()
        .map(|text| format!(" WHERE {text}"))
        .unwrap_or_default();
    format!("({}){include}{filter}", parts.join(", "))
}

/// `created_at DESC NULLS LAST`.
fn part_text(key: &KeySpec) -> String {
    let (Part::Column(name) | Part::Expression(name)) = &key.part;
    format!("{name}{}", ddl::order_of(key))
}

const OF_A_FILTER_LEFT_OUT: &str =
    " Only calls that leave a filter out gain by it: where none does, nothing is to be done.";

/// Whether a query's other calls gain nothing by the index. Nobody said which filters a call gives.
fn serves_filters_left_out_only(trial: &Trial, effect: &Effect, audited: Audited<'_>) -> bool {
    let leaves_out = |run: usize| {
        let run = audited.run(effect.query, run);
        run.is_some_and(|run| run.id.leaves_filters_out())
    };
    let others = trial.effects.iter().filter(|other| {
        other.query == effect.query && !leaves_out(other.run) && select::counts(other, &audited)
    });
    leaves_out(effect.run) && others.count() == 0
}

fn severity(
    trial: &Trial,
    effect: &Effect,
    without_a_filter: bool,
    audited: Audited<'_>,
) -> Severity {
    if !trial.index.include.is_empty() {
        // The rows are found by an index already.
        return Severity::Warning;
    }
    let fewer = match (&effect.before, effect.checks) {
        (_, Some((before, after))) => before.0 / after.0.max(0.1),
        (Some(before), None) => before.blocks.0 as f64 / (effect.after.blocks.0 as f64).max(1.0),
        (None, None) => f64::INFINITY,
    };
    // A call that ends at once is no error for each of its pages; `@calls` weighs it.
    let is_quick = effect.checks.is_none()
        && effect
            .before
            .as_ref()
            .is_some_and(|before| before.time_ms.0 < QUICK.0 && before.blocks.0 < FEW_PAGES);
    // What writes pay for it may be more than a short read is worth.
    let is_short = effect.checks.is_none()
        && effect
            .before
            .as_ref()
            .is_some_and(|before| before.blocks.0 < SHORT_PAGES);
    let mut indexes = trial.index.all();
    let costs_updates =
        indexes.any(|index| !hot::lost(index, audited.queries, audited.schema).is_empty());
    let is_no_error = is_quick || without_a_filter || (is_short && costs_updates);
    if fewer >= MUCH_FEWER && !is_no_error {
        Severity::Error
    } else {
        Severity::Warning
    }
}

fn message(index: &IndexSpec, effect: &Effect, relation: &str, key: &str) -> String {
    let after = &effect.after;
    let kind = match index.method {
        Method::Brin => "a BRIN index",
        Method::Gin if has_trigrams(index) => "a trigram index",
        Method::Gin => "a GIN index",
        Method::Gist => "a GiST index",
        Method::Btree => "an index",
    };
    let kind = if index.beside.is_empty() {
        kind
    } else {
        "one index each"
    };
    let takes = if index.beside.is_empty() {
        "takes"
    } else {
        "take"
    };
    match (&effect.before, effect.checks) {
        (_, Some((before, after))) => {
            if index.beside.is_empty() {
                return format!(
                    "checking the foreign key of {relation} takes {before}; with an index on {key} it takes {after}"
                );
            }
            let tables: BTreeSet<String> = index.all().map(|own| own.table.to_string()).collect();
            let tables: Vec<String> = tables.into_iter().collect();
            format!(
                "checking the foreign keys of {} takes {before}; with one index each on {relation} {key} it takes {after}",
                tables.join(", ")
            )
        }
        (Some(before), None) => format!(
            "{kind} on {relation} {key} {takes} this query from {} and {} to {} and {}",
            before.blocks, before.time_ms, after.blocks, after.time_ms
        ),
        (None, None) => format!(
            "this query does not finish in time; with {kind} on {relation} {key} it takes {} and {}",
            after.blocks, after.time_ms
        ),
    }
}

fn why(index: &IndexSpec, effect: &Effect) -> String {
    if !index.include.is_empty() {
        return "Each row that the index finds is fetched from the table, from a page of its own at worst, for a column that the \
                index could hold."
            .to_owned();
    }
    if effect.checks.is_some() {
        return "Every delete or key change of the referenced row searches the whole referencing table for rows that still \
                point to it, and holds its locks meanwhile."
            .to_owned();
    }
    // A write returns none, and a page past the last row says nothing of what the query is for.
    let purpose = match effect.after.rows > 0.0 {
        true => format!(", to return {}", Rows(effect.after.rows)),
        false => String::new(),
    };
    format!(
        "Without it each call reads the pages of rows that it then throws away{purpose}; they grow with the table."
    )
}

fn advice(trial: &Trial, effect: &Effect, all: &[&Effect], audited: Audited<'_>) -> String {
    let queries = audited.queries;
    let name = |query: usize| queries.get(query).map(|query| query.name.as_str());
    let others: Vec<&str> = all
        .iter()
        .filter(|other| other.query != effect.query)
        .filter_map(|other| name(other.query))
        .collect();
    let mut text = if trial.index.beside.is_empty() {
        "Create the index, CONCURRENTLY where the table is in use.".to_owned()
    } else {
        "Create all of them, CONCURRENTLY where the tables are in use: with one alone much of the rest is still read."
            .to_owned()
    };
    match trial.index.method {
        Method::Brin => text.push_str(
            " BRIN keeps only what each 128 pages hold: it is tiny, and good as long as rows stand in the table in this order.",
        ),
        Method::Gin if has_trigrams(&trial.index) => {
            text.push_str(" A pattern of fewer than three letters in a row does not use it.");
        }
        Method::Gin | Method::Gist | Method::Btree => {}
    }
    if !others.is_empty() {
        let _ = write!(text, " It also serves {}.", others.join(", "));
    }
    // More pages in less time are no harm.
    let is_slower = |effect: &&Effect| {
        let mut times = effect.fastest.into_iter();
        times.all(|(without, with)| with.0 >= without.0)
    };
    let hurt = trial.effects.iter().filter(|effect| hurts(effect));
    for hurt in hurt.filter(is_slower) {
        let (Some(name), Some(before)) = (name(hurt.query), &hurt.before) else {
            continue;
        };
        let _ = write!(
            text,
            " It makes {name} worse: {} before, {} with it.",
            before.blocks, hurt.after.blocks
        );
    }
    let costly = trial
        .writes
        .iter()
        .filter(|cost| cost.wal.1.0 > cost.wal.0.0 && cost.wal.1.0 >= cost.wal.0.0 / 20 * 21);
    for cost in costly {
        let Some(name) = name(cost.query) else {
            continue;
        };
        let _ = write!(
            text,
            " Each {name} then writes {} of WAL instead of {}.",
            cost.wal.1, cost.wal.0
        );
    }
    for index in trial.index.all() {
        for Lost { query, column } in hot::lost(index, queries, audited.schema) {
            let _ = write!(
                text,
                " {query} changes {column}, which no index holds today: its updates are no longer HOT."
            );
        }
    }
    text
}

fn cancelled_after(run: &Run) -> Option<Millis> {
    match run.outcome {
        Outcome::TimedOut { after } => Some(after),
        Outcome::Completed { .. } | Outcome::Estimated => None,
    }
}

/// Where the index was asked for; else the scan of its table that touches most. A check of a foreign key belongs to the
/// statement as a whole.
pub(super) fn node_evidence(
    run: &Run,
    site: Option<&Site>,
    table: &IndexSpec,
    schema: &Schema,
) -> Evidence {
    let plan = &run.plan;
    let asked = site
        .map(|site| NodeId(site.node))
        .filter(|id| id.0 < plan.nodes.len());
    let id = asked.or_else(|| heaviest_scan(plan, table.table_oid, schema));
    let condition = id.map(|id| &plan.node(id).conditions);
    let condition = condition.and_then(|own| own.filter.clone().or_else(|| own.index.clone()));
    Evidence {
        run: Some(run.id.clone()),
        node: id,
        node_label: id.map(|id| label(plan.node(id))),
        relation: Some(table.table.to_string()),
        condition,
        measures: Vec::new(),
    }
}

fn heaviest_scan(plan: &Plan, table: u32, schema: &Schema) -> Option<NodeId> {
    let metrics = Metrics::of(plan);
    let of_table = plan.table_scans().filter(|(_, node)| {
        let relation = node.relation.as_ref();
        let found =
            relation.and_then(|relation| schema.table(relation.schema.as_deref(), &relation.name));
        found.is_some_and(|found| schema.root_of(found).oid == table)
    });
    let share = |id: NodeId| metrics.share(id).unwrap_or_default();
    of_table
        .map(|(id, _)| id)
        .max_by(|a, b| share(*a).total_cmp(&share(*b)))
}

fn evidence(evidence: Evidence, effect: &Effect, key: &str) -> Evidence {
    let evidence = match (&effect.before, effect.checks) {
        (_, Some((before, after))) => evidence
            .with("check_before_ms", Quantity::Millis(before))
            .with("check_after_ms", Quantity::Millis(after)),
        (Some(before), None) => evidence
            .with("query_pages", Quantity::Pages(before.blocks))
            .with("pages_after", Quantity::Pages(effect.after.blocks))
            .with("time_before_ms", Quantity::Millis(before.time_ms))
            .with("time_after_ms", Quantity::Millis(effect.after.time_ms)),
        (None, None) => evidence
            .with("pages_after", Quantity::Pages(effect.after.blocks))
            .with("time_after_ms", Quantity::Millis(effect.after.time_ms)),
    };
    evidence.with("index_key", Quantity::Text(key.to_owned()))
}

/// Rules that say what an index would do, without having built one.
const GUESSES: [RuleId; 4] = [
    RuleId::TopNSort,
    RuleId::SeqScan,
    RuleId::FilteredIndexScan,
    RuleId::WrongOrderIndex,
];

/// A query of fewer pages gains too little by any index, whatever it would save of them.
const LITTLE_PAGES: f64 = 1_000.0;

/// Says in findings that ask for an index what came of those that were built: where none was chosen for the query and the
/// table, no index is missing.
pub fn tell_of_trials(
    found: &mut [Finding],
    (candidates, harmful): (&[Candidate], &[(IndexSpec, usize)]),
    proven: &[Finding],
    audited: Audited<'_>,
) {
    for finding in found {
        tell_of_trials(
            &mut finding.symptoms,
            (candidates, harmful),
            proven,
            audited,
        );
        let asks = GUESSES.contains(&finding.rule) && finding.severity > Severity::Info;
        let served = proven
            .iter()
            .any(|other| other.query == finding.query && serves_relation(other, finding));
        if !asks || served {
            continue;
        }
        let tried = tried(finding, candidates, audited);
        if tried.is_empty() {
            continue;
        }
        finding.severity = Severity::Info;
        let relation = finding.evidence.relation.as_deref();
        let out = harmful
            .iter()
            .find(|(index, _)| relation == Some(&index.table.to_string()));
        if let Some((index, query)) = out {
            finding.advice = format!(
                "An index on {} {} was built and makes {} worse, so it is not advised: change that query first.",
                index.table,
                key_text(index),
                audited.queries[*query].name
            );
            continue;
        }
        let pages = finding.evidence.get("query_pages");
        if let Some(Quantity::Pages(pages)) = pages
            && (pages.0 as f64) < LITTLE_PAGES
        {
            finding.advice = format!(
                "Nothing today: an index on {} was built, and of these {pages} it saves too few to be advised \
                 (missing-index.min-pages).",
                tried.join(" or ")
            );
            continue;
        }
        finding.advice = format!(
            "No index helps this query as it stands: {} {} built, and the planner leaves {} aside, reads more than half of its pages \
             still, or the catalog's writes pay more for it than it saves. Ask for fewer rows, or for a condition that fewer rows meet.",
            tried.join(", "),
            if tried.len() == 1 { "was" } else { "were" },
            if tried.len() == 1 { "it" } else { "each" },
        );
    }
}

/// Takes away what the advice answers: an index is not unused where an advised form of a query reads it, and a foreign key
/// is not without index where an advised one leads with its columns.
pub fn drop_answered(
    found: &mut Vec<Finding>,
    chosen: &[IndexSpec],
    used: &BTreeSet<String>,
    schema: &Schema,
) {
    let is_read = |finding: &Finding| {
        let index = finding.evidence.condition.as_ref();
        finding.rule == RuleId::UnusedIndex
            && finding.severity == Severity::Info
            && index.is_some_and(|index| used.contains(index))
    };
    let is_served = |finding: &Finding| {
        finding.rule == RuleId::UnindexedForeignKey
            && finding.query.is_none()
            && chosen
                .iter()
                .any(|index| leads_with_key(index, finding, schema))
    };
    found.retain(|finding| !is_read(finding) && !is_served(finding));
}

/// Whether an index leads with the columns of the foreign key that a finding is about.
fn leads_with_key(index: &IndexSpec, finding: &Finding, schema: &Schema) -> bool {
    let Some(table) = schema.table_by_oid(index.table_oid) else {
        return false;
    };
    let is_named = finding.evidence.relation.as_deref() == Some(&table.name.to_string());
    let mut keys = table.foreign_keys.iter();
    let Some(key) = keys.find(|key| Some(&key.name) == finding.evidence.condition.as_ref()) else {
        return false;
    };
    let leading = || index.keys.iter().take(key.columns.len());
    let is_of_key =
        |part: &KeySpec| matches!(&part.part, Part::Column(name) if key.columns.contains(name));
    is_named
        && index.method == Method::Btree
        && index.predicate.is_none()
        && leading().count() == key.columns.len()
        && leading().all(is_of_key)
}

fn serves_relation(index: &Finding, finding: &Finding) -> bool {
    let of_fix = |relation: &str| {
        let on = format!(" ON {relation} ");
        index.fix.as_ref().is_some_and(|fix| fix.sql.contains(&on))
    };
    index.evidence.relation == finding.evidence.relation
        || finding.evidence.relation.as_deref().is_some_and(of_fix)
}

/// The keys of what was built for a finding's query and table.
fn tried(finding: &Finding, candidates: &[Candidate], audited: Audited<'_>) -> Vec<String> {
    const SHOWN: usize = 3;
    let is_own = |site: &Site| {
        let query = audited.queries.get(site.query);
        query.map(|query| &query.name) == finding.query.as_ref()
    };
    let relation = finding.evidence.relation.as_deref();
    let own = candidates.iter().filter(|candidate| {
        candidate.sites.iter().any(is_own)
            && Some(candidate.index.table.to_string().as_str()) == relation
    });
    let mut keys: Vec<String> = own.map(|candidate| key_text(&candidate.index)).collect();
    keys.truncate(SHOWN);
    keys
}

#[cfg(test)]
mod tests;

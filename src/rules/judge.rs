//! From rules to verdicts: every rule on everything that it reads, a query's runs merged to the worst, symptoms put under
//! their cause, `@allow` and severities applied, worst first. Knows no rule by its workings, only by what it is.

use std::collections::{HashMap, HashSet};

use crate::catalog::Query;
use crate::finding::{Finding, Fingerprint, Quantity, RuleId, Severity, Suppression};
use crate::plan::{Metrics, Plan, RelationRef};
use crate::run::QueryRuns;
use crate::schema::{Schema, ServerVersion};

use super::causes;
use super::context::{CatalogContext, QueryContext, RunContext};
use super::load::weigh;
use super::unproven;
use super::{ALL, Check, Policy};

/// Judges an audit: every finding of every rule, settled. `policy_for` gives the limits for one query, `defaults` those for
/// what belongs to no query.
#[must_use]
pub fn judge(
    queries: &[Query],
    runs: &[QueryRuns],
    schema: &Schema,
    policy_for: &dyn Fn(&Query) -> Policy,
    defaults: &Policy,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for query_runs in runs {
        let Some(query) = queries.get(query_runs.query) else {
            continue;
        };
        let policy = policy_for(query);
        for run in &query_runs.runs {
            let metrics = Metrics::of(&run.plan);
            let context = RunContext {
                query: Some(query),
                run,
                metrics: &metrics,
                schema: Some(schema),
                policy: &policy,
            };
            findings.extend(of_run(&context));
        }
        let context = QueryContext {
            query,
            runs: query_runs,
            schema,
            policy: &policy,
        };
        findings.extend(of_query(&context));
    }
    let context = CatalogContext {
        queries,
        runs,
        schema,
        policy: defaults,
        policy_for,
    };
    findings.extend(of_catalog(&context));
    settle(findings, queries, runs)
}

/// Judges a plan that came from elsewhere, without its schema. `query` is what is known of its statement. How many rows it
/// met is its own database's matter.
#[must_use]
pub fn judge_alone(query: &Query, runs: &QueryRuns, policy: &Policy) -> Vec<Finding> {
    let Some(run) = runs.runs.first() else {
        return Vec::new();
    };
    let metrics = Metrics::of(&run.plan);
    let context = RunContext {
        query: None,
        run,
        metrics: &metrics,
        schema: None,
        policy,
    };
    let unknown = Schema {
        server: ServerVersion(0),
        tables: Vec::new(),
        materialized_views: Vec::new(),
        types: Vec::new(),
    };
    let of_query = of_query(&QueryContext {
        query,
        runs,
        schema: &unknown,
        policy,
    });
    let of_query = of_query
        .into_iter()
        .filter(|finding| finding.rule != RuleId::NotProven);
    let mut settled = merged(of_run(&context).into_iter().chain(of_query).collect());
    settled
        .iter_mut()
        .for_each(|finding| belongs_to(finding, query));
    settled = causes::nest(settled, &|_| Some(&run.plan));
    sort(&mut settled, &[], &Places::default());
    settled
}

/// What was judged without its query is about it still.
fn belongs_to(finding: &mut Finding, query: &Query) {
    finding.query = Some(query.name.clone());
    finding.location = Some(query.location());
}

/// Merges, nests, suppresses and sorts. Findings of the advisor and the trace analysis are settled together with those of
/// the rules; what was settled before may be settled again.
#[must_use]
pub fn settle(findings: Vec<Finding>, queries: &[Query], runs: &[QueryRuns]) -> Vec<Finding> {
    let mut flat = Vec::with_capacity(findings.len());
    for mut finding in findings {
        flat.append(&mut finding.symptoms);
        flat.push(finding);
    }
    let mut settled = merged(flat);
    let places = Places::of(queries, runs);
    for finding in &mut settled {
        let query = places.query(finding).map(|at| &queries[at]);
        allow_for(finding, query);
    }
    without_unused_duplicates(&mut settled);
    unproven::bound(&mut settled);
    let plan_of = |finding: &Finding| plan_of(finding, &places, runs);
    settled = causes::nest(settled, &plan_of);
    sort(&mut settled, queries, &places);
    settled
}

fn of_run(context: &RunContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in ALL.iter().filter(|rule| context.policy.is_on(rule.id)) {
        match rule.check {
            Check::Run(check) | Check::RunAndCatalog(check, _) => findings.extend(check(context)),
            Check::Query(_) | Check::Catalog(_) | Check::Elsewhere => {}
        }
    }
    without_system_catalogs(&mut findings, context.plan());
    for finding in &mut findings {
        weigh(finding, context.query);
        of_a_wide_range(finding);
        apply(context.policy, finding);
    }
    findings
}

/// Takes out what is about PostgreSQL's own catalogs: nobody makes an index or statistics of them. How long a query takes counts
/// whatever it reads.
fn without_system_catalogs(findings: &mut Vec<Finding>, plan: &Plan) {
    let reads_them_alone =
        plan.tables().next().is_some() && plan.tables().all(RelationRef::is_system);
    findings.retain(|finding| {
        let relation = finding.evidence.relation.as_deref();
        let is_about_them = relation.is_some_and(|name| name.starts_with("pg_catalog."));
        let is_about_time = matches!(finding.rule, RuleId::SlowQuery | RuleId::OverBudget);
        !is_about_them && (!reads_them_alone || is_about_time)
    });
}

/// What only a range of most of the table shows is worth knowing, and no fault before somebody asks for such a range.
fn of_a_wide_range(finding: &mut Finding) {
    let is_about_amounts = matches!(
        finding.rule,
        RuleId::UnboundedResult
            | RuleId::SeqScan
            | RuleId::SortSpill
            | RuleId::HashSpill
            | RuleId::MaterializeSpill
            | RuleId::SlowQuery
            | RuleId::OverBudget
            | RuleId::Timeout
            | RuleId::FilteredIndexScan
            | RuleId::WrongOrderIndex
            | RuleId::JoinFilter
            | RuleId::NestedLoopRescan
            | RuleId::RepeatedSubplan
            | RuleId::RepeatedLateral
            | RuleId::TopNSort
            | RuleId::IoBound
            | RuleId::JitOverhead
            | RuleId::LossyBitmap
            | RuleId::HeapFetches
            | RuleId::LowIndexEfficiency
            | RuleId::MemoizeMisses
            | RuleId::WorkerSkew
            | RuleId::SlowSerialization
            | RuleId::ParameterCliff
            | RuleId::RowMisestimate
    );
    let Some(run) = &finding.evidence.run else {
        return;
    };
    if is_about_amounts && run.is_of_a_wide_range() && finding.severity > Severity::Info {
        finding.severity = Severity::Info;
        finding.advice.push_str(&format!(
            " Seen with a range of most of the table ({}): where the application never asks for one, nothing is to be done.",
            run.set.name
        ));
    }
}

fn of_query(context: &QueryContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in ALL.iter().filter(|rule| context.policy.is_on(rule.id)) {
        match rule.check {
            Check::Query(check) => findings.extend(check(context)),
            Check::Run(_) | Check::Catalog(_) | Check::RunAndCatalog(..) | Check::Elsewhere => {}
        }
    }
    for finding in &mut findings {
        weigh(finding, Some(context.query));
        of_a_wide_range(finding);
        apply(context.policy, finding);
    }
    findings
}

fn of_catalog(context: &CatalogContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in ALL {
        match rule.check {
            Check::Catalog(check) | Check::RunAndCatalog(_, check) => {
                findings.extend(check(context))
            }
            Check::Run(_) | Check::Query(_) | Check::Elsewhere => {}
        }
    }
    let places = Places::of(context.queries, context.runs);
    findings.retain_mut(|finding| {
        let query = places.query(finding).map(|at| &context.queries[at]);
        let policy = query.map(context.policy_for);
        let policy = policy.as_ref().unwrap_or(context.policy);
        apply(policy, finding);
        policy.is_on(finding.rule)
    });
    findings
}

/// The severity that the user set; what is only worth knowing never gates, whatever is set.
fn apply(policy: &Policy, finding: &mut Finding) {
    if finding.severity != Severity::Info
        && let Some(severity) = policy.severity(finding.rule, finding.severity)
    {
        finding.severity = severity;
    }
}

/// One finding for each fingerprint: the worst of a query's runs.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut places: HashMap<Fingerprint, usize> = HashMap::new();
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        match places.get(&finding.fingerprint) {
            None => {
                places.insert(finding.fingerprint.clone(), kept.len());
                kept.push(finding);
            }
            Some(place) => {
                let so_far = &mut kept[*place];
                if (finding.severity, cost(&finding)) > (so_far.severity, cost(so_far)) {
                    *so_far = finding;
                }
            }
        }
    }
    kept
}

/// Work that the finding tells of, in pages, else in the order of milliseconds: for comparing findings of one rule.
fn cost(finding: &Finding) -> u64 {
    let pages = |key: &str| match finding.evidence.get(key) {
        Some(Quantity::Pages(pages)) => Some(pages.0),
        Some(_) | None => None,
    };
    pages("pages")
        .or_else(|| pages("query_pages"))
        .unwrap_or_default()
}

/// Takes a finding out of the count where its query's `@allow` says why.
pub fn allow(finding: &mut Finding, queries: &[Query]) {
    let query = finding
        .query
        .as_ref()
        .and_then(|name| queries.iter().find(|query| query.name == *name));
    allow_for(finding, query);
}

fn allow_for(finding: &mut Finding, query: Option<&Query>) {
    let Some(query) = query else {
        return;
    };
    if let Some(allow) = query.allows.iter().find(|allow| allow.rule == finding.rule) {
        finding.suppressed = Some(Suppression {
            by: "@allow".to_owned(),
            reason: allow.reason.clone(),
        });
    }
}

/// Where queries and their runs are: a catalog may have ten thousand.
#[derive(Debug, Default)]
struct Places<'q> {
    queries: HashMap<&'q str, usize>,
    /// By query.
    runs: HashMap<usize, usize>,
}

impl<'q> Places<'q> {
    fn of(queries: &'q [Query], runs: &[QueryRuns]) -> Self {
        let mut places = Self::default();
        for (at, query) in queries.iter().enumerate() {
            places.queries.entry(&query.name).or_insert(at);
        }
        for (at, runs) in runs.iter().enumerate() {
            places.runs.entry(runs.query).or_insert(at);
        }
        places
    }

    fn query(&self, finding: &Finding) -> Option<usize> {
        self.queries.get(finding.query.as_deref()?).copied()
    }
}

fn plan_of<'a>(finding: &Finding, places: &Places<'_>, runs: &'a [QueryRuns]) -> Option<&'a Plan> {
    let at = places.runs.get(&places.query(finding)?)?;
    runs[*at]
        .runs
        .iter()
        .find(|run| Some(&run.id) == finding.evidence.run.as_ref())
        .map(|run| &run.plan)
}

/// Worst first: what counts before what is suppressed, by severity, by the load on the server in steps of four (so that
/// noise does not reorder), then as in the catalog.
fn sort(findings: &mut [Finding], queries: &[Query], places: &Places<'_>) {
    findings.sort_by_cached_key(|finding| {
        let place = places.query(finding);
        let calls = place
            .and_then(|place| queries[place].calls_per_second)
            .unwrap_or(1.0)
            .max(0.001);
        let step = ((cost(finding) as f64 * calls + 1.0).log2() / 2.0) as i64;
        (
            finding.suppressed.is_some(),
            std::cmp::Reverse(finding.severity),
            -step,
            place.unwrap_or(usize::MAX),
            finding.rule,
            finding.fingerprint.clone(),
        )
    });
    for finding in findings {
        let own = about(finding);
        finding
            .symptoms
            .retain(|symptom| symptom.query.is_some() || about(symptom) != own);
        without_repetition(&mut finding.symptoms);
        finding
            .symptoms
            .sort_by_key(|symptom| (std::cmp::Reverse(symptom.severity), symptom.rule));
    }
}

/// Rules that a query as a whole breaks, not a node.
pub(super) fn is_about_the_whole_query(rule: RuleId) -> bool {
    matches!(
        rule,
        RuleId::SlowQuery | RuleId::OverBudget | RuleId::Timeout | RuleId::NotAudited
    )
}
/// What a query showed of a foreign key says all that the schema says of it.
fn without_repetition(symptoms: &mut Vec<Finding>) {
    let shown: Vec<_> = symptoms
        .iter()
        .filter(|symptom| symptom.query.is_some())
        .map(about)
        .collect();
    symptoms.retain(|symptom| symptom.query.is_some() || !shown.contains(&about(symptom)));
}

/// That an index is another one's beginning says why no query uses it.
fn without_unused_duplicates(findings: &mut Vec<Finding>) {
    let pair = |finding: &Finding| {
        let condition = finding.evidence.condition.as_deref()?;
        let name = condition.split(" = ").next()?.to_owned();
        Some((finding.evidence.relation.clone()?, name))
    };
    let counts =
        |finding: &&Finding| finding.rule == RuleId::DuplicateIndex && finding.suppressed.is_none();
    let duplicates: HashSet<_> = findings.iter().filter(counts).filter_map(pair).collect();
    findings.retain(|finding| {
        finding.rule != RuleId::UnusedIndex
            || pair(finding).is_none_or(|one| !duplicates.contains(&one))
    });
}

/// What a finding of the schema and one of a query that met it have in common.
fn about(finding: &Finding) -> (RuleId, Option<String>, Option<String>) {
    (
        finding.rule,
        finding.evidence.relation.clone(),
        finding.evidence.condition.clone(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse;
    use crate::run::Run;
    use crate::run_id::SetId;
    use crate::source::Source;

    #[test]
    fn what_only_a_wide_range_shows_is_information() {
        let text = "Sort  (cost=1.00..2.00 rows=10 width=4) (actual time=2500.000..2600.000 rows=10 loops=1)\n  Sort Key: a\n  \
            ->  Seq Scan on t  (cost=0.00..1.00 rows=10 width=4) (actual time=0.010..20.000 rows=10 loops=1)\n";
        let catalog = crate::catalog::parse(&[Source::new("q.sql", "SELECT 1;")]);
        let severity = |set: SetId| {
            let plan = parse::any(text).unwrap().remove(0);
            let run = Run {
                id: set.custom(),
                ..Run::given(plan, text.to_owned())
            };
            let runs = QueryRuns {
                query: 0,
                runs: vec![run],
                failure: None,
                notes: Vec::new(),
            };
            let found = judge_alone(&catalog.queries[0], &runs, &Policy::default());
            let all = found
                .iter()
                .flat_map(|one| std::iter::once(one).chain(&one.symptoms));
            let mut slow = all.filter(|one| one.rule == RuleId::SlowQuery);
            slow.next().map(|one| one.severity)
        };
        assert_eq!(severity(SetId::base("typical")), Some(Severity::Error));
        assert_eq!(severity(SetId::varied("wide day")), Some(Severity::Info));
        // What the author asked for is asked for.
        assert_eq!(severity(SetId::base("wide day")), Some(Severity::Error));
    }
}

//! Other forms of a query that PostgreSQL plans better: made from the query's text, the plan and the schema. Pure, and only a
//! guess: `db::prove_rewrites` runs both forms, and only what returns the same rows for a fraction of the work is reported.

mod groups;
mod ranges;
mod subqueries;
mod text;
mod values;

use std::collections::BTreeMap;

use crate::catalog::StatementKind;
use crate::finding::{Evidence, Finding, Fingerprint, Fix, Proof, Quantity, RuleId, Severity};
use crate::plan::{Metrics, NodeId, Plan, label};
use crate::rules;
use crate::run::Run;
use crate::schema::{Schema, Table};

use super::Audited;
use text::Words;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A range of the column in place of a function of it.
    Range,
    /// UNION in place of an OR.
    Union,
    /// NOT EXISTS in place of NOT IN.
    NotExists,
    /// Several NOT EXISTS in place of an OR in one.
    SplitNotExists,
    /// One look-up for each group.
    EachGroup,
    /// The first column's bound beside a keyset's OR.
    Bound,
    /// A bound that may be left out, as `bound OR value IS NULL`, in place of COALESCE around it.
    OptionalBound,
    /// `@>` in place of `= ANY (column)`.
    Containment,
    /// The column's own type in place of a cast.
    OwnType,
    /// The order that an index has, where no NULL can be.
    PlainNulls,
}

impl Form {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Union => "union",
            Self::NotExists => "not-exists",
            Self::SplitNotExists => "split-not-exists",
            Self::EachGroup => "each-group",
            Self::Bound => "bound",
            Self::OptionalBound => "optional-bound",
            Self::Containment => "containment",
            Self::OwnType => "own-type",
            Self::PlainNulls => "plain-nulls",
        }
    }

    /// What is wrong with the form that was written.
    fn why(self) -> &'static str {
        match self {
            Self::Range => {
                "An index holds the column's values; what a function makes of them is known only after reading every row."
            }
            Self::Union => {
                "An OR across tables is no join and no index serves it: the other side is compared with every row."
            }
            Self::NotExists => {
                "NOT IN is no join: where its list is not hashed, because it is larger than work_mem, it is read again for every row. \
                 And one NULL in the list leaves no row at all."
            }
            Self::SplitNotExists => {
                "An OR is no condition that a join is made by: the other table is gone through for every row."
            }
            Self::EachGroup => "Every row of every group is read and ordered, to keep one of each.",
            Self::Bound => {
                "An OR gives an index no place to begin: it is walked from its end to the page that is asked for, and later pages cost \
                 more."
            }
            Self::OptionalBound => {
                "COALESCE hides the bound from every index: it is walked from its end to the page that is asked for, and later pages \
                 cost more."
            }
            Self::Containment => {
                "value = ANY (column) looks into every row's array; a GIN index serves @> only."
            }
            Self::OwnType => {
                "The value's type is not the column's, so every row's column is cast, and the index on the column serves nothing."
            }
            Self::PlainNulls => {
                "The column has no NULLs, but an index whose NULLs stand elsewhere does not give the order that is asked for."
            }
        }
    }

    /// What to write.
    fn advice(self) -> &'static str {
        match self {
            Self::Range => {
                "Compare the column with a range, as in the form below; an index on the column serves that."
            }
            Self::Union => {
                "Write one SELECT for each side and join them with UNION, as in the form below."
            }
            Self::NotExists => "Write NOT EXISTS, as in the form below.",
            Self::SplitNotExists => {
                "Write one NOT EXISTS for each side of the OR, as in the form below: the same rows, each an anti join."
            }
            Self::EachGroup => {
                "Begin with the table of the groups and look up one row for each (LATERAL … LIMIT), as in the form below."
            }
            Self::Bound => {
                "Add the bound on the first column, as in the form below: it changes no row."
            }
            Self::OptionalBound => {
                "Write the bound beside `OR value IS NULL`, as in the form below: a plan for the values then begins at the bound. A \
                 generic plan does not; two statements, with the bound and without, serve both."
            }
            Self::Containment => "Write @> ARRAY[value], as in the form below.",
            Self::OwnType => "Bind the value as the column's own type, as in the form below.",
            Self::PlainNulls => "Leave NULLS FIRST or LAST out, as in the form below.",
        }
    }
}

/// A query in another form.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewrite {
    /// Index of the query in the catalog.
    pub query: usize,
    /// What is changed.
    pub form: Form,
    /// The statement, with `$n` as before.
    pub sql: String,
}

/// What a form is made from.
struct Written<'a> {
    run: &'a Run,
    schema: &'a Schema,
    words: Words<'a>,
}

impl<'a> Written<'a> {
    fn plan(&self) -> &'a Plan {
        &self.run.plan
    }

    /// The table that a scan with such an alias reads.
    fn table(&self, alias: &str) -> Option<&'a Table> {
        let relation = self
            .plan()
            .nodes
            .iter()
            .filter_map(|node| node.relation.as_ref())
            .find(|relation| relation.alias == alias)?;
        let own = self
            .schema
            .table(relation.schema.as_deref(), &relation.name)?;
        Some(self.schema.root_of(own))
    }
}

/// Every form worth a try, at most one of a kind for a query.
#[must_use]
pub fn rewrites(audited: &Audited<'_>) -> Vec<Rewrite> {
    let mut found = Vec::new();
    for runs in audited.runs {
        let Some(query) = audited.queries.get(runs.query) else {
            continue;
        };
        let policy = (audited.policy_for)(query);
        let reads = query.statement == StatementKind::Select && !query.writes;
        let Some(run) = runs.custom_first().next().filter(|_| reads) else {
            continue;
        };
        // Two forms that both find nothing say nothing of each other.
        if !policy.is_on(RuleId::QueryRewrite) || runs.found_nothing() {
            continue;
        }
        let written = Written {
            run,
            schema: audited.schema,
            words: Words::of(&query.sql),
        };
        for (form, make) in FORMS {
            found.extend(make(&written).map(|sql| Rewrite {
                query: runs.query,
                form: *form,
                sql,
            }));
        }
    }
    found
}

type Make = fn(&Written<'_>) -> Option<String>;

const FORMS: &[(Form, Make)] = &[
    (Form::Range, ranges::range),
    (Form::Bound, ranges::bound),
    (Form::OptionalBound, ranges::optional_bound),
    (Form::Union, subqueries::union),
    (Form::NotExists, subqueries::not_exists),
    (Form::SplitNotExists, subqueries::split_not_exists),
    (Form::EachGroup, groups::each_group),
    (Form::Containment, values::containment),
    (Form::OwnType, values::own_type),
    (Form::PlainNulls, values::plain_nulls),
];

/// Times within this factor and this many milliseconds are the same.
const TIME_MARGIN: f64 = 1.25;
const TIME_SLACK_MS: f64 = 0.1;

/// A form that returned the same rows with every parameter set.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The form.
    pub rewrite: Rewrite,
    /// Index of the run in its `QueryRuns::runs`, whose figures these are: the worst.
    pub run: usize,
    /// Before and after.
    pub proof: Proof,
    /// The indexes that its plan reads.
    pub indexes: Vec<String>,
}

impl Proven {
    /// Whether it is worth writing.
    #[must_use]
    pub fn counts(&self, audited: &Audited<'_>) -> bool {
        use crate::rules::query_rewrite::{MAX_SHARE, MIN_PAGES};
        let limit = |threshold| audited.limit(self.rewrite.query, threshold);
        let Some(before) = &self.proof.before else {
            return true;
        };
        let after = &self.proof.after;
        let (pages, left) = (before.blocks.0 as f64, after.blocks.0 as f64);
        let fewer = pages - left >= limit(&MIN_PAGES) && left <= pages * limit(&MAX_SHARE);
        // Half of the pages in the same time are less all the same, once they are not in the cache.
        let holds = after.time_ms.0 <= before.time_ms.0 * TIME_MARGIN + TIME_SLACK_MS;
        // A long computation over few pages.
        const LONG_MS: f64 = 100.0;
        // Far from what noise does: a cheaper comparison of as many rows is no other plan.
        const FASTER: f64 = 0.2;
        // What each further page may take that is in no cache.
        const PAGE_MS: f64 = 0.1;
        let uncached = after.time_ms.0 + (left - pages).max(0.0) * PAGE_MS;
        let faster = before.time_ms.0 >= LONG_MS && uncached <= before.time_ms.0 * FASTER;
        (fewer && holds) || faster
    }
}

/// Whether a form touches more pages than the one that was written by more than noise, and takes no less time.
#[must_use]
pub fn is_worse(proof: &Proof) -> bool {
    const WORSE: f64 = 1.05;
    const PAGES: f64 = 20.0;
    // Far from the same time, where noise decides.
    const FASTER: f64 = 0.8;
    let after = &proof.after;
    proof.before.as_ref().is_some_and(|before| {
        let (pages, left) = (before.blocks.0 as f64, after.blocks.0 as f64);
        left > pages * WORSE && left > pages + PAGES && after.time_ms.0 > before.time_ms.0 * FASTER
    })
}

/// Of the proven forms one a query, if any is worth writing: the one that leaves least to read.
#[must_use]
pub fn best(proven: Vec<Proven>, audited: &Audited<'_>) -> Vec<Proven> {
    let mut best: BTreeMap<usize, Proven> = BTreeMap::new();
    for one in proven.into_iter().filter(|one| one.counts(audited)) {
        let rank = |one: &Proven| (one.proof.after.blocks, one.rewrite.form);
        let known = best.get(&one.rewrite.query);
        if known.is_none_or(|known| rank(&one) < rank(known)) {
            best.insert(one.rewrite.query, one);
        }
    }
    best.into_values().collect()
}

/// The `query-rewrite` findings of forms that are worth writing.
#[must_use]
pub fn findings(best: &[Proven], audited: Audited<'_>) -> Vec<Finding> {
    let found = best.iter().map(|one| finding(one, audited));
    found.flatten().collect()
}

/// A call that ends at once is no error for each of its pages, and one that takes as long by either form is worth knowing.
fn severity(proof: &Proof) -> Severity {
    const QUICK_MS: f64 = 10.0;
    const FEW_PAGES: u64 = 8_000;
    const FEW_SAVED: u64 = 2_000;
    const SHOWN: f64 = 0.8;
    let Some(before) = &proof.before else {
        return Severity::Error;
    };
    let saved = before.blocks.0.saturating_sub(proof.after.blocks.0);
    if before.time_ms.0 >= QUICK_MS || before.blocks.0 >= FEW_PAGES {
        Severity::Error
    } else if saved >= FEW_SAVED || proof.after.time_ms.0 <= before.time_ms.0 * SHOWN {
        Severity::Warning
    } else {
        Severity::Info
    }
}

fn finding(proven: &Proven, audited: Audited<'_>) -> Option<Finding> {
    let query = audited.queries.get(proven.rewrite.query)?;
    let run = audited.run(proven.rewrite.query, proven.run)?;
    let form = proven.rewrite.form;
    let after = &proven.proof.after;
    let message = match &proven.proof.before {
        Some(before) => format!(
            "another form of the query returns the same rows from {} in {}, not {} in {}",
            after.blocks, after.time_ms, before.blocks, before.time_ms
        ),
        None => format!(
            "this query does not finish in time; another form of it takes {} and {}",
            after.blocks, after.time_ms
        ),
    };
    let evidence =
        evidence(run, audited.schema).with("form", Quantity::Text(form.as_str().to_owned()));
    let evidence = match &proven.proof.before {
        Some(before) => evidence
            .with("query_pages", Quantity::Pages(before.blocks))
            .with("pages_after", Quantity::Pages(after.blocks))
            .with("time_before_ms", Quantity::Millis(before.time_ms))
            .with("time_after_ms", Quantity::Millis(after.time_ms)),
        None => evidence
            .with("pages_after", Quantity::Pages(after.blocks))
            .with("time_after_ms", Quantity::Millis(after.time_ms)),
    };
    let mut finding = Finding {
        rule: RuleId::QueryRewrite,
        severity: severity(&proven.proof),
        query: Some(query.name.clone()),
        location: Some(query.location()),
        message,
        why: form.why().to_owned(),
        advice: format!(
            "{} Both forms were run with every parameter set and returned the same rows.",
            form.advice()
        ),
        evidence,
        fix: Some(Fix {
            sql: format!(
                "{};",
                query
                    .in_words_of_source(&proven.rewrite.sql)
                    .trim()
                    .trim_end_matches(';')
            ),
            proof: Some(proven.proof.clone()),
        }),
        fingerprint: Fingerprint::of([RuleId::QueryRewrite.as_str(), &query.name, form.as_str()]),
        suppressed: None,
        symptoms: Vec::new(),
    };
    rules::weigh(&mut finding, Some(query));
    finding.severity =
        (audited.policy_for)(query).severity(RuleId::QueryRewrite, finding.severity)?;
    Some(finding)
}

/// Where most of the work is done.
fn evidence(run: &Run, schema: &Schema) -> Evidence {
    let plan = &run.plan;
    let metrics = Metrics::of(plan);
    let work = |id: &NodeId| {
        let estimate = plan.node(*id).estimate.total_cost;
        metrics.share(*id).unwrap_or(estimate)
    };
    let id = plan
        .table_scans()
        .map(|(id, _)| id)
        .max_by(|a, b| work(a).total_cmp(&work(b)));
    let node = id.map(|id| plan.node(id));
    let relation = node.and_then(|node| node.relation.as_ref());
    let table = relation.and_then(|found| schema.table(found.schema.as_deref(), &found.name));
    Evidence {
        run: Some(run.id.clone()),
        node: id,
        node_label: node.map(label),
        relation: table.map(|table| schema.root_of(table).name.to_string()),
        condition: node.and_then(|node| node.conditions.filter.clone()),
        measures: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::given_effect::{in_audit, proof};

    fn is_worth_it(pages: (u64, u64), times: (f64, f64)) -> bool {
        let proven = Proven {
            rewrite: Rewrite {
                query: 0,
                form: Form::Range,
                sql: String::new(),
            },
            run: 0,
            proof: proof(pages, times),
            indexes: Vec::new(),
        };
        in_audit(|audited| proven.counts(audited))
    }

    #[test]
    fn a_form_saves_half_of_the_pages_and_takes_no_longer() {
        let same = (10.0, 10.0);
        assert!(is_worth_it((200, 100), same) && !is_worth_it((199, 100), same));
        assert!(is_worth_it((1_000, 500), same) && !is_worth_it((1_000, 501), same));
        assert!(is_worth_it((200, 100), (10.0, 12.6)));
        assert!(!is_worth_it((200, 100), (10.0, 12.7)));
    }

    #[test]
    fn or_it_ends_a_long_computation_in_a_fifth_of_the_time() {
        assert!(is_worth_it((10, 10), (100.0, 20.0)));
        assert!(!is_worth_it((10, 10), (100.0, 20.1)));
        assert!(!is_worth_it((10, 10), (99.9, 1.0)));
        // A tenth of a millisecond for each page more.
        assert!(is_worth_it((10, 110), (100.0, 10.0)));
        assert!(!is_worth_it((10, 111), (100.0, 10.0)));
    }

    #[test]
    fn a_form_is_worse_by_pages_that_are_not_made_up_for_by_time() {
        let same = (100.0, 100.0);
        let worse = |pages, times| is_worse(&proof(pages, times));
        assert!(!worse((1_000, 1_050), same) && worse((1_000, 1_051), same));
        assert!(!worse((100, 120), same) && worse((100, 121), same));
        assert!(!worse((1_000, 2_000), (100.0, 80.0)));
        assert!(worse((1_000, 2_000), (100.0, 80.1)));
    }

    #[test]
    fn what_a_form_saves_decides_how_grave_its_lack_is() {
        let severity = |pages, times| severity(&proof(pages, times));
        assert_eq!(severity((200, 100), (10.0, 9.0)), Severity::Error);
        assert_eq!(severity((200, 100), (9.9, 7.9)), Severity::Warning);
        assert_eq!(severity((200, 100), (9.0, 8.0)), Severity::Info);
        assert_eq!(severity((200, 100), (5.0, 4.0)), Severity::Warning);
        assert_eq!(severity((200, 100), (5.0, 4.1)), Severity::Info);
        assert_eq!(severity((8_000, 7_999), (5.0, 5.0)), Severity::Error);
        assert_eq!(severity((7_999, 5_999), (5.0, 5.0)), Severity::Warning);
        assert_eq!(severity((7_999, 6_000), (5.0, 5.0)), Severity::Info);
    }
}

//! `parameter-cliff`: a query is cheap for the usual parameters and expensive for some.

use super::context::{QueryContext, Words};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::finding::{Evidence, Finding, Fix, Proof, Quantity, RuleId, Severity};
use crate::plan::Metrics;
use crate::run::{Outcome, QueryRuns, Run};
use crate::units::{Count, Millis, Pages};

const FACTOR: Threshold = Threshold {
    rule: RuleId::ParameterCliff,
    key: "factor",
    unit: ThresholdUnit::Ratio,
    default: 2.0,
    about: "pages of the worst parameters over those of the typical ones",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::ParameterCliff,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "additional pages below which it does not matter",
};
const ERROR_FACTOR: Threshold = Threshold {
    rule: RuleId::ParameterCliff,
    key: "error-factor",
    unit: ThresholdUnit::Ratio,
    default: 100.0,
    about: "factor from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::ParameterCliff,
    severity: Severity::Error,
    depth: Some(8),
    is_work_of_each_call: false,
    without_rows: WithoutRows::UnderNotProven,
    summary: "a query is cheap for typical parameters and expensive for some",
    condition: "The worst parameter set touches factor times the pages of the typical set and at least min-pages more; or the generic \
        plan does, beside a plan for the same values, and takes half as long again and a millisecond more, where the server would take it for \
        prepared statements: its estimated cost is below that of plans for values. More pages for more rows are no cliff. Error from error-factor on, \
        else warning; information where the worst reads less than 8,000 pages and 20,000 rows.",
    why: "Averages hide it. The largest customer sees it every day, and an attacker can choose it.",
    advice: "Bound the work for any value: LIMIT, an index that holds the order, a total that is kept. For the generic plan: plan_cache_mode.",
    bad: "SELECT sum(total) FROM orders WHERE customer_id = $1;  -- one customer has a fifth of all orders",
    good: "SELECT total FROM customer_totals WHERE customer_id = $1;",
    thresholds: &[FACTOR, MIN_PAGES, ERROR_FACTOR],
    check: Check::Query(check),
};

fn check(context: &QueryContext<'_>) -> Vec<Finding> {
    let finished = context
        .runs
        .runs
        .iter()
        .filter_map(|run| Some((run, touched(run)?)));
    let finished: Vec<(&Run, Pages)> = finished.collect();
    let custom = || finished.iter().filter(|(run, _)| !run.is_generic());
    let is_cliff = |(_, usual): &(&Run, Pages), (_, pages): &(&Run, Pages)| {
        let more = pages.0.saturating_sub(usual.0) as f64;
        // What touches nothing does not do what the query is for.
        usual.0 > 0
            && pages.0 as f64 >= usual.0 as f64 * context.limit(&FACTOR)
            && more >= context.limit(&MIN_PAGES)
    };
    // Who asks for more rows reads more pages: no cliff, whatever the factor.
    let asks_for_more = |(usual, few): &(&Run, Pages), (run, many): &(&Run, Pages)| {
        let each = |run: &Run, pages: &Pages| {
            // To find none takes as much as to find one.
            let rows = rows_asked_for(run)?.max(1.0);
            Some(pages.0 as f64 / rows)
        };
        each(usual, few)
            .zip(each(run, many))
            .is_some_and(|(usual, worst)| worst < usual * context.limit(&FACTOR) * SCATTERED)
    };
    let mut findings = Vec::new();
    if let Some(typical) = custom().find(|(run, _)| run.id.is_base())
        && let Some(worst) = custom()
            .max_by_key(|(_, pages)| *pages)
            .filter(|worst| is_cliff(typical, worst) && !asks_for_more(typical, worst))
    {
        findings.push(report(context, *typical, *worst));
    }
    // The generic plan is bad where the same values get a better one of their own, and the server would take it.
    let generic = finished
        .iter()
        .filter(|(run, _)| run.is_generic() && is_taken(run, context.runs));
    let pairs = generic.filter_map(|generic| {
        let own = context.runs.plan_for_values_of(generic.0)?;
        // That a value is nowhere only a plan for it can know, and who asks for it waits for nothing.
        if own.id.is_absent() {
            return None;
        }
        let own = custom().find(|(run, _)| std::ptr::eq(*run, own))?;
        (is_cliff(own, generic) && is_slower(own.0, generic.0)).then_some((own, generic))
    });
    if let Some((own, generic)) = pairs.max_by_key(|(own, generic)| generic.1.0 - own.1.0) {
        findings.push(report(context, *own, *generic));
    }
    findings
}

/// Many rows of one value lie on more pages each than a few that were read by the same way: so many times is no cliff yet.
const SCATTERED: f64 = 1.5;

/// By how much more each row costs, where more rows were asked for; else by how much more the whole does.
fn factor_for_each_row((typical, usual): (&Run, Pages), (run, pages): (&Run, Pages)) -> f64 {
    let factor = pages.0 as f64 / usual.0.max(1) as f64;
    match (rows_asked_for(typical), rows_asked_for(run)) {
        (Some(few), Some(many)) => factor / (many.max(1.0) / few.max(1.0)).max(1.0),
        (None, _) | (_, None) => factor,
    }
}

/// Whether the generic plan takes clearly longer: look-ups of cached pages may cost no more than the hash of a table.
fn is_slower(own: &Run, generic: &Run) -> bool {
    const TIMES: f64 = 1.5;
    const MORE: Millis = Millis(1.0);
    match (own.fastest(), generic.fastest()) {
        (Some(own), Some(generic)) => generic.0 >= own.0 * TIMES && generic.0 - own.0 >= MORE.0,
        (None, _) | (_, None) => true,
    }
}

/// Whether the server would prefer the generic plan: its cost is below the average of plans for values, planning included
/// (`choose_custom_plan`). The dearest plan for values stands for the average: nobody knows which values come first.
fn is_taken(generic: &Run, runs: &QueryRuns) -> bool {
    /// 1000 × cpu_operator_cost for each relation, and once more (`cached_plan_cost`).
    const PLANNING: f64 = 2.5;
    let cost = |run: &Run| run.plan.root().estimate.total_cost;
    let relations = runs
        .runs
        .iter()
        .map(|run| run.plan.table_scans().count())
        .max()
        .unwrap_or_default();
    let planning = PLANNING * (relations as f64 + 1.0);
    let custom = runs
        .runs
        .iter()
        .filter(|run| !run.is_generic())
        .map(|run| cost(run) + planning)
        .reduce(f64::max);
    custom.is_none_or(|custom| cost(generic) < custom)
}

/// Rows that it returned, or changed.
fn rows_asked_for(run: &Run) -> Option<f64> {
    run.rows_written().or_else(|| run.rows())
}

/// Whether the larger value is larger in the rows that it changes.
fn changes_more(typical: &Run, run: &Run) -> bool {
    let rows = typical.rows_written().zip(run.rows_written());
    rows.is_some_and(|(few, many)| many >= few.max(1.0) * 2.0)
}

/// Pages that a finished execution touched.
fn touched(run: &Run) -> Option<Pages> {
    match &run.outcome {
        Outcome::Completed { samples } => samples.iter().map(|sample| sample.blocks).min(),
        Outcome::TimedOut { .. } | Outcome::Estimated => None,
    }
}

fn report(
    context: &QueryContext<'_>,
    (typical, usual): (&Run, Pages),
    (run, pages): (&Run, Pages),
) -> Finding {
    let is_generic = run.is_generic();
    let factor = pages.0 as f64 / usual.0.max(1) as f64;
    // To read everything where nothing is asked for is no surprise.
    let is_asked_for = !run.id.leaves_filters_out();
    let severity = if Metrics::of(&run.plan).is_light() {
        // Nobody waits for it.
        Severity::Info
    } else if is_asked_for
        && factor_for_each_row((typical, usual), (run, pages)) >= context.limit(&ERROR_FACTOR)
    {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut evidence = Evidence {
        run: Some(run.id.clone()),
        ..Evidence::default()
    };
    evidence.condition = is_generic.then(|| "generic plan".to_owned());
    let mut evidence = evidence
        .with("query_pages", Quantity::Pages(pages))
        .with("typical_pages", Quantity::Pages(usual))
        .with("factor", Quantity::Ratio(factor));
    for (key, rows) in [("rows", run.rows()), ("typical_rows", typical.rows())] {
        if let Some(rows) = rows {
            evidence = evidence.with(key, Quantity::Rows(rows));
        }
    }
    let times = Count(factor.round());
    let words = if is_generic {
        Words {
            message: format!("the generic plan touches {pages}, {times} times the {usual} of a plan for the same values ({})", typical.id),
            why: "Prepared statements get it from their sixth execution on: its estimated cost is below that of plans for values.".to_owned(),
            advice: "Set plan_cache_mode = force_custom_plan for this query or its role: each execution is then planned for its values. \
                Better is a query whose plan is good for every value."
                .to_owned(),
        }
    } else {
        Words {
            message: format!("{} touches {pages}, {times} times the {usual} of {}", run.id, typical.id),
            why: if run.id.leaves_filters_out() {
                "Who leaves a filter out reads everything that it would have kept out.".to_owned()
            } else {
                "Averages hide it: it is always the largest customer who waits.".to_owned()
            },
            advice: if run.id.leaves_filters_out() {
                "Give the query a bound that always holds (a LIMIT with an index that holds the order, a range of time), or require one \
                 of the filters."
            } else if changes_more(typical, run) {
                "Change the rows of such a value in batches by key, each with a COMMIT of its own."
            } else {
                "Bound the work for any value: a LIMIT with an index that holds the order, or a total that is kept up to date."
            }
            .to_owned(),
        }
    };
    let finding = context.finding(RuleId::ParameterCliff, severity, evidence, words);
    Finding {
        fix: is_generic
            .then(|| force_custom_plan(run, typical))
            .flatten(),
        ..finding
    }
}

/// What both plans took for the same values; `None` where the plan for the values is no faster.
fn force_custom_plan(generic: &Run, custom: &Run) -> Option<Fix> {
    let after = custom.measurement()?;
    let before = generic.measurement();
    if before
        .as_ref()
        .is_some_and(|before| after.time_ms.0 >= before.time_ms.0)
    {
        return None;
    }
    let proof = Proof {
        before,
        cancelled_ms: None,
        after,
        index_bytes: None,
        build_ms: None,
    };
    Some(Fix {
        sql: "SET LOCAL plan_cache_mode = force_custom_plan;".to_owned(),
        proof: Some(proof),
    })
}

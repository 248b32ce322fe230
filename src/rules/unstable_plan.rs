//! `unstable-plan`: the sample that ANALYZE happens to draw decides which plan a query gets. Statistics are drawn, and plans executed,
//! elsewhere (`lab::lottery`, `db::lab::lottery`); here stand the words.

use super::context::{Words, finding as plain, pages_in_words};
use super::{Check, Policy, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::Query;
use crate::finding::{Evidence, Finding, Fix, Measurement, Proof, Quantity, RuleId, Severity};
use crate::lab::unstable::{PlanOfDraws, Unstable};
use crate::units::Count;

const MIN_SHARE: Threshold = Threshold {
    rule: RuleId::UnstablePlan,
    key: "min-share",
    unit: ThresholdUnit::Ratio,
    default: 0.01,
    about: "share of the draws that give a worse plan, from which on it is told",
};
const FACTOR: Threshold = Threshold {
    rule: RuleId::UnstablePlan,
    key: "factor",
    unit: ThresholdUnit::Ratio,
    default: 2.0,
    about: "pages or time of the worst plan over those of the best",
};
const MIN_PAGES: Threshold = Threshold {
    rule: RuleId::UnstablePlan,
    key: "min-pages",
    unit: ThresholdUnit::Pages,
    default: 1000.0,
    about: "additional pages of the worst plan, below which they do not matter",
};
const MIN_TIME: Threshold = Threshold {
    rule: RuleId::UnstablePlan,
    key: "min-time",
    unit: ThresholdUnit::Millis,
    default: 50.0,
    about: "additional time of the worst plan, below which it does not matter",
};
const ERROR_FACTOR: Threshold = Threshold {
    rule: RuleId::UnstablePlan,
    key: "error-factor",
    unit: ThresholdUnit::Ratio,
    default: 10.0,
    about: "factor from which it is an error",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::UnstablePlan,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: true,
    without_rows: WithoutRows::Counts,
    summary: "the next ANALYZE may give a query a worse plan, of the same data",
    condition: "`pgproof audit --lottery` drew the statistics of the tables again and again, as ANALYZE does from a sample of 300 rows a unit \
                of the statistics target, and at least min-share of the draws gave a plan that, executed once, takes factor times the pages of \
                the best one and min-pages more, or factor times its time and min-time more. Plans that take as much as each other are no finding. \
                Error from error-factor on, else warning.",
    why: "Autovacuum runs ANALYZE when it likes. A query that was fast for months is slow from one minute to the next, nothing was deployed, \
          and it may be fast again after the next one.",
    advice: "Raise the statistics target of the columns that decide, so that the sample is larger. Where that does not end it, give the query an \
             index that makes one plan the clear winner.",
    bad: "SELECT id FROM orders WHERE refunded_at IS NOT NULL;  -- one row in 10,000: every 20th sample has none",
    good: "ALTER TABLE orders ALTER COLUMN refunded_at SET STATISTICS 1000;",
    thresholds: &[MIN_SHARE, FACTOR, MIN_PAGES, MIN_TIME, ERROR_FACTOR],
    check: Check::Elsewhere,
};

/// A plan beside the best one.
struct Beside<'u> {
    best: &'u Measurement,
    worst: &'u PlanOfDraws,
    /// Of pages or time, whichever is more.
    factor: f64,
    /// Draws that give a plan which is worse in the sense of the rule.
    draws: u64,
}

/// A finding where the plans of a query differ in what they take.
#[must_use]
pub fn finding(query: &Query, unstable: &Unstable, policy: &Policy) -> Option<Finding> {
    let beside = beside(unstable, policy)?;
    let share = beside.draws as f64 / unstable.draws.max(1) as f64;
    if share < policy.limit(&MIN_SHARE) {
        return None;
    }
    let severity = if beside.factor >= policy.limit(&ERROR_FACTOR) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let severity = policy.severity(RuleId::UnstablePlan, severity)?;
    let mut found = plain(
        RuleId::UnstablePlan,
        severity,
        Some(query.name.clone()),
        Some(query.location()),
        evidence(unstable, &beside, share),
        words(unstable, &beside, share),
    );
    found.fix = fix(unstable, &beside);
    Some(found)
}

fn beside<'u>(unstable: &'u Unstable, policy: &Policy) -> Option<Beside<'u>> {
    let (best, _) = unstable.extremes()?;
    let best = best.taken.as_ref()?;
    let worse = |plan: &&PlanOfDraws| match &plan.taken {
        Some(taken) => is_worse(best, taken, policy),
        None => plan.cancelled.is_some(),
    };
    let factor = |plan: &PlanOfDraws| {
        plan.taken
            .as_ref()
            .map_or(f64::INFINITY, |taken| factor(best, taken))
    };
    let plans = || unstable.plans.iter().filter(worse);
    let worst = plans().max_by(|a, b| factor(a).total_cmp(&factor(b)))?;
    Some(Beside {
        best,
        worst,
        factor: factor(worst),
        draws: plans().map(|plan| plan.draws).sum(),
    })
}

fn pages(of: &Measurement) -> f64 {
    (of.blocks.0 + of.temp_blocks.0) as f64
}

fn factor(best: &Measurement, taken: &Measurement) -> f64 {
    let pages = pages(taken) / pages(best).max(1.0);
    pages.max(taken.time_ms.0 / best.time_ms.0.max(f64::MIN_POSITIVE))
}

/// More pages that cost no time are no worse.
fn is_worse(best: &Measurement, taken: &Measurement, policy: &Policy) -> bool {
    let factor = policy.limit(&FACTOR);
    let (few, many) = (pages(best), pages(taken));
    let (short, long) = (best.time_ms.0, taken.time_ms.0);
    let more_pages = many >= few * factor && many - few >= policy.limit(&MIN_PAGES) && long > short;
    let more_time = long >= short * factor && long - short >= policy.limit(&MIN_TIME);
    more_pages || more_time
}

fn evidence(unstable: &Unstable, beside: &Beside<'_>, share: f64) -> Evidence {
    let mut evidence = Evidence {
        run: Some(unstable.run.clone()),
        relation: unstable.columns.first().map(|column| column.table.clone()),
        ..Evidence::default()
    }
    .with("share_of_worse_plans", Quantity::Ratio(share))
    .with("draws", Quantity::Count(unstable.draws))
    .with("plans", Quantity::Count(unstable.plans.len() as u64))
    .with("best_pages", Quantity::Pages(beside.best.blocks))
    .with("best_time_ms", Quantity::Millis(beside.best.time_ms));
    if let Some(taken) = &beside.worst.taken {
        evidence = evidence
            .with("worst_pages", Quantity::Pages(taken.blocks))
            .with("worst_time_ms", Quantity::Millis(taken.time_ms));
    }
    if !unstable.differences.is_empty() {
        let differences = unstable.differences.join("; ");
        evidence = evidence.with("deciding_statistics", Quantity::Text(differences));
    }
    evidence
}

fn words(unstable: &Unstable, beside: &Beside<'_>, share: f64) -> Words {
    let took = |taken: Option<&Measurement>| {
        taken.map_or_else(
            || "does not finish".to_owned(),
            |taken| {
                format!(
                    "takes {} in {}",
                    pages_in_words(taken.blocks),
                    taken.time_ms
                )
            },
        )
    };
    let change = beside.worst.change.as_ref().or_else(|| {
        // The worst plan is the most frequent one.
        unstable.plans.iter().find_map(|plan| plan.change.as_ref())
    });
    let change = change.map_or_else(String::new, |change| format!(" ({})", change.words()));
    Words {
        message: format!(
            "{} of {} draws of statistics ({:.1} %) give it a plan that {}; the best plan {}",
            Count(beside.draws as f64),
            Count(unstable.draws as f64),
            share * 100.0,
            took(beside.worst.taken.as_ref()),
            took(Some(beside.best)),
        ),
        why: format!(
            "The data are the same; the sample that ANALYZE happens to read decides{change}. {}",
            deciding(unstable)
        ),
        advice: advice(unstable),
    }
}

fn deciding(unstable: &Unstable) -> String {
    match &unstable.differences[..] {
        [] => "Which number decides was not found.".to_owned(),
        numbers => format!("What differs: {}.", numbers.join("; ")),
    }
}

fn advice(unstable: &Unstable) -> String {
    match &unstable.steady {
        Some(steady) => format!(
            "Raise the statistics target: with {} every one of {} further draws gave one plan, which takes {}.",
            steady.target,
            Count(steady.draws as f64),
            steady.taken.time_ms
        ),
        None if unstable.columns.is_empty() => {
            "Give the query an index that makes one plan the clear winner.".to_owned()
        }
        None => "No statistics target up to 10,000 makes it one good plan: give the query an index that makes one plan the clear winner."
            .to_owned(),
    }
}

fn fix(unstable: &Unstable, beside: &Beside<'_>) -> Option<Fix> {
    let steady = unstable.steady.as_ref()?;
    let mut statements: Vec<String> = unstable
        .columns
        .iter()
        .map(|column| {
            format!(
                "ALTER TABLE {} ALTER COLUMN {} SET STATISTICS {};",
                column.table, column.column, steady.target
            )
        })
        .collect();
    let mut tables: Vec<&String> = unstable
        .columns
        .iter()
        .map(|column| &column.table)
        .collect();
    tables.dedup();
    statements.extend(tables.iter().map(|table| format!("ANALYZE {table};")));
    Some(Fix {
        sql: statements.join("\n"),
        proof: Some(Proof {
            before: beside.worst.taken.clone(),
            cancelled_ms: beside.worst.cancelled,
            after: steady.taken.clone(),
            index_bytes: None,
            build_ms: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::unstable::{DecidingColumn, SteadyTarget};
    use crate::run_id::SetId;
    use crate::units::{Millis, Pages};

    fn taken(pages: u64, time: f64) -> Measurement {
        Measurement {
            time_ms: Millis(time),
            blocks: Pages(pages),
            temp_blocks: Pages(0),
            rows: 1.0,
        }
    }

    fn unstable(usual: Measurement, other: Measurement, draws: u64) -> Unstable {
        let plan = |draws, taken| PlanOfDraws {
            draws,
            taken: Some(taken),
            cancelled: None,
            change: None,
        };
        Unstable {
            query: "q".to_owned(),
            run: SetId::base("typical").custom(),
            draws: 200,
            plans: vec![plan(200 - draws, usual), plan(draws, other)],
            differences: vec!["orders.refunded_at: null_frac 0.9999 → 1".to_owned()],
            columns: vec![DecidingColumn {
                table: "orders".to_owned(),
                column: "refunded_at".to_owned(),
                target: 100,
            }],
            steady: Some(SteadyTarget {
                target: 1000,
                draws: 100,
                taken: taken(20, 0.1),
            }),
        }
    }

    fn severity(unstable: &Unstable) -> Option<Severity> {
        let query = Query::of_text("q".to_owned(), "q.sql".into(), 1, "SELECT 1".to_owned());
        finding(&query, unstable, &Policy::default()).map(|found| found.severity)
    }

    #[test]
    fn a_plan_that_costs_much_more_is_told() {
        let flips = unstable(taken(20, 0.1), taken(9_000, 80.0), 10);
        assert_eq!(severity(&flips), Some(Severity::Error));
        let less = unstable(taken(2_000, 10.0), taken(9_000, 40.0), 10);
        assert_eq!(severity(&less), Some(Severity::Warning));
        let query = Query::of_text("q".to_owned(), "q.sql".into(), 1, "SELECT 1".to_owned());
        let found = finding(&query, &flips, &Policy::default()).unwrap();
        assert_eq!(
            found.fix.unwrap().sql,
            "ALTER TABLE orders ALTER COLUMN refunded_at SET STATISTICS 1000;\nANALYZE orders;"
        );
        assert!(
            found
                .message
                .starts_with("10 of 200 draws of statistics (5.0 %)"),
            "{}",
            found.message
        );
    }

    #[test]
    fn plans_that_take_as_much_and_rare_ones_are_not() {
        let alike = unstable(taken(1_900, 10.0), taken(2_000, 12.0), 90);
        assert_eq!(severity(&alike), None);
        let cached = unstable(taken(100, 10.0), taken(9_000, 9.0), 90);
        assert_eq!(severity(&cached), None, "more pages that take no longer");
        let once = unstable(taken(20, 0.1), taken(9_000, 80.0), 1);
        assert_eq!(severity(&once), None);
    }

    #[test]
    fn a_plan_is_unstable_from_its_limits_on() {
        let of = |usual, other, draws| severity(&unstable(usual, other, draws));
        let (quick, slow) = (taken(20, 0.1), taken(9_000, 80.0));
        assert!(of(quick.clone(), slow.clone(), 2).is_some());
        assert_eq!(of(quick, slow, 1), None);
        let by_pages = |few, many| of(taken(few, 10.0), taken(many, 10.1), 90);
        assert!(by_pages(1_000, 2_000).is_some());
        assert_eq!(by_pages(1_000, 1_999), None);
        assert_eq!(by_pages(1_001, 2_001), None);
        let by_time = |short, long| of(taken(10, short), taken(10, long), 90);
        assert!(by_time(50.0, 100.0).is_some());
        assert_eq!(by_time(50.0, 99.9), None);
        assert_eq!(by_time(50.1, 100.1), None);
    }
}

//! `n-plus-one`, declared: a query that the application runs once for every row of another one (`@for-each`). What a
//! recording proves is found by the trace analysis.

use super::context::{CatalogContext, Words, finding};
use super::{Check, Rule, Threshold, ThresholdUnit, WithoutRows};
use crate::catalog::{ForEach, Query};
use crate::finding::{Evidence, Finding, Location, Quantity, RuleId, Severity};
use crate::run::{QueryRuns, Run};
use crate::units::{Count, Millis, Rows};

pub(super) const MIN_CALLS: Threshold = Threshold {
    rule: RuleId::NPlusOne,
    key: "min-calls",
    unit: ThresholdUnit::Count,
    default: 5.0,
    about: "executions for one parent from which it counts",
};

/// The rule.
pub(super) const RULE: Rule = Rule {
    id: RuleId::NPlusOne,
    severity: Severity::Error,
    depth: None,
    is_work_of_each_call: false,
    without_rows: WithoutRows::Counts,
    summary: "a query is run once for every row of another one",
    condition: "Declared with `@for-each Parent.column -> $n`: the parent returned at least min-calls rows. Recorded by `pgproof record`: \
        an error where the query's values came from the rows of a query before it, and not by chance. Recorded, or read from logs by \
        `pgproof trace`: a warning where one unit of work executes it min-calls times and more with values of its own each time.",
    why: "Every execution pays a round trip, planning and a snapshot. Over a network of 1 ms, 500 rows are half a second of waiting.",
    advice: "Ask once for all rows: `= ANY($1)`, or a LATERAL join where each row needs its own LIMIT.",
    bad: "-- @for-each ListOrders.id -> $1\nSELECT * FROM order_items WHERE order_id = $1;",
    good: "SELECT * FROM order_items WHERE order_id = ANY($1);",
    thresholds: &[MIN_CALLS],
    check: Check::Catalog(check),
};

/// Round trip times for which the cost is reported: same host, same zone, same region, another one.
pub(super) const ROUND_TRIPS: [(&str, f64); 4] = [
    ("at_0_1_ms", 0.1),
    ("at_0_5_ms", 0.5),
    ("at_1_ms", 1.0),
    ("at_5_ms", 5.0),
];

fn check(context: &CatalogContext<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, child) in context.queries.iter().enumerate() {
        for link in &child.for_each {
            let Some(child_runs) = context.runs_of(index) else {
                continue;
            };
            let Some((parent, parent_runs)) = context.query(&link.parent) else {
                continue;
            };
            let policy = (context.policy_for)(child);
            let Some(rows) = most_rows(parent_runs) else {
                continue;
            };
            let calls = Calls {
                rows,
                parents: times(context, parent, &mut vec![child.name.as_str()]),
            };
            if calls.all() >= policy.limit(&MIN_CALLS) {
                findings.push(declared(child, child_runs, parent, link, calls));
            }
        }
    }
    findings
}

/// How often a child runs.
#[derive(Debug, Clone, Copy)]
struct Calls {
    /// Rows of one result of its parent.
    rows: f64,
    /// How often the parent itself runs, for the rows of its own parent.
    parents: f64,
}

impl Calls {
    fn all(self) -> f64 {
        self.rows * self.parents
    }
}

/// How often a query runs for one result of the outermost loop around it; 1 where nothing drives it. A circle ends where it
/// began.
fn times<'a>(context: &CatalogContext<'a>, query: &'a Query, inner: &mut Vec<&'a str>) -> f64 {
    inner.push(&query.name);
    let outer = query
        .for_each
        .iter()
        .filter(|link| !inner.contains(&link.parent.as_str()))
        .filter_map(|link| context.query(&link.parent))
        .collect::<Vec<_>>();
    let mut most: f64 = 1.0;
    for (parent, runs) in outer {
        if let Some(rows) = most_rows(runs) {
            most = most.max(rows * times(context, parent, inner));
        }
    }
    inner.pop();
    most
}

/// Rows of the parent's largest result.
fn most_rows(runs: &QueryRuns) -> Option<f64> {
    runs.runs
        .iter()
        .filter_map(Run::rows)
        .max_by(f64::total_cmp)
}

fn declared(
    child: &Query,
    runs: &QueryRuns,
    parent: &Query,
    link: &ForEach,
    times: Calls,
) -> Finding {
    let calls = times.all();
    let each = typical_time(runs);
    let mut evidence = Evidence {
        run: None,
        ..Evidence::default()
    };
    evidence.condition = Some(format!(
        "{}.{} -> ${}",
        link.parent, link.column, link.parameter
    ));
    evidence.relation = child_relation(runs);
    let mut evidence = evidence.with("calls", Quantity::Rows(calls));
    if let Some(each) = each {
        evidence = evidence.with("time_each_ms", Quantity::Millis(each));
        for (key, round_trip) in ROUND_TRIPS {
            evidence = evidence.with(key, Quantity::Millis(Millis(calls * (round_trip + each.0))));
        }
    }
    let cost = match each {
        Some(each) => format!(
            ": {} round trips of {each} each, {} at 1 ms to the server",
            Count(calls),
            Millis(calls * (each.0 + 1.0))
        ),
        None => format!(": {} round trips", Count(calls)),
    };
    let location = Location {
        file: child.file.clone(),
        line: child.line,
    };
    let words = Words {
        message: format!(
            "runs once for each of the {} of {}{}{cost}",
            Rows(times.rows),
            parent.name,
            if times.parents > 1.0 {
                format!(", which itself runs {} times", Count(times.parents))
            } else {
                String::new()
            }
        ),
        why: "The number of statements grows with the rows of the list: each pays a round trip, planning and a snapshot, and the request \
              waits for all of them in turn."
            .to_owned(),
        advice: advice(child, link),
    };
    finding(
        RuleId::NPlusOne,
        Severity::Error,
        Some(child.name.clone()),
        Some(location),
        evidence,
        words,
    )
}

/// One execution as the loop would see it: the median of the parameter sets' medians, planning included.
fn typical_time(runs: &QueryRuns) -> Option<Millis> {
    let mut times: Vec<f64> = runs
        .runs
        .iter()
        .filter_map(|run| Some(run.time()?.0 + run.planning().unwrap_or_default().0))
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().map(Millis)
}

/// The table that the child reads first.
fn child_relation(runs: &QueryRuns) -> Option<String> {
    let run = runs.runs.first()?;
    let (_, node) = run.plan.table_scans().next()?;
    let relation = node.relation.as_ref()?;
    let schema = relation
        .schema
        .clone()
        .unwrap_or_else(|| "public".to_owned());
    Some(crate::schema::QualifiedName::new(schema, relation.name.clone()).to_string())
}

/// The batched form, as near to the child's own text as it can be said.
fn advice(child: &Query, link: &ForEach) -> String {
    let parameter = format!("${}", link.parameter);
    let words = child.sql.to_ascii_uppercase();
    let per_row = [
        " LIMIT ", "\nLIMIT ", " OFFSET ", "COUNT(", "SUM(", "AVG(", "MIN(", "MAX(", "GROUP BY",
    ];
    if per_row.iter().any(|word| words.contains(word)) {
        return format!(
            "Run it once for all: `FROM unnest({parameter}::…[]) WITH ORDINALITY AS key LEFT JOIN LATERAL (…) ON true`, because LIMIT, \
             ORDER BY or an aggregate holds for each row of {}; or join it into {} itself.",
            link.parent, link.parent
        );
    }
    match condition_on(&child.sql, &parameter) {
        Some(condition) => {
            let batched = condition.replacen(&parameter, &format!("ANY({parameter})"), 1);
            format!(
                "Run it once for all: `{batched}` with an array of {}.{}, and select the key too; or join it into {}.",
                link.parent, link.column, link.parent
            )
        }
        None => format!(
            "Run it once for all: pass an array, compare with `= ANY({parameter})`; or join it into {}.",
            link.parent
        ),
    }
}

/// `oi.order_id = $1` as it is written in the statement.
pub(super) fn condition_on<'a>(sql: &'a str, parameter: &str) -> Option<&'a str> {
    let (at, _) = sql.match_indices(parameter).find(|(at, _)| {
        let after = sql[at + parameter.len()..].bytes().next();
        !after.is_some_and(|byte| byte.is_ascii_digit())
    })?;
    let before = sql[..at].trim_end().strip_suffix('=')?.trim_end();
    if before.ends_with(['<', '>', '!']) {
        return None;
    }
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
    let start = before.rfind(|c: char| !is_name(c)).map_or(0, |place| {
        place + before[place..].chars().next().map_or(1, char::len_utf8)
    });
    (start < before.len()).then(|| &sql[start..at + parameter.len()])
}

#[cfg(test)]
mod tests {
    use super::condition_on;

    #[test]
    fn the_condition_is_found_in_the_statement() {
        assert_eq!(
            condition_on("SELECT 1 FROM t WHERE oi.order_id = $1\nORDER BY 1", "$1"),
            Some("oi.order_id = $1")
        );
        assert_eq!(
            condition_on("SELECT $10 FROM t WHERE (\"Id\"=$1)", "$1"),
            Some("\"Id\"=$1")
        );
        assert_eq!(condition_on("SELECT 1 FROM t WHERE a >= $1", "$1"), None);
        assert_eq!(
            condition_on("SELECT 1 FROM t WHERE é = $1", "$1"),
            Some("é = $1")
        );
    }
}

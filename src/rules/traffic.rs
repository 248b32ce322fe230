//! What the trace analysis found, as findings of `n-plus-one`, `missing-batch`, `duplicate-query`, `loop-in-function` and
//! `incomplete-trace`.

use super::context::{Words, finding};
use super::n_plus_one::{ROUND_TRIPS, condition_on};
use super::{Policy, Threshold, duplicate_query, loop_in_function, missing_batch, n_plus_one};
use crate::catalog::query::Query;
use crate::finding::{Evidence, Finding, Location, Quantity, RuleId, Severity};
use crate::trace::flow::{Grade, Loop, Source};
use crate::trace::functions::FunctionLoop;
use crate::trace::scale::Calls;
use crate::units::{Count, Millis};

/// A loop with what it is called in the report.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What was seen.
    pub found: &'a Loop,
    /// The query that is executed again and again.
    pub query: &'a Query,
    /// The query whose rows it follows.
    pub parent: Option<&'a Query>,
    /// Whether it writes.
    pub writes: bool,
    /// Whether results were seen among which its values would have been.
    pub saw_values: bool,
    /// How often it would be executed on the whole dataset, where that was measured.
    pub at_scale: Option<Calls>,
    /// Where in the application it is executed.
    pub site: Option<&'a str>,
    /// The line of a file to look at: of the catalog, else of the application.
    pub location: Option<&'a Location>,
}

/// The finding on a loop; none where the policy says so, or where it has too few executions.
#[must_use]
pub fn of_loop(named: &Named<'_>, policy: &Policy) -> Option<Finding> {
    let (rule, limit) = rule(named);
    if !policy.is_on(rule) || (named.found.executions as f64) < policy.limit(limit) {
        return None;
    }
    let severity = match named.found.grade {
        Grade::Proven => Severity::Error,
        // Its values came from no row that was seen: a list of the author's, or of a request.
        Grade::Suspect if named.saw_values && !named.writes => Severity::Info,
        Grade::Likely | Grade::Suspect | Grade::Repeated => Severity::Warning,
    };
    let severity = policy.severity(rule, severity)?;
    let words = Words {
        message: message(named),
        why: why(named),
        advice: advice(named),
    };
    Some(finding(
        rule,
        severity,
        Some(named.query.name.clone()),
        named.location.cloned(),
        evidence(named),
        words,
    ))
}

fn rule(named: &Named<'_>) -> (RuleId, &'static Threshold) {
    match (named.found.grade, named.writes) {
        (Grade::Repeated, _) => (RuleId::DuplicateQuery, &duplicate_query::MIN_CALLS),
        (_, true) => (RuleId::MissingBatch, &missing_batch::MIN_CALLS),
        (_, false) => (RuleId::NPlusOne, &n_plus_one::MIN_CALLS),
    }
}

fn evidence(named: &Named<'_>) -> Evidence {
    let found = named.found;
    let mut evidence = Evidence::default();
    if let (Some(source), Some(parent)) = (&found.source, named.parent) {
        evidence.condition = Some(if source.has_values() {
            format!("{}.{} -> ${}", parent.name, source.column, source.parameter)
        } else {
            format!("{} -> {}", parent.name, named.query.name)
        });
    }
    let calls = found.executions;
    let mut evidence = evidence
        .with("calls", Quantity::Count(calls))
        .with("grade", Quantity::Text(found.grade.as_str().to_owned()));
    if let Some(growth) = found.growth {
        evidence = evidence
            .with("calls_before", Quantity::Count(growth.before))
            .with("calls_after", Quantity::Count(growth.after));
    }
    let mut add = |key, quantity| evidence = std::mem::take(&mut evidence).with(key, quantity);
    if let Some(source) = found.source.as_ref().filter(|source| source.has_values()) {
        add("values_matched", Quantity::Count(source.matched as u64));
        add("values", Quantity::Count(source.of as u64));
        add("chance_bits", Quantity::Count(source.bits as u64));
    }
    if found.connections > 1 {
        add("connections", Quantity::Count(found.connections));
    }
    if let Some(site) = named.site {
        add("call_site", Quantity::Text(site.to_owned()));
    }
    if let Some(unit) = &found.unit {
        add("unit", Quantity::Text(unit.clone()));
    }
    let server = found.took.map(|took| took as f64 / 1_000.0);
    if let Some(server) = server {
        add("server_time_ms", Quantity::Millis(Millis(server)));
    }
    for (key, round_trip) in ROUND_TRIPS {
        let cost = calls as f64 * round_trip + server.unwrap_or(0.0);
        add(key, Quantity::Millis(Millis(cost)));
    }
    if let Some(at_scale) = named.at_scale {
        add("calls_at_scale", Quantity::Rows(at_scale.typical));
        add("most_calls_at_scale", Quantity::Rows(at_scale.most));
        for (key, round_trip) in AT_SCALE {
            let cost = at_scale.most * round_trip + server_at_scale(found, at_scale).unwrap_or(0.0);
            add(key, Quantity::Millis(Millis(cost)));
        }
    }
    evidence
}

/// Round trip times, as [`ROUND_TRIPS`], for the executions on the whole dataset.
const AT_SCALE: [(&str, f64); 4] = [
    ("at_scale_at_0_1_ms", 0.1),
    ("at_scale_at_0_5_ms", 0.5),
    ("at_scale_at_1_ms", 1.0),
    ("at_scale_at_5_ms", 5.0),
];

/// Time in the server, in milliseconds, if each execution takes as long as those that were recorded.
fn server_at_scale(found: &Loop, at_scale: Calls) -> Option<f64> {
    let took = found.took? as f64 / 1_000.0;
    Some(took / found.executions.max(1) as f64 * at_scale.most)
}

/// What the dataset's rows make of the loop; nothing where it was recorded with as many.
fn at_scale_in_words(named: &Named<'_>) -> String {
    let (found, Some(at_scale)) = (named.found, named.at_scale) else {
        return String::new();
    };
    if at_scale.most <= found.executions as f64 {
        return String::new();
    }
    let cost = Millis(at_scale.most + server_at_scale(found, at_scale).unwrap_or(0.0));
    let times = match at_scale.typical < at_scale.most {
        true => format!(
            "{} times for typical values and up to {} times",
            Count(at_scale.typical),
            Count(at_scale.most)
        ),
        false => format!("{} times", Count(at_scale.most)),
    };
    format!("; with the rows of the dataset {times}, {cost} at 1 ms")
}

fn message(named: &Named<'_>) -> String {
    format!("{}{}", as_recorded(named), at_scale_in_words(named))
}

fn as_recorded(named: &Named<'_>) -> String {
    let found = named.found;
    let mut calls = format!("{} times", Count(found.executions as f64));
    if found.connections > 1 {
        calls.push_str(&format!(" over {} connections", found.connections));
    }
    let server = found
        .took
        .map(|took| format!(", {} in the server", Millis(took as f64 / 1_000.0)))
        .unwrap_or_default();
    let place = named
        .site
        .map(|site| format!(", called at {site}"))
        .unwrap_or_default();
    let cost = format!("{place}{server}, {} at 1 ms to it", waiting(found));
    if let Some(growth) = found.growth {
        let follows = match named.parent {
            Some(parent) => format!(", once for each row of {}", parent.name),
            None => String::new(),
        };
        return format!(
            "executed {} times, and {} times where every parent has more rows{follows}{cost}",
            Count(growth.before as f64),
            Count(growth.after as f64)
        );
    }
    match (found.grade, found.source.as_ref(), named.parent) {
        (Grade::Repeated, ..) => {
            format!("executed {calls} in one unit of work with values that it had before{cost}")
        }
        (Grade::Proven, Some(source), Some(parent)) => format!(
            "executed {calls}, once for each row of {}: {}{cost}",
            parent.name,
            came_from(source)
        ),
        (_, Some(source), Some(parent)) if source.has_values() => format!(
            "executed {calls}, likely once for each row of {}: {}, as they may by chance{cost}",
            parent.name,
            came_from(source)
        ),
        (_, Some(_), Some(parent)) => format!(
            "executed {calls} in one unit of work, as often as {} returned rows{cost}",
            parent.name
        ),
        _ if found.has_unknown_values => {
            format!(
                "executed {calls} in one unit of work, with values that the trace does not hold{cost}"
            )
        }
        _ => format!(
            "executed {calls} in one unit of work, each time with other values{cost}; where they came from is not known"
        ),
    }
}

/// `47 of 47 values of $1 came, in order, from author_id`.
fn came_from(source: &Source) -> String {
    let order = if source.in_order { ", in order," } else { "" };
    format!(
        "{} of {} values of ${} came{order} from {}",
        source.matched, source.of, source.parameter, source.column
    )
}

fn waiting(found: &Loop) -> Millis {
    Millis(found.executions as f64 + found.took.map_or(0.0, |took| took as f64 / 1_000.0))
}

fn why(named: &Named<'_>) -> String {
    match (named.found.grade, named.writes) {
        (Grade::Repeated, _) => {
            "The answer was there already: each further execution pays a round trip, planning and a snapshot for it."
        }
        (_, true) => {
            "The number of statements grows with the rows that are written: each pays a round trip, and outside a transaction a commit."
        }
        (_, false) => {
            "The number of statements grows with the rows of the list: each pays a round trip, planning and a snapshot, and the request \
             waits for all of them in turn."
        }
    }
    .to_owned()
}

fn advice(named: &Named<'_>) -> String {
    let sql = &named.query.sql;
    let first = sql.split_whitespace().next().unwrap_or_default();
    match (named.found.grade, named.writes) {
        (Grade::Repeated, _) => "Keep the row for the length of the request, or pass it on.".to_owned(),
        (_, true) if first.eq_ignore_ascii_case("insert") => {
            "Write all rows with one INSERT: rows of VALUES, or SELECT … FROM unnest($1, $2); COPY where there are thousands.".to_owned()
        }
        (_, true) => {
            "Change all rows with one statement: UPDATE … FROM unnest($1, $2) AS new (id, value) WHERE …, or DELETE … WHERE id = ANY($1)."
                .to_owned()
        }
        (_, false) => ask_once(named),
    }
}

fn ask_once(named: &Named<'_>) -> String {
    let source = named
        .found
        .source
        .as_ref()
        .filter(|source| source.has_values());
    let parameter = format!("${}", source.map_or(1, |source| source.parameter));
    let join = named
        .parent
        .map(|parent| format!("; or join it into {}", parent.name))
        .unwrap_or_default();
    let words = named.query.sql.to_ascii_uppercase();
    let is_per_row = [
        "LIMIT", "OFFSET", "COUNT", "SUM", "AVG", "MIN", "MAX", "GROUP",
    ]
    .iter()
    .any(|word| {
        words
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|own| own == *word)
    });
    if is_per_row {
        return format!(
            "Ask once for all: FROM unnest({parameter}) WITH ORDINALITY AS key LEFT JOIN LATERAL (…) ON true, because LIMIT, ORDER BY or \
             an aggregate holds for each row{join}."
        );
    }
    match condition_on(&named.query.sql, &parameter) {
        Some(condition) => {
            let batched = condition.replacen(&parameter, &format!("ANY({parameter})"), 1);
            format!("Ask once for all: {batched}, and select the key too{join}.")
        }
        None => {
            format!("Ask once for all: pass an array and compare with = ANY({parameter}){join}.")
        }
    }
}

/// The finding on a loop inside a function, of the query whose execution it is part of.
#[must_use]
pub fn of_function(
    found: &FunctionLoop,
    query: &Query,
    location: Option<Location>,
    policy: &Policy,
) -> Option<Finding> {
    let rule = RuleId::LoopInFunction;
    if !policy.is_on(rule) || (found.most as f64) < policy.limit(&loop_in_function::MIN_CALLS) {
        return None;
    }
    let severity = policy.severity(rule, Severity::Warning)?;
    let place = in_words(found);
    let took = Millis(found.took as f64 / 1_000.0);
    let range = match found.calls {
        1 => String::new(),
        calls => format!(
            " ({} to {} in {calls} of them)",
            Count(found.fewest as f64),
            Count(found.most as f64)
        ),
    };
    let words = Words {
        message: format!(
            "one execution runs {} {} times{range}, {took}: {}",
            place,
            Count(found.most as f64),
            found.form
        ),
        why: loop_in_function::RULE.why.to_owned(),
        advice: instead_of(&found.form),
    };
    let evidence = Evidence {
        condition: Some(place),
        ..Evidence::default()
    };
    Some(finding(
        rule,
        severity,
        Some(query.name.clone()),
        location,
        evidence
            .with("calls", Quantity::Count(found.most))
            .with("fewest_calls", Quantity::Count(found.fewest))
            .with("outer_executions", Quantity::Count(found.calls))
            .with("inner_statement", Quantity::Text(found.form.to_string()))
            .with("server_time_ms", Quantity::Millis(took)),
        words,
    ))
}

/// `line 6 of total(bigint)`, or the statement of a function in SQL.
fn in_words(found: &FunctionLoop) -> String {
    let place = &found.place;
    let what = if place.function.contains('(') || place.function == "inline_code_block" {
        "line"
    } else {
        "statement"
    };
    format!("{what} {} of {}", place.line, place.function)
}

fn instead_of(form: &str) -> String {
    let first = form.split_whitespace().next().unwrap_or_default();
    let one = match first.to_ascii_lowercase().as_str() {
        "insert" => "Insert all rows at once: INSERT … SELECT from the loop's query.",
        "update" => "Change all rows at once: UPDATE … FROM the loop's query.",
        "delete" => "Delete all rows at once: DELETE … USING the loop's query.",
        _ => {
            "Ask once for all rows: join it into the loop's query, or into the statement that calls the function for each row."
        }
    };
    format!(
        "{one} Of a trigger for each row make one FOR EACH STATEMENT that reads REFERENCING NEW TABLE AS changed."
    )
}

/// A unit of work that executes more statements than it may.
#[must_use]
pub fn over_count(unit: &str, executed: u64, allowed: u64) -> Finding {
    let name = if unit.is_empty() {
        "a unit of work without a name"
    } else {
        unit
    };
    let words = Words {
        message: format!(
            "{name} executes {} statements, {} are allowed",
            Count(executed as f64),
            Count(allowed as f64)
        ),
        why: "Each statement is a round trip that the unit waits for.".to_owned(),
        advice: "Load together what belongs together; where the statement is needed, raise the number on purpose.".to_owned(),
    };
    let evidence = Evidence {
        condition: Some(name.to_owned()),
        ..Evidence::default()
    };
    finding(
        RuleId::OverBudget,
        Severity::Error,
        None,
        None,
        evidence
            .with("calls", Quantity::Count(executed))
            .with("allowed", Quantity::Count(allowed)),
        words,
    )
}

/// What a recording or a log does not hold; none where it holds everything.
#[must_use]
pub fn incomplete(reasons: &[String], policy: &Policy) -> Option<Finding> {
    if reasons.is_empty() || !policy.is_on(RuleId::IncompleteTrace) {
        return None;
    }
    let severity = policy.severity(RuleId::IncompleteTrace, Severity::Warning)?;
    let words = Words {
        message: format!("the verdict is inconclusive: {}", reasons.join("; ")),
        why: "What is not there cannot be judged: that no loop was found does not say that there is none.".to_owned(),
        advice: "Log every statement for the time of the trace: log_min_duration_statement = 0, log_statement = none, log_duration = off, \
                 log_parameter_max_length = -1, and sampling off; or record the application with `pgproof record`."
            .to_owned(),
    };
    Some(finding(
        RuleId::IncompleteTrace,
        severity,
        None,
        None,
        Evidence::default(),
        words,
    ))
}

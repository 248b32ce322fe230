//! N+1 queries by the flow of values: a statement that is executed again and again with values that came, in order, from
//! the rows of a statement before it. Counting alone proves nothing: a loop over a constant list looks the same.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::event::Rows;
use super::growth::Growth;
use super::keys::{FormKey, KeyMap};
use super::value::Value;
use crate::schema::{ForeignKey, Schema, Table};
use crate::sql::token::{TokenKind, significant, tokens};

/// A loop of fewer executions is not looked at.
const FEWEST: usize = 3;
/// So many other statements may come between two executions of a loop.
const NEAR: u64 = 20;
/// So many results of a session are remembered, and no more values than these.
const RESULTS: usize = 50;
const VALUES: usize = 500_000;
/// So many results are compared with one loop.
const GIVEN: usize = 1_000;
/// So many executions of a loop are compared.
const MOST: usize = 10_000;
/// What is kept apart as a loop of its own.
const FORMS: usize = 10_000;
/// The share of values that must have come from the parent.
const COVERAGE: f64 = 0.95;
/// So many executions in the order of rows are no chance, although other rows are left out: 1 in 120.
const ORDERED: u64 = 5;
/// 2⁻²⁰ is below one in a million.
const PROOF: f64 = 20.0;
/// Of a loop's executions this share has values of its own, or their order has to be the rows'.
const DISTINCT: f64 = 0.8;

/// One statement of an execution, as far as loops need to know it.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The statement's form.
    pub form: &'a FormKey,
    /// Whether it asks for one thing at a time.
    pub may_loop: bool,
    /// Its values, those of the text after those that were bound.
    pub values: Vec<Value>,
    /// The session's clock when it was sent.
    pub sent: u64,
    /// When it was answered; 0 where that was not seen.
    pub done: u64,
    /// What came back.
    pub rows: Option<&'a Rows>,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The values came from a statement before, and not by chance.
    Proven,
    /// Its values are those of a statement before, as they may be by chance; or it was executed as often as one before it
    /// returned rows.
    Likely,
    /// One unit of work executed it again and again, each time with other values.
    Suspect,
    /// The same row again and again.
    Repeated,
}

impl Grade {
    /// The word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Likely => "likely",
            Self::Suspect => "suspect",
            Self::Repeated => "repeated",
        }
    }
}

/// A loop that was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// The statement's form.
    pub child: Arc<str>,
    /// How often it was executed, in the longest loop.
    pub executions: u64,
    /// Over how many connections at once.
    pub connections: u64,
    /// How sure it is.
    pub grade: Grade,
    /// Where its values come from.
    pub source: Option<Source>,
    /// Server time of its executions in the worst unit of work, in microseconds; `None` where times are not known.
    pub took: Option<u64>,
    /// What that unit is called, where a comment names it.
    pub unit: Option<String>,
    /// How its executions grew with the rows, where it ran on two datasets.
    pub growth: Option<Growth>,
    /// Whether what was read does not hold the values of some execution.
    pub has_unknown_values: bool,
}

/// Where a loop's values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The value's number among the child's, from 1.
    pub parameter: usize,
    /// The form of the statement that gave them.
    pub parent: Arc<str>,
    /// Its column.
    pub column: String,
    /// Where the column is from: the table's OID and the attribute's number.
    pub origin: (u32, i16),
    /// How many of the loop's values are among the column's.
    pub matched: usize,
    /// How many values the loop had.
    pub of: usize,
    /// Whether they came in the column's order.
    pub in_order: bool,
    /// How unlikely it is by chance: 2 to the minus this.
    pub bits: f64,
}

impl Loop {
    /// `N+1, proven: 47 executions, one after the other`.
    #[must_use]
    pub fn heading(&self) -> String {
        let number = self.executions;
        let how = match self.connections {
            0 | 1 => "one after the other".to_owned(),
            many => format!("over {many} connections"),
        };
        match self.grade {
            Grade::Proven => format!("N+1, proven: {number} executions, {how}, of"),
            Grade::Likely => format!("N+1, likely: {number} executions, {how}, of"),
            Grade::Suspect => {
                format!("again and again in one unit of work: {number} executions of")
            }
            Grade::Repeated => format!("the same rows again and again: {number} executions of"),
        }
    }
}

impl Source {
    /// Of a statement that returned as many rows as the loop has executions; their values are not known.
    pub(super) fn of_rows(parent: Arc<str>, rows: u64) -> Self {
        Self {
            parameter: 0,
            parent,
            column: String::new(),
            origin: (0, 0),
            matched: 0,
            of: usize::try_from(rows).unwrap_or(usize::MAX),
            in_order: false,
            bits: 0.0,
        }
    }

    /// Whether values were compared, and not the number of rows alone.
    #[must_use]
    pub fn has_values(&self) -> bool {
        self.parameter > 0
    }

    /// `47 of 47 values of $1 came, in order, from author_id of`.
    #[must_use]
    pub fn in_words(&self) -> String {
        if !self.has_values() {
            return format!("as often as {} rows were returned by", self.of);
        }
        let order = if self.in_order { ", in order," } else { "" };
        format!(
            "{} of {} values of ${} came{order} from {} of",
            self.matched, self.of, self.parameter, self.column
        )
    }
}

/// What values leave open a foreign key decides: where it leads from the column that gave them to the one that they are
/// compared with, or back, and they came in order, they came from there.
pub fn connect(loops: &mut [Loop], schema: &Schema) {
    for found in loops.iter_mut() {
        let Some(source) = found.source.as_ref().filter(|source| source.in_order) else {
            continue;
        };
        if found.grade == Grade::Likely && is_connected(source, &found.child, schema) {
            found.grade = Grade::Proven;
        }
    }
    loops.sort_by_key(|found| (found.grade, std::cmp::Reverse(found.executions)));
}

fn is_connected(source: &Source, child: &str, schema: &Schema) -> bool {
    let (table, attribute) = source.origin;
    let Some(parent) = schema.table_by_oid(table) else {
        return false;
    };
    let Some(column) = parent
        .columns
        .iter()
        .find(|column| column.number == attribute)
    else {
        return false;
    };
    let compared = compared_with(child, source.parameter);
    let words: HashSet<String> = identifiers(child).collect();
    let names = |table: &Table| words.contains(&table.name.name);
    let leads = |key: &ForeignKey, own: &str, other: &str| {
        key.columns.len() == 1 && key.columns[0] == own && key.referenced_columns[0] == other
    };
    let other_column = compared.as_deref();
    // Of a parent's key its children, or of a reference the row that it means.
    let down = schema
        .tables
        .iter()
        .filter(|child| names(child))
        .any(|child| {
            child.foreign_keys.iter().any(|key| {
                key.references == parent.oid
                    && other_column.is_some_and(|own| leads(key, own, &column.name))
            })
        });
    let up = parent.foreign_keys.iter().any(|key| {
        words.contains(&key.referenced_table.name)
            && other_column.is_some_and(|other| leads(key, &column.name, other))
    });
    down || up
}

/// Identifiers of a statement, as PostgreSQL reads them.
fn identifiers(statement: &str) -> impl Iterator<Item = String> + '_ {
    tokens(statement).into_iter().filter_map(|token| {
        let text = &statement[token.span.clone()];
        match token.kind {
            TokenKind::Ident => Some(text.to_lowercase()),
            TokenKind::QuotedIdent { .. } => Some(text.trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        }
    })
}

/// The column in `column = $n`.
fn compared_with(statement: &str, parameter: usize) -> Option<String> {
    let all: Vec<_> = significant(statement);
    let text = |at: usize| all.get(at).map(|token| &statement[token.span.clone()]);
    let wanted = format!("${parameter}");
    let at: usize = (0..all.len()).find(|at| text(*at) == Some(wanted.as_str()))?;
    let column = match (at.checked_sub(1).and_then(text), text(at + 1)) {
        (Some("="), _) => all.get(at.checked_sub(2)?)?,
        // `$1 = posts.author_id`: the last of the names.
        (_, Some("=")) => {
            let mut last = at + 2;
            while text(last + 1) == Some(".") {
                last += 2;
            }
            all.get(last)?
        }
        _ => return None,
    };
    identifiers(&statement[column.span.clone()]).next()
}

/// Finds loops in what sessions execute.
#[derive(Debug, Default)]
pub struct Flows {
    sessions: KeyMap<u64, Session>,
    loops: KeyMap<FormKey, Loop>,
}

#[derive(Debug, Default)]
struct Session {
    /// Statements so far.
    clock: u64,
    results: VecDeque<Arc<Given>>,
    kept: usize,
    runs: KeyMap<FormKey, Executions>,
}

/// A result whose values may become others' parameters.
#[derive(Debug)]
struct Given {
    form: FormKey,
    done: u64,
    rows: Rows,
    size: usize,
}

/// Executions of one form, each near the one before.
#[derive(Debug)]
struct Executions {
    last: u64,
    number: u64,
    /// By place.
    values: Vec<Vec<Value>>,
    /// When each was sent.
    sent: Vec<u64>,
    /// What had come back when the first one was sent, and came since, oldest first: a loop in a loop has several parents.
    given: Vec<Arc<Given>>,
}

impl Flows {
    /// Takes a statement of a session, in the order in which they were answered.
    pub fn take(&mut self, session: u64, step: &Step<'_>) {
        let session = self.sessions.entry(session).or_default();
        session.clock += 1;
        let now = session.clock;
        let gives = step.rows.is_some_and(|rows| !rows.values.is_empty());
        if session.results.is_empty() && !gives {
            // Nothing that values might come from: a log, say.
            return;
        }
        if step.may_loop {
            let continues = session
                .runs
                .get(step.form)
                .is_some_and(|run| now - run.last <= NEAR);
            if !continues {
                if let Some(run) = session.runs.remove(step.form) {
                    finish(&mut self.loops, step.form, &run);
                }
                session.end_old(&mut self.loops);
                if session.runs.len() < FORMS {
                    session.runs.insert(step.form.clone(), session.begin(step));
                }
            }
            if let Some(run) = session.runs.get_mut(step.form) {
                run.last = now;
                run.number += 1;
                if run.number as usize <= MOST {
                    run.sent.push(step.sent);
                    run.values.resize_with(step.values.len(), Vec::new);
                    for (place, value) in run.values.iter_mut().zip(&step.values) {
                        place.push(*value);
                    }
                }
            }
        }
        session.keep(step);
    }

    /// The session is over.
    pub fn closed(&mut self, session: u64) {
        if let Some(session) = self.sessions.remove(&session) {
            for (form, run) in &session.runs {
                finish(&mut self.loops, form, run);
            }
        }
    }

    /// What was found so far, the surest and longest first; loops that go on are judged as they are.
    #[must_use]
    pub fn loops(&self) -> Vec<Loop> {
        let mut loops = self.loops.clone();
        for session in self.sessions.values() {
            for (form, run) in &session.runs {
                finish(&mut loops, form, run);
            }
        }
        let mut loops: Vec<Loop> = loops.into_values().collect();
        loops.sort_by(|a, b| {
            let order = |found: &Loop| (found.grade, std::cmp::Reverse(found.executions));
            order(a).cmp(&order(b)).then_with(|| a.child.cmp(&b.child))
        });
        loops
    }
}

impl Session {
    /// What the values of a loop that begins now may come from: all that was there before its first statement was sent.
    fn begin(&self, step: &Step<'_>) -> Executions {
        // Its own rows are where the next page begins.
        let given = self.results.iter().filter(|given| given.form != *step.form);
        Executions {
            last: 0,
            number: 0,
            values: Vec::new(),
            sent: Vec::new(),
            given: given.cloned().collect(),
        }
    }

    /// Loops that were left are judged once there are many.
    fn end_old(&mut self, loops: &mut KeyMap<FormKey, Loop>) {
        const MANY: usize = 200;
        if self.runs.len() < MANY {
            return;
        }
        let now = self.clock;
        self.runs.retain(|form, run| {
            let goes_on = now - run.last <= NEAR;
            if !goes_on {
                finish(loops, form, run);
            }
            goes_on
        });
    }

    fn keep(&mut self, step: &Step<'_>) {
        let gives = |rows: &&Rows| rows.count >= 2 && !rows.values.is_empty() && step.done > 0;
        let Some(rows) = step.rows.filter(gives) else {
            return;
        };
        let size = rows.values.iter().map(Vec::len).sum();
        self.kept += size;
        let given = Arc::new(Given {
            form: step.form.clone(),
            done: step.done,
            rows: rows.clone(),
            size,
        });
        for (form, run) in &mut self.runs {
            let goes_on = self.clock - run.last <= NEAR;
            if goes_on && *form != given.form && run.given.len() < GIVEN {
                run.given.push(Arc::clone(&given));
            }
        }
        self.results.push_back(given);
        while self.results.len() > RESULTS || self.kept > VALUES {
            match self.results.pop_front() {
                Some(oldest) => self.kept -= oldest.size,
                None => break,
            }
        }
    }
}

/// Judges a loop, and keeps it where it is surer or longer than what is known of its form.
fn finish(loops: &mut KeyMap<FormKey, Loop>, form: &FormKey, run: &Executions) {
    let Some(found) = judged(form, run) else {
        return;
    };
    let better = loops.get(form).is_none_or(|known| {
        (found.grade, std::cmp::Reverse(found.executions))
            < (known.grade, std::cmp::Reverse(known.executions))
    });
    if better && (loops.len() < FORMS || loops.contains_key(form)) {
        loops.insert(form.clone(), found);
    }
}

fn judged(form: &FormKey, run: &Executions) -> Option<Loop> {
    if (run.number as usize) < FEWEST {
        return None;
    }
    let sources = run.values.iter().enumerate().filter_map(|(place, values)| {
        let distinct: HashSet<&Value> = values.iter().collect();
        // The same for all (a tenant), or one of two (a flag), says nothing of where it came from.
        if distinct.len() < FEWEST {
            return None;
        }
        let share = distinct.len() as f64 / values.len() as f64;
        // Rows that share a value give it again each time; then the order has to say that they were the ones.
        let (source, is_whole) = source(place + 1, values, run)?;
        (share >= DISTINCT || source.in_order).then_some((source, is_whole))
    });
    let (source, is_whole) = sources.max_by(|(a, _), (b, _)| a.bits.total_cmp(&b.bits))?;
    Some(Loop {
        child: Arc::clone(&form.text),
        executions: run.number,
        connections: 1,
        // Whoever is shown a list and picks rows of it asks for some of them, in any order; for three or four the right order is
        // no wonder.
        grade: if source.bits >= PROOF && (is_whole || source.in_order && run.number >= ORDERED) {
            Grade::Proven
        } else {
            Grade::Likely
        },
        source: Some(source),
        took: None,
        unit: None,
        growth: None,
        has_unknown_values: false,
    })
}

/// The column that gave the values, where one did; of several the one that did least by chance, then the newest.
///
/// With it, whether nearly all rows of those that gave any were asked for.
fn source(parameter: usize, values: &[Value], run: &Executions) -> Option<(Source, bool)> {
    let sent: Vec<(Value, u64)> = values
        .iter()
        .copied()
        .zip(run.sent.iter().copied())
        .filter(|(value, _)| *value != Value::Null)
        .collect();
    if sent.len() < FEWEST {
        return None;
    }
    let mut parents: Vec<&FormKey> = Vec::new();
    for given in run.given.iter().rev() {
        if !parents.contains(&&given.form) {
            parents.push(&given.form);
        }
    }
    let mut best: Option<(Source, bool)> = None;
    for parent in parents {
        let all = || run.given.iter().filter(|given| given.form == *parent);
        let columns = all()
            .map(|given| given.rows.values.len())
            .max()
            .unwrap_or(0);
        for place in 0..columns {
            let Some((matched, in_order, bits)) = matched(&sent, all(), place) else {
                continue;
            };
            if best.as_ref().is_none_or(|(best, _)| bits > best.bits) {
                let (column, origin) = column_of(all().map(|given| &given.rows), place);
                let is_whole = asks_for_all(&sent, all(), place);
                let source = Source {
                    parameter,
                    parent: Arc::clone(&parent.text),
                    column,
                    origin,
                    matched,
                    of: sent.len(),
                    in_order,
                    bits,
                };
                best = Some((source, is_whole));
            }
        }
    }
    best
}

/// The name of a column of some results, and where it is from.
pub(super) fn column_of<'r>(
    mut results: impl Iterator<Item = &'r Rows>,
    place: usize,
) -> (String, (u32, i16)) {
    let described = results.find_map(|rows| rows.columns.get(place));
    described.map_or_else(
        || (format!("column {}", place + 1), (0, 0)),
        |column| (column.name.clone(), column.origin),
    )
}

/// Whether nearly all of the values belong to results of which nearly every row was asked for.
fn asks_for_all<'g>(
    sent: &[(Value, u64)],
    results: impl Iterator<Item = &'g Arc<Given>>,
    place: usize,
) -> bool {
    let asked: HashSet<Value> = sent.iter().map(|(value, _)| *value).collect();
    let mut of_whole: HashSet<Value> = HashSet::new();
    for given in results {
        let column = given.rows.values.get(place).into_iter().flatten();
        let set: HashSet<Value> = column
            .copied()
            .filter(|value| *value != Value::Null)
            .collect();
        let found = set.intersection(&asked).count();
        if found as f64 >= set.len() as f64 * COVERAGE {
            of_whole.extend(set);
        }
    }
    let found = asked.intersection(&of_whole).count();
    found as f64 >= asked.len() as f64 * COVERAGE
}

/// How many of a loop's values were in a column before they were sent, whether in its order, and how unlikely that is.
fn matched<'g>(
    sent: &[(Value, u64)],
    results: impl Iterator<Item = &'g Arc<Given>>,
    place: usize,
) -> Option<(usize, bool, f64)> {
    let mut first: HashMap<Value, u64> = HashMap::new();
    let mut column: Vec<Value> = Vec::new();
    for given in results {
        for value in given.rows.values.get(place).into_iter().flatten() {
            first.entry(*value).or_insert(given.done);
            column.push(*value);
        }
    }
    let came_before =
        |(value, sent): &&(Value, u64)| first.get(value).is_some_and(|done| done < sent);
    let matched = sent.iter().filter(came_before).count();
    if first.len() < 2 || (matched as f64) < sent.len() as f64 * COVERAGE {
        return None;
    }
    let values: Vec<Value> = sent.iter().map(|(value, _)| *value).collect();
    let in_order = is_in_order(&values, &column);
    let set: HashSet<Value> = first.into_keys().collect();
    Some((matched, in_order, bits(&values, &set, in_order)))
}

/// Whether the values stand in the column one after the other, whatever stands between them.
fn is_in_order(values: &[Value], column: &[Value]) -> bool {
    let mut rest = column.iter();
    let mut missed = 0;
    let mut at = rest.clone();
    for value in values {
        if rest.any(|other| other == value) {
            at = rest.clone();
        } else {
            missed += 1;
            rest = at.clone();
        }
    }
    (missed as f64) <= values.len() as f64 * (1.0 - COVERAGE)
}

/// How unlikely it is that values of the same kind are among the column's by chance, as 2 to the minus this: (m/d)ⁿ for n
/// different values, m in the column and d that there might be, and 1/n! for their order.
pub(super) fn bits(values: &[Value], set: &HashSet<Value>, in_order: bool) -> f64 {
    /// What long texts and UUIDs might be, at the least.
    const RARE: f64 = 40.0;
    let distinct: HashSet<Value> = values.iter().copied().collect();
    let n = distinct.len() as f64;
    let whole = |value: &Value| match value {
        Value::Whole(number) => Some(*number),
        _ => None,
    };
    let numbers: Vec<i64> = set.iter().chain(&distinct).filter_map(whole).collect();
    let is_whole = distinct.iter().all(|value| whole(value).is_some());
    let ordered = if in_order {
        (2..=distinct.len()).map(|k| (k as f64).log2()).sum()
    } else {
        0.0
    };
    if is_whole {
        let (Some(least), Some(most)) = (numbers.iter().min(), numbers.iter().max()) else {
            return 0.0;
        };
        // Whoever counts from one gives the same numbers in the same order: of a dense range nothing is proven.
        let domain = most.abs_diff(*least) as f64 + 1.0;
        let of_each = (domain / set.len() as f64).log2();
        return if of_each < 1.0 {
            0.0
        } else {
            n * of_each + ordered
        };
    }
    let rare = distinct
        .iter()
        .filter(|value| matches!(value, Value::Rare(_)))
        .count() as f64;
    // Short texts are words that others may use, too; their order alone counts, and alphabets have one.
    rare * RARE + if rare > 0.0 { ordered } else { 0.0 }
}

#[cfg(test)]
mod tests;

//! N+1 queries by the flow of values: a statement that is executed again and again with values that came, in order, from
//! the rows of a statement before it. Counting alone proves nothing: a loop over a constant list looks the same.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::event::Rows;
use super::value::Value;
use crate::schema::{ForeignKey, Schema, Table};
use crate::sql::token::{TokenKind, tokens};

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
/// 2⁻²⁰ is below one in a million.
const PROOF: f64 = 20.0;
/// Of a loop's executions this share has values of its own; fewer, and one row is fetched again and again.
const DISTINCT: f64 = 0.8;
const REPEATED: f64 = 0.2;

/// One statement of an execution, as far as loops need to know it.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The statement's form.
    pub form: &'a Arc<str>,
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
    /// Its values are those of a statement before, as they may be by chance.
    Likely,
    /// The same row again and again.
    Repeated,
}

/// A loop that was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// The statement's form.
    pub child: Arc<str>,
    /// How often it was executed, in the longest loop.
    pub executions: u64,
    /// How sure it is.
    pub grade: Grade,
    /// Where its values come from.
    pub source: Option<Source>,
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
        match self.grade {
            Grade::Proven => format!("N+1, proven: {number} executions, one after the other, of"),
            Grade::Likely => format!("N+1, likely: {number} executions, one after the other, of"),
            Grade::Repeated => format!("the same rows again and again: {number} executions of"),
        }
    }
}

impl Source {
    /// `47 of 47 values of $1 came, in order, from author_id of`.
    #[must_use]
    pub fn in_words(&self) -> String {
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
    let all: Vec<_> = tokens(statement)
        .into_iter()
        .filter(|token| !token.is_trivia())
        .collect();
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
    sessions: HashMap<u64, Session>,
    loops: BTreeMap<Arc<str>, Loop>,
}

#[derive(Debug, Default)]
struct Session {
    /// Statements so far.
    clock: u64,
    results: VecDeque<Arc<Given>>,
    kept: usize,
    runs: HashMap<Arc<str>, Executions>,
}

/// A result whose values may become others' parameters.
#[derive(Debug)]
struct Given {
    form: Arc<str>,
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
        let is_loop = !step
            .values
            .iter()
            .any(|value| matches!(value, Value::Many(_)));
        if is_loop {
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
                    session
                        .runs
                        .insert(Arc::clone(step.form), session.begin(step));
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
        loops.sort_by_key(|found| (found.grade, std::cmp::Reverse(found.executions)));
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
    fn end_old(&mut self, loops: &mut BTreeMap<Arc<str>, Loop>) {
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
        let Some(rows) = step.rows.filter(|rows| rows.count >= 2 && step.done > 0) else {
            return;
        };
        let size = rows.values.iter().map(Vec::len).sum();
        self.kept += size;
        let given = Arc::new(Given {
            form: Arc::clone(step.form),
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
fn finish(loops: &mut BTreeMap<Arc<str>, Loop>, form: &Arc<str>, run: &Executions) {
    let Some(found) = judged(form, run) else {
        return;
    };
    let better = loops.get(form).is_none_or(|known| {
        (found.grade, std::cmp::Reverse(found.executions))
            < (known.grade, std::cmp::Reverse(known.executions))
    });
    if better && (loops.len() < FORMS || loops.contains_key(form)) {
        loops.insert(Arc::clone(form), found);
    }
}

fn judged(form: &Arc<str>, run: &Executions) -> Option<Loop> {
    if (run.number as usize) < FEWEST {
        return None;
    }
    let of_grade = |grade, source| Loop {
        child: Arc::clone(form),
        executions: run.number,
        grade,
        source,
    };
    let share = |values: &[Value]| {
        let distinct: HashSet<&Value> = values.iter().collect();
        distinct.len() as f64 / values.len().max(1) as f64
    };
    let sources = run.values.iter().enumerate().filter_map(|(place, values)| {
        // The same for all (a tenant), or one of few (a flag), says nothing of where it came from.
        (share(values) >= DISTINCT).then(|| source(place + 1, values, run))?
    });
    if let Some(source) = sources.max_by(|a, b| a.bits.total_cmp(&b.bits)) {
        let grade = if source.bits >= PROOF {
            Grade::Proven
        } else {
            Grade::Likely
        };
        return Some(of_grade(grade, Some(source)));
    }
    let is_repeated = !run.values.is_empty()
        && run.number >= 5
        && run.values.iter().all(|values| share(values) <= REPEATED);
    is_repeated.then(|| of_grade(Grade::Repeated, None))
}

/// The column that gave the values, where one did; of several the one that did least by chance, then the newest.
fn source(parameter: usize, values: &[Value], run: &Executions) -> Option<Source> {
    let sent: Vec<(Value, u64)> = values
        .iter()
        .copied()
        .zip(run.sent.iter().copied())
        .filter(|(value, _)| *value != Value::Null)
        .collect();
    if sent.len() < FEWEST {
        return None;
    }
    let mut parents: Vec<&Arc<str>> = Vec::new();
    for given in run.given.iter().rev() {
        if !parents.contains(&&given.form) {
            parents.push(&given.form);
        }
    }
    let mut best: Option<Source> = None;
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
            if best.as_ref().is_none_or(|best| bits > best.bits) {
                let described = all().find_map(|given| given.rows.columns.get(place));
                best = Some(Source {
                    parameter,
                    parent: Arc::clone(parent),
                    column: described.map_or_else(
                        || format!("column {}", place + 1),
                        |column| column.name.clone(),
                    ),
                    origin: described.map_or((0, 0), |column| column.origin),
                    matched,
                    of: sent.len(),
                    in_order,
                    bits,
                });
            }
        }
    }
    best
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
fn bits(values: &[Value], set: &HashSet<Value>, in_order: bool) -> f64 {
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
mod tests {
    use super::*;
    use crate::trace::event::Column;
    use crate::trace::value::ValueReader;

    fn form(text: &str) -> Arc<str> {
        text.into()
    }

    fn rows(columns: &[(&str, Vec<Value>)]) -> Rows {
        let described = columns.iter().map(|(name, _)| Column {
            name: (*name).to_owned(),
            origin: (0, 0),
            type_oid: 20,
            format: 0,
        });
        Rows {
            columns: described.collect(),
            values: columns.iter().map(|(_, values)| values.clone()).collect(),
            count: columns[0].1.len() as u64,
        }
    }

    fn whole(numbers: impl IntoIterator<Item = i64>) -> Vec<Value> {
        numbers.into_iter().map(Value::Whole).collect()
    }

    /// Statements one after the other.
    #[derive(Default)]
    struct Play {
        flows: Flows,
        clock: u64,
    }

    impl Play {
        fn step(&mut self, session: u64, text: &str, values: &[Value], rows: Option<&Rows>) {
            let form = form(text);
            self.clock += 2;
            self.flows.take(
                session,
                &Step {
                    form: &form,
                    values: values.to_vec(),
                    sent: self.clock - 1,
                    done: self.clock,
                    rows,
                },
            );
        }

        fn found(&self) -> Vec<(Grade, u64, String)> {
            let loops = self.flows.loops().into_iter();
            loops
                .map(|found| (found.grade, found.executions, found.child.to_string()))
                .collect()
        }
    }

    /// Identities as production has them: far apart.
    fn scattered(number: i64) -> Vec<Value> {
        whole((0..number).map(|n| (n * 7_919 + 104_729) % 90_001))
    }

    #[test]
    fn values_that_came_from_rows_are_proven() {
        let mut play = Play::default();
        let authors = scattered(47);
        let posts = rows(&[("id", whole(1..48)), ("author_id", authors.clone())]);
        play.step(0, "posts", &[], Some(&posts));
        for author in &authors {
            play.step(0, "author", &[*author], None);
        }
        let loops = play.flows.loops();
        assert_eq!(loops.len(), 1);
        assert_eq!((loops[0].grade, loops[0].executions), (Grade::Proven, 47));
        let source = loops[0].source.as_ref().unwrap();
        assert_eq!((&*source.parent, &*source.column), ("posts", "author_id"));
        assert_eq!((source.matched, source.of, source.in_order), (47, 47, true));
    }

    #[test]
    fn another_statement_in_the_loop_hides_nothing() {
        let mut play = Play::default();
        let ids = scattered(12);
        play.step(0, "list", &[], Some(&rows(&[("id", ids.clone())])));
        for id in &ids {
            play.step(0, "count", &[*id], None);
            play.step(0, "latest", &[Value::Whole(1), *id], None);
        }
        let found = play.found();
        assert_eq!(found.len(), 2);
        assert!(
            found
                .iter()
                .all(|(grade, executions, _)| (*grade, *executions) == (Grade::Proven, 12))
        );
        let latest = play
            .flows
            .loops()
            .into_iter()
            .find(|found| &*found.child == "latest");
        assert_eq!(latest.unwrap().source.unwrap().parameter, 2);
    }

    #[test]
    fn the_column_that_a_parameter_is_compared_with() {
        for (statement, expected) in [
            ("SELECT a FROM b WHERE c = $1", Some("c")),
            ("SELECT a FROM b WHERE x.\"C\" = $1 AND d = $2", Some("C")),
            ("SELECT a FROM b WHERE $1 = b.c AND d > 2", Some("c")),
            ("SELECT a FROM b WHERE c > $1", None),
        ] {
            assert_eq!(
                compared_with(statement, 1).as_deref(),
                expected,
                "{statement}"
            );
        }
    }

    #[test]
    fn page_numbers_and_other_counting_prove_nothing() {
        let mut play = Play::default();
        play.step(0, "list", &[], Some(&rows(&[("id", whole(1..21))])));
        for page in whole(1..11) {
            play.step(0, "page", &[page], None);
        }
        assert_eq!(play.found(), [(Grade::Likely, 10, "page".to_owned())]);
    }

    #[test]
    fn a_tenant_that_is_always_the_same_is_no_loop_over_rows() {
        let mut play = Play::default();
        let tenants = rows(&[("id", scattered(30))]);
        play.step(0, "tenants", &[], Some(&tenants));
        let tenant = tenants.values[0][4];
        for _ in 0..20 {
            play.step(0, "settings", &[tenant], None);
        }
        assert_eq!(play.found(), [(Grade::Repeated, 20, "settings".to_owned())]);
    }

    #[test]
    fn values_from_elsewhere_are_no_loop() {
        let mut play = Play::default();
        play.step(0, "list", &[], Some(&rows(&[("id", scattered(30))])));
        for value in whole((0..30).map(|n| n * 3_001 + 200_000)) {
            play.step(0, "other", &[value], None);
        }
        assert_eq!(play.found(), []);
    }

    #[test]
    fn what_came_back_after_the_loop_began_explains_nothing() {
        let mut play = Play::default();
        let ids = scattered(10);
        for id in &ids {
            play.step(0, "insert", &[*id], None);
        }
        play.step(0, "list", &[], Some(&rows(&[("id", ids.clone())])));
        play.step(0, "insert", &[ids[0]], None);
        assert_eq!(play.found(), []);
    }

    #[test]
    fn an_array_is_a_batch() {
        let mut play = Play::default();
        let ids = scattered(10);
        play.step(0, "list", &[], Some(&rows(&[("id", ids)])));
        for _ in 0..10 {
            play.step(0, "batch", &[Value::Many(10)], None);
        }
        assert_eq!(play.found(), []);
    }

    #[test]
    fn long_texts_are_proven_and_words_are_not() {
        let reader = ValueReader::default();
        let mails: Vec<Value> = (0..6)
            .map(|n| reader.text(&format!("reader-{n}@example.com")))
            .collect();
        let words: Vec<Value> = ["new", "open", "paid", "sent", "done", "void"]
            .map(|word| reader.text(word))
            .to_vec();
        let mut play = Play::default();
        play.step(
            0,
            "list",
            &[],
            Some(&rows(&[("mail", mails.clone()), ("state", words.clone())])),
        );
        for (mail, word) in mails.iter().zip(&words) {
            play.step(0, "by mail", &[*mail], None);
            play.step(0, "by state", &[*word], None);
        }
        assert_eq!(
            play.found(),
            [
                (Grade::Proven, 6, "by mail".to_owned()),
                (Grade::Likely, 6, "by state".to_owned())
            ]
        );
    }

    #[test]
    fn a_loop_of_a_loop_finds_its_own_parent() {
        let mut play = Play::default();
        let blogs = scattered(5);
        play.step(0, "blogs", &[], Some(&rows(&[("id", blogs.clone())])));
        for (n, blog) in blogs.iter().enumerate() {
            let posts: Vec<Value> = whole((0..8).map(|k| (n as i64 * 8 + k) * 6_007 + 500_009));
            play.step(
                0,
                "posts of blog",
                &[*blog],
                Some(&rows(&[("id", posts.clone())])),
            );
            for post in posts {
                play.step(0, "comments of post", &[post], None);
            }
        }
        let loops = play.flows.loops();
        let parent = |child: &str| {
            let found = loops.iter().find(|found| &*found.child == child).unwrap();
            (
                found.grade,
                found.source.as_ref().unwrap().parent.to_string(),
            )
        };
        assert_eq!(parent("posts of blog"), (Grade::Proven, "blogs".to_owned()));
        assert_eq!(parent("comments of post").1, "posts of blog");
    }
}

//! Loops that an application spreads over the connections of its pool: it reads a list on one, then asks for each row on
//! whichever is free. No connection shows the loop; all of them together do.
//!
//! That each value came from a list proves nothing here: people who are shown a list open rows of it, too. What proves a loop is
//! that the rows of one list were asked for in one burst, and nearly all of them: whoever picks rows asks for some twice and
//! leaves others out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::event::Rows;
use super::flow::{Grade, Loop, Source, bits, column_of};
use super::keys::{FormKey, KeyMap};
use super::value::Value;

/// A loop of fewer executions is not looked at.
const FEWEST: usize = 5;
/// Longer lists are not kept: nobody asks for each row of them at once.
const LONGEST: usize = 5_000;
/// So many lists are remembered, and no more values than these.
const LISTS: usize = 50;
const VALUES: usize = 200_000;
/// So many executions of a burst are compared.
const MOST: usize = 10_000;
/// Bursts that go on at the same time.
const BURSTS: usize = 1_000;
/// Within a burst the next execution begins this soon after the one before has ended, in microseconds.
const PAUSE: i64 = 50_000;
/// A list is the source of a burst that begins this soon after it was read, in microseconds.
const AFTER: i64 = 5_000_000;
/// The share of a list's values that are asked for, and of a burst's values that come from lists.
const COVERAGE: f64 = 0.95;
/// The share of executions that ask for a row of their own.
const DISTINCT: f64 = 0.8;
/// 2⁻²⁰ is below one in a million.
const PROOF: f64 = 20.0;

/// One execution, as far as bursts need to know it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The connection.
    pub session: u64,
    /// The statement's form.
    pub form: &'a FormKey,
    /// Whether it asks for one thing at a time.
    pub may_loop: bool,
    /// Its values.
    pub values: &'a [Value],
    /// When it began, in microseconds of a clock for all connections.
    pub at: i64,
    /// When it ended.
    pub done: i64,
    /// The request or job that it belongs to, where a comment or a trace says so.
    pub unit: Option<&'a str>,
    /// What came back.
    pub rows: Option<&'a Rows>,
}

/// Finds loops over several connections.
#[derive(Debug, Default)]
pub struct Pool {
    lists: VecDeque<Arc<List>>,
    kept: usize,
    bursts: HashMap<(FormKey, Option<String>), Burst>,
    loops: KeyMap<FormKey, Loop>,
}

/// Rows of which each may be asked for.
#[derive(Debug)]
struct List {
    form: FormKey,
    done: i64,
    rows: Rows,
    size: usize,
}

/// Executions of one form, one soon after the other, on whatever connection.
#[derive(Debug)]
struct Burst {
    last: i64,
    number: u64,
    sent: Vec<Sent>,
    /// What had come back shortly before, newest first.
    lists: Vec<Arc<List>>,
}

#[derive(Debug)]
struct Sent {
    at: i64,
    session: u64,
    values: Vec<Value>,
}

impl Pool {
    /// Takes an execution, in the order in which they were answered.
    pub fn take(&mut self, step: &Step<'_>) {
        if step.may_loop && !self.lists.is_empty() && !step.values.is_empty() {
            self.execution(step);
        }
        self.keep(step);
    }

    fn execution(&mut self, step: &Step<'_>) {
        let key = (step.form.clone(), step.unit.map(str::to_owned));
        let goes_on = self
            .bursts
            .get(&key)
            .is_some_and(|burst| step.at - burst.last <= PAUSE);
        if !goes_on {
            if let Some(burst) = self.bursts.remove(&key) {
                finish(&mut self.loops, step.form, &burst);
            }
            if self.bursts.len() >= BURSTS {
                self.end_old(step.at);
            }
            if self.bursts.len() >= BURSTS {
                return;
            }
            let recent = |list: &&Arc<List>| {
                list.form != *step.form && list.done <= step.at && step.at - list.done <= AFTER
            };
            let lists = self.lists.iter().rev().filter(recent).cloned().collect();
            let burst = Burst {
                last: step.done,
                number: 0,
                sent: Vec::new(),
                lists,
            };
            self.bursts.insert(key.clone(), burst);
        }
        if let Some(burst) = self.bursts.get_mut(&key) {
            burst.last = burst.last.max(step.done);
            burst.number += 1;
            if burst.sent.len() < MOST {
                burst.sent.push(Sent {
                    at: step.at,
                    session: step.session,
                    values: step.values.to_vec(),
                });
            }
        }
    }

    fn end_old(&mut self, now: i64) {
        let loops = &mut self.loops;
        self.bursts.retain(|(form, _), burst| {
            let goes_on = now - burst.last <= PAUSE;
            if !goes_on {
                finish(loops, form, burst);
            }
            goes_on
        });
    }

    fn keep(&mut self, step: &Step<'_>) {
        let is_list = |rows: &&Rows| {
            let listed = rows.values.first().map_or(0, Vec::len);
            // Of a longer result the first rows alone are known.
            (FEWEST..=LONGEST).contains(&listed) && listed as u64 == rows.count
        };
        let Some(rows) = step.rows.filter(is_list) else {
            return;
        };
        let size = rows.values.iter().map(Vec::len).sum();
        self.kept += size;
        let list = Arc::new(List {
            form: step.form.clone(),
            done: step.done,
            rows: rows.clone(),
            size,
        });
        // Another request's list, whose rows are asked for beside these.
        for ((form, _), burst) in &mut self.bursts {
            let goes_on = step.done - burst.last <= PAUSE;
            if goes_on && *form != list.form && burst.lists.len() < LISTS {
                burst.lists.push(Arc::clone(&list));
            }
        }
        self.lists.push_back(list);
        while self.lists.len() > LISTS || self.kept > VALUES {
            match self.lists.pop_front() {
                Some(oldest) => self.kept -= oldest.size,
                None => break,
            }
        }
    }

    /// What was found so far, one for each form; bursts that go on are judged as they are.
    #[must_use]
    pub fn loops(&self) -> Vec<Loop> {
        let mut loops = self.loops.clone();
        for ((form, _), burst) in &self.bursts {
            finish(&mut loops, form, burst);
        }
        loops.into_values().collect()
    }
}

/// Judges a burst, and keeps it where it is surer or longer than what is known of its form.
fn finish(loops: &mut KeyMap<FormKey, Loop>, form: &FormKey, burst: &Burst) {
    let Some(found) = judged(form, burst) else {
        return;
    };
    let better = loops.get(form).is_none_or(|known| {
        (found.grade, std::cmp::Reverse(found.executions))
            < (known.grade, std::cmp::Reverse(known.executions))
    });
    if better {
        loops.insert(form.clone(), found);
    }
}

fn judged(form: &FormKey, burst: &Burst) -> Option<Loop> {
    let sessions: HashSet<u64> = burst.sent.iter().map(|sent| sent.session).collect();
    // One connection's loop is found by the order of its statements.
    if sessions.len() < 2 || burst.sent.len() < FEWEST {
        return None;
    }
    let mut sent: Vec<&Sent> = burst.sent.iter().collect();
    sent.sort_by_key(|sent| sent.at);
    let places = sent.iter().map(|sent| sent.values.len()).min()?;
    let sources = (0..places).filter_map(|place| {
        let values: Vec<Value> = sent.iter().map(|sent| sent.values[place]).collect();
        source(place + 1, &values, burst, sessions.len())
    });
    let (source, sure) = sources.max_by(|(a, _), (b, _)| a.bits.total_cmp(&b.bits))?;
    Some(Loop {
        child: Arc::clone(&form.text),
        executions: burst.number,
        connections: sessions.len() as u64,
        grade: if sure { Grade::Proven } else { Grade::Likely },
        source: Some(source),
        took: None,
        unit: None,
        growth: None,
        has_unknown_values: false,
    })
}

/// The column of lists whose rows were asked for, and whether that is sure.
fn source(
    parameter: usize,
    values: &[Value],
    burst: &Burst,
    sessions: usize,
) -> Option<(Source, bool)> {
    let asked: HashSet<Value> = values.iter().copied().filter(is_value).collect();
    if asked.len() < FEWEST {
        return None;
    }
    let mut best: Option<(Source, bool)> = None;
    let mut parents: Vec<&FormKey> = Vec::new();
    for list in &burst.lists {
        if !parents.contains(&&list.form) {
            parents.push(&list.form);
        }
    }
    for parent in parents {
        let lists = || burst.lists.iter().filter(|list| list.form == *parent);
        let columns = lists().map(|list| list.rows.values.len()).max()?;
        for place in 0..columns {
            // Of several requests' lists each was asked for as a whole, or not at all.
            let column: Vec<Value> = lists()
                .filter_map(|list| list.rows.values.get(place))
                .filter(|column| is_covered(column, &asked))
                .flatten()
                .copied()
                .filter(is_value)
                .collect();
            let set: HashSet<Value> = column.iter().copied().collect();
            let matched = values.iter().filter(|value| set.contains(value)).count();
            if set.len() < FEWEST || (matched as f64) < values.len() as f64 * COVERAGE {
                continue;
            }
            // More executions than rows: they are not one for each.
            if values.len() as f64 > column.len() as f64 * (2.0 - COVERAGE) {
                continue;
            }
            let in_order = is_nearly_in_order(values, &column, sessions);
            // The same rows again and again are those that people like, unless the list has them so often, too.
            if (asked.len() as f64) < values.len() as f64 * DISTINCT && !in_order {
                continue;
            }
            let is_once = asked.len() == values.len();
            let chance = picked_by_chance(set.len(), values.len(), is_once);
            let by_value = bits(values, &set, false);
            if best.as_ref().is_some_and(|(best, _)| best.bits >= chance) {
                continue;
            }
            let (column, origin) = column_of(lists().map(|list| &list.rows), place);
            let source = Source {
                parameter,
                parent: Arc::clone(&parent.text),
                column,
                origin,
                matched,
                of: values.len(),
                in_order,
                bits: chance,
            };
            best = Some((source, chance >= PROOF && by_value >= PROOF));
        }
    }
    best
}

fn is_value(value: &Value) -> bool {
    *value != Value::Null
}

/// Whether nearly all of a column's values were asked for.
fn is_covered(column: &[Value], asked: &HashSet<Value>) -> bool {
    let set: HashSet<&Value> = column.iter().filter(|value| is_value(value)).collect();
    let found = set.iter().filter(|value| asked.contains(**value)).count();
    set.len() >= FEWEST && found as f64 >= set.len() as f64 * COVERAGE
}

/// How unlikely it is that `picks` of `rows` rows, each picked for itself, are nearly all of them, as 2 to the minus this: n!/nⁿ
/// where each was picked once, else about e^(-n·e^(-k/n)), which is what collectors of pictures know.
fn picked_by_chance(rows: usize, picks: usize, is_once: bool) -> f64 {
    let n = rows as f64;
    if is_once && picks == rows {
        return (1..=rows).map(|k| (n / k as f64).log2()).sum();
    }
    n * (-(picks as f64) / n).exp() * std::f64::consts::LOG2_E
}

/// Whether values stand about where they stand in the column: connections that are asked at once overtake each other.
fn is_nearly_in_order(values: &[Value], column: &[Value], sessions: usize) -> bool {
    let mut places: HashMap<Value, VecDeque<usize>> = HashMap::new();
    for (place, value) in column.iter().enumerate() {
        places.entry(*value).or_default().push_back(place);
    }
    let apart = |(at, value): (usize, &Value)| {
        let place = places.get_mut(value)?.pop_front()?;
        Some(at.abs_diff(place))
    };
    let apart: Vec<usize> = values.iter().enumerate().filter_map(apart).collect();
    let near = apart.iter().filter(|apart| **apart <= 2 * sessions).count();
    // With few rows everything is near everything.
    values.len() > 4 * sessions && near as f64 >= values.len() as f64 * COVERAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::event::Column;

    const LIST: &str = "SELECT id FROM posts";
    const CHILD: &str = "SELECT name FROM authors WHERE id = $1";

    struct Play {
        pool: Pool,
        at: i64,
    }

    impl Play {
        fn new() -> Self {
            Self {
                pool: Pool::default(),
                at: 0,
            }
        }

        fn list(&mut self, session: u64, ids: &[i64]) {
            let columns = [Column {
                name: "id".to_owned(),
                origin: (0, 0),
                type_oid: 20,
                format: 0,
            }];
            let rows = Rows {
                columns: columns.to_vec().into(),
                values: vec![ids.iter().copied().map(Value::Whole).collect()],
                count: ids.len() as u64,
            };
            self.step(LIST, session, &[], Some(&rows));
            self.at += 400;
        }

        fn child(&mut self, session: u64, id: i64) {
            self.step(CHILD, session, &[Value::Whole(id)], None);
        }

        fn step(&mut self, form: &str, session: u64, values: &[Value], rows: Option<&Rows>) {
            let form = FormKey::new(usize::from(form == LIST), form.into());
            self.pool.take(&Step {
                session,
                form: &form,
                may_loop: true,
                values,
                at: self.at,
                done: self.at + 400,
                unit: None,
                rows,
            });
            self.at += 100;
        }

        fn found(&self) -> Option<(Grade, u64, u64)> {
            let loops = self.pool.loops();
            let found = loops.iter().find(|found| &*found.child == CHILD)?;
            Some((found.grade, found.executions, found.connections))
        }
    }

    fn scattered(from: i64, number: i64) -> Vec<i64> {
        (from..from + number)
            .map(|n| (n * 7_919 + 104_729) % 90_001)
            .collect()
    }

    #[test]
    fn each_row_of_a_list_over_a_pool_is_proven() {
        let mut play = Play::new();
        let ids = scattered(0, 40);
        play.list(0, &ids);
        // Connections overtake each other.
        for eight in ids.chunks(8) {
            for (session, id) in eight.iter().rev().enumerate() {
                play.child(session as u64, *id);
            }
        }
        assert_eq!(play.found(), Some((Grade::Proven, 40, 8)));
    }

    #[test]
    fn two_requests_at_once_are_told_apart() {
        let mut play = Play::new();
        let (one, other) = (scattered(0, 30), scattered(500, 30));
        play.list(0, &one);
        play.list(9, &other);
        for (n, (a, b)) in one.iter().zip(&other).enumerate() {
            play.child(n as u64 % 4, *a);
            play.child(10 + n as u64 % 4, *b);
        }
        assert_eq!(play.found(), Some((Grade::Proven, 60, 8)));
    }

    #[test]
    fn people_who_open_rows_of_one_list_are_no_loop() {
        let mut play = Play::new();
        let ids = scattered(0, 20);
        for session in 0..8 {
            play.list(session, &ids);
        }
        // Some rows twice, others not at all.
        for n in 0..20_usize {
            play.child(n as u64 % 8, ids[(n * n + 3 * n) % 20]);
        }
        assert_eq!(play.found(), None);
        // In the end every row was opened by somebody.
        for n in 0..90_usize {
            play.child(n as u64 % 8, ids[(n * 7 + n / 13) % 20]);
        }
        assert_eq!(play.found(), None);
    }

    #[test]
    fn pages_and_few_rows_prove_nothing() {
        let mut play = Play::new();
        let pages: Vec<i64> = (1..=30).collect();
        play.list(0, &pages);
        for page in &pages {
            play.child(*page as u64 % 5, *page);
        }
        assert_eq!(play.found(), Some((Grade::Likely, 30, 5)));
        let mut play = Play::new();
        let ids = scattered(0, 6);
        play.list(0, &ids);
        for (n, id) in ids.iter().enumerate() {
            play.child(n as u64 % 3, *id);
        }
        assert_eq!(play.found(), Some((Grade::Likely, 6, 3)));
    }

    #[test]
    fn what_comes_much_later_or_on_one_connection_is_none() {
        let mut play = Play::new();
        let ids = scattered(0, 20);
        play.list(0, &ids);
        for id in &ids {
            play.child(3, *id);
        }
        assert_eq!(play.found(), None);
        let mut play = Play::new();
        play.list(0, &ids);
        play.at += 2 * AFTER;
        for (n, id) in ids.iter().enumerate() {
            play.child(n as u64 % 4, *id);
        }
        assert_eq!(play.found(), None);
    }

    /// What becomes of children of a list of so many rows, so long after it, with such pauses between them.
    fn of_list(number: i64, after: i64, pause: i64) -> Option<(Grade, u64, u64)> {
        let mut play = Play::new();
        let ids = scattered(0, number);
        play.list(0, &ids);
        play.at = after + 400;
        for (n, id) in ids.iter().enumerate() {
            play.child(n as u64 % 4, *id);
            // From the end of one to the beginning of the next.
            play.at += 300 + pause;
        }
        play.found()
    }

    #[test]
    fn rows_of_a_list_are_looked_up_soon_and_one_after_the_other() {
        assert_eq!(of_list(4, 0, 0), None);
        assert!(of_list(5, 0, 0).is_some());
        assert!(of_list(20, AFTER, 0).is_some() && of_list(20, AFTER + 1, 0).is_none());
        assert!(of_list(20, 0, PAUSE).is_some() && of_list(20, 0, PAUSE + 1).is_none());
        assert_eq!((AFTER, PAUSE), (5_000_000, 50_000));
    }
}

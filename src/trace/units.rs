//! Units of work: what a session executes for one request, job or test. First what a comment names, then a transaction, then a
//! burst with no long pause in it. Statements that a unit executes again and again are counted; that they came from rows is
//! `flow`'s to prove.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::flow::{Grade, Loop, Source};
use super::forms::Kind;
use super::keys::{KeyHasher, KeyMap};
use super::value::Value;

/// A pause between two statements from which on another unit begins, in microseconds.
const PAUSE: i64 = 50_000;
/// Fewer executions of one statement are none too many.
const FEWEST: u64 = 5;
/// Of a loop's executions this share has values of its own; fewer, and one row is fetched again and again.
const DISTINCT: f64 = 0.8;
const REPEATED: f64 = 0.2;
/// So many different values of one statement are told apart in a unit.
const VALUES: usize = 10_000;
/// Statements of a unit that are counted apart.
const FORMS: usize = 5_000;
/// Results of a unit whose number of rows is remembered.
const RESULTS: usize = 200;
/// Names of units that are told apart.
const NAMES: usize = 20_000;
/// Where a log has no times, so many other statements end a loop.
const NEAR: u64 = 20;

/// An execution, as far as units need to know it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) form: usize,
    pub(super) kind: Kind,
    pub(super) values: &'a [Value],
    /// Whether these are all of its values.
    pub(super) are_known: bool,
    pub(super) at: Option<i64>,
    pub(super) took: Option<u64>,
    /// What a comment or a trace says that it was done for.
    pub(super) unit: Option<&'a str>,
    pub(super) application: Option<&'a Arc<str>>,
    /// Rows that came back, where that is known.
    pub(super) rows: Option<u64>,
}

/// What a statement came to in its worst unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Repeated {
    pub(super) executions: u64,
    pub(super) distinct: u64,
    /// Executions whose values are not known.
    pub(super) unknown: u64,
    /// Server time of all of them, in microseconds; `None` where it is not known.
    pub(super) took: Option<u64>,
    /// The statement that returned as many rows as it was executed.
    pub(super) parent: Option<usize>,
    /// What the unit is called.
    pub(super) unit: Option<String>,
}

/// Every session's unit.
#[derive(Debug, Default)]
pub(super) struct Units {
    sessions: KeyMap<u64, Unit>,
    worst: KeyMap<usize, Repeated>,
    totals: BTreeMap<String, Total>,
}

/// Statements of the units of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// Of the unit that had most.
    pub most: u64,
    /// Of all units of the name together.
    pub all: u64,
}

#[derive(Debug, Default)]
struct Unit {
    /// What it is called, where anything does.
    name: Option<Arc<str>>,
    application: Option<Arc<str>>,
    /// When its first statement began.
    began: Option<i64>,
    /// When its last statement was done.
    last: Option<i64>,
    clock: u64,
    /// Statements of the application's.
    executions: u64,
    in_transaction: bool,
    counts: KeyMap<usize, Count>,
    results: Vec<(usize, u64)>,
}

#[derive(Debug, Default)]
struct Count {
    executions: u64,
    last: u64,
    took: Option<u64>,
    values: HashSet<u64, BuildHasherDefault<KeyHasher>>,
    unknown: u64,
    /// Whether there were more different values than are told apart.
    is_full: bool,
}

impl Units {
    pub(super) fn take(&mut self, session: u64, step: &Step<'_>) {
        let unit = self.sessions.entry(session).or_default();
        if unit.ends_before(step) {
            unit.finish(&mut self.worst);
            unit.count_in(&mut self.totals);
            unit.begin();
        }
        unit.take(step, &mut self.worst);
    }

    pub(super) fn closed(&mut self, session: u64) {
        if let Some(unit) = self.sessions.remove(&session) {
            unit.finish(&mut self.worst);
            unit.count_in(&mut self.totals);
        }
    }

    /// Statements by the name of their unit: what a comment says, else `application_name`, else none.
    pub(super) fn totals(&self) -> BTreeMap<String, Total> {
        let mut totals = self.totals.clone();
        for unit in self.sessions.values() {
            unit.count_in(&mut totals);
        }
        totals
    }

    /// Every statement that was repeated; units that go on are judged as they are.
    pub(super) fn repeated(&self) -> KeyMap<usize, Repeated> {
        let mut worst = self.worst.clone();
        for unit in self.sessions.values() {
            unit.finish(&mut worst);
        }
        worst
    }
}

impl Unit {
    /// Another unit of the same session; what its maps have of room stays.
    fn begin(&mut self) {
        self.counts.clear();
        self.results.clear();
        *self = Self {
            counts: std::mem::take(&mut self.counts),
            results: std::mem::take(&mut self.results),
            ..Self::default()
        };
    }

    /// Whether the statement belongs to another unit than those before it.
    fn ends_before(&self, step: &Step<'_>) -> bool {
        if self.clock == 0 {
            return false;
        }
        if self.application.as_ref() != step.application && step.application.is_some() {
            return true;
        }
        match (self.name.as_deref(), step.unit) {
            (Some(own), Some(other)) => return own != other,
            // COMMIT has no comment, and belongs to what it commits.
            (Some(_), None) => return false,
            (None, Some(_)) => return !self.in_transaction,
            (None, None) => {}
        }
        if self.in_transaction {
            return false;
        }
        match (self.last, step.at) {
            // Time goes back where files are not in their order.
            (Some(last), Some(at)) => {
                let is_before = self.began.is_some_and(|began| began - at > PAUSE);
                at - last > PAUSE || is_before
            }
            _ => false,
        }
    }

    fn take(&mut self, step: &Step<'_>, worst: &mut KeyMap<usize, Repeated>) {
        self.clock += 1;
        if self.name.is_none() {
            self.name = step.unit.map(Into::into);
        }
        if self.application.is_none() {
            self.application = step.application.cloned();
        }
        if let Some(at) = step.at {
            let done = at.saturating_add_unsigned(step.took.unwrap_or(0));
            self.last = Some(self.last.map_or(done, |last| last.max(done)));
            self.began.get_or_insert(at);
        }
        match step.kind {
            Kind::Begin => self.in_transaction = true,
            Kind::End => self.in_transaction = false,
            Kind::Read | Kind::Write => self.count(step, worst),
            Kind::Batch | Kind::Transparent => {}
        }
        if matches!(step.kind, Kind::Read | Kind::Write | Kind::Batch) {
            self.executions += 1;
        }
        if let Some(rows) = step.rows.filter(|rows| *rows >= FEWEST) {
            if self.results.len() >= RESULTS {
                self.results.remove(0);
            }
            self.results.push((step.form, rows));
        }
    }

    fn count_in(&self, totals: &mut BTreeMap<String, Total>) {
        let name = self.name.as_deref().or(self.application.as_deref());
        let name = name.unwrap_or_default();
        if self.executions == 0 || (totals.len() >= NAMES && !totals.contains_key(name)) {
            return;
        }
        let total = totals.entry(name.to_owned()).or_default();
        total.most = total.most.max(self.executions);
        total.all += self.executions;
    }

    fn count(&mut self, step: &Step<'_>, worst: &mut KeyMap<usize, Repeated>) {
        let has_times = self.last.is_some();
        if self.counts.len() >= FORMS && !self.counts.contains_key(&step.form) {
            return;
        }
        let clock = self.clock;
        let far = self
            .counts
            .get(&step.form)
            .is_some_and(|count| clock - count.last > NEAR);
        if far && !has_times {
            self.finish_one(step.form, worst);
            self.counts.remove(&step.form);
        }
        let count = self.counts.entry(step.form).or_default();
        count.executions += 1;
        count.last = clock;
        if let Some(took) = step.took {
            *count.took.get_or_insert(0) += took;
        }
        if !step.are_known {
            count.unknown += 1;
        } else if count.values.len() < VALUES {
            let mut hash = DefaultHasher::new();
            step.values.hash(&mut hash);
            count.values.insert(hash.finish());
        } else {
            count.is_full = true;
        }
    }

    fn finish(&self, worst: &mut KeyMap<usize, Repeated>) {
        for form in self.counts.keys() {
            self.finish_one(*form, worst);
        }
    }

    fn finish_one(&self, form: usize, worst: &mut KeyMap<usize, Repeated>) {
        let Some(count) = self.counts.get(&form) else {
            return;
        };
        if count.executions < FEWEST {
            return;
        }
        let known = worst.get(&form).map_or(0, |known| known.executions);
        if known >= count.executions {
            return;
        }
        let parent = self
            .results
            .iter()
            .rev()
            .find(|(parent, rows)| *parent != form && *rows == count.executions);
        let distinct = if count.is_full {
            count.executions
        } else {
            count.values.len() as u64
        };
        // Nobody can say of unknown values that they came before.
        let distinct = distinct.saturating_add(count.unknown).min(count.executions);
        worst.insert(
            form,
            Repeated {
                executions: count.executions,
                distinct,
                unknown: count.unknown,
                took: count.took,
                parent: parent.map(|(parent, _)| *parent),
                unit: self.name.as_deref().map(str::to_owned),
            },
        );
    }
}

impl Repeated {
    /// As a loop; `None` where it is neither one nor the same again and again.
    pub(super) fn judged(&self, keys: &dyn Fn(usize) -> Arc<str>, form: usize) -> Option<Loop> {
        let share = self.distinct as f64 / self.executions as f64;
        let grade = if share >= DISTINCT {
            match self.parent {
                Some(_) => Grade::Likely,
                None => Grade::Suspect,
            }
        } else if share <= REPEATED {
            Grade::Repeated
        } else {
            return None;
        };
        let source = self.parent.filter(|_| grade == Grade::Likely);
        Some(Loop {
            child: keys(form),
            executions: self.executions,
            connections: 1,
            grade,
            source: source.map(|parent| Source::of_rows(keys(parent), self.executions)),
            took: self.took,
            unit: self.unit.clone(),
            growth: None,
            has_unknown_values: self.unknown > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(form: usize, values: &'a [Value], at: i64) -> Step<'a> {
        Step {
            form,
            kind: Kind::Read,
            values,
            are_known: true,
            at: Some(at),
            took: Some(500),
            unit: None,
            application: None,
            rows: None,
        }
    }

    fn grades(units: &Units) -> Vec<(usize, u64, Grade)> {
        let keys = |form: usize| Arc::from(form.to_string());
        let mut found: Vec<_> = units
            .repeated()
            .iter()
            .filter_map(|(form, repeated)| {
                let judged = repeated.judged(&keys, *form)?;
                Some((*form, judged.executions, judged.grade))
            })
            .collect();
        found.sort_by_key(|(form, ..)| *form);
        found
    }

    #[test]
    fn a_burst_is_a_loop_and_one_statement_a_request_is_none() {
        let mut units = Units::default();
        for n in 0..8 {
            units.take(0, &step(1, &[Value::Whole(n)], n * 2_000));
            units.take(1, &step(2, &[Value::Whole(n)], n * 200_000));
        }
        assert_eq!(grades(&units), [(1, 8, Grade::Suspect)]);
    }

    #[test]
    fn files_that_are_not_in_their_order_make_no_loop() {
        let mut units = Units::default();
        for pass in 0..3 {
            for n in 0..4 {
                let values = [Value::Whole(pass * 10 + n)];
                units.take(0, &step(1, &values, n * 200_000));
            }
        }
        assert_eq!(grades(&units), []);
    }

    #[test]
    fn a_transaction_and_a_name_hold_a_unit_together_over_pauses() {
        let mut units = Units::default();
        let begin = Step {
            kind: Kind::Begin,
            ..step(0, &[], 0)
        };
        units.take(0, &begin);
        for n in 0..6 {
            let values = [Value::Whole(n)];
            let at = n * 900_000;
            units.take(0, &step(1, &values, at));
            let named = Step {
                unit: Some("request"),
                ..step(2, &values, at)
            };
            units.take(1, &named);
        }
        let expected = [(1, 6, Grade::Suspect), (2, 6, Grade::Suspect)];
        assert_eq!(grades(&units), expected);
    }

    #[test]
    fn units_of_a_name_are_apart() {
        let mut units = Units::default();
        for request in ["a", "b", "c"] {
            for n in 0..3 {
                let values = [Value::Whole(n)];
                let named = Step {
                    unit: Some(request),
                    ..step(1, &values, n)
                };
                units.take(0, &named);
            }
        }
        assert_eq!(grades(&units), []);
        let total = Total { most: 3, all: 3 };
        let expected = ["a", "b", "c"].map(|name| (name.to_owned(), total));
        assert_eq!(units.totals(), BTreeMap::from(expected));
    }

    #[test]
    fn unknown_values_are_not_the_same_again() {
        let mut units = Units::default();
        for at in 0..8 {
            let masked = Step {
                are_known: false,
                ..step(1, &[], at * 1_000)
            };
            units.take(0, &masked);
        }
        let repeated = units.repeated();
        let found = repeated[&1].judged(&|_| "form".into(), 1).unwrap();
        assert_eq!(
            (found.grade, found.has_unknown_values),
            (Grade::Suspect, true)
        );
    }

    #[test]
    fn as_many_executions_as_a_statement_returned_rows_are_likely_and_the_same_values_repeated() {
        let mut units = Units::default();
        let list = Step {
            rows: Some(7),
            ..step(0, &[], 0)
        };
        units.take(0, &list);
        for n in 0..7 {
            units.take(0, &step(1, &[Value::Whole(n)], 1_000 * n));
            units.take(0, &step(2, &[Value::Whole(4)], 1_000 * n));
        }
        let expected = [(1, 7, Grade::Likely), (2, 7, Grade::Repeated)];
        assert_eq!(grades(&units), expected);
    }

    /// What one statement comes to that is executed with these values.
    fn of_values(values: &[i64]) -> Vec<(usize, u64, Grade)> {
        let mut units = Units::default();
        for (n, value) in values.iter().enumerate() {
            units.take(0, &step(1, &[Value::Whole(*value)], n as i64));
        }
        grades(&units)
    }

    #[test]
    fn five_executions_are_a_loop_and_four_are_none() {
        assert_eq!(of_values(&[1, 2, 3, 4]), []);
        assert_eq!(of_values(&[1, 2, 3, 4, 5]), [(1, 5, Grade::Suspect)]);
    }

    #[test]
    fn most_values_are_its_own_in_a_loop_and_few_in_a_repetition() {
        assert_eq!(of_values(&[1, 2, 3, 4, 4]), [(1, 5, Grade::Suspect)]);
        assert_eq!(of_values(&[1, 2, 3, 4, 5, 6, 7, 7, 7]), []);
        assert_eq!(of_values(&[1, 1, 1, 1, 1]), [(1, 5, Grade::Repeated)]);
        assert_eq!(of_values(&[1, 1, 1, 1, 2, 2, 2, 2, 2]), []);
        let repeated = [(1, 10, Grade::Repeated)];
        assert_eq!(of_values(&[1, 1, 1, 1, 1, 2, 2, 2, 2, 2]), repeated);
    }

    #[test]
    fn a_pause_ends_a_unit_and_its_limit_does_not() {
        let with_pauses_of = |pause: i64| {
            let mut units = Units::default();
            for n in 0..6 {
                units.take(0, &step(1, &[Value::Whole(n)], n * pause));
            }
            grades(&units).len()
        };
        // Each statement takes half a millisecond.
        assert_eq!((with_pauses_of(50_500), with_pauses_of(50_501)), (1, 0));
    }

    #[test]
    fn without_times_other_statements_end_a_loop() {
        let with_others = |others: usize| {
            let mut units = Units::default();
            for n in 0..6 {
                let values = [Value::Whole(n)];
                let untimed = |form| Step {
                    at: None,
                    ..step(form, &values, 0)
                };
                units.take(0, &untimed(1));
                for other in 0..others {
                    units.take(0, &untimed(10 + other));
                }
            }
            grades(&units)
                .iter()
                .filter(|(form, ..)| *form == 1)
                .count()
        };
        assert_eq!((with_others(19), with_others(20)), (1, 0));
    }
}

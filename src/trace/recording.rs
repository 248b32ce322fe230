//! Executions brought to statements of a catalog: of those that differ in constants alone, what always was the same stays, what
//! changed becomes a parameter.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::{Executed, Values};
use super::flow::{Flows, Loop, Step};
use super::forms::{Forms, Kind, Met};
use super::functions::{FunctionLoop, Functions, Inside};
use super::keys::KeyMap;
use super::pool::{self, Pool};
use super::tags::Mark;
use super::units::{self, Total, Units};
use super::value::{Keeps, Value, ValueReader};
use super::wire;

/// What was recorded so far. Memory is bounded by the number of different statements and of open sessions, not of executions.
#[derive(Debug, Default)]
pub struct Recording {
    forms: Forms,
    sessions: KeyMap<u64, Session>,
    flows: Flows,
    pool: Pool,
    units: Units,
    /// Constants of statements as values that can be compared.
    reader: ValueReader,
    executions: u64,
    lost: u64,
    /// Executions between the marks of fixtures.
    passed_over: u64,
    functions: Functions,
    times: Option<(i64, i64)>,
    /// Whether values of results were seen, so that a loop without a source has none among them.
    saw_values: bool,
}

/// So many statements after it was executed, a statement that comes again comes again in a loop: a loop's body has a few.
const NEAR: u64 = 5;

/// What one session executed lately.
#[derive(Debug, Default)]
struct Session {
    executions: u64,
    /// For each form when it came last, and how often each time near the time before.
    lately: KeyMap<usize, (u64, u64)>,
    /// Between `pgproof:off` and `pgproof:on`.
    is_off: bool,
}

impl Session {
    /// Counts the statement, and says how often it has come in a loop so far.
    fn take(&mut self, form: usize) -> u64 {
        /// Entries beyond this are looked through for those that are over.
        const MANY: usize = 1_000;
        self.executions += 1;
        let now = self.executions;
        if self.lately.len() > MANY {
            self.lately.retain(|_, (last, _)| now - *last <= NEAR);
        }
        let (last, count) = self.lately.entry(form).or_insert((now, 0));
        *count = if now - *last <= NEAR { *count + 1 } else { 1 };
        *last = now;
        *count
    }
}

/// A statement of the application's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// With `$n` for what changed.
    pub text: String,
    /// With `$n` for every constant: its identity.
    pub form: Arc<str>,
    /// How often it was executed.
    pub executions: u64,
    /// The most often in one session with no more than a few others between, as a loop would execute it.
    pub longest_loop: u64,
    /// Of all executions whose time is known, in microseconds; `None` where none is.
    pub took: Option<u64>,
    /// The longest of them, in microseconds.
    pub longest: u64,
    /// Whether it writes.
    pub writes: bool,
    /// Whether it asks for one thing at a time, so that it may be a loop's.
    pub may_loop: bool,
    /// Rows that all executions returned, as far as they are known.
    pub rows: u64,
    /// The name that a comment of it says.
    pub name: Option<String>,
    /// Where in the application it is executed, where a comment says so.
    pub site: Option<String>,
    /// What one execution had in the place of each `$n` of the text, where values are kept.
    pub values: Vec<Option<String>>,
}

impl Recording {
    /// Compares values with those that `reader` made.
    #[must_use]
    pub fn new(reader: ValueReader) -> Self {
        Self {
            reader,
            ..Self::default()
        }
    }

    /// Takes one execution; a simple query may hold several statements.
    pub fn take(&mut self, executed: &Executed) {
        // More rows of what was counted already.
        if executed.continues {
            return;
        }
        let mut met = Vec::new();
        let tags = self.forms.of(&executed.text, executed.values, &mut met);
        let session = self.sessions.entry(executed.session).or_default();
        if let Some(mark) = tags.mark {
            session.is_off = mark == Mark::Off;
        }
        let is_off = session.is_off;
        if let Some(at) = executed.at {
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((first.min(at), last.max(at)));
        }
        let unit = executed.unit.as_deref().or(tags.unit.as_deref());
        let is_one = met.len() == 1;
        let mut read = executed.parameters.as_slice();
        for one in &met {
            // Constants whose values were read already stand one after the other, statement by statement.
            let constants = match executed.values {
                Values::InText => read.split_at_checked(one.constants.len()),
                Values::Bound | Values::Unknown => None,
            };
            let values = match constants {
                Some((these, rest)) => {
                    read = rest;
                    these.to_vec()
                }
                None => self.values(executed, one),
            };
            if is_off {
                self.passed_over += 1;
            } else {
                self.executions += 1;
                self.statement(executed, unit, one, is_one, values);
            }
        }
    }

    /// Functions executed these within one statement of the client's.
    pub fn inside(&mut self, caller: Option<&str>, inside: &[Inside]) {
        self.functions.take(caller, inside);
    }

    /// Statements that functions execute again and again.
    #[must_use]
    pub fn loops_in_functions(&self) -> Vec<FunctionLoop> {
        self.functions.loops()
    }

    /// Takes what a conversation came to.
    pub fn seen(&mut self, seen: &wire::Seen) {
        match seen {
            wire::Seen::Executed(executed) => self.take(executed),
            wire::Seen::Lost => self.lost(),
        }
    }

    /// Something was executed that could not be read.
    pub fn lost(&mut self) {
        self.lost += 1;
    }

    /// Every execution that was read.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Executions that could not be read, or kept.
    #[must_use]
    pub fn losses(&self) -> u64 {
        self.lost + self.forms.lost
    }

    /// Executions between `pgproof:off` and `pgproof:on`, which are not judged.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// From the first execution to the last, in microseconds; `None` where times are not known.
    #[must_use]
    pub fn span(&self) -> Option<u64> {
        self.times.map(|(first, last)| first.abs_diff(last))
    }

    /// What was bound, then the constants.
    fn values(&self, executed: &Executed, one: &Met<'_>) -> Vec<Value> {
        let constants = one.constants.iter();
        let constants = constants.map(|constant| self.reader.literal(constant));
        let bound = executed.parameters.iter().copied();
        bound.chain(constants).collect()
    }

    fn statement(
        &mut self,
        executed: &Executed,
        unit: Option<&str>,
        one: &Met<'_>,
        is_one: bool,
        values: Vec<Value>,
    ) {
        let session = executed.session;
        let in_loop = self.sessions.entry(session).or_default().take(one.form);
        let form = &mut self.forms.all[one.form];
        form.executions += 1;
        if self.reader.keeps() == Keeps::Values {
            form.keep(&executed.kept, &one.constants);
        }
        form.longest_loop = form.longest_loop.max(in_loop);
        if let Some(took) = executed.took.filter(|_| is_one) {
            form.took += took;
            form.longest = form.longest.max(took);
            form.timed += 1;
        }
        // A statement that was refused, and is sent again, is no loop.
        if executed.failed {
            return;
        }
        let asks_for_many = values.iter().any(|value| matches!(value, Value::Many(_)));
        let kind = match form.kind {
            Kind::Read | Kind::Write if asks_for_many => Kind::Batch,
            kind => kind,
        };
        // Which of several statements gave which rows is not known.
        let rows = executed.rows().filter(|_| is_one);
        form.rows += rows.map_or(0, |rows| rows.count);
        self.saw_values |= rows.is_some_and(|rows| !rows.values.is_empty());
        self.units.take(
            session,
            &units::Step {
                form: one.form,
                kind,
                values: &values,
                are_known: executed.values != Values::Unknown,
                at: executed.at,
                took: executed.took.filter(|_| is_one),
                unit,
                application: executed.application.as_ref(),
                rows: rows.map(|rows| rows.count),
            },
        );
        match kind {
            Kind::Transparent | Kind::Begin | Kind::End => {}
            Kind::Read | Kind::Write | Kind::Batch => {
                if let Some(at) = executed.at {
                    let took = executed.took.unwrap_or(0);
                    self.pool.take(&pool::Step {
                        session,
                        form: &form.key,
                        may_loop: kind != Kind::Batch,
                        values: &values,
                        at,
                        done: at.saturating_add(i64::try_from(took).unwrap_or(i64::MAX)),
                        unit,
                        rows,
                    });
                }
                let step = Step {
                    form: &form.key,
                    may_loop: kind != Kind::Batch,
                    values,
                    sent: executed.sent,
                    done: executed.done,
                    rows,
                };
                self.flows.take(session, &step);
            }
        }
    }

    /// The session is over.
    pub fn closed(&mut self, session: u64) {
        self.sessions.remove(&session);
        self.flows.closed(session);
        self.units.closed(session);
    }

    /// Loops: those whose values came from rows of another statement, then what a unit of work executes again and again.
    #[must_use]
    pub fn loops(&self) -> Vec<Loop> {
        let mut loops = self.flows.loops();
        for found in self.pool.loops() {
            match loops.iter_mut().find(|known| known.child == found.child) {
                // A loop that one connection shows is as it was seen there.
                Some(known) if known.grade <= found.grade => {}
                Some(known) => *known = found,
                None => loops.push(found),
            }
        }
        let repeated = self.units.repeated();
        let keys = |form: usize| Arc::clone(&self.forms.all[form].key.text);
        for (form, repeated) in &repeated {
            let key = &self.forms.all[*form].key.text;
            let judged = repeated.judged(&keys, *form);
            match loops.iter_mut().find(|found| found.child == *key) {
                Some(known) => {
                    known.took = repeated.took;
                    known.unit.clone_from(&repeated.unit);
                }
                None => loops.extend(judged),
            }
        }
        loops.sort_by(|a, b| {
            let order = |found: &Loop| (found.grade, std::cmp::Reverse(found.executions));
            order(a).cmp(&order(b)).then(a.child.cmp(&b.child))
        });
        loops
    }

    /// Statements by the name of their unit of work; an empty name where nothing names it.
    #[must_use]
    pub fn units(&self) -> BTreeMap<String, Total> {
        self.units.totals()
    }

    /// Whether values of results were seen: logs have none.
    #[must_use]
    pub fn saw_values(&self) -> bool {
        self.saw_values
    }

    /// Whether a loop is one over writes.
    #[must_use]
    pub fn writes(&self, found: &Loop) -> bool {
        let is_it = |form: &&super::forms::Form| form.key.text == found.child;
        self.forms
            .all
            .iter()
            .find(is_it)
            .is_some_and(|form| form.kind == Kind::Write)
    }

    /// A loop's statement with `$1` for the value that its rows gave it, and every other value in it; `None` where not all of
    /// them are known, and for one that writes where they changed.
    #[must_use]
    pub fn with_key(&self, found: &Loop) -> Option<String> {
        let source = found.source.as_ref().filter(|source| source.has_values())?;
        let form = self
            .forms
            .all
            .iter()
            .find(|form| form.key.text == found.child)?;
        match form.kind {
            Kind::Write => form.with_key_alone(source.parameter),
            _ => form.with_key(source.parameter),
        }
    }

    /// Every statement, in the order in which they came first.
    #[must_use]
    pub fn statements(&self) -> Vec<Recorded> {
        let recorded = |form: &super::forms::Form| Recorded {
            form: Arc::clone(&form.key.text),
            text: form.text(),
            executions: form.executions,
            longest_loop: form.longest_loop,
            took: (form.timed > 0).then_some(form.took),
            longest: form.longest,
            writes: form.kind == Kind::Write,
            may_loop: matches!(form.kind, Kind::Read | Kind::Write),
            rows: form.rows,
            name: form.name.clone(),
            site: form.site.clone(),
            values: form.values(),
        };
        let forms = self.forms.all.iter();
        forms
            .filter(|form| form.executions > 0)
            .map(recorded)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(executions: &[(u64, &str, Values)]) -> Vec<Recorded> {
        let mut recording = Recording::default();
        for (session, text, values) in executions {
            recording.take(&Executed::sent(*session, (*text).into(), *values, 0));
        }
        recording.statements()
    }

    fn shown(recorded: &[Recorded]) -> Vec<(&str, u64, u64)> {
        recorded
            .iter()
            .map(|each| (each.text.as_str(), each.executions, each.longest_loop))
            .collect()
    }

    #[test]
    fn what_changes_is_a_parameter_and_what_does_not_is_the_authors() {
        let found = recorded(&[
            (
                0,
                "SELECT a FROM b WHERE c = 'open' AND d = 1",
                Values::InText,
            ),
            (
                0,
                "SELECT a FROM b WHERE c = 'open' AND d = 2",
                Values::InText,
            ),
            (0, "SELECT a FROM b WHERE e = 3; COMMIT", Values::InText),
            (
                0,
                "SELECT a FROM b WHERE c = 'new' AND d = $1",
                Values::Bound,
            ),
        ]);
        assert_eq!(
            shown(&found),
            [
                ("SELECT a FROM b WHERE c = 'open' AND d = $1", 2, 2),
                ("SELECT a FROM b WHERE e = $1", 1, 1),
                ("COMMIT", 1, 1),
                ("SELECT a FROM b WHERE c = 'new' AND d = $1", 1, 1),
            ]
        );
    }

    #[test]
    fn a_loop_is_a_sessions_own_and_its_body_may_have_a_few_statements() {
        let (order, lines) = (
            "SELECT a FROM b WHERE c = $1",
            "SELECT d FROM e WHERE f = $1",
        );
        let mut sent = Vec::new();
        for _ in 0..7 {
            sent.extend([(0, order, Values::Bound), (1, "COMMIT", Values::Bound)]);
            sent.extend([(0, lines, Values::Bound), (1, order, Values::Bound)]);
        }
        let found = recorded(&sent);
        assert_eq!(shown(&found)[0], (order, 14, 7));
        assert_eq!(shown(&found)[2], (lines, 7, 7));
    }

    #[test]
    fn what_comes_again_after_much_else_is_no_loop() {
        let others: Vec<String> = (0..NEAR).map(|n| format!("SELECT x{n} FROM y")).collect();
        let mut sent = Vec::new();
        for _ in 0..4 {
            sent.push((0, "SELECT a FROM b", Values::Bound));
            sent.extend(
                others
                    .iter()
                    .map(|other| (0, other.as_str(), Values::Bound)),
            );
        }
        assert_eq!(shown(&recorded(&sent))[0], ("SELECT a FROM b", 4, 1));
    }
}

//! Executions brought to statements of a catalog: of those that differ in constants alone, what always was the same stays, what
//! changed becomes a parameter.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::event::{Executed, Values};
use super::flow::{Flows, Loop, Step};
use super::value::ValueReader;
use crate::sql::normal::{Normal, normal};

/// So many different statements are kept apart; what comes after them is counted.
const MOST: usize = 20_000;

/// What was recorded so far. Memory is bounded by the number of different statements, not of executions.
#[derive(Debug, Default)]
pub struct Recording {
    forms: BTreeMap<Arc<str>, Form>,
    /// Texts that were seen already: an application sends few.
    known: HashMap<Arc<str>, Vec<String>>,
    sessions: HashMap<u64, Session>,
    flows: Flows,
    /// Constants of statements as values that can be compared.
    reader: ValueReader,
    executions: u64,
    lost: u64,
}

#[derive(Debug)]
struct Form {
    normal: Normal,
    values: Values,
    /// Which constants were not always the same.
    changed: Vec<bool>,
    executions: u64,
    /// The most executions in one session, each near the one before.
    longest_loop: u64,
    /// Its place among the statements, by when it came first.
    first: usize,
}

/// So many statements after it was executed, a statement that comes again comes again in a loop: a loop's body has a few.
const NEAR: u64 = 5;

/// What one session executed lately.
#[derive(Debug, Default)]
struct Session {
    executions: u64,
    /// For each statement when it came last, and how often each time near the time before.
    lately: HashMap<String, (u64, u64)>,
}

impl Session {
    /// Counts the statement, and says how often it has come in a loop so far.
    fn take(&mut self, statement: &str) -> u64 {
        /// Entries beyond this are looked through for those that are over.
        const MANY: usize = 1_000;
        self.executions += 1;
        let now = self.executions;
        if self.lately.len() > MANY {
            self.lately.retain(|_, (last, _)| now - *last <= NEAR);
        }
        match self.lately.get_mut(statement) {
            Some((last, count)) => {
                *count = if now - *last <= NEAR { *count + 1 } else { 1 };
                *last = now;
                *count
            }
            None => {
                self.lately.insert(statement.to_owned(), (now, 1));
                1
            }
        }
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
}

/// Statements of drivers, pools and transactions: they are in every loop, and are no part of it.
fn is_transparent(statement: &str) -> bool {
    const WORDS: [&str; 13] = [
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "savepoint",
        "release",
        "set",
        "show",
        "reset",
        "discard",
        "deallocate",
        "listen",
    ];
    let mut words = statement.split(|character: char| !character.is_ascii_alphanumeric());
    let first = words.next().unwrap_or_default().to_ascii_lowercase();
    WORDS.contains(&first.as_str()) || statement.trim().eq_ignore_ascii_case("select 1")
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
        /// Texts with values in them may all be different.
        const MOST_KNOWN: usize = 10_000;
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let statements = match self.known.get(&executed.text) {
            Some(known) => known.clone(),
            None => {
                let split = statements(&executed.text);
                self.known.insert(Arc::clone(&executed.text), split.clone());
                split
            }
        };
        let is_one = statements.len() == 1;
        for statement in statements {
            self.executions += 1;
            self.statement(executed, is_one, &statement);
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
        self.lost
    }

    fn statement(&mut self, executed: &Executed, is_one: bool, statement: &str) {
        let (session, values) = (executed.session, executed.values);
        let normal = normal(statement);
        let key: Arc<str> = normal.text(|_| false).into();
        let place = self.forms.len();
        if place >= MOST && !self.forms.contains_key(&key) {
            self.lost += 1;
            return;
        }
        let in_loop = self.sessions.entry(session).or_default().take(&key);
        if !is_transparent(statement) && !executed.failed {
            let constants = normal.constants.iter();
            let constants = constants.map(|constant| self.reader.literal(constant));
            let step = Step {
                form: &key,
                values: executed
                    .parameters
                    .iter()
                    .copied()
                    .chain(constants)
                    .collect(),
                sent: executed.sent,
                done: executed.done,
                // Which of several statements gave which rows is not known.
                rows: executed.rows().filter(|_| is_one),
            };
            self.flows.take(session, &step);
        }
        let form = self.forms.entry(key).or_insert_with(|| Form {
            changed: vec![false; normal.constants.len()],
            normal: normal.clone(),
            values,
            executions: 0,
            longest_loop: 0,
            first: place,
        });
        form.executions += 1;
        form.longest_loop = form.longest_loop.max(in_loop);
        if values == Values::InText {
            form.values = values;
        }
        for (index, constant) in normal.constants.iter().enumerate() {
            if form.normal.constants.get(index) != Some(constant)
                && let Some(changed) = form.changed.get_mut(index)
            {
                *changed = true;
            }
        }
    }

    /// The session is over.
    pub fn closed(&mut self, session: u64) {
        self.sessions.remove(&session);
        self.flows.closed(session);
    }

    /// Loops whose values came from rows of another statement, or never changed.
    #[must_use]
    pub fn loops(&self) -> Vec<Loop> {
        self.flows.loops()
    }

    /// Every statement, in the order in which they came first.
    #[must_use]
    pub fn statements(&self) -> Vec<Recorded> {
        let mut forms: Vec<(&Arc<str>, &Form)> = self.forms.iter().collect();
        forms.sort_by_key(|(_, form)| form.first);
        forms
            .into_iter()
            .map(|(key, form)| Recorded {
                form: Arc::clone(key),
                text: form.normal.text(|index| form.keeps(index)),
                executions: form.executions,
                longest_loop: form.longest_loop,
            })
            .collect()
    }
}

impl Form {
    /// A constant stays where it always was the same, unless it was seen once and the driver may have written it.
    fn keeps(&self, index: usize) -> bool {
        let changed = self.changed.get(index).copied().unwrap_or(true);
        !changed && (self.values == Values::Bound || self.executions > 1)
    }
}

/// The statements of a simple query.
fn statements(text: &str) -> Vec<String> {
    use crate::sql::token::{TokenKind, tokens};
    let mut found = Vec::new();
    let mut start = 0;
    let mut empty = true;
    for token in tokens(text) {
        if token.kind == TokenKind::Semi {
            if !empty {
                found.push(text[start..token.span.start].trim().to_owned());
            }
            (start, empty) = (token.span.end, true);
        } else if !token.is_trivia() {
            empty = false;
        }
    }
    if !empty {
        found.push(text[start..].trim().to_owned());
    }
    found
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

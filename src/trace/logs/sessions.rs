//! Messages of a log brought to executions, session by session: a statement with its time and its parameters, a plan with
//! its statement. Keeps of a session one statement that waits for its time; of sessions that are silent nothing.

use std::collections::HashSet;
use std::sync::Arc;

use super::entry::Entry;
use super::inside::Nested;
use super::message::{Message, message};
use crate::plan::Plan;
use crate::trace::event::{Executed, Rows, Values};
use crate::trace::functions::Inside;
use crate::trace::keys::KeyMap;
use crate::trace::text_form::of_constant;
use crate::trace::value::{Keeps, Value, ValueReader};

/// What a message came to.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A statement was executed.
    Executed(Executed),
    /// auto_explain logged a plan.
    Plan {
        /// As it was read.
        plan: Box<Plan>,
        /// As it was written.
        text: &'a str,
    },
    /// Functions executed statements within one of the client's.
    Inside {
        /// The client's; `None` where the log does not say it.
        caller: Option<&'a str>,
        /// By place.
        inside: Vec<Inside>,
    },
    /// Something was executed that could not be read.
    Lost,
    /// A session is over, or was silent for so long that nothing of it is kept.
    Closed(u64),
}

/// Why loops, or their absence, cannot be read from a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Settings that leave statements out, each with its value.
    pub settings: Vec<(String, String)>,
    /// Durations whose statement was not logged.
    pub without_statement: u64,
    /// Executions with `$n` whose values were not logged.
    pub without_values: u64,
    /// Values that were cut off.
    pub cut_values: u64,
    /// Lines of sessions that are missing by their number.
    pub missing_lines: u64,
    /// Durations with words of no language that is known.
    pub unknown_words: u64,
    /// Executions of which the log does not say whose they were.
    pub without_session: u64,
    /// Executions that auto_explain alone logged.
    pub by_plan_alone: u64,
    /// Plans that could not be read.
    pub unread_plans: u64,
    /// The shortest duration that was logged with its statement, in microseconds, and how many there were.
    pub shortest: Option<(u64, u64)>,
}

/// Settings that leave out statements or values, and the value at which they do not.
const SAMPLING: [(&str, &str); 6] = [
    ("log_min_duration_statement", "0"),
    ("log_statement_sample_rate", "1"),
    ("log_transaction_sample_rate", "0"),
    ("log_min_duration_sample", "-1"),
    ("log_parameter_max_length", "-1"),
    ("auto_explain.sample_rate", "1"),
];
/// So many executions, all longer than this, and shorter ones seem to be left out.
const MANY: u64 = 50;
const LONG: u64 = 1_000;
/// Sessions that are remembered; half of them, the longest silent, are forgotten when there are more.
const SESSIONS: usize = 20_000;
/// Texts that are kept once.
const TEXTS: usize = 10_000;
/// Longer plans are not read.
const LONGEST_PLAN: usize = 4 << 20;

impl Gaps {
    /// Each in words; none where the log can be trusted.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name} is {value}: not every statement is logged"))
            .collect();
        if let Some((shortest, number)) = self.shortest
            && number >= MANY
            && shortest >= LONG
        {
            reasons.push(format!(
                "no duration below {} ms was logged: log_min_duration_statement seems to be above 0",
                shortest as f64 / 1_000.0
            ));
        }
        for (number, what) in [
            (
                self.without_statement,
                "durations have no statement beside them: set log_min_duration_statement = 0 and log_duration = off",
            ),
            (
                self.without_values,
                "executions have no parameter values: set log_parameter_max_length = -1",
            ),
            (
                self.cut_values,
                "parameter values were cut off: set log_parameter_max_length = -1",
            ),
            (self.missing_lines, "lines of sessions are missing"),
            (
                self.unknown_words,
                "durations are in a language that is not known",
            ),
            (
                self.without_session,
                "executions cannot be told apart by session: put %p or %c into log_line_prefix",
            ),
            (
                self.by_plan_alone,
                "executions are known by their plan alone, as auto_explain.log_min_duration lets them: set log_min_duration_statement = 0",
            ),
        ] {
            match number {
                0 => {}
                1 => reasons.push(format!("1 of the {what}")),
                _ => reasons.push(format!("{number} {what}")),
            }
        }
        reasons
    }

    fn set(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        let Some((_, harmless)) = SAMPLING.iter().find(|(setting, _)| *setting == name) else {
            return;
        };
        let value = value.trim_matches(['\'', ' ', ';']);
        let is_harmless = value == *harmless || value.parse() == harmless.parse::<f64>();
        let is_off = name == "log_min_duration_statement" && value == "-1";
        let known = self.settings.iter().any(|(known, _)| *known == name);
        if !is_harmless && !is_off && !known {
            self.settings.push((name, value.to_owned()));
        }
    }
}

/// Sessions of one or several log files.
#[derive(Debug, Default)]
pub struct Sessions {
    reader: ValueReader,
    sessions: KeyMap<u64, Session>,
    texts: HashSet<Arc<str>>,
    gaps: Gaps,
    clock: u64,
    /// The newest time that a message had.
    now: i64,
    /// Whether `log_statement` logs statements before they run.
    logs_first: bool,
    /// Whether statements are logged, and not their plans alone.
    has_statements: bool,
}

#[derive(Debug, Default)]
struct Session {
    /// The log's clock, or its lines where it has none.
    last: i64,
    line: Option<u64>,
    /// What `log_statement` logged, until its time comes.
    waits: Option<Executed>,
    /// What the plan that came last is of; its statement may follow.
    planned: Option<Executed>,
    application: Option<Arc<str>>,
    /// What functions executed since the last statement of the client's.
    nested: Nested,
}

impl Session {
    /// The client's statement is done: what functions executed before was within it.
    fn end_nested(&mut self, caller: Option<&str>, out: &mut dyn FnMut(Seen<'_>)) {
        let inside = self.nested.end();
        if !inside.is_empty() {
            out(Seen::Inside { caller, inside });
        }
    }
}

impl Sessions {
    /// Values can be compared with those that `reader` makes.
    #[must_use]
    pub fn new(reader: ValueReader) -> Self {
        Self {
            reader,
            ..Self::default()
        }
    }

    /// Why the log cannot be trusted.
    #[must_use]
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// Takes a message.
    pub fn take(&mut self, entry: &Entry<'_>, out: &mut dyn FnMut(Seen<'_>)) {
        self.clock += 1;
        self.now = entry.at.unwrap_or(self.now.saturating_add(1)).max(self.now);
        let key = entry.session.unwrap_or(0);
        self.count_line(key, entry);
        if entry.is_error {
            return self.failed(key, out);
        }
        match message(entry.message) {
            Message::Executed { text, took, .. } => self.executed(key, entry, (text, took), out),
            Message::Duration(took) => self.timed(key, took, out),
            Message::Plan { body, took } => self.planned(key, (body, took), entry, out),
            Message::Unknown => self.gaps.unknown_words += 1,
            Message::Setting { name, value } => self.gaps.set(name, value),
            Message::Disconnected => self.close(key, out),
            Message::Step | Message::Other => {}
        }
    }

    /// Hands out what still waits.
    pub fn end(&mut self, out: &mut dyn FnMut(Seen<'_>)) {
        let mut keys: Vec<u64> = self.sessions.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            self.close(key, out);
        }
    }

    fn count_line(&mut self, key: u64, entry: &Entry<'_>) {
        let Some((first, last)) = entry.line else {
            return;
        };
        let session = self.sessions.entry(key).or_default();
        if let Some(before) = session.line
            && first > before.saturating_add(1)
        {
            self.gaps.missing_lines += first - before - 1;
        }
        session.line = Some(last);
    }

    fn executed(
        &mut self,
        key: u64,
        entry: &Entry<'_>,
        (text, took): (&str, Option<u64>),
        out: &mut dyn FnMut(Seen<'_>),
    ) {
        self.note_setting(text);
        if entry.session.is_none() {
            self.gaps.without_session += 1;
        }
        if let Some(took) = took {
            let (shortest, number) = self.gaps.shortest.unwrap_or((took, 0));
            self.gaps.shortest = Some((shortest.min(took), number + 1));
        }
        let mut executed = self.described(key, entry, text);
        let clock = self.clock;
        self.make_room(out);
        self.has_statements = true;
        let session = self.sessions.entry(key).or_default();
        session.last = self.now;
        if let Some(planned) = session.planned.take()
            && planned.text.trim_end_matches(';') == text.trim_end_matches(';')
        {
            executed.results = planned.results;
        }
        if !entry.application.is_empty() {
            if session.application.as_deref() != Some(entry.application) {
                session.application = Some(entry.application.into());
            }
            executed.application = session.application.clone();
        }
        if let Some(waiting) = session.waits.take() {
            session.end_nested(Some(&waiting.text), out);
            out(Seen::Executed(waiting));
        }
        // Where a statement is logged before it runs, its functions are still to come.
        session.end_nested(took.map(|_| &*executed.text), out);
        match took {
            Some(took) => {
                executed.took = Some(took);
                // A message is written when the statement is done.
                executed.at = entry
                    .at
                    .map(|at| at - i64::try_from(took).unwrap_or_default());
                executed.done = clock;
                out(Seen::Executed(executed));
            }
            None => {
                executed.at = entry.at;
                session.waits = Some(executed);
                self.logs_first = true;
            }
        }
    }

    /// The statement with its values; of EXECUTE the statement that was prepared.
    fn described(&mut self, key: u64, entry: &Entry<'_>, text: &str) -> Executed {
        let values_at = find(entry.detail, b"$1 = ");
        // `prepare: PREPARE p AS SELECT …`
        let prepared = match find(entry.detail, b"PREPARE ") {
            Some(at) if entry.detail[..at].trim_end().ends_with(':') => Some(&entry.detail[at..]),
            _ => None,
        };
        let (mut parameters, mut kept) = (Vec::new(), Vec::new());
        let mut values = Values::InText;
        let mut sql = text;
        if let Some(prepared) = prepared {
            let statement = prepared.find(" AS ").map(|at| &prepared[at + 4..]);
            if let Some(statement) = statement {
                sql = statement;
                values = Values::Bound;
                let called = crate::sql::normal::normal(text);
                let constants = called.constants.iter();
                parameters.extend(constants.map(|constant| self.reader.literal(constant)));
                if self.reader.keeps() == Keeps::Values {
                    kept.extend(
                        called
                            .constants
                            .iter()
                            .map(|constant| of_constant(constant)),
                    );
                }
            }
        } else if let Some(at) = values_at {
            values = Values::Bound;
            self.values(&entry.detail[at..], &mut parameters, &mut kept);
        } else if has_parameter(text) {
            values = Values::Unknown;
            // PREPARE and plans have none.
            let is_execution = message_is_execution(entry.message);
            self.gaps.without_values += u64::from(is_execution);
        }
        let known = if values != Values::InText {
            self.texts.get(sql)
        } else {
            None
        };
        let text = match known {
            Some(known) => Arc::clone(known),
            None => {
                let text: Arc<str> = sql.into();
                // Texts with their values in them do not come again.
                if values != Values::InText {
                    if self.texts.len() >= TEXTS {
                        self.texts.clear();
                    }
                    self.texts.insert(Arc::clone(&text));
                }
                text
            }
        };
        Executed {
            parameters,
            kept,
            ..Executed::sent(key, text, values, self.clock)
        }
    }

    /// `$1 = 'a''b', $2 = NULL`.
    fn values(&mut self, text: &str, parameters: &mut Vec<Value>, kept: &mut Vec<Option<String>>) {
        let mut rest = text;
        let mut plain = String::new();
        while let Some(at) = find(rest, b"= ") {
            let after = &rest[at + 2..];
            let Some(quoted) = after.strip_prefix('\'') else {
                parameters.push(Value::Null);
                if self.reader.keeps() == Keeps::Values {
                    kept.push(None);
                }
                match after.split_once(", ") {
                    Some((_, next)) => rest = next,
                    None => return,
                }
                continue;
            };
            let bytes = quoted.as_bytes();
            let mut at = 0;
            let mut is_plain = true;
            let end = loop {
                let Some(quote) = memchr::memchr(b'\'', &bytes[at..]).map(|found| at + found)
                else {
                    break quoted.len();
                };
                if bytes.get(quote + 1) != Some(&b'\'') {
                    break quote;
                }
                is_plain = false;
                at = quote + 2;
            };
            let value = if is_plain {
                &quoted[..end]
            } else {
                plain.clear();
                plain.push_str(&quoted[..end].replace("''", "'"));
                &plain
            };
            self.gaps.cut_values += u64::from(value.ends_with("..."));
            parameters.push(self.reader.text(value));
            if self.reader.keeps() == Keeps::Values {
                // What was cut off is no value.
                let whole = Some(value).filter(|value| !value.ends_with("..."));
                kept.push(whole.map(str::to_owned));
            }
            rest = &quoted[end..];
        }
    }

    fn timed(&mut self, key: u64, took: u64, out: &mut dyn FnMut(Seen<'_>)) {
        let session = self.sessions.get_mut(&key);
        let waiting = session.and_then(|session| {
            let waiting = session.waits.take()?;
            session.end_nested(Some(&waiting.text), out);
            Some(waiting)
        });
        match waiting {
            Some(mut executed) => {
                (executed.took, executed.done) = (Some(took), self.clock);
                out(Seen::Executed(executed));
            }
            // With log_statement the steps before the execution have a duration of their own.
            None if self.logs_first => {}
            None => self.gaps.without_statement += 1,
        }
    }

    fn planned(
        &mut self,
        key: u64,
        (body, took): (&str, u64),
        entry: &Entry<'_>,
        out: &mut dyn FnMut(Seen<'_>),
    ) {
        let read = |body| crate::plan::parse::read(body).plans.pop();
        let Some(mut found) = (body.len() <= LONGEST_PLAN).then(|| read(body)).flatten() else {
            self.gaps.unread_plans += 1;
            return;
        };
        // auto_explain prints the duration in place of the execution time.
        let millis = crate::units::Millis(took as f64 / 1_000.0);
        found.plan.execution_ms.get_or_insert(millis);
        // What a function executed is no statement of the client's.
        let statement = found.plan.query_text.clone();
        if !entry.context.is_empty() {
            let text = found.plan.query_text.as_deref().unwrap_or_default();
            let session = self.sessions.entry(key).or_default();
            session.nested.take(entry.context, text, took);
        } else if let Some(statement) = statement {
            let mut executed = self.described(key, entry, &statement);
            executed.took = Some(took);
            executed.at = entry
                .at
                .map(|at| at - i64::try_from(took).unwrap_or_default());
            executed.done = self.clock;
            executed.results.extend(rows_of(&found.plan));
            let session = self.sessions.entry(key).or_default();
            session.last = self.now;
            session.end_nested(Some(&statement), out);
            let before = session.planned.replace(executed);
            let is_another = |before: &Executed| *before.text != *statement;
            if let Some(before) = before.filter(is_another).filter(|_| !self.has_statements) {
                self.gaps.by_plan_alone += 1;
                out(Seen::Executed(before));
            }
        }
        out(Seen::Plan {
            plan: Box::new(found.plan),
            text: body,
        });
    }

    /// The statement that waits was refused, as is said before its time would be.
    fn failed(&mut self, key: u64, out: &mut dyn FnMut(Seen<'_>)) {
        let waiting = self
            .sessions
            .get_mut(&key)
            .and_then(|session| session.waits.take());
        if let Some(mut executed) = waiting {
            executed.failed = true;
            out(Seen::Executed(executed));
        }
    }

    /// `SET log_min_duration_statement = 100`, by a session for itself.
    fn note_setting(&mut self, text: &str) {
        let is_set = text
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case("set "));
        if !is_set {
            return;
        }
        let rest = text[4..].trim_start();
        let rest = ["session ", "local ", "SESSION ", "LOCAL "]
            .iter()
            .find_map(|word| rest.strip_prefix(word))
            .unwrap_or(rest);
        let value = rest
            .split_once('=')
            .or_else(|| rest.split_once(" to "))
            .or_else(|| rest.split_once(" TO "));
        if let Some((name, value)) = value {
            self.gaps.set(name.trim(), value.trim());
        }
    }

    fn close(&mut self, key: u64, out: &mut dyn FnMut(Seen<'_>)) {
        if let Some(mut session) = self.sessions.remove(&key) {
            session.end_nested(None, out);
            if let Some(waiting) = session.waits {
                out(Seen::Executed(waiting));
            }
            if let Some(planned) = session.planned.filter(|_| !self.has_statements) {
                self.gaps.by_plan_alone += 1;
                out(Seen::Executed(planned));
            }
            out(Seen::Closed(key));
        }
    }

    fn make_room(&mut self, out: &mut dyn FnMut(Seen<'_>)) {
        if self.sessions.len() < SESSIONS {
            return;
        }
        let mut last: Vec<(i64, u64)> = self
            .sessions
            .iter()
            .map(|(key, session)| (session.last, *key))
            .collect();
        last.sort_unstable();
        for (_, key) in last.iter().take(SESSIONS / 2) {
            self.close(*key, out);
        }
    }
}

/// Whether a portal was run, and not a simple query, which has no values but those of its text.
fn message_is_execution(text: &str) -> bool {
    matches!(
        message(text),
        Message::Executed {
            is_portal: true,
            ..
        }
    )
}

/// Whether a text has `$1`.
fn has_parameter(text: &str) -> bool {
    find(text, b"$1").is_some()
}

fn find(text: &str, part: &[u8]) -> Option<usize> {
    memchr::memchr(part[0], text.as_bytes())?;
    memchr::memmem::find(text.as_bytes(), part)
}

/// The rows that a plan returned; their values are not known.
fn rows_of(plan: &Plan) -> Option<Rows> {
    let actual = plan.root().actual?;
    let rows = actual.rows.0 * actual.loops;
    (rows.is_finite() && rows >= 0.0).then(|| Rows {
        count: rows as u64,
        ..Rows::default()
    })
}

#[cfg(test)]
mod tests;

//! Recordings as files: one JSON value a line, so that they are written and read as they come. They hold forms of statements and
//! values as they are compared: whole numbers moved by an amount that nobody knows, everything else as keyed hashes; the
//! statements' own constants are values, too. Where values are kept, statements stand as they were sent, with the text of what
//! was bound; of results there are hashes all the same.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{Column, Executed, Rows, Values};
use super::forms::statements;
use super::value::{Keeps, Value};
use crate::sql::normal::normal;
use crate::trace::value::ValueReader;

/// The version that is written. Those before it are read: version 2 may keep values.
pub const VERSION: u32 = 2;

/// A line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head {
        /// The version.
        pgproof_recording: u32,
    },
    /// A statement, by its number; it stands before its first execution.
    Text {
        n: usize,
        text: String,
    },
    Execution(Execution),
    Closed {
        closed: u64,
    },
    /// Something was executed that could not be read.
    Lost {
        lost: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Execution {
    /// The session.
    s: u64,
    /// The statement's number.
    t: usize,
    /// Values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    p: Vec<Value>,
    /// The text of those that were bound, where values are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Option<String>>,
    /// Its constants stand in its text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    literal: bool,
    /// It has values that are not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unknown: bool,
    sent: u64,
    done: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<SavedRows>,
}

impl Execution {
    /// Of a statement, with what is known of it beside its values, its time and its rows.
    fn of(executed: &Executed, number: usize) -> Self {
        Self {
            s: executed.session,
            t: number,
            p: Vec::new(),
            kept: Vec::new(),
            literal: false,
            unknown: executed.values == Values::Unknown,
            sent: executed.sent,
            done: executed.done,
            at: executed.at,
            took: None,
            unit: executed.unit.as_deref().map(str::to_owned),
            app: executed.application.as_deref().map(str::to_owned),
            failed: executed.failed,
            rows: None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedRows {
    count: u64,
    columns: Vec<SavedColumn>,
    values: Vec<Vec<Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedColumn {
    name: String,
    table: u32,
    attribute: i16,
}

/// What a file cannot be read for.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Another version wrote it.
    #[error("the recording is of version {0}; this pgproof reads versions up to {VERSION}")]
    OtherVersion(u32),
    /// It is damaged.
    #[error("line {line} of the recording cannot be read: {reason}")]
    Damaged {
        /// From 1.
        line: u64,
        /// Why.
        reason: String,
    },
}

/// Makes lines of executions.
#[derive(Debug)]
pub struct Writer {
    texts: HashMap<Arc<str>, usize>,
    reader: ValueReader,
    /// Whole numbers are moved by this.
    offset: i64,
}

/// Statements beyond this are numbered anew.
const MOST_TEXTS: usize = 50_000;
/// The number of a statement that holds its values, and does not come again.
const ONCE: usize = MOST_TEXTS;

impl Writer {
    /// Constants of texts become values as `reader` makes them; whole numbers are moved by `offset`.
    #[must_use]
    pub fn new(reader: ValueReader, offset: i64) -> Self {
        Self {
            texts: HashMap::new(),
            reader,
            offset,
        }
    }

    /// The first line.
    #[must_use]
    pub fn head() -> String {
        line(&Line::Head {
            pgproof_recording: VERSION,
        })
    }

    /// The lines of an execution.
    pub fn execution(&mut self, executed: &Executed) -> String {
        let mut written = String::new();
        // More rows of what was written already.
        if executed.continues {
            return written;
        }
        match self.reader.keeps() {
            Keeps::Values => self.as_it_was_sent(executed, &mut written),
            Keeps::Hashes => {
                let all = statements(&executed.text);
                for (_, statement) in &all {
                    let alone = Some(executed).filter(|_| all.len() == 1);
                    self.without_values(executed, statement, alone, &mut written);
                }
            }
        }
        written
    }

    fn as_it_was_sent(&mut self, executed: &Executed, written: &mut String) {
        let literal = executed.values == Values::InText;
        // Constants are hashed with the results' key, which the file does not hold.
        let values = match literal {
            true => statements(&executed.text)
                .into_iter()
                .flat_map(|(_, statement)| normal(statement).constants)
                .map(|constant| self.reader.literal(&constant))
                .collect(),
            false => executed.parameters.clone(),
        };
        let number = if literal {
            let text = executed.text.to_string();
            written.push_str(&line(&Line::Text { n: ONCE, text }));
            ONCE
        } else {
            self.number(&executed.text, written)
        };
        written.push_str(&line(&Line::Execution(Execution {
            p: values,
            kept: executed.kept.clone(),
            literal,
            took: executed.took,
            rows: executed.rows().map(|rows| self.rows(rows)),
            ..Execution::of(executed, number)
        })));
    }

    /// One statement of a text, with its constants as values. Which of several took how long, or gave which rows, is not known.
    fn without_values(
        &mut self,
        executed: &Executed,
        statement: &str,
        alone: Option<&Executed>,
        written: &mut String,
    ) {
        let normal = normal(statement);
        let constants = normal.constants.iter();
        let constants = constants.map(|constant| self.reader.literal(constant));
        let values = executed.parameters.iter().copied().chain(constants);
        let values = values.map(|value| self.moved(value)).collect();
        let text = format!("{}{}", tags_of(&executed.text), normal.text(|_| false));
        let number = self.number(&text.into(), written);
        let rows = alone.and_then(Executed::rows);
        written.push_str(&line(&Line::Execution(Execution {
            p: values,
            took: alone.and_then(|alone| alone.took),
            rows: rows.map(|rows| self.rows(rows)),
            ..Execution::of(executed, number)
        })));
    }

    fn rows(&self, rows: &Rows) -> SavedRows {
        let columns = rows.columns.iter().map(|column| SavedColumn {
            name: column.name.clone(),
            table: column.origin.0,
            attribute: column.origin.1,
        });
        let moved = |column: &Vec<Value>| column.iter().map(|value| self.moved(*value)).collect();
        SavedRows {
            count: rows.count,
            columns: columns.collect(),
            values: rows.values.iter().map(moved).collect(),
        }
    }

    /// The number of a statement; a new one is written down.
    fn number(&mut self, text: &Arc<str>, written: &mut String) -> usize {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        if self.texts.len() >= MOST_TEXTS {
            self.texts.clear();
        }
        let next = self.texts.len();
        written.push_str(&line(&Line::Text {
            n: next,
            text: text.to_string(),
        }));
        self.texts.insert(Arc::clone(text), next);
        next
    }

    /// A session is over.
    #[must_use]
    pub fn closed(session: u64) -> String {
        line(&Line::Closed { closed: session })
    }

    /// Something was lost.
    #[must_use]
    pub fn lost() -> String {
        line(&Line::Lost { lost: 1 })
    }

    /// Differences between whole numbers stay, and with them what dense ranges and orders say.
    fn moved(&self, value: Value) -> Value {
        match value {
            Value::Whole(number) => Value::Whole(number.wrapping_add(self.offset)),
            other => other,
        }
    }
}

/// The comments of a statement that name its unit or its place; they hold no values of the database.
fn tags_of(text: &str) -> String {
    use crate::sql::token::{Token, tokens};
    let comments = tokens(text).into_iter().filter(Token::is_comment);
    comments
        .map(|token| text[token.span].trim_end().to_owned())
        .filter(|comment| comment.starts_with("/*"))
        .map(|comment| format!("{comment} "))
        .collect()
}

fn line(line: &Line) -> String {
    // Maps with keys that are no strings are all that cannot be written.
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}

/// What a line said.
#[derive(Debug)]
pub enum Read {
    /// An execution.
    Executed(Executed),
    /// A session is over.
    Closed(u64),
    /// Something was lost.
    Lost,
}

/// Reads the lines of a file.
#[derive(Debug, Default)]
pub struct Reader {
    texts: HashMap<usize, Arc<str>>,
    lines: u64,
}

/// Whether a file that begins so is a recording.
#[must_use]
pub fn is_recording(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{\"pgproof_recording\":")
}

impl Reader {
    /// Reads the next line.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn line(&mut self, text: &str) -> Result<Option<Read>, SavedError> {
        self.lines += 1;
        let damaged = |reason: String| SavedError::Damaged {
            line: self.lines,
            reason,
        };
        let line: Line = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        Ok(match line {
            Line::Head { pgproof_recording } if !(1..=VERSION).contains(&pgproof_recording) => {
                return Err(SavedError::OtherVersion(pgproof_recording));
            }
            Line::Head { .. } => None,
            Line::Text { n, text } => {
                self.texts.insert(n, text.into());
                None
            }
            Line::Closed { closed } => Some(Read::Closed(closed)),
            Line::Lost { .. } => Some(Read::Lost),
            Line::Execution(execution) => {
                let text = self.texts.get(&execution.t).cloned();
                let text = text.ok_or_else(|| damaged("its statement is missing".to_owned()))?;
                Some(Read::Executed(executed(execution, text)))
            }
        })
    }
}

fn executed(execution: Execution, text: Arc<str>) -> Executed {
    let rows = execution.rows.map(|rows| Rows {
        count: rows.count,
        columns: rows
            .columns
            .into_iter()
            .map(|column| Column {
                name: column.name,
                origin: (column.table, column.attribute),
                type_oid: 0,
                format: 0,
            })
            .collect(),
        values: rows.values,
    });
    let values = match (execution.unknown, execution.p.is_empty()) {
        (true, _) => Values::Unknown,
        (false, true) => Values::InText,
        (false, false) if execution.literal => Values::InText,
        (false, false) => Values::Bound,
    };
    Executed {
        parameters: execution.p,
        kept: execution.kept,
        done: execution.done,
        results: rows.into_iter().collect(),
        failed: execution.failed,
        at: execution.at,
        took: execution.took,
        application: execution.app.map(Into::into),
        unit: execution.unit.map(Into::into),
        ..Executed::sent(execution.s, text, values, execution.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(reader: ValueReader) -> Executed {
        Executed {
            parameters: vec![Value::Whole(41), reader.text("ada@example.com")],
            done: 9,
            results: vec![Rows {
                columns: Arc::from([Column {
                    name: "id".to_owned(),
                    origin: (99, 1),
                    type_oid: 20,
                    format: 0,
                }]),
                values: vec![vec![Value::Whole(7), Value::Null]],
                count: 2,
            }],
            at: Some(5),
            took: Some(3),
            ..Executed::sent(
                4,
                "SELECT id /*controller='posts'*/ FROM t WHERE a = $1 AND b = $2 AND c = 'secret'"
                    .into(),
                Values::Bound,
                8,
            )
        }
    }

    fn there_and_back() -> (String, Executed) {
        let reader = ValueReader::new([3; 16]);
        let mut writer = Writer::new(reader, 1_000);
        let text = format!("{}{}", Writer::head(), writer.execution(&example(reader)));
        assert!(is_recording(text.as_bytes()));
        let mut read = Reader::default();
        let mut found = None;
        for line in text.lines() {
            if let Some(Read::Executed(executed)) = read.line(line).unwrap() {
                found = Some(executed);
            }
        }
        (text, found.unwrap())
    }

    #[test]
    fn values_do_not_reach_the_file() {
        let (text, executed) = there_and_back();
        for value in ["{\"w\":41}", "ada", "secret"] {
            assert!(!text.contains(value), "{value}: {text}");
        }
        assert_eq!(
            &*executed.text,
            "/*controller='posts'*/ SELECT id FROM t WHERE a = $1 AND b = $2 AND c = $3"
        );
        let reader = ValueReader::new([3; 16]);
        assert_eq!(
            executed.parameters,
            [
                Value::Whole(1_041),
                reader.text("ada@example.com"),
                reader.text("secret")
            ]
        );
        assert_eq!(executed.rows().unwrap().values[0][0], Value::Whole(1_007));
        assert_eq!(
            (executed.at, executed.took, executed.done),
            (Some(5), Some(3), 9)
        );
    }

    /// What is read of executions that a writer wrote.
    fn read_back(reader: ValueReader, executions: &[Executed]) -> Vec<Executed> {
        let mut writer = Writer::new(reader, 0);
        let text: String = executions.iter().map(|one| writer.execution(one)).collect();
        let mut read = Reader::default();
        text.lines()
            .filter_map(|line| match read.line(line).unwrap()? {
                Read::Executed(executed) => Some(executed),
                Read::Closed(_) | Read::Lost => None,
            })
            .collect()
    }

    #[test]
    fn where_values_are_kept_statements_are_those_that_were_sent() {
        let reader = ValueReader::new([3; 16]).keeping(Keeps::Values);
        let bound = Executed {
            kept: vec![Some("41".to_owned()), None],
            ..example(reader)
        };
        let sent = |text: &str| Executed::sent(1, text.into(), Values::InText, 2);
        let one = sent("SELECT a FROM b WHERE c = 'x'");
        let other = sent("SELECT a FROM b WHERE c = 'y'; COMMIT");
        let written = [one, bound, other];
        let read = read_back(reader, &written);
        assert_eq!(read.len(), written.len());
        for (read, written) in read.iter().zip(&written) {
            assert_eq!(read.text, written.text);
            assert_eq!(read.kept, written.kept);
            assert_eq!(read.values, written.values);
        }
        assert_eq!(read[0].parameters, [reader.text("x")]);
        assert_eq!(read[1].parameters, written[1].parameters);
    }

    #[test]
    fn each_statement_of_a_text_is_an_execution_and_more_rows_are_none() {
        let reader = ValueReader::new([3; 16]);
        let several = Executed::sent(
            1,
            "SELECT a FROM b WHERE c = 'x'; UPDATE b SET c = 7; COMMIT".into(),
            Values::InText,
            2,
        );
        let more = Executed {
            continues: true,
            ..example(reader)
        };
        let read = read_back(reader, &[several, more]);
        let texts: Vec<&str> = read.iter().map(|one| &*one.text).collect();
        assert_eq!(
            texts,
            [
                "SELECT a FROM b WHERE c = $1",
                "UPDATE b SET c = $1",
                "COMMIT"
            ]
        );
        assert_eq!(read[1].parameters, [Value::Whole(7)]);
    }

    #[test]
    fn other_versions_and_damage_are_reported() {
        let mut reader = Reader::default();
        let other = reader.line("{\"pgproof_recording\":9}").unwrap_err();
        assert!(other.to_string().contains("version 9"));
        let missing = reader
            .line("{\"s\":1,\"t\":5,\"sent\":1,\"done\":2}")
            .unwrap_err();
        assert!(missing.to_string().contains("line 2"));
        assert!(reader.line("{").is_err());
    }
}

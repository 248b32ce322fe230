//! Recordings as files: one JSON value a line, so that they are written and read as they come. They hold forms of statements and
//! values as they are compared: whole numbers moved by an amount that nobody knows, everything else as keyed hashes; the
//! statements' own constants are values, too.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{Column, Executed, Rows, Values};
use super::value::Value;
use crate::sql::normal::normal;
use crate::trace::value::ValueReader;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

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
    #[error("the recording is of version {0}; this pgproof reads version {VERSION}")]
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
        let mut values = executed.parameters.clone();
        let normal = normal(&executed.text);
        let constants = normal.constants.iter();
        values.extend(constants.map(|constant| self.reader.literal(constant)));
        let tags = tags_of(&executed.text);
        let text: Arc<str> = format!("{tags}{}", normal.text(|_| false)).into();
        let mut written = String::new();
        if self.texts.len() >= MOST_TEXTS {
            self.texts.clear();
        }
        let next = self.texts.len();
        let number = match self.texts.get(&text) {
            Some(known) => *known,
            None => {
                written.push_str(&line(&Line::Text {
                    n: next,
                    text: text.to_string(),
                }));
                self.texts.insert(Arc::clone(&text), next);
                next
            }
        };
        let rows = executed.rows().map(|rows| SavedRows {
            count: rows.count,
            columns: rows
                .columns
                .iter()
                .map(|column| SavedColumn {
                    name: column.name.clone(),
                    table: column.origin.0,
                    attribute: column.origin.1,
                })
                .collect(),
            values: rows
                .values
                .iter()
                .map(|column| column.iter().map(|value| self.moved(*value)).collect())
                .collect(),
        });
        written.push_str(&line(&Line::Execution(Execution {
            s: executed.session,
            t: number,
            p: values.into_iter().map(|value| self.moved(value)).collect(),
            unknown: executed.values == Values::Unknown,
            sent: executed.sent,
            done: executed.done,
            at: executed.at,
            took: executed.took,
            unit: executed.unit.as_deref().map(str::to_owned),
            app: executed.application.as_deref().map(str::to_owned),
            failed: executed.failed,
            rows,
        })));
        written
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
            Line::Head { pgproof_recording } if pgproof_recording != VERSION => {
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
        (false, false) => Values::Bound,
    };
    Executed {
        parameters: execution.p,
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

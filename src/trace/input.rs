//! A file of any kind that says what was sent: a server's log, spans in JSON, a recording of pgproof's. Its bytes are handed in as
//! they come; what it is is seen from its beginning.

use std::collections::HashSet;

use super::logs::{Lines, Log, Seen, Sessions};
use super::saved::{self, SavedError};
use super::spans;
use super::value::ValueReader;

/// Spans of one document are read at once: a longer one is none that a person exports.
const LONGEST_DOCUMENT: usize = 512 << 20;
/// Traces that are open at a time.
const TRACES: usize = 10_000;

/// Files, one after the other.
#[derive(Debug, Default)]
pub struct Input {
    sessions: Sessions,
    reader: ValueReader,
    file: File,
    unread: u64,
    /// Spans of PostgreSQL that say no statement.
    without_statement: u64,
    /// Connections of files before, so that those of another one are others.
    traces: HashSet<u64>,
}

#[derive(Debug, Default)]
enum File {
    /// Nothing has come of it.
    #[default]
    Unknown,
    Log(Log),
    Recording(Lines, saved::Reader),
    Spans(Lines, String),
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// No line of it is of a format that is known.
    #[error("is no log of PostgreSQL, no recording and no spans that are known")]
    Unknown,
    /// It is a recording, and damaged.
    #[error(transparent)]
    Recording(#[from] SavedError),
    /// It looks like spans, and is no JSON.
    #[error("looks like spans and is no JSON: {0}")]
    Spans(serde_json::Error),
    /// It is longer than any that is read.
    #[error("is one JSON document of more than {} MB: export one a line", LONGEST_DOCUMENT >> 20)]
    TooLong,
}

impl Input {
    /// Values are made by `reader`.
    #[must_use]
    pub fn new(reader: ValueReader) -> Self {
        Self {
            sessions: Sessions::new(reader),
            reader,
            ..Self::default()
        }
    }

    /// Takes a file's next bytes.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(Seen<'_>)) -> Result<(), InputError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if matches!(self.file, File::Unknown) {
            self.file = kind(bytes);
        }
        let mut failed = None;
        match &mut self.file {
            File::Unknown => {}
            File::Log(log) => log.feed(bytes, &mut |entry| self.sessions.take(entry, out)),
            File::Recording(lines, reader) => lines.feed(bytes, &mut |line| {
                if failed.is_none() {
                    failed = recorded(line, reader, out).err();
                }
            }),
            File::Spans(lines, document) => {
                let mut taken = Taken {
                    reader: &self.reader,
                    traces: &mut self.traces,
                    without_statement: &mut self.without_statement,
                    out,
                };
                lines.feed(bytes, &mut |line| taken.line(line, document));
                if document.len() > LONGEST_DOCUMENT {
                    return Err(InputError::TooLong);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// The file is over.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn end_of_file(&mut self, out: &mut dyn FnMut(Seen<'_>)) -> Result<(), InputError> {
        match std::mem::take(&mut self.file) {
            File::Unknown => Err(InputError::Unknown),
            File::Log(mut log) => {
                log.end(&mut |entry| self.sessions.take(entry, out));
                self.unread += log.unread();
                log.format().map(drop).ok_or(InputError::Unknown)
            }
            File::Recording(mut lines, mut reader) => {
                let mut ended = Ok(());
                lines.end(&mut |line| {
                    // The last line of a recording that was cut off.
                    if recorded(line, &mut reader, out).is_err() {
                        ended = Err(());
                    }
                });
                self.unread += u64::from(ended.is_err()) + lines.too_long;
                Ok(())
            }
            File::Spans(mut lines, mut document) => {
                let mut taken = Taken {
                    reader: &self.reader,
                    traces: &mut self.traces,
                    without_statement: &mut self.without_statement,
                    out,
                };
                lines.end(&mut |line| taken.line(line, &mut document));
                if document.trim().is_empty() {
                    return Ok(());
                }
                taken.document(&document).map_err(InputError::Spans)
            }
        }
    }

    /// Nothing more comes: what still waits is handed out.
    pub fn end(&mut self, out: &mut dyn FnMut(Seen<'_>)) {
        self.sessions.end(out);
        for trace in self.traces.drain() {
            out(Seen::Closed(trace));
        }
    }

    /// Why the verdict on what was read is inconclusive; none where it is not.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut reasons = self.sessions.gaps().in_words();
        if self.unread > 0 {
            reasons.push(format!(
                "{} lines or records could not be read",
                self.unread
            ));
        }
        if self.without_statement > 0 {
            reasons.push(format!(
                "{} spans of PostgreSQL hold no statement",
                self.without_statement
            ));
        }
        reasons
    }
}

fn kind(beginning: &[u8]) -> File {
    if saved::is_recording(beginning) {
        return File::Recording(Lines::default(), saved::Reader::default());
    }
    if spans::are_spans(&String::from_utf8_lossy(beginning)) {
        return File::Spans(Lines::default(), String::new());
    }
    File::Log(Log::default())
}

fn recorded(
    line: &str,
    reader: &mut saved::Reader,
    out: &mut dyn FnMut(Seen<'_>),
) -> Result<(), InputError> {
    match reader.line(line)? {
        Some(saved::Read::Executed(executed)) => out(Seen::Executed(executed)),
        Some(saved::Read::Closed(session)) => out(Seen::Closed(session)),
        Some(saved::Read::Lost) => out(Seen::Lost),
        None => {}
    }
    Ok(())
}

/// Where spans go.
struct Taken<'i, 'o> {
    reader: &'i ValueReader,
    traces: &'i mut HashSet<u64>,
    without_statement: &'i mut u64,
    out: &'o mut dyn FnMut(Seen<'_>),
}

impl Taken<'_, '_> {
    /// A document of its own, or a line of one.
    fn line(&mut self, line: &str, document: &mut String) {
        let is_whole = line.starts_with(['{', '[']) && line.ends_with(['}', ']']);
        if document.is_empty() && is_whole && self.document(line).is_ok() {
            return;
        }
        document.push_str(line);
        document.push('\n');
    }

    fn document(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let reading = spans::read(text, self.reader)?;
        *self.without_statement += reading.without_statement;
        for executed in reading.executed {
            if self.traces.len() >= TRACES && !self.traces.contains(&executed.session) {
                for trace in self.traces.drain() {
                    (self.out)(Seen::Closed(trace));
                }
            }
            self.traces.insert(executed.session);
            (self.out)(Seen::Executed(executed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executions(files: &[&str], piece: usize) -> (Vec<String>, Vec<String>) {
        let mut input = Input::default();
        let mut found = Vec::new();
        let mut out = |seen: Seen<'_>| {
            if let Seen::Executed(executed) = seen {
                found.push(executed.text.to_string());
            }
        };
        for file in files {
            for bytes in file.as_bytes().chunks(piece) {
                input.feed(bytes, &mut out).unwrap();
            }
            input.end_of_file(&mut out).unwrap();
        }
        input.end(&mut out);
        (found, input.gaps())
    }

    #[test]
    fn files_of_every_kind_one_after_the_other() {
        let log = "2026-11-30 07:42:20.9 UTC [7] LOG:  duration: 1 ms  statement: SELECT 1\n";
        let spans = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"t\",\"attributes\":[{\"key\":\"db.system\",\"value\":{\"stringValue\":\"postgresql\"}},{\"key\":\"db.statement\",\"value\":{\"stringValue\":\"SELECT 2\"}}]}]}]}]}\n";
        let pretty = spans.replace(":[{", ":\n[\n{");
        let recording = "{\"pgproof_recording\":1}\n{\"n\":0,\"text\":\"SELECT 3\"}\n{\"s\":1,\"t\":0,\"sent\":1,\"done\":2}\n";
        let files = [log, spans, &pretty, recording];
        let expected = ["SELECT 1", "SELECT 2", "SELECT 2", "SELECT 3"];
        let (found, gaps) = executions(&files, 1 << 20);
        assert_eq!(
            (found, gaps),
            (expected.map(str::to_owned).to_vec(), Vec::new())
        );
        // What a file is is seen from its first bytes: as many as a program reads at once.
        let (found, _) = executions(&files, 64);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_reported() {
        let cut = "{\"pgproof_recording\":1}\n{\"n\":0,\"te";
        let (_, gaps) = executions(&[cut], 100);
        assert_eq!(gaps, ["1 lines or records could not be read"]);
        let mut input = Input::default();
        input.feed(b"hello\n", &mut |_| {}).unwrap();
        let failed = input.end_of_file(&mut |_| {});
        assert!(matches!(failed, Err(InputError::Unknown)));
        assert!(matches!(
            input.end_of_file(&mut |_| {}),
            Err(InputError::Unknown)
        ));
    }
}

//! csvlog of PostgreSQL 14 to 18, whose columns are the same. <https://www.postgresql.org/docs/current/runtime-config-logging.html>

use super::entry::{Clock, Entry, is_log, session_of};
use super::{LONGEST_MESSAGE, Reader};

/// Columns that are read, by their place in the line.
const AT: usize = 0;
const SESSION: usize = 5;
const LINE: usize = 6;
const SEVERITY: usize = 11;
const CODE: usize = 12;
const MESSAGE: usize = 13;
const DETAIL: usize = 14;
const CONTEXT: usize = 18;
const APPLICATION: usize = 22;
/// `backend_type` came with 13, `leader_pid` and `query_id` with 14.
const FEWEST: usize = 23;

/// Whether a line begins a record.
pub(super) fn recognizes(line: &str) -> bool {
    let mut columns = line.split(',');
    let is_time = columns
        .next()
        .is_some_and(|time| Clock::default().read(time).is_some());
    let process = columns.nth(2).unwrap_or_default();
    let session = columns.nth(1).unwrap_or_default();
    let is_hexadecimal =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_time
        && !process.is_empty()
        && process.bytes().all(|byte| byte.is_ascii_digit())
        && session
            .split_once('.')
            .is_some_and(|(start, process)| is_hexadecimal(start) && is_hexadecimal(process))
}

/// Reads records, which go on over lines where a cell does.
#[derive(Debug, Default)]
pub(super) struct Csvlog {
    record: String,
    is_open: bool,
    cells: Vec<(usize, usize)>,
    unquoted: String,
    clock: Clock,
    unread: u64,
}

impl Reader for Csvlog {
    fn line(&mut self, line: &str, take: &mut dyn FnMut(&Entry<'_>)) {
        // A cell that goes on has an odd number of quotes up to here.
        let is_odd = memchr::memchr_iter(b'"', line.as_bytes()).count() % 2 == 1;
        if !self.is_open && !is_odd {
            return self.take_record(line, take);
        }
        if self.is_open {
            self.record.push('\n');
        }
        self.record.push_str(line);
        self.is_open ^= is_odd;
        if self.record.len() > LONGEST_MESSAGE {
            self.unread += 1;
            (self.is_open, self.record) = (false, String::new());
        }
        if !self.is_open && !self.record.is_empty() {
            let record = std::mem::take(&mut self.record);
            self.take_record(&record, take);
            self.record = record;
            self.record.clear();
        }
    }

    fn end(&mut self, _: &mut dyn FnMut(&Entry<'_>)) -> u64 {
        self.unread + u64::from(self.is_open)
    }
}

impl Csvlog {
    fn take_record(&mut self, record: &str, take: &mut dyn FnMut(&Entry<'_>)) {
        if record.is_empty() {
            return;
        }
        self.cells.clear();
        self.unquoted.clear();
        cut(record, &mut self.cells, &mut self.unquoted);
        if self.cells.len() < FEWEST {
            self.unread += 1;
            return;
        }
        let cell = |at: usize| {
            let (start, end) = self.cells[at];
            &self.unquoted[start..end]
        };
        let Some(at) = self.clock.read(cell(AT)) else {
            self.unread += 1;
            return;
        };
        take(&Entry {
            at: Some(at),
            session: session_of(cell(SESSION)),
            line: cell(LINE).parse().ok().map(|line| (line, line)),
            application: cell(APPLICATION),
            code: cell(CODE),
            is_error: !is_log(cell(SEVERITY)),
            message: cell(MESSAGE),
            detail: cell(DETAIL),
            context: cell(CONTEXT),
        });
    }
}

/// Cuts a record into its cells, without their quotes.
fn cut(record: &str, cells: &mut Vec<(usize, usize)>, text: &mut String) {
    let bytes = record.as_bytes();
    let mut at = 0;
    loop {
        let start = text.len();
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            // Up to the quote that is not doubled.
            while let Some(quote) = memchr::memchr(b'"', &bytes[at..]).map(|found| at + found) {
                text.push_str(&record[at..quote]);
                at = quote + 1;
                if bytes.get(at) != Some(&b'"') {
                    break;
                }
                text.push('"');
                at += 1;
            }
        }
        let end = memchr::memchr(b',', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        text.push_str(&record[at..end]);
        cells.push((start, text.len()));
        if end == bytes.len() {
            return;
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lose_their_quotes() {
        let mut cells = Vec::new();
        let mut text = String::new();
        cut("a,\"b \"\"c\"\", d\",,\"\",e", &mut cells, &mut text);
        let found: Vec<&str> = cells
            .iter()
            .map(|(start, end)| &text[*start..*end])
            .collect();
        assert_eq!(found, ["a", "b \"c\", d", "", "", "e"]);
    }
}

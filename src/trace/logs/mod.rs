//! Logs of PostgreSQL read as executions: stderr with any prefix, csvlog, jsonlog, syslog, and the frames in which clouds and
//! containers put them. Bytes are handed in, in pieces of any size, and nothing but what a session needs is kept. A format is
//! one file and one line of [`FORMATS`].

mod csvlog;
mod entry;
mod inside;
mod jsonlog;
mod lines;
mod message;
mod prefix;
mod sessions;
mod stderr;
mod syslog;
mod words;

pub use entry::Entry;
pub use sessions::{Gaps, Seen, Sessions};

pub(super) use lines::Lines;

/// The longest message that is read, with its further lines.
const LONGEST_MESSAGE: usize = 16 << 20;

/// Reads lines of one format.
trait Reader: std::fmt::Debug + Send {
    /// Takes the next line, and hands out the messages that it completes.
    fn line(&mut self, line: &str, take: &mut dyn FnMut(&Entry<'_>));

    /// The file is over: hands out what is left, and says how many lines or records could not be read.
    fn end(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> u64;
}

/// A format of logs.
pub struct Format {
    /// For people.
    pub name: &'static str,
    recognizes: fn(&str) -> bool,
    reader: fn() -> Box<dyn Reader>,
}

/// Every format; the first that recognizes a line reads the file.
pub const FORMATS: [Format; 4] = [
    Format {
        name: "jsonlog",
        recognizes: jsonlog::recognizes,
        reader: || Box::new(jsonlog::Jsonlog::default()),
    },
    Format {
        name: "csvlog",
        recognizes: csvlog::recognizes,
        reader: || Box::new(csvlog::Csvlog::default()),
    },
    Format {
        name: "syslog",
        recognizes: syslog::recognizes,
        reader: || Box::new(syslog::Syslog::default()),
    },
    Format {
        name: "stderr",
        recognizes: stderr::recognizes,
        reader: || Box::new(stderr::Stderr::default()),
    },
];

/// One log file, read as its bytes come.
#[derive(Debug, Default)]
pub struct Log {
    lines: Lines,
    reader: Option<(&'static str, Box<dyn Reader>)>,
    format: Option<&'static str>,
    /// Lines before the first that was recognized.
    before: u64,
    unread: u64,
}

impl Log {
    /// Takes the next bytes, and hands out the messages that they complete.
    pub fn feed(&mut self, bytes: &[u8], take: &mut dyn FnMut(&Entry<'_>)) {
        let Self {
            lines,
            reader,
            before,
            ..
        } = self;
        lines.feed(bytes, &mut |line| read(line, reader, before, take));
    }

    /// The file is over.
    pub fn end(&mut self, take: &mut dyn FnMut(&Entry<'_>)) {
        let Self {
            lines,
            reader,
            before,
            ..
        } = self;
        lines.end(&mut |line| read(line, reader, before, take));
        if let Some((name, mut reader)) = reader.take() {
            self.format = Some(name);
            self.unread += reader.end(take);
        }
    }

    /// The format, once a line was recognized.
    #[must_use]
    pub fn format(&self) -> Option<&'static str> {
        let current = self.reader.as_ref().map(|(name, _)| *name);
        current.or(self.format)
    }

    /// Lines and records that could not be read.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread + self.lines.too_long
    }
}

fn read(
    line: &str,
    reader: &mut Option<(&'static str, Box<dyn Reader>)>,
    before: &mut u64,
    take: &mut dyn FnMut(&Entry<'_>),
) {
    if reader.is_none() {
        // A byte order mark, and the tail of a message at the beginning of a file that was cut.
        let line = line.trim_start_matches('\u{feff}');
        let format = FORMATS.iter().find(|format| (format.recognizes)(line));
        *reader = format.map(|format| (format.name, (format.reader)()));
        *before += u64::from(reader.is_none());
    }
    if let Some((_, reader)) = reader {
        reader.line(line, take);
    }
}

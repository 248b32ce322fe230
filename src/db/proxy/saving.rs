//! A recording that is written to a file as it comes.

use std::fs::File;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::trace::saved::Writer;
use crate::trace::value::{Keeps, ValueReader};
use crate::trace::wire::Seen;

/// The file with what makes its lines.
#[derive(Debug)]
pub(super) struct Saved {
    writer: Writer,
    file: GzEncoder<File>,
    /// The first write that failed: nothing is written after it.
    failed: Option<io::Error>,
}

impl Saved {
    /// Begins the file; whole numbers are moved by `offset` where values are not kept.
    pub(super) fn new(file: File, reader: ValueReader, offset: i64) -> Self {
        let offset = match reader.keeps() {
            Keeps::Hashes => offset,
            // There is nothing to hide.
            Keeps::Values => 0,
        };
        let mut saved = Self {
            writer: Writer::new(reader, offset),
            file: GzEncoder::new(file, Compression::fast()),
            failed: None,
        };
        saved.write(&Writer::head());
        saved
    }

    pub(super) fn take(&mut self, seen: &Seen) {
        let lines = match seen {
            Seen::Executed(executed) => self.writer.execution(executed),
            Seen::Lost => Writer::lost(),
        };
        self.write(&lines);
    }

    pub(super) fn closed(&mut self, session: u64) {
        self.write(&Writer::closed(session));
    }

    /// The file is whole.
    ///
    /// # Errors
    /// Where it could not be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.try_finish(),
        }
    }

    fn write(&mut self, lines: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(lines.as_bytes()).err();
        }
    }
}

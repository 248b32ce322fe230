//! A place in a file that a person wrote, and an error that shows it: what every reader of input files returns.
//! Rendering is the command line's.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// An input file's text, shared by everything that points into it.
#[derive(Clone)]
pub struct Source {
    /// Path as the user would write it (relative to the project where possible).
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    /// Where each line begins, found once: a place in a large file is asked for thousands of times.
    lines: Arc<OnceLock<Vec<usize>>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.text == other.text
    }
}

impl Eq for Source {}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("path", &self.path)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// A file's text, without the byte order mark that columns must not count.
    ///
    /// # Errors
    /// The first byte that is not UTF-8, and a NUL character.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Box<SourceError>> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let (text, at) = match std::str::from_utf8(bytes) {
            Ok(text) => match text.find('\0') {
                None => return Ok(Self::new(path, text)),
                Some(at) => (text.into(), at),
            },
            Err(error) => (String::from_utf8_lossy(bytes), error.valid_up_to()),
        };
        let source = Self::new(path, text);
        let error = match bytes.get(at) {
            Some(0) | None => SourceError::new(
                &source,
                at..at + 1,
                "a NUL character, which PostgreSQL does not take",
            )
            .help("save the file as UTF-8 text"),
            Some(byte) => SourceError::new(
                &source,
                at..at + '\u{FFFD}'.len_utf8(),
                format!("byte 0x{byte:02X} is not UTF-8"),
            )
            .help("save the file as UTF-8"),
        };
        Err(Box::new(error))
    }

    /// A source from a path and its text.
    #[must_use]
    pub fn new(path: impl AsRef<Path>, text: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            text: text.into(),
            lines: Arc::default(),
        }
    }

    /// Where each line begins.
    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate();
            let starts = ends.filter_map(|(at, byte)| (byte == b'\n').then_some(at + 1));
            std::iter::once(0).chain(starts).collect()
        })
    }

    /// 1-based line and column (in characters) of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (u32, u32) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let lines = self.lines();
        let line = lines.partition_point(|start| *start <= end).max(1);
        let column = self.text[lines[line - 1]..end].chars().count() + 1;
        (
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
        )
    }

    /// The byte offset of a 1-based line and column (in characters); the end of the line, or of the text, where it is shorter.
    #[must_use]
    pub fn offset(&self, line: u32, column: u32) -> usize {
        let lines = self.lines();
        let before = lines
            .get((line as usize).saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let rest = self.text[before..].lines().next().unwrap_or("");
        let along = rest
            .char_indices()
            .nth(column.saturating_sub(1) as usize)
            .map_or(rest.len(), |(offset, _)| offset);
        before + along
    }
}

/// A mistake in an input file: always exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", source_file.path.display(), self.line())]
pub struct SourceError {
    /// What is wrong, lower-case, naming the object.
    pub message: String,
    pub source_file: Source,
    /// The bytes at fault.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl SourceError {
    /// An error at `span` of `source`.
    #[must_use]
    pub fn new(source: &Source, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source_file: source.clone(),
            span,
            help: None,
        }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// 1-based line of the span's start.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.source_file.line_column(self.span.start).0
    }
}

/// The candidate nearest to a misspelt word, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let source = Source::new("a.sql", "é1\nxy");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(2), (1, 2));
        assert_eq!(source.line_column(5), (2, 2));
        assert_eq!(source.line_column(999), (2, 3));
        for offset in [0, 2, 3, 4, 5] {
            let (line, column) = source.line_column(offset);
            assert_eq!(source.offset(line, column), offset);
        }
        assert_eq!((source.offset(1, 99), source.offset(99, 1)), (3, 6));
    }

    #[test]
    fn nearest_word() {
        assert_eq!(
            nearest("thresold", ["thresholds", "threshold", "server"]),
            Some("threshold")
        );
        assert_eq!(nearest("zzz", ["threshold"]), None);
    }
}

//! A TOML table read key by key, with the place of everything: unknown keys and wrong types become errors that show it.

use std::ops::Range;
use std::time::Duration;

use globset::{Glob, GlobBuilder};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::source::{Source, SourceError, nearest};
use crate::units::written::{EXPECTED_DURATION, millis};

/// A key with its value and their places.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// `runs`.
    pub(super) key: &'a str,
    pub(super) key_span: Range<usize>,
    /// `audit.runs`, for messages.
    pub(super) path: String,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
}

/// A table: its keys in the order of the file.
#[derive(Debug, Clone)]
pub(super) struct Section<'a> {
    pub(super) path: String,
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(path: &str, table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<Entry<'a>> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                key_span: key.span(),
                path: if path.is_empty() {
                    key.get_ref().to_string()
                } else {
                    format!("{path}.{}", key.get_ref())
                },
                value: value.get_ref(),
                span: value.span(),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        Self {
            path: path.to_owned(),
            entries,
        }
    }
}

/// Collects what is wrong while the values are read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) errors: Vec<SourceError>,
}

impl<'a> Reader<'a> {
    /// Tells a mistake.
    pub(super) fn error(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let error = SourceError::new(self.source, span, message);
        self.errors.push(match help {
            Some(help) => error.help(help),
            None => error,
        });
    }

    /// Tells that a value is not what was expected: ``expected a duration like "5s"``.
    pub(super) fn expected(&mut self, entry: &Entry<'_>, expected: &str) {
        let message = format!("bad value for `{}`: {expected}", entry.path);
        self.error(entry.span.clone(), message, None);
    }

    /// Tells a key that nobody knows, with the nearest that somebody does.
    pub(super) fn unknown(&mut self, entry: &Entry<'_>, section: &str, known: &[&str]) {
        let place = if section.is_empty() {
            String::new()
        } else {
            format!(" in [{section}]")
        };
        let help = match nearest(entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        self.error(
            entry.key_span.clone(),
            format!("unknown key `{}`{place}", entry.key),
            Some(help),
        );
    }

    pub(super) fn table(&mut self, entry: &Entry<'a>) -> Option<Section<'a>> {
        if let DeValue::Table(table) = entry.value {
            return Some(Section::new(&entry.path, table));
        }
        self.expected(
            entry,
            &format!("expected a table, as in `[{}]`", entry.path),
        );
        None
    }

    pub(super) fn string(&mut self, entry: &Entry<'a>, expected: &str) -> Option<&'a str> {
        let text = entry.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.expected(entry, expected);
        }
        text
    }

    /// A whole number within limits.
    pub(super) fn integer<T: TryFrom<i64> + PartialOrd>(
        &mut self,
        entry: &Entry<'_>,
        allowed: std::ops::RangeInclusive<T>,
        expected: &str,
    ) -> Option<T> {
        let number = integer(entry.value).and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| allowed.contains(number));
        if number.is_none() {
            self.expected(entry, expected);
        }
        number
    }

    pub(super) fn duration(&mut self, entry: &Entry<'_>) -> Option<Duration> {
        let read = entry
            .value
            .as_str()
            .and_then(millis)
            .filter(|millis| *millis > 0.0);
        let duration = read.and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
        if duration.is_none() {
            self.expected(entry, EXPECTED_DURATION);
        }
        duration
    }

    /// A list of file patterns, at least one.
    pub(super) fn patterns(&mut self, entry: &Entry<'a>, example: &str) -> Option<Vec<String>> {
        let patterns = self.strings(
            entry,
            &format!("expected a list of file patterns, as in {example}"),
        )?;
        let before = self.errors.len();
        for (text, span) in &patterns {
            if let Err(error) = pattern(text) {
                self.error(
                    span.clone(),
                    format!("`{text}` is not a pattern: {}", error.kind()),
                    None,
                );
            }
        }
        (self.errors.len() == before).then(|| patterns.into_iter().map(|(text, _)| text).collect())
    }

    /// A list of texts with their places, at least one.
    pub(super) fn strings(
        &mut self,
        entry: &Entry<'a>,
        expected: &str,
    ) -> Option<Vec<(String, Range<usize>)>> {
        let list: Option<&DeArray<'a>> = entry.value.as_array().filter(|list| !list.is_empty());
        let Some(list) = list else {
            self.expected(entry, expected);
            return None;
        };
        let text =
            |item: &Spanned<DeValue<'a>>| Some((item.get_ref().as_str()?.to_owned(), item.span()));
        let wrong = list
            .iter()
            .find(|item| text(item).is_none_or(|(text, _)| text.is_empty()))
            .map(Spanned::span);
        if let Some(span) = wrong {
            self.error(
                span,
                format!("bad value in `{}`: {expected}", entry.path),
                None,
            );
            return None;
        }
        Some(list.iter().filter_map(text).collect())
    }
}

/// A file or name pattern: `*` stays within a folder, `**` does not.
pub(super) fn pattern(text: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(text).literal_separator(true).build()
}

/// A whole number.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

/// A number, whole or not; never infinite or NaN.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(_) => integer(value).map(|number| number as f64),
        DeValue::Float(float) => float
            .as_str()
            .replace('_', "")
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    }
}

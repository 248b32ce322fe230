//! An export of the view: CSV with a header (`\copy (TABLE pg_stat_statements) TO 'statements.csv' CSV HEADER`), a JSON array,
//! or a JSON object a line.

use serde::Deserialize;
use serde_json::Value;

use crate::source::{Source, SourceError};
use crate::trace::event::Statement;

/// Columns by the names that PostgreSQL 14 to 18, and services that copy the view, give them.
#[derive(Debug, Deserialize, Default)]
struct Row {
    query: Option<String>,
    #[serde(default)]
    calls: Number,
    #[serde(default, alias = "total_time")]
    total_exec_time: Number,
    #[serde(default, alias = "mean_time")]
    mean_exec_time: Number,
}

/// A number, or its text.
#[derive(Debug, Clone, Copy, Default)]
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }))
    }
}

const FORMS: &str = "export it with \
    `psql -c \"\\copy (TABLE pg_stat_statements) TO 'statements.csv' CSV HEADER\"`";

/// Every row.
pub(super) fn rows(source: &Source) -> Result<Vec<Statement>, SourceError> {
    let text = source.text.trim_start();
    if text.is_empty() {
        return Err(SourceError::new(source, 0..0, "the export is empty").help(FORMS));
    }
    if text.starts_with('[') || text.starts_with('{') {
        json(source)
    } else {
        csv(source)
    }
}

fn statement(row: Row, line: u32) -> Option<Statement> {
    let calls = row.calls.0.unwrap_or(1.0);
    let total = row.total_exec_time.0;
    Some(Statement {
        text: row.query?,
        calls,
        total_ms: total.or_else(|| row.mean_exec_time.0.map(|mean| mean * calls)),
        // When it was exported is not known, so neither is the rate.
        seconds: None,
        line,
        values: Vec::new(),
    })
}

fn json(source: &Source) -> Result<Vec<Statement>, SourceError> {
    let wrong = |at: usize, reason: &dyn std::fmt::Display| {
        let at = at.min(source.text.len());
        SourceError::new(
            source,
            at..at,
            format!("not an export of pg_stat_statements: {reason}"),
        )
        .help(FORMS)
    };
    let mut found = Vec::new();
    // One document a line, or one array: both are a stream of values.
    let mut stream = serde_json::Deserializer::from_str(&source.text).into_iter::<Value>();
    loop {
        let start = stream.byte_offset();
        let Some(value) = stream.next() else {
            break;
        };
        let value = value.map_err(|error| wrong(source.offset(line_of(&error), 1), &error))?;
        let start = start + source.text[start..].len() - source.text[start..].trim_start().len();
        let (first, _) = source.line_column(start);
        let values = match value {
            Value::Array(values) => values,
            other => vec![other],
        };
        let before = found.len();
        for value in values {
            let row = serde_json::from_value::<Row>(value).map_err(|error| wrong(start, &error))?;
            found.extend(statement(row, first));
        }
        if found.len() == before && before == 0 {
            return Err(wrong(start, &"its objects have no `query`"));
        }
    }
    Ok(found)
}

fn line_of(error: &serde_json::Error) -> u32 {
    u32::try_from(error.line()).unwrap_or(1).max(1)
}

fn csv(source: &Source) -> Result<Vec<Statement>, SourceError> {
    let header = source.text.lines().next().unwrap_or("");
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|delimiter| header.bytes().filter(|byte| byte == delimiter).count())
        .unwrap_or(b',');
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(::csv::Trim::Headers)
        .from_reader(source.text.as_bytes());
    let headers = reader.headers().cloned().unwrap_or_default();
    let column = |names: &[&str]| {
        headers
            .iter()
            .position(|header| names.iter().any(|name| header.eq_ignore_ascii_case(name)))
    };
    let Some(query) = column(&["query"]) else {
        let end = header.len();
        let message = "not an export of pg_stat_statements: no column is named `query`";
        return Err(SourceError::new(source, 0..end, message).help(FORMS));
    };
    let calls = column(&["calls"]);
    let total = column(&["total_exec_time", "total_time"]);
    let mean = column(&["mean_exec_time", "mean_time"]);
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, ::csv::Position::line);
            let at = source.offset(u32::try_from(line).unwrap_or(1), 1);
            SourceError::new(source, at..at, format!("not CSV: {error}")).help(FORMS)
        })?;
        let number = |column: Option<usize>| {
            Number(column.and_then(|at| record.get(at)?.trim().parse().ok()))
        };
        let row = Row {
            query: record.get(query).map(ToOwned::to_owned),
            calls: number(calls),
            total_exec_time: number(total),
            mean_exec_time: number(mean),
        };
        let line = record.position().map_or(1, ::csv::Position::line);
        found.extend(statement(row, u32::try_from(line).unwrap_or(u32::MAX)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Statement>, SourceError> {
        rows(&Source::new("statements", text))
    }

    #[test]
    fn csv_has_its_columns_by_name_and_its_lines() {
        let found = read(
            "userid,queryid,query,calls,mean_exec_time\n\
             10,1,\"SELECT a\nFROM b WHERE c = \"\"d\"\"\",3,1.5\n\
             10,2,SELECT 1,4,0.5\n",
        )
        .unwrap();
        let shown: Vec<(&str, f64, Option<f64>, u32)> = found
            .iter()
            .map(|row| (row.text.as_str(), row.calls, row.total_ms, row.line))
            .collect();
        assert_eq!(
            shown,
            [
                ("SELECT a\nFROM b WHERE c = \"d\"", 3.0, Some(4.5), 2),
                ("SELECT 1", 4.0, Some(2.0), 4),
            ]
        );
        let semicolons = read("query;calls;total_exec_time\nSELECT 1;2;3\n").unwrap();
        assert_eq!(
            (semicolons[0].calls, semicolons[0].total_ms),
            (2.0, Some(3.0))
        );
    }

    #[test]
    fn json_is_an_array_or_an_object_a_line() {
        let array =
            read("[{\"query\": \"SELECT 1\", \"calls\": 2, \"total_time\": \"3.5\"}]").unwrap();
        assert_eq!((array[0].calls, array[0].total_ms), (2.0, Some(3.5)));
        let lines =
            read("{\"query\": \"SELECT 1\"}\n{\"query\": \"SELECT 2\", \"calls\": \"9\"}\n")
                .unwrap();
        assert_eq!((lines[1].calls, lines[1].line), (9.0, 2));
    }

    #[test]
    fn what_is_no_export_says_how_to_make_one() {
        for (text, expected) in [
            ("", "the export is empty"),
            ("a,b\n1,2\n", "no column is named `query`"),
            ("[{\"sql\": \"SELECT 1\"}]", "no `query`"),
            ("[{", "not an export"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.message.contains(expected),
                "{text}: {}",
                error.message
            );
            assert!(error.help.unwrap().contains("\\copy"));
        }
    }
}

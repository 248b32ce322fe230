//! Spans of OpenTelemetry (OTLP), Jaeger and Zipkin, in JSON, read as executions: a trace is a unit of work, its spans of
//! PostgreSQL are what it executed. Values are seldom among them.

use std::sync::Arc;

use serde_json::Value as Json;

use super::event::{Executed, Values};
use super::value::{Value, ValueReader};

/// Executions of a document in their order, and how many of its spans hold no statement of PostgreSQL.
#[derive(Debug, Default)]
pub struct Reading {
    /// By when they began.
    pub executed: Vec<Executed>,
    /// Of PostgreSQL, without a statement.
    pub without_statement: u64,
}

/// Whether a file that begins so may hold spans.
#[must_use]
pub fn are_spans(beginning: &str) -> bool {
    let begins = beginning.trim_start().starts_with(['{', '[']);
    begins
        && [
            "\"resourceSpans\"",
            "\"traceID\"",
            "\"traceId\"",
            "\"scopeSpans\"",
        ]
        .iter()
        .any(|key| beginning.contains(key))
}

/// Reads one JSON value: a document, or a line of a file that has one a line.
///
/// # Errors
/// Where it is no JSON.
pub fn read(text: &str, reader: &ValueReader) -> Result<Reading, serde_json::Error> {
    let document: Json = serde_json::from_str(text)?;
    let mut spans = Vec::new();
    otlp(&document, &mut spans);
    jaeger(&document, &mut spans);
    zipkin(&document, &mut spans);
    let mut reading = Reading::default();
    spans.sort_by_key(|span| span.began);
    for (at, span) in spans.into_iter().enumerate() {
        if !span.is_postgresql() {
            continue;
        }
        match span.executed(at as u64, reader) {
            Some(executed) => reading.executed.push(executed),
            None if span.is_of_the_connection() => {}
            None => reading.without_statement += 1,
        }
    }
    Ok(reading)
}

/// A span of any of the formats.
#[derive(Debug, Default)]
struct Span<'a> {
    trace: &'a str,
    /// What the tracer calls the operation.
    name: &'a str,
    /// In microseconds since 1970.
    began: i64,
    took: u64,
    is_error: bool,
    attributes: Vec<(&'a str, &'a Json)>,
    service: Option<&'a str>,
}

impl<'a> Span<'a> {
    fn text(&self, keys: &[&str]) -> Option<&'a str> {
        keys.iter().find_map(|key| {
            let (_, value) = self.attributes.iter().find(|(name, _)| name == key)?;
            value.as_str().filter(|text| !text.is_empty())
        })
    }

    /// The semantic conventions of today, and those before them.
    fn is_postgresql(&self) -> bool {
        self.text(&["db.system.name", "db.system", "db.type"])
            .is_some_and(|system| matches!(system, "postgresql" | "postgres" | "sql" | "other_sql"))
    }

    /// Whether it opens a connection, takes one from a pool, or begins or ends a transaction: none of these has a statement.
    fn is_of_the_connection(&self) -> bool {
        const OPERATIONS: [&str; 9] = [
            "connect", "pool", "acquire", "ping", "reset", "begin", "commit", "rollback", "rows",
        ];
        let name = self.name.to_ascii_lowercase();
        OPERATIONS.iter().any(|operation| name.contains(operation))
    }

    fn executed(&self, place: u64, reader: &ValueReader) -> Option<Executed> {
        let text = self.text(&["db.query.text", "db.statement", "sql.query"])?;
        let mut parameters: Vec<(&str, Value, Option<String>)> = self
            .attributes
            .iter()
            .filter_map(|(name, value)| {
                let name = name
                    .strip_prefix("db.query.parameter.")
                    .or_else(|| name.strip_prefix("db.sql.parameter."))?;
                let text = plain(value);
                let kept = reader.kept(Some(text.as_bytes()), 0, 0);
                Some((name, reader.text(&text), kept))
            })
            .collect();
        parameters.sort_by_key(|(name, ..)| name.parse::<u64>().unwrap_or(u64::MAX));
        let (parameters, kept): (Vec<Value>, Vec<Option<String>>) = parameters
            .into_iter()
            .map(|(_, value, kept)| (value, kept))
            .unzip();
        let values = match parameters.is_empty() {
            true if has_placeholder(text) => Values::Unknown,
            true => Values::InText,
            false => Values::Bound,
        };
        // A trace has connections of its own, as far as anybody can say.
        let session = session_of(self.trace);
        Some(Executed {
            parameters,
            kept,
            done: place * 2 + 2,
            failed: self.is_error,
            at: Some(self.began),
            took: Some(self.took),
            application: self.service.map(Arc::from),
            unit: Some(self.trace.into()),
            ..Executed::sent(session, text.into(), values, place * 2 + 1)
        })
    }
}

/// Whether a value was taken out of a text, as drivers and tracers write it: `$1`, `?`, `%s`, `%(name)s`, `:name`.
fn has_placeholder(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_name = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
    };
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'$') if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => return true,
            // Operators of documents: `data ? 'key'`, `?|`, `?&`.
            (None, b'?') if is_value_alone(bytes, at) => return true,
            (None, b'%') if matches!(bytes.get(at + 1), Some(b's' | b'(')) => return true,
            (None, b':') if is_name(at + 1) && at > 0 && bytes[at - 1] != b':' => return true,
            _ => {}
        }
    }
    false
}

/// Whether a question mark stands where a value would, and not between two operands.
fn is_value_alone(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].trim_ascii_end().last();
    let is_operator = matches!(
        before,
        Some(b'=' | b'<' | b'>' | b'(' | b',' | b'+' | b'-' | b'*' | b'/')
    );
    let after = bytes[at + 1..].trim_ascii_start().first();
    let ends = matches!(after, None | Some(b')' | b',' | b';'));
    is_operator || ends
}

fn session_of(trace: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hash = DefaultHasher::new();
    trace.hash(&mut hash);
    hash.finish()
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn list<'a>(value: &'a Json, keys: &[&str]) -> &'a [Json] {
    keys.iter()
        .find_map(|key| value.get(key)?.as_array())
        .map_or(&[], Vec::as_slice)
}

/// A number that is one, or a text: OTLP writes 64 bits as text.
fn number(value: &Json, key: &str) -> i64 {
    let value = value.get(key);
    let text = value
        .and_then(Json::as_str)
        .and_then(|text| text.parse().ok());
    value
        .and_then(Json::as_i64)
        .or_else(|| value.and_then(Json::as_f64).map(|number| number as i64))
        .or(text)
        .unwrap_or(0)
}

fn text<'a>(value: &'a Json, keys: &[&str]) -> &'a str {
    keys.iter()
        .find_map(|key| value.get(key)?.as_str())
        .unwrap_or_default()
}

/// `{"key": "db.system", "value": {"stringValue": "postgresql"}}`
fn otlp_attributes(of: &Json) -> Vec<(&str, &Json)> {
    list(of, &["attributes"])
        .iter()
        .filter_map(|attribute| {
            let value = attribute.get("value")?.as_object()?.values().next()?;
            Some((attribute.get("key")?.as_str()?, value))
        })
        .collect()
}

/// <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
fn otlp<'a>(document: &'a Json, spans: &mut Vec<Span<'a>>) {
    for resource in list(document, &["resourceSpans"]) {
        let attributes = resource
            .get("resource")
            .map(otlp_attributes)
            .unwrap_or_default();
        let service = attributes
            .iter()
            .find(|(name, _)| *name == "service.name")
            .and_then(|(_, value)| value.as_str());
        for scope in list(resource, &["scopeSpans", "instrumentationLibrarySpans"]) {
            for span in list(scope, &["spans"]) {
                let began = number(span, "startTimeUnixNano");
                let status = span.get("status").and_then(|status| status.get("code"));
                spans.push(Span {
                    trace: text(span, &["traceId"]),
                    name: text(span, &["name"]),
                    began: began / 1_000,
                    took: took(number(span, "endTimeUnixNano") - began) / 1_000,
                    is_error: status.is_some_and(|code| {
                        code.as_i64() == Some(2) || code.as_str() == Some("STATUS_CODE_ERROR")
                    }),
                    attributes: otlp_attributes(span),
                    service,
                });
            }
        }
    }
}

fn took(duration: i64) -> u64 {
    u64::try_from(duration).unwrap_or(0)
}

/// `{"data": [{"traceID": …, "spans": [{"tags": [{"key": …, "value": …}]}], "processes": …}]}`
fn jaeger<'a>(document: &'a Json, spans: &mut Vec<Span<'a>>) {
    for trace in list(document, &["data"]) {
        for span in list(trace, &["spans"]) {
            let attributes: Vec<(&str, &Json)> = list(span, &["tags"])
                .iter()
                .filter_map(|tag| Some((tag.get("key")?.as_str()?, tag.get("value")?)))
                .collect();
            let service = trace
                .get("processes")
                .and_then(|processes| processes.get(text(span, &["processID"])))
                .map(|process| text(process, &["serviceName"]));
            spans.push(Span {
                trace: text(span, &["traceID"]),
                name: text(span, &["operationName"]),
                began: number(span, "startTime"),
                took: took(number(span, "duration")),
                is_error: attributes
                    .iter()
                    .any(|(name, value)| *name == "error" && **value != Json::Bool(false)),
                attributes,
                service: service.filter(|service| !service.is_empty()),
            });
        }
    }
}

/// `[{"traceId": …, "timestamp": …, "duration": …, "tags": {"db.statement": …}}]`
fn zipkin<'a>(document: &'a Json, spans: &mut Vec<Span<'a>>) {
    let Some(all) = document.as_array() else {
        return;
    };
    // The API gives lists of spans, or lists of traces, which are lists of spans.
    let nested = all.iter().filter_map(Json::as_array).flatten();
    for span in all.iter().filter(|span| span.is_object()).chain(nested) {
        let Some(tags) = span.get("tags").and_then(Json::as_object) else {
            continue;
        };
        let service = span
            .get("localEndpoint")
            .map(|endpoint| text(endpoint, &["serviceName"]));
        spans.push(Span {
            trace: text(span, &["traceId"]),
            name: text(span, &["name"]),
            began: number(span, "timestamp"),
            took: took(number(span, "duration")),
            is_error: tags.contains_key("error"),
            attributes: tags
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
            service: service.filter(|service| !service.is_empty()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(String, Option<String>, Option<u64>)> {
        assert!(are_spans(text));
        read(text, &ValueReader::default())
            .unwrap()
            .executed
            .into_iter()
            .map(|each| {
                (
                    each.text.to_string(),
                    each.unit.map(|unit| unit.to_string()),
                    each.took,
                )
            })
            .collect()
    }

    #[test]
    fn one_execution_in_each_format() {
        let otlp = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[
            {"traceId":"t1","startTimeUnixNano":"2000000","endTimeUnixNano":"5000000","attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},{"key":"db.query.text","value":{"stringValue":"SELECT 1 FROM a"}}]},
            {"traceId":"t1","startTimeUnixNano":"1000000","endTimeUnixNano":"9000000","attributes":[{"key":"http.route","value":{"stringValue":"/a"}}]}]}]}]}"#;
        let jaeger = r#"{"data":[{"traceID":"t1","spans":[{"traceID":"t1","startTime":2000,"duration":3000,"processID":"p1","tags":[{"key":"db.system","type":"string","value":"postgresql"},{"key":"db.statement","type":"string","value":"SELECT 1 FROM a"}]}],"processes":{"p1":{"serviceName":"api"}}}]}"#;
        let zipkin = r#"[{"traceId":"t1","timestamp":2000,"duration":3000,"tags":{"db.system":"postgresql","db.statement":"SELECT 1 FROM a"}}]"#;
        for text in [otlp, jaeger, zipkin] {
            let expected = (
                "SELECT 1 FROM a".to_owned(),
                Some("t1".to_owned()),
                Some(3_000),
            );
            assert_eq!(shown(text), [expected], "{text}");
        }
    }

    #[test]
    fn parameters_are_values_in_their_order() {
        let text = r#"[{"traceId":"t","timestamp":1,"duration":1,"tags":{"db.system":"postgresql","db.query.text":"SELECT $1, $2","db.query.parameter.1":"x","db.query.parameter.0":7}}]"#;
        let reader = ValueReader::default();
        let read = read(text, &reader).unwrap();
        assert_eq!(
            read.executed[0].parameters,
            [Value::Whole(7), reader.text("x")]
        );
    }

    #[test]
    fn rubbish_is_no_panic() {
        for text in [
            "[1, [2], {}]",
            "{\"data\":[{\"spans\":[1]}]}",
            "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}]}]}]}",
            "null",
        ] {
            assert!(
                read(text, &ValueReader::default())
                    .unwrap()
                    .executed
                    .is_empty()
            );
        }
        assert!(read("{", &ValueReader::default()).is_err());
    }

    #[test]
    fn what_was_taken_out_of_a_text_is_not_known() {
        for text in [
            "SELECT a FROM b WHERE c = $1",
            "SELECT a FROM b WHERE c = ? AND d = 'x'",
            "INSERT INTO a VALUES (?, ?)",
            "SELECT a FROM b WHERE c = %s",
            "SELECT a FROM b WHERE c = %(key)s",
            "SELECT a FROM b WHERE c = :key",
        ] {
            assert!(has_placeholder(text), "{text}");
        }
        for text in [
            "SELECT a::text FROM b WHERE c = 'why? $1 :x %s'",
            "SELECT a FROM b WHERE data ? 'key' AND c % 2 = 1",
        ] {
            assert!(!has_placeholder(text), "{text}");
        }
    }

    #[test]
    fn a_span_of_the_connection_has_no_statement_and_needs_none() {
        let text = r#"[{"traceId":"t","name":"pg.connect","timestamp":1,"duration":1,"tags":{"db.system":"postgresql"}},
            {"traceId":"t","name":"query","timestamp":2,"duration":1,"tags":{"db.system":"postgresql"}}]"#;
        let read = read(text, &ValueReader::default()).unwrap();
        assert_eq!((read.executed.len(), read.without_statement), (0, 1));
    }
}

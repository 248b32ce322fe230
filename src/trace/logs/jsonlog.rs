//! A JSON object a line: jsonlog of PostgreSQL 15 to 18, CloudNativePG's records, and the frames of Cloud SQL, CloudWatch and
//! Docker, which hold lines of stderr.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reader;
use super::entry::{Clock, Entry, is_log, session_of};
use super::stderr::Stderr;

/// What is read of a line, whoever wrote it. CloudNativePG names the columns as csvlog does.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow, alias = "log_time")]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow, alias = "session_line_num")]
    line_num: Option<&'a RawValue>,
    #[serde(borrow)]
    application_name: Cow<'a, str>,
    #[serde(borrow, alias = "sql_state_code")]
    state_code: Cow<'a, str>,
    #[serde(borrow)]
    error_severity: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    detail: Cow<'a, str>,
    #[serde(borrow)]
    context: Cow<'a, str>,
    /// CloudNativePG.
    #[serde(borrow)]
    record: Option<Box<Line<'a>>>,
    /// Cloud SQL.
    #[serde(borrow, rename = "textPayload")]
    text_payload: Cow<'a, str>,
    /// Docker.
    #[serde(borrow)]
    log: Cow<'a, str>,
}

/// Whether a line is one of these.
pub(super) fn recognizes(line: &str) -> bool {
    line.starts_with('{')
        && serde_json::from_str::<Line<'_>>(line).is_ok_and(|line| {
            let line = line.record.as_deref().unwrap_or(&line);
            [&line.message, &line.text_payload, &line.log]
                .iter()
                .any(|text| !text.is_empty())
        })
}

/// Reads lines.
#[derive(Debug, Default)]
pub(super) struct Jsonlog {
    clock: Clock,
    /// Lines of stderr in a frame.
    framed: Stderr,
    unread: u64,
}

impl Reader for Jsonlog {
    fn line(&mut self, line: &str, take: &mut dyn FnMut(&Entry<'_>)) {
        if line.trim().is_empty() {
            return;
        }
        let Ok(read) = serde_json::from_str::<Line<'_>>(line) else {
            self.unread += 1;
            return;
        };
        let read = read.record.as_deref().unwrap_or(&read);
        if !read.error_severity.is_empty() {
            return take(&Entry {
                at: self.clock.read(&read.timestamp),
                session: session_of(&read.session_id),
                line: read
                    .line_num
                    .and_then(|number| number.get().trim_matches('"').parse().ok())
                    .map(|line| (line, line)),
                application: &read.application_name,
                code: &read.state_code,
                is_error: !is_log(&read.error_severity),
                message: &read.message,
                detail: &read.detail,
                context: &read.context,
            });
        }
        let framed = [&read.text_payload, &read.log, &read.message];
        if let Some(text) = framed.into_iter().find(|text| !text.is_empty()) {
            for line in text.trim_end_matches('\n').split('\n') {
                self.framed.line(line, take);
            }
        }
    }

    fn end(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> u64 {
        self.unread + self.framed.end(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Vec<(Option<u64>, String, String)> {
        let mut reader = Jsonlog::default();
        let mut found = Vec::new();
        let mut take = |entry: &Entry<'_>| {
            found.push((
                entry.line.map(|(first, _)| first),
                entry.message.to_owned(),
                entry.detail.to_owned(),
            ));
        };
        for line in log.lines() {
            assert!(recognizes(line), "{line}");
            reader.line(line, &mut take);
        }
        assert_eq!(reader.end(&mut take), 0);
        found
    }

    #[test]
    fn records_and_frames() {
        let cnpg = r#"{"level":"info","logger":"postgres","msg":"record","record":{"log_time":"2026-11-30 07:42:20.294 UTC","process_id":"7","session_id":"6b0d28dc.3eab","session_line_num":"3","error_severity":"LOG","sql_state_code":"00000","message":"duration: 1 ms  execute a: SELECT \"x\" = $1","detail":"parameters: $1 = '5'"}}"#;
        let cloud = r#"{"textPayload":"2026-11-30 07:42:20.294 UTC [7]: [4-1] db=a,user=b LOG:  duration: 1 ms  statement: SELECT 1","timestamp":"2026-11-30T07:42:20.294Z"}
{"textPayload":"\tFROM t","timestamp":"2026-11-30T07:42:20.294Z"}"#;
        let docker = r#"{"log":"2026-11-30 07:42:20.294 UTC [7] LOG:  duration: 1 ms  statement: SELECT 2\n","stream":"stderr","time":"2026-11-30T07:42:20Z"}"#;
        let text = |text: &str| text.to_owned();
        assert_eq!(
            read(cnpg),
            [(
                Some(3),
                text("duration: 1 ms  execute a: SELECT \"x\" = $1"),
                text("parameters: $1 = '5'")
            )]
        );
        assert_eq!(
            read(cloud),
            [(
                Some(4),
                text("duration: 1 ms  statement: SELECT 1\nFROM t"),
                text("")
            )]
        );
        assert_eq!(
            read(docker),
            [(None, text("duration: 1 ms  statement: SELECT 2"), text(""))]
        );
    }
}

//! Entries of auto_explain in a server's log: stderr with any prefix, syslog, csvlog, jsonlog. Finds the message and hands its
//! plan on; reads no plan itself.

use std::borrow::Cow;

use super::frame::Line;
use super::{Reading, pieces};
use crate::units::Millis;

/// Every plan of a log; `None` where the text is no log.
pub(super) fn read(text: &str) -> Option<Reading> {
    if !(text.contains("duration: ") && text.contains("plan:")) {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut reading = Reading::default();
    let mut at = 0;
    let mut entries = 0;
    while at < lines.len() {
        let Some(entry) = entry(&lines, at) else {
            at += 1;
            continue;
        };
        entries += 1;
        let mut found = pieces::read(&entry.body);
        if let [only] = &mut found.plans[..] {
            // auto_explain prints the duration in place of the execution time.
            only.plan.execution_ms.get_or_insert(entry.duration);
        }
        reading.plans.append(&mut found.plans);
        reading.unread.append(&mut found.unread);
        at = entry.next.max(at + 1);
    }
    (entries > 0).then_some(reading)
}

struct Entry<'a> {
    duration: Millis,
    body: Vec<Line<'a>>,
    /// The line behind it.
    next: usize,
}

/// The entry that begins at a line.
fn entry<'a>(lines: &[&'a str], at: usize) -> Option<Entry<'a>> {
    let line = lines[at];
    let start = line.find("duration: ")?;
    let is_json = line.trim_start().starts_with('{');
    if is_json {
        return json_entry(line, at);
    }
    let (duration, rest) = marker(&line[start..])?;
    if line[..start].ends_with('"') {
        return Some(csv_entry(lines, at, start, duration));
    }
    let mut body: Vec<Line<'a>> = Vec::new();
    body.push(Line {
        index: at,
        text: Cow::Borrowed(rest),
        ends: false,
    });
    let indented = lines
        .get(at + 1)
        .is_some_and(|line| line.starts_with([' ', '\t']));
    let mut next = at + 1;
    while let Some(line) = lines.get(next) {
        let content = without_syslog_prefix(line);
        let is_syslog = matches!(content, Cow::Owned(_));
        let begins_another = !is_syslog
            && !line.trim().is_empty()
            && ((indented && !line.starts_with([' ', '\t'])) || begins_message(line));
        if begins_another {
            break;
        }
        body.push(Line {
            index: next,
            text: content,
            ends: false,
        });
        next += 1;
    }
    Some(Entry {
        duration,
        body,
        next,
    })
}

/// `duration: 3.651 ms  plan:` and what stands behind it.
fn marker(text: &str) -> Option<(Millis, &str)> {
    let rest = text.strip_prefix("duration: ")?;
    let (number, rest) = rest.split_once(" ms")?;
    let duration = number
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|ms| ms.is_finite())?;
    let rest = rest.trim_start().strip_prefix("plan:")?;
    Some((Millis(duration), rest))
}

/// A line of its own, as jsonlog writes it.
fn json_entry<'a>(line: &str, at: usize) -> Option<Entry<'a>> {
    let entry: serde_json::Value = serde_json::from_str(line.trim()).ok()?;
    let message = ["message", "textPayload", "msg"]
        .iter()
        .find_map(|key| entry.get(key)?.as_str())?;
    let (duration, rest) = marker(message.get(message.find("duration: ")?..)?)?;
    Some(Entry {
        duration,
        body: of_text(rest, |_| at),
        next: at + 1,
    })
}

/// A quoted cell that goes on over lines, its quotes doubled.
fn csv_entry<'a>(lines: &[&'a str], at: usize, start: usize, duration: Millis) -> Entry<'a> {
    let mut cell = String::new();
    let mut next = at;
    let mut text = &lines[at][start..];
    loop {
        let mut chars = text.chars().peekable();
        let mut closed = false;
        while let Some(c) = chars.next() {
            if c != '"' {
                cell.push(c);
            } else if chars.peek() == Some(&'"') {
                chars.next();
                cell.push('"');
            } else {
                closed = true;
                break;
            }
        }
        next += 1;
        match lines.get(next) {
            Some(line) if !closed => {
                cell.push('\n');
                text = line;
            }
            Some(_) | None => break,
        }
    }
    let rest = marker(&cell).map_or("", |(_, rest)| rest);
    Entry {
        duration,
        body: of_text(rest, |line| at + line),
        next,
    }
}

fn of_text<'a>(text: &str, index: impl Fn(usize) -> usize) -> Vec<Line<'a>> {
    let line = |(number, text): (usize, &str)| Line {
        index: index(number),
        text: Cow::Owned(text.to_owned()),
        ends: false,
    };
    text.lines().enumerate().map(line).collect()
}

/// `Nov 22 12:00:00 host postgres[7]: [5-2] #011Seq Scan …`: syslog writes the tab as `#011`.
fn without_syslog_prefix(line: &str) -> Cow<'_, str> {
    match line.split_once("#011") {
        Some((_, text)) => Cow::Owned(text.replace("#011", "\t")),
        None => Cow::Borrowed(line),
    }
}

/// Whether a line begins another entry of the log.
fn begins_message(line: &str) -> bool {
    const SEVERITIES: [&str; 12] = [
        "LOG:  ",
        "ERROR:  ",
        "WARNING:  ",
        "FATAL:  ",
        "PANIC:  ",
        "NOTICE:  ",
        "INFO:  ",
        "DETAIL:  ",
        "HINT:  ",
        "CONTEXT:  ",
        "STATEMENT:  ",
        "LOCATION:  ",
    ];
    SEVERITIES.iter().any(|severity| line.contains(severity))
}

#[cfg(test)]
mod tests {
    use crate::plan::NodeKind;
    use crate::plan::parse::read;

    const TEXT: &str = "2026-01-01 12:00:00.000 UTC [123] app@shop LOG:  duration: 3.651 ms  plan:\n\tQuery Text: SELECT count(*)\n\t  FROM a;\n\tAggregate  (cost=16.79..16.80 rows=1 width=0) (actual time=3.626..3.627 rows=1 loops=1)\n\t  ->  Seq Scan on a  (cost=0.00..9.55 rows=255 width=4) (actual time=0.016..0.140 rows=255 loops=1)\n\t        Filter: (x = 1)\n2026-01-01 12:00:01.000 UTC [123] LOG:  checkpoint starting: time\n2026-01-01 12:00:02.000 UTC [124] LOG:  duration: 7 ms  plan:\n\t{\n\t  \"Query Text\": \"SELECT 1\",\n\t  \"Plan\": {\n\t    \"Node Type\": \"Result\"\n\t  }\n\t}\n";

    #[test]
    fn entries_of_stderr() {
        let reading = read(TEXT);
        assert_eq!(reading.unread, []);
        let lines: Vec<u32> = reading.plans.iter().map(|found| found.line).collect();
        assert_eq!(lines, [2, 9]);
        let first = &reading.plans[0].plan;
        assert_eq!(
            first.query_text.as_deref(),
            Some("SELECT count(*)\nFROM a;")
        );
        assert_eq!(first.execution_ms.unwrap().0, 3.651);
        assert_eq!(first.nodes.len(), 2);
        assert_eq!(first.nodes[1].conditions.filter.as_deref(), Some("(x = 1)"));
        assert_eq!(reading.plans[1].plan.root().kind, NodeKind::Result);
        assert_eq!(
            reading.plans[1].plan.query_text.as_deref(),
            Some("SELECT 1")
        );
    }

    #[test]
    fn entries_of_other_destinations() {
        let message = "duration: 2.5 ms  plan:\nQuery Text: SELECT \"A\" FROM t\nSeq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  Filter: (\"A\" = 1)";
        let json =
            serde_json::json!({"timestamp": "2026-01-01", "error_severity": "LOG", "message": message}).to_string();
        let csv = format!(
            "2026-01-01,\"app\",LOG,00000,\"{}\",,,,,\"psql\"\n2026-01-01,\"app\",LOG,00000,\"other\",,,\n",
            message.replace('"', "\"\"")
        );
        let syslog = message
            .lines()
            .enumerate()
            .fold(String::new(), |all, (number, line)| {
                let text = if number == 0 {
                    format!("LOG:  {line}")
                } else {
                    format!("#011{line}")
                };
                format!(
                    "{all}Jan  1 12:00:00 host postgres[7]: [5-{}] {text}\n",
                    number + 1
                )
            });
        for log in [json, csv, syslog] {
            let reading = read(&log);
            assert_eq!(
                (reading.plans.len(), &reading.unread[..]),
                (1, &[][..]),
                "{log}"
            );
            let plan = &reading.plans[0].plan;
            assert_eq!(
                plan.query_text.as_deref(),
                Some("SELECT \"A\" FROM t"),
                "{log}"
            );
            assert_eq!(
                plan.root().conditions.filter.as_deref(),
                Some("(\"A\" = 1)"),
                "{log}"
            );
            assert_eq!(plan.execution_ms.unwrap().0, 2.5);
        }
    }
}

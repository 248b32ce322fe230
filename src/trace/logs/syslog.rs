//! Lines with a frame around those of stderr: syslog (`[5-1]`, a tab as `#011`), Kubernetes (CRI), docker compose. The frame is
//! taken off and the rest read as stderr.

use super::Reader;
use super::entry::{Clock, Entry};
use super::prefix::time;
use super::stderr::{self, Stderr};

/// A line without its frame.
struct Framed<'a> {
    /// The process and the number of its message.
    of: Option<(&'a str, &'a str)>,
    text: &'a str,
    /// `[5-2]`: it goes on with the message of `[5-1]`.
    goes_on: bool,
    /// CRI cut the line here.
    is_partial: bool,
}

/// Whether it has a frame that is known.
pub(super) fn recognizes(line: &str) -> bool {
    of_syslog(line)
        .or_else(|| of_container(line))
        .is_some_and(|framed| framed.of.is_some() || stderr::recognizes(framed.text))
}

/// `Nov 22 12:00:00 host postgres[7]: [5-1] text`, the ident and the time of whatever form.
fn of_syslog(line: &str) -> Option<Framed<'_>> {
    const LONGEST: usize = 300;
    let mut from = 0;
    loop {
        let open = from + line.get(from..)?.find("]: [")?;
        if open > LONGEST {
            return None;
        }
        let process = &line[line[..open].rfind('[')? + 1..open];
        let rest = &line[open + 4..];
        from = open + 4;
        let Some((number, text)) = rest.split_once(']') else {
            continue;
        };
        let Some((message, part)) = number.split_once('-') else {
            continue;
        };
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // `[%p]: [%l-1]` of a prefix stands behind a time alone; syslog's has a name before the process.
        let ident = line[..open].rfind('[').map_or("", |at| &line[..at]);
        let has_ident = ident.ends_with(|character: char| character.is_alphanumeric());
        if is_number(process) && is_number(message) && is_number(part) && has_ident {
            return Some(Framed {
                of: Some((process, message)),
                text: text.strip_prefix(' ').unwrap_or(text),
                goes_on: part != "1",
                is_partial: false,
            });
        }
    }
}

/// `2026-11-30T07:42:20.294Z stderr F text`; `db-1  | text`.
fn of_container(line: &str) -> Option<Framed<'_>> {
    let framed = |text, is_partial| {
        Some(Framed {
            of: None,
            text,
            goes_on: false,
            is_partial,
        })
    };
    let mut words = line.splitn(4, ' ');
    let (time, stream, tag) = (words.next()?, words.next()?, words.next()?);
    if time.contains('T') && matches!(stream, "stderr" | "stdout") && matches!(tag, "F" | "P") {
        return framed(words.next().unwrap_or_default(), tag == "P");
    }
    let (name, text) = line.split_once("| ")?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && name.len() < 80
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || "-_.".contains(character));
    is_name.then(|| framed(text, false)).flatten()
}

/// Reads lines.
#[derive(Debug, Default)]
pub(super) struct Syslog {
    inner: Stderr,
    /// A line that CRI cut.
    begun: String,
    unread: u64,
}

impl Reader for Syslog {
    fn line(&mut self, line: &str, take: &mut dyn FnMut(&Entry<'_>)) {
        let Some(framed) = of_syslog(line).or_else(|| of_container(line)) else {
            self.unread += u64::from(!line.trim().is_empty());
            return;
        };
        if framed.is_partial {
            if self.begun.len() + framed.text.len() <= super::LONGEST_MESSAGE {
                self.begun.push_str(framed.text);
            }
            return;
        }
        if framed.goes_on {
            // rsyslog writes the tab as `#011`; a line without one was cut for its length, or is the message's DETAIL.
            let further = framed
                .text
                .strip_prefix("#011")
                .or(framed.text.strip_prefix('\t'));
            match further {
                Some(further) => self
                    .inner
                    .line(&format!("\t{}", further.replace("#011", "\t")), take),
                None if stderr::recognizes(framed.text) => {
                    self.inner.line(&with_frame(line, &framed), take);
                }
                None => self.inner.rest_of_line(framed.text),
            }
            return;
        }
        if !self.begun.is_empty() {
            let whole = format!("{}{}", std::mem::take(&mut self.begun), framed.text);
            return self.inner.line(&whole, take);
        }
        match framed.of {
            Some(_) => self.inner.line(&with_frame(line, &framed), take),
            None => self.inner.line(framed.text, take),
        }
    }

    fn end(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> u64 {
        self.unread + self.inner.end(take)
    }
}

/// The line with what its frame says of it in the place of a prefix. The server's own time is the more exact one.
fn with_frame(line: &str, framed: &Framed<'_>) -> String {
    /// Where the server's own prefix would have its time.
    const BEGINNING: usize = 60;
    let Some((process, message)) = framed.of else {
        return framed.text.to_owned();
    };
    let beginning: String = framed.text.chars().take(BEGINNING).collect();
    let time = match time(&beginning, &mut Clock::default()).0 {
        Some(_) => String::new(),
        None => time_of_frame(line).unwrap_or_default(),
    };
    format!("{time} [{process}] [{message}-1] {}", framed.text)
}

/// `Nov 30 07:42:20`, of a year that is not said, or a time of RFC 3339.
fn time_of_frame(line: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if Clock::default().read(first).is_some() {
        return Some(first.to_owned());
    }
    let month = MONTHS.iter().position(|month| *month == first)? + 1;
    let day: u32 = words.next()?.parse().ok()?;
    Some(format!("2000-{month:02}-{day:02} {}", words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Vec<String> {
        let mut reader = Syslog::default();
        let mut found = Vec::new();
        let mut take = |entry: &Entry<'_>| {
            assert!(entry.session.is_some());
            found.push(format!("{} {}", entry.message, entry.detail));
        };
        for line in log.lines() {
            assert!(recognizes(line), "{line}");
            reader.line(line, &mut take);
        }
        assert_eq!(reader.end(&mut take), 0);
        found
    }

    #[test]
    fn frames_are_taken_off() {
        let syslog = "Nov 30 07:42:20 host postgres[7]: [5-1] LOG:  duration: 1 ms  statement: SELECT a,\n\
            Nov 30 07:42:20 host postgres[7]: [5-2] #011#011b, c\n\
            Nov 30 07:42:20 host postgres[7]: [5-3]  FROM t\n\
            2026-11-30T07:42:20.1+00:00 host postgres[7]: [6-1] 2026-11-30 07:42:20 UTC [7] a@b LOG:  duration: 1 ms  execute x: SELECT $1\n\
            2026-11-30T07:42:20.1+00:00 host postgres[7]: [6-2] 2026-11-30 07:42:20 UTC [7] a@b DETAIL:  parameters: $1 = '5'";
        assert_eq!(
            read(syslog),
            [
                "duration: 1 ms  statement: SELECT a,\n\tb, c FROM t ",
                "duration: 1 ms  execute x: SELECT $1 parameters: $1 = '5'",
            ]
        );
        let cri = "2026-11-30T07:42:20.294Z stderr F 2026-11-30 07:42:20 UTC [7] LOG:  duration: 1 ms  statement: SELECT a,\n\
            2026-11-30T07:42:20.294Z stderr F \tb";
        let compose = "db-1  | 2026-11-30 07:42:20 UTC [7] LOG:  duration: 1 ms  statement: SELECT a,\n\
            db-1  | \tb";
        for log in [cri, compose] {
            let mut reader = Syslog::default();
            let mut found = Vec::new();
            let mut take = |entry: &Entry<'_>| found.push(entry.message.to_owned());
            log.lines().for_each(|line| reader.line(line, &mut take));
            reader.end(&mut take);
            assert_eq!(found, ["duration: 1 ms  statement: SELECT a,\nb"]);
        }
    }
}

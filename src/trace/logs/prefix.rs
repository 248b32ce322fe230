//! What `log_line_prefix` put before a message, without being told what it is: a time, a process or session, a name.

use super::entry::{Clock, session_of};

/// What a prefix says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Prefix<'a> {
    pub(super) at: Option<i64>,
    pub(super) session: Option<u64>,
    pub(super) line: Option<u64>,
    pub(super) application: &'a str,
}

/// Reads a prefix.
pub(super) fn scan<'a>(prefix: &'a str, clock: &mut Clock) -> Prefix<'a> {
    let (at, rest) = time(prefix, clock);
    let mut found = Prefix {
        at,
        application: application(rest),
        ..Prefix::default()
    };
    let mut process = None;
    let mut number = None;
    for part in parts(rest).filter(|part| !part.is_empty()) {
        let bare = part.trim_matches(['[', ']']);
        if is_session(bare) {
            found.session = session_of(bare);
            continue;
        }
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((line, step)) = bare.split_once('-') {
            // `[%l-1]`, as pgbadger's manual advises, or `[5-1]` of syslog.
            if is_number(line) && is_number(step) {
                found.line = line.parse().ok();
            }
        } else if let Some((name, inner)) = part.split_once('[') {
            // `[4711]`, `postgres[4711]`
            let inner = inner.trim_end_matches([']', ':']);
            if is_number(inner) && process.is_none() && !name.ends_with('@') {
                process = Some(inner);
            }
        } else if is_number(bare) {
            number = Some(bare);
        }
    }
    if found.session.is_none() {
        found.session = process.or(number).and_then(session_of);
    }
    found
}

/// What stands between signs that part names.
fn parts(prefix: &str) -> impl Iterator<Item = &str> {
    let is_sign = |byte: u8| {
        matches!(
            byte,
            b' ' | b',' | b':' | b'=' | b'|' | b'(' | b')' | b'/' | b';' | b'<' | b'>'
        )
    };
    let mut rest = Some(prefix);
    std::iter::from_fn(move || {
        let whole = rest.take()?;
        // Signs are one byte each, so that both sides are whole characters.
        let end = whole.bytes().position(is_sign);
        let part = &whole[..end.unwrap_or(whole.len())];
        rest = end.map(|end| &whole[end + 1..]);
        Some(part)
    })
}

/// `6b0d28dc.3eab`: the session's start and its process, in hexadecimal.
fn is_session(part: &str) -> bool {
    let is_hexadecimal =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    part.split_once('.').is_some_and(|(start, process)| {
        start.len() == 8 && is_hexadecimal(start) && is_hexadecimal(process)
    })
}

/// The first time of the prefix, and the prefix without it.
pub(super) fn time<'a>(prefix: &'a str, clock: &mut Clock) -> (Option<i64>, &'a str) {
    const LENGTH: usize = 19;
    let mut from = 0;
    while let Some(dash) = memchr::memchr(b'-', &prefix.as_bytes()[from..]).map(|at| from + at) {
        let start = dash.checked_sub(4);
        if let Some(text) = start.and_then(|start| prefix.get(start..))
            && let Some(at) = clock.read(text)
        {
            let fraction = text.as_bytes()[LENGTH..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
                .count();
            return (Some(at), &text[LENGTH + fraction..]);
        }
        from = dash + 1;
    }
    // `%n`: seconds since 1970 with milliseconds.
    let epoch = prefix.split([' ', '[', ']', ',', '|']).find_map(|part| {
        let (seconds, millis) = part.split_once('.')?;
        let is_epoch = seconds.len() == 10 && millis.len() == 3;
        let micros = seconds.parse::<i64>().ok()? * 1_000_000;
        is_epoch.then_some(micros + millis.parse::<i64>().ok()? * 1_000)
    });
    (epoch, prefix)
}

/// `app=…`, up to the comma or the blank behind it.
fn application(prefix: &str) -> &str {
    const KEYS: [&str; 4] = ["app=", "application_name=", "application=", "a="];
    if memchr::memchr(b'=', prefix.as_bytes()).is_none() {
        return "";
    }
    let found = KEYS.iter().find_map(|key| {
        let at = prefix.find(key)?;
        let begins = prefix[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != '_');
        begins.then(|| &prefix[at + key.len()..])
    });
    let value = found.unwrap_or_default();
    // Names may hold blanks: up to the next key, where one follows.
    let end = value
        .find([',', ']', '|'])
        .or_else(|| value.find(' '))
        .unwrap_or(value.len());
    value[..end].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefix: &str) -> Prefix<'_> {
        scan(prefix, &mut Clock::default())
    }

    #[test]
    fn prefixes_that_people_have() {
        let at = Some(1_796_024_540_294_000);
        let second = Some(1_796_024_540_000_000);
        for (prefix, at, session, line, application) in [
            (
                "2026-11-30 07:42:20.294 UTC [16043] ",
                at,
                "16043",
                None,
                "",
            ),
            (
                "2026-11-30 07:42:20.294 UTC [16080] postgres@postgres ",
                at,
                "16080",
                None,
                "",
            ),
            (
                "2026-11-30 07:42:20 UTC [16080]: [5-1] user=app,db=shop,app=my app,client=::1 ",
                second,
                "16080",
                Some(5),
                "my app",
            ),
            (
                "2026-11-30 07:42:20 UTC:10.0.0.7(5432):app@shop:[4711]:",
                second,
                "4711",
                None,
                "",
            ),
            (
                "2026-11-30 07:42:20.294 UTC 6b0d28dc.3eab 12 ",
                at,
                "6b0d28dc.3eab",
                None,
                "",
            ),
            ("1796024540.294 p=4711 a=psql ", at, "4711", None, "psql"),
            (
                "user=app db=shop 2026-11-30 07:42:20 UTC pid=77 ",
                second,
                "77",
                None,
                "",
            ),
        ] {
            let expected = Prefix {
                at,
                session: session_of(session),
                line,
                application,
            };
            assert_eq!(read(prefix), expected, "{prefix}");
        }
        assert_eq!(read("").session, None);
    }
}

//! What a message of the log says of a statement, in any language.

use super::words::{self, Step, UNITS};

/// A message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Message<'a> {
    /// A statement was executed; how long it took, in microseconds, where the same message says it.
    Executed {
        text: &'a str,
        took: Option<u64>,
        /// Whether it came by the extended protocol, which keeps values apart.
        is_portal: bool,
    },
    /// More rows of a portal, or a step before the execution.
    Step,
    /// How long the statement took that was logged before.
    Duration(u64),
    /// A plan of auto_explain.
    Plan { body: &'a str, took: u64 },
    /// A duration with a label that is in none of the languages.
    Unknown,
    /// A setting was changed.
    Setting { name: &'a str, value: &'a str },
    /// The session ended.
    Disconnected,
    /// Nothing about statements.
    Other,
}

/// Reads a message of severity LOG.
pub(super) fn message(text: &str) -> Message<'_> {
    if let Some((took, rest)) = duration(text) {
        return after_duration(took, rest);
    }
    if let Some(setting) = setting(text) {
        return setting;
    }
    if text.starts_with("disconnection: ") {
        return Message::Disconnected;
    }
    // `log_statement` logs before the execution, and the time comes later.
    match labelled(text) {
        Some((label, statement)) => match words::step(label) {
            Some(step @ (Step::Statement | Step::Execute)) => Message::Executed {
                text: statement,
                took: None,
                is_portal: step == Step::Execute,
            },
            Some(Step::Fetch | Step::Before) => Message::Step,
            None => Message::Other,
        },
        None => Message::Other,
    }
}

fn after_duration(took: u64, rest: &str) -> Message<'_> {
    let rest = rest.trim_start_matches([' ', ',']);
    if rest.is_empty() {
        return Message::Duration(took);
    }
    if let Some(body) = rest.strip_prefix("plan:") {
        return Message::Plan { body, took };
    }
    let Some((label, text)) = labelled(rest) else {
        return Message::Unknown;
    };
    match words::step(label) {
        Some(step @ (Step::Statement | Step::Execute)) => Message::Executed {
            text,
            took: Some(took),
            is_portal: step == Step::Execute,
        },
        Some(Step::Fetch | Step::Before) => Message::Step,
        None => Message::Unknown,
    }
}

/// A label and what stands behind its colon.
fn labelled(text: &str) -> Option<(&str, &str)> {
    /// Names of statements are cut at 63 bytes; two of them, and a word.
    const LONGEST: usize = 200;
    let mut end = LONGEST.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut from = 0;
    loop {
        let at = from + text[from..end].find(':')?;
        let rest = &text[at + 1..];
        let label = text[..at].trim_end();
        // In Spanish the step has a colon of its own: `parse: S_1: SELECT`.
        let is_step = matches!(label, "parse" | "bind");
        if !is_step && (rest.is_empty() || rest.starts_with([' ', '\n'])) {
            return Some((label, rest.trim_start_matches(' ')));
        }
        from = at + 1;
    }
}

/// `duration: 0.588 ms  …`: words without a digit, a number, milliseconds. In microseconds.
fn duration(text: &str) -> Option<(u64, &str)> {
    let number = match text.strip_prefix("duration: ") {
        Some(number) => number,
        None => {
            /// The longest word for it, in bytes, with its colon.
            const LONGEST: usize = 50;
            let digit = text
                .bytes()
                .take(LONGEST)
                .position(|byte| byte.is_ascii_digit())?;
            let before = text[..digit].strip_suffix(' ')?;
            let words = before.trim_end_matches([' ', ':', '：']);
            if words.is_empty() || words.contains(['"', '(', '=']) {
                return None;
            }
            &text[digit..]
        }
    };
    let end = number
        .bytes()
        .position(|byte| !byte.is_ascii_digit() && byte != b'.')?;
    let took = micros(&number[..end])?;
    let rest = number[end..].strip_prefix(' ')?;
    let rest = UNITS.iter().find_map(|unit| rest.strip_prefix(unit))?;
    (rest.is_empty() || rest.starts_with([' ', ','])).then_some((took, rest))
}

/// Milliseconds with up to three decimals.
fn micros(number: &str) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut micros = whole.parse::<u64>().ok()?.checked_mul(1_000)?;
    let mut unit = 100;
    for digit in fraction.bytes().take(3) {
        micros += u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * unit;
        unit /= 10;
    }
    Some(micros)
}

/// `parameter "log_min_duration_statement" changed to "100"`: two names in quotes, in any language.
fn setting(text: &str) -> Option<Message<'_>> {
    let start = text
        .find("\"log_")
        .or_else(|| text.find("\"auto_explain."))?;
    let mut quoted = text[start..].split('"').skip(1).step_by(2);
    Some(Message::Setting {
        name: quoted.next()?,
        value: quoted.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_in_every_language() {
        for text in [
            "duration: 0.588 ms  statement: SELECT 1: 2",
            "Dauer: 0.588 ms  Anweisung: SELECT 1: 2",
            "duración: 0.588 ms  sentencia: SELECT 1: 2",
            "durée : 0.588 ms, instruction : SELECT 1: 2",
            "durée : 0.588 ms, exécute S_1 : SELECT 1: 2",
            "期間: 0.588 ミリ秒  文: SELECT 1: 2",
            "期間: 0.588 ミリ秒  実行 <unnamed>: SELECT 1: 2",
            "실행시간: 0.588 ms  명령 구문: SELECT 1: 2",
            "продолжительность: 0.588 мс, оператор: SELECT 1: 2",
            "продолжительность: 0.588 мс  выполнение S_1/C_2: SELECT 1: 2",
            "varaktighet: 0.588 ms  sats: SELECT 1: 2",
            "执行时间: 0.588 ms 语句: SELECT 1: 2",
            "执行时间: 0.588 ms 执行P_0: SELECT 1: 2",
            "ხანგრძლივობა: 0.588 მწმs  გაშვება P_0: SELECT 1: 2",
            "тривалість: 0.588 мс виконувати P_0: SELECT 1: 2",
            "duration: 0.588 ms  execute <unnamed>: SELECT 1: 2",
        ] {
            let Message::Executed {
                text: sql, took, ..
            } = message(text)
            else {
                panic!("{text}");
            };
            assert_eq!((sql, took), ("SELECT 1: 2", Some(588)), "{text}");
        }
    }

    #[test]
    fn steps_are_no_executions() {
        for text in [
            "duration: 0.539 ms  parse P_0: SELECT 1",
            "duration: 0.282 ms  bind P_0: SELECT 1",
            "duration: 0.282 ms  execute fetch from P_0/C_1: SELECT 1",
            "Dauer: 0.282 ms  Parsen P_0: SELECT 1",
            "duración: 0.282 ms  parse: P_0: SELECT 1",
            "실행시간: 0.2 ms  P_0 구문분석: SELECT 1",
            "продолжительность: 0.282 мс, сообщение Bind S_1: SELECT 1",
        ] {
            assert_eq!(message(text), Message::Step, "{text}");
        }
    }

    #[test]
    fn what_else_a_log_says() {
        assert_eq!(message("duration: 12.5 ms"), Message::Duration(12_500));
        assert_eq!(message("varaktighet 12 ms"), Message::Duration(12_000));
        assert_eq!(
            message("trvání: 0.5 ms  příkaz: SELECT 1"),
            Message::Unknown
        );
        assert_eq!(
            message("Parameter »log_min_duration_statement« wurde auf »1« geändert"),
            Message::Other
        );
        assert_eq!(
            message("parameter \"log_min_duration_statement\" changed to \"100\""),
            Message::Setting {
                name: "log_min_duration_statement",
                value: "100"
            }
        );
        for text in [
            "checkpoint complete: wrote 119 buffers (0.7%)",
            "received fast shutdown request",
            "process 4 acquired ShareLock after 1000.5 ms",
            "temporary file: path \"base/pgsql_tmp/x\", size 4",
            "",
        ] {
            assert_eq!(message(text), Message::Other, "{text}");
        }
    }
}

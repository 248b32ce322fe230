//! What the server writes to stderr: a prefix of any kind, a label, a message; its further lines begin with a tab.

use memchr::memmem::Finder;

use super::entry::{Clock, Entry, is_log};
use super::prefix::{Prefix, scan};
use super::words::{Label, label_at_end};
use super::{LONGEST_MESSAGE, Reader};

/// No prefix with its label is longer.
const LONGEST_HEAD: usize = 600;

/// Whether a line begins a message.
pub(super) fn recognizes(line: &str) -> bool {
    let label = Finder::new(":  ");
    head(line, &label).is_some()
}

/// Reads messages.
#[derive(Debug)]
pub(super) struct Stderr {
    label: Finder<'static>,
    clock: Clock,
    /// Whether prefixes have a time: what has none is no head then.
    has_time: bool,
    held: Held,
    /// Where a further line goes.
    target: Target,
    unread: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Message,
    Detail,
    Context,
    Nothing,
}

/// The message that is being read.
#[derive(Debug, Default)]
struct Held {
    is_there: bool,
    at: Option<i64>,
    session: Option<u64>,
    line: Option<(u64, u64)>,
    application: String,
    is_error: bool,
    message: String,
    detail: String,
    context: String,
}

impl Default for Stderr {
    fn default() -> Self {
        Self {
            label: Finder::new(":  "),
            clock: Clock::default(),
            has_time: false,
            held: Held::default(),
            target: Target::Nothing,
            unread: 0,
        }
    }
}

/// A line's prefix, label and text.
struct Head<'a> {
    prefix: &'a str,
    label: Label,
    word: &'a str,
    text: &'a str,
}

fn head<'a>(line: &'a str, label: &Finder<'_>) -> Option<Head<'a>> {
    let end = LONGEST_HEAD.min(line.len());
    let bytes = &line.as_bytes()[..end];
    let mut from = 0;
    while let Some(found) = label.find(&bytes[from..]) {
        let colon = from + found;
        // The colon is one byte, so that both sides are whole characters.
        let before = &line[..colon];
        if let Some((label, start)) = label_at_end(before) {
            return Some(Head {
                prefix: &before[..start],
                label,
                word: before[start..].trim_end(),
                text: line[colon + 1..].trim_start_matches(' '),
            });
        }
        from = colon + 1;
    }
    None
}

impl Reader for Stderr {
    fn line(&mut self, line: &str, take: &mut dyn FnMut(&Entry<'_>)) {
        if let Some(further) = line.strip_prefix('\t') {
            return self.further(further);
        }
        let label = self.label.clone();
        let Some(head) = head(line, &label) else {
            return self.further(line);
        };
        let prefix = scan(head.prefix, &mut self.clock);
        if self.has_time && prefix.at.is_none() {
            return self.further(line);
        }
        self.has_time = prefix.at.is_some();
        match head.label {
            Label::Severity => {
                self.hand_out(take);
                self.held.begin(&prefix, !is_log(head.word), head.text);
                self.target = Target::Message;
            }
            Label::Detail | Label::Statement | Label::Other => {
                let belongs = self.held.is_there && self.held.session == prefix.session;
                self.target = match head.label {
                    Label::Detail if belongs => Target::Detail,
                    Label::Other if belongs && !head.text.is_empty() => Target::Context,
                    _ => Target::Nothing,
                };
                // `%l` counts these lines, too.
                if let (true, Some((_, last)), Some(line)) =
                    (belongs, self.held.line.as_mut(), prefix.line)
                {
                    *last = line;
                }
                if let Some(text) = self.held.of(self.target) {
                    text.push_str(head.text);
                }
            }
        }
    }

    fn end(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> u64 {
        self.hand_out(take);
        self.unread
    }
}

impl Stderr {
    /// The text of a head line whose frame said already what it is.
    fn further(&mut self, line: &str) {
        let Some(text) = self.held.of(self.target) else {
            return;
        };
        if text.len() + line.len() > LONGEST_MESSAGE {
            self.unread += 1;
            self.held.is_there = false;
            self.target = Target::Nothing;
            return;
        }
        text.push('\n');
        text.push_str(line);
    }

    /// A piece of the last line that the server's syslog cut off.
    pub(super) fn rest_of_line(&mut self, piece: &str) {
        if let Some(text) = self.held.of(self.target)
            && text.len() + piece.len() <= LONGEST_MESSAGE
        {
            text.push_str(piece);
        }
    }

    fn hand_out(&mut self, take: &mut dyn FnMut(&Entry<'_>)) {
        if std::mem::take(&mut self.held.is_there) {
            let held = &self.held;
            take(&Entry {
                at: held.at,
                session: held.session,
                line: held.line,
                application: &held.application,
                code: "",
                is_error: held.is_error,
                message: &held.message,
                detail: &held.detail,
                context: &held.context,
            });
        }
    }
}

impl Held {
    fn begin(&mut self, prefix: &Prefix<'_>, is_error: bool, text: &str) {
        (self.at, self.session) = (prefix.at, prefix.session);
        self.line = prefix.line.map(|line| (line, line));
        (self.is_there, self.is_error) = (true, is_error);
        for (kept, new) in [
            (&mut self.application, prefix.application),
            (&mut self.message, text),
            (&mut self.detail, ""),
            (&mut self.context, ""),
        ] {
            kept.clear();
            kept.push_str(new);
        }
    }

    fn of(&mut self, target: Target) -> Option<&mut String> {
        if !self.is_there {
            return None;
        }
        match target {
            Target::Message => Some(&mut self.message),
            Target::Detail => Some(&mut self.detail),
            Target::Context => Some(&mut self.context),
            Target::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Vec<(String, String)> {
        let mut reader = Stderr::default();
        let mut found = Vec::new();
        let mut take =
            |entry: &Entry<'_>| found.push((entry.message.to_owned(), entry.detail.to_owned()));
        for line in log.lines() {
            reader.line(line, &mut take);
        }
        reader.end(&mut take);
        found
    }

    fn messages(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned =
            |(message, detail): &(&str, &str)| ((*message).to_owned(), (*detail).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn messages_have_their_further_lines_and_their_detail() {
        let log = "2026-11-30 07:42:20.942 UTC [16080] a@b LOG:  duration: 49.655 ms  statement: SELECT id,\n\
            \t  'LOG:  no label'\n\
            2026-11-30 07:42:20.950 UTC [16080] a@b LOG:  duration: 1 ms  execute <unnamed>: SELECT $1\n\
            2026-11-30 07:42:20.950 UTC [16080] a@b DETAIL:  parameters: $1 = 'x\n\
            \ty'\n\
            2026-11-30 07:42:20.961 UTC [16080] a@b ERROR:  division by zero\n\
            2026-11-30 07:42:20.961 UTC [16080] a@b STATEMENT:  SELECT 1/0;\n";
        assert_eq!(
            read(log),
            messages(&[
                (
                    "duration: 49.655 ms  statement: SELECT id,\n  'LOG:  no label'",
                    ""
                ),
                (
                    "duration: 1 ms  execute <unnamed>: SELECT $1",
                    "parameters: $1 = 'x\ny'"
                ),
                ("division by zero", ""),
            ])
        );
    }

    #[test]
    fn labels_of_other_languages() {
        let log = "2026-11-30 07:42:20 UTC [7] LOG:  durée : 1 ms, exécute <unnamed> : SELECT $1\n\
            2026-11-30 07:42:20 UTC [7] DÉTAIL:  paramètres : $1 = '5'\n\
            2026-11-30 07:42:20 UTC [7] 日志:  执行时间: 1 ms 语句: SELECT 2\n";
        assert_eq!(
            read(log),
            messages(&[
                (
                    "durée : 1 ms, exécute <unnamed> : SELECT $1",
                    "paramètres : $1 = '5'"
                ),
                ("执行时间: 1 ms 语句: SELECT 2", "")
            ])
        );
    }
}

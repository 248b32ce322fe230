//! Our comment lines: `@param`, `@budget`, `@calls`, `@role`, `@set`, `@for-each`, `@allow`, `@skip`, `@recorded-types`. Read here word by word; what they point at is
//! checked where the whole query, or the whole catalog, is known.

use std::ops::Range;

use super::query::{Budget, Caller, ParameterChoice};
use super::split::CommentLine;
use crate::finding::RuleId;
use crate::source::{Source, SourceError, nearest};
use crate::units::written as values;
use crate::units::{Millis, Pages};

/// Every directive's name, without its `@`.
pub(super) const NAMES: [&str; 9] = [
    "param",
    "budget",
    "calls",
    "role",
    "set",
    "for-each",
    "allow",
    "skip",
    RECORDED_TYPES,
];

/// What a tool recorded of a statement's parameters; written by the sources that read such records.
pub(super) const RECORDED_TYPES: &str = "recorded-types";

/// Settings that an audit's own transactions hold, or without which the server's answers cannot be read.
const HELD: [&str; 11] = [
    "role",
    "session_authorization",
    "transaction_read_only",
    "default_transaction_read_only",
    "transaction_isolation",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
    "plan_cache_mode",
    "client_encoding",
];

/// Directives of other tools that read the same files: sqlc's.
const FOREIGN: &str = "sqlc-";

/// What a query's directives say, each with its place.
#[derive(Debug, Default)]
pub(super) struct Directives {
    pub(super) params: Vec<ParamDirective>,
    pub(super) budget: Budget,
    pub(super) calls_per_second: Option<f64>,
    pub(super) asked_by: Caller,
    pub(super) for_each: Vec<ForEachDirective>,
    pub(super) allows: Vec<AllowDirective>,
    /// Why the query is not to be audited.
    pub(super) skip: Option<String>,
    /// Of `$1`, `$2`…
    pub(super) recorded_types: Vec<String>,
}

/// `@param customer_id: hot`.
#[derive(Debug)]
pub(super) struct ParamDirective {
    pub(super) word: String,
    pub(super) word_span: Range<usize>,
    pub(super) choice: ParameterChoice,
    pub(super) choice_span: Range<usize>,
}

/// `@for-each ListCustomers.id -> $1`.
#[derive(Debug)]
pub(super) struct ForEachDirective {
    pub(super) parent: String,
    pub(super) parent_span: Range<usize>,
    pub(super) column: String,
    pub(super) column_span: Range<usize>,
    pub(super) parameter: String,
    pub(super) parameter_span: Range<usize>,
}

/// `@allow seq-scan: small table`.
#[derive(Debug)]
pub(super) struct AllowDirective {
    pub(super) rule: RuleId,
    pub(super) reason: String,
    pub(super) span: Range<usize>,
}

/// Reads the directives among a query's comment lines. One that is wrong is told and left out: the query is audited.
pub(super) fn read(
    source: &Source,
    comments: &[CommentLine],
    warnings: &mut Vec<SourceError>,
) -> Directives {
    let mut reader = Reader {
        source,
        directives: Directives::default(),
        seen: Vec::new(),
    };
    for comment in comments {
        if let Err(error) = reader.line(comment) {
            warnings.push(error);
        }
    }
    reader.directives
}

/// A stretch of the file: the text and where it stands.
#[derive(Debug, Clone, Copy)]
struct Words<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Words<'a> {
    fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    fn trim(self) -> Self {
        let text = self.text.trim_start();
        Self {
            text: text.trim_end(),
            start: self.start + self.text.len() - text.len(),
        }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let (left, right) = self.text.split_at(at);
        (
            Self {
                text: left,
                start: self.start,
            }
            .trim(),
            Self {
                text: right,
                start: self.start + at,
            }
            .trim(),
        )
    }

    /// Both sides of the first `separator`, trimmed.
    fn split_once(self, separator: &str) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        let (left, right) = self.split_at(at);
        let skipped = Self {
            text: right.text.strip_prefix(separator)?,
            start: right.start + separator.len(),
        };
        Some((left, skipped.trim()))
    }

    /// Without the colon that may stand between a directive and what it says: `@role: app` and `@role : app`.
    fn behind_colon(self) -> Self {
        match self.text.strip_prefix(':') {
            Some(text) => Self {
                text,
                start: self.start + 1,
            }
            .trim(),
            None => self,
        }
    }

    fn first_word(self) -> (Self, Self) {
        self.split_at(
            self.text
                .find(char::is_whitespace)
                .unwrap_or(self.text.len()),
        )
    }

    /// Words between white space.
    fn words(self) -> impl Iterator<Item = Words<'a>> {
        self.text.split_whitespace().map(move |text| {
            // A word is a part of the text, so its place is the distance between the two.
            Words {
                text,
                start: self.start + (text.as_ptr() as usize - self.text.as_ptr() as usize),
            }
        })
    }

    /// Without a remark behind it: `hot   -- the largest customer`. Quotes and parentheses keep theirs.
    fn without_remark(self) -> Self {
        let (mut quoted, mut depth) = (false, 0_usize);
        for (index, c) in self.text.char_indices() {
            match c {
                '\'' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth = depth.saturating_sub(1),
                '-' if !quoted && depth == 0 && self.text[index..].starts_with("--") => {
                    return self.split_at(index).0;
                }
                _ => {}
            }
        }
        self
    }
}

struct Reader<'a> {
    source: &'a Source,
    directives: Directives,
    /// Directives that may stand once, and where they stood.
    seen: Vec<(&'static str, u32)>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, comment: &CommentLine) -> Result<(), SourceError> {
        let source: &'a Source = self.source;
        let line = Words {
            text: &source.text[comment.span.clone()],
            start: comment.span.start,
        };
        let (word, rest) = line.first_word();
        let Some(name) = word.text.strip_prefix('@') else {
            return Ok(());
        };
        let name = name.strip_suffix(':').unwrap_or(name);
        match name {
            "param" => self.param(line, rest.without_remark()),
            "budget" => self
                .once("budget", word)
                .and_then(|()| self.budget(line, rest.without_remark())),
            "calls" => self
                .once("calls", word)
                .and_then(|()| self.calls(line, rest.without_remark())),
            "role" => self
                .once("role", word)
                .and_then(|()| self.role(line, rest.without_remark())),
            "set" => self.set(line, rest.without_remark()),
            "for-each" => self.for_each(line, rest.without_remark()),
            "allow" => self.allow(line, rest),
            "skip" => self.skip(line, rest),
            RECORDED_TYPES => {
                let listed = rest.behind_colon().text.split(',');
                self.directives.recorded_types =
                    listed.map(|name| name.trim().to_owned()).collect();
                Ok(())
            }
            _ if name.starts_with(FOREIGN) => Ok(()),
            // In the statement it may be SQL that was commented out: `-- @name = 1`.
            _ if comment.inside => Ok(()),
            // Prose begins with such words, too (`@deprecated use …`): only what is nearly one of ours is told.
            _ => match nearest(name, NAMES) {
                Some(near) => Err(self.unknown(word, near)),
                None => Ok(()),
            },
        }
    }

    fn error(
        &self,
        at: Words<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> SourceError {
        SourceError::new(self.source, at.span(), message).help(help)
    }

    fn unknown(&self, word: Words<'_>, near: &str) -> SourceError {
        self.error(
            word,
            format!("unknown directive `{}`", word.text),
            format!("did you mean `@{near}`?"),
        )
    }

    /// `@skip: maintenance, run by hand`. Without a reason it is obeyed, and told.
    fn skip(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        let reason = rest.text.trim_start_matches(':').trim();
        if reason.is_empty() {
            self.directives.skip = Some("no reason is given".to_owned());
            return Err(self.error(
                line,
                "`@skip` without a reason",
                "say why: `@skip: maintenance, run by hand`",
            ));
        }
        self.directives.skip = Some(reason.to_owned());
        Ok(())
    }

    /// A directive that may stand once a query.
    fn once(&mut self, name: &'static str, word: Words<'_>) -> Result<(), SourceError> {
        let line = self.source.line_column(word.start).0;
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| *seen == name) {
            let message = format!("a second `@{name}` for the same query");
            let help = match name {
                "role" => format!("the first stands in line {first}; one role asks a query"),
                _ => format!("the first stands in line {first}; write both in one line"),
            };
            return Err(self.error(word, message, help));
        }
        self.seen.push((name, line));
        Ok(())
    }

    fn param(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str = "write `@param customer_id: hot`, with auto, hot, typical, rare, absent, a literal in quotes, or \
                            (select …)";
        let Some((word, choice)) = rest.split_once(":") else {
            return Err(self.error(
                line,
                "`@param` needs a parameter, a colon and a choice",
                FORM,
            ));
        };
        if word.text.is_empty() || word.text.contains(char::is_whitespace) {
            return Err(self.error(
                line,
                "`@param` needs the name of one parameter before the colon",
                FORM,
            ));
        }
        let read = read_choice(choice.text).ok_or_else(|| {
            let words = ["auto", "hot", "typical", "rare", "absent"];
            let help = match nearest(choice.text, words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => FORM.to_owned(),
            };
            match choice.text {
                "" => self.error(line, format!("no choice for parameter {}", word.text), help),
                text => self.error(
                    choice,
                    format!("`{text}` is not a choice for parameter {}", word.text),
                    help,
                ),
            }
        })?;
        self.directives.params.push(ParamDirective {
            word: word.text.to_owned(),
            word_span: word.span(),
            choice: read,
            choice_span: choice.span(),
        });
        Ok(())
    }

    fn budget(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str = "write `@budget time=50ms buffers=2000 rows=500`, any of the three";
        if rest.text.is_empty() {
            return Err(self.error(line, "`@budget` without a limit", FORM));
        }
        for word in rest.words() {
            let Some((key, value)) = word.split_once("=") else {
                return Err(self.error(word, format!("`{}` is not a limit", word.text), FORM));
            };
            let budget = &mut self.directives.budget;
            let twice = match key.text {
                "time" => budget.time.is_some(),
                "buffers" => budget.buffers.is_some(),
                "rows" => budget.rows.is_some(),
                _ => {
                    let help = nearest(key.text, ["time", "buffers", "rows"]);
                    let help = help
                        .map_or_else(|| FORM.to_owned(), |near| format!("did you mean `{near}`?"));
                    return Err(self.error(
                        key,
                        format!("unknown limit `{}` in `@budget`", key.text),
                        help,
                    ));
                }
            };
            if twice {
                return Err(self.error(
                    word,
                    format!("`{}` stands twice in `@budget`", key.text),
                    FORM,
                ));
            }
            let (read, expected) = match key.text {
                "time" => {
                    budget.time = values::millis(value.text)
                        .filter(|time| *time > 0.0)
                        .map(Millis);
                    (budget.time.is_some(), values::EXPECTED_DURATION)
                }
                "buffers" => {
                    budget.buffers = read_pages(value.text);
                    (
                        budget.buffers.is_some(),
                        "expected a number of 8 kB pages, or a size like \"16MB\"",
                    )
                }
                _ => {
                    budget.rows = values::count(value.text);
                    (budget.rows.is_some(), "expected a number of rows")
                }
            };
            if !read {
                let at = if value.text.is_empty() { word } else { value };
                let message = match value.text {
                    "" => format!("no value for `{}`", key.text),
                    text => format!("bad value `{text}` for `{}`", key.text),
                };
                return Err(self.error(at, message, expected));
            }
        }
        Ok(())
    }

    fn calls(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str =
            "write how often it is called in production: `@calls 1200/s`, or /min, /h, /day";
        let rate = rest.split_once("/").and_then(|(number, unit)| {
            let seconds = match unit.text {
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" | "day" => 86_400.0,
                _ => return None,
            };
            let number: f64 = number.text.replace('_', "").parse().ok()?;
            (number.is_finite() && number > 0.0).then_some(number / seconds)
        });
        if rate.is_none() {
            let at = if rest.text.is_empty() { line } else { rest };
            return Err(self.error(at, "bad rate in `@calls`", FORM));
        }
        self.directives.calls_per_second = rate;
        Ok(())
    }

    /// `@role: app_user`; a name with blanks or capitals stands in double quotes.
    fn role(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str = "write the role that the application asks as: `@role: app_user`, or `none` for the connection's own";
        let name = rest.behind_colon();
        let quoted = name
            .text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let role = match quoted {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None if name.text.contains(|c: char| c.is_whitespace() || c == '"') => {
                return Err(self.error(name, "`@role` names one role", FORM));
            }
            // As PostgreSQL folds a name without quotes.
            None => name.text.to_lowercase(),
        };
        if role.is_empty() || role.contains('\0') {
            return Err(self.error(line, "`@role` without a role", FORM));
        }
        self.directives.asked_by.role = Some(role);
        Ok(())
    }

    /// `@set: app.user_id = 42`.
    fn set(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str = "write what the application sets before it asks: `@set: app.user_id = 42`, a value with blanks at \
                            its ends or a remark in it in single quotes";
        let Some((name, value)) = rest.behind_colon().split_once("=") else {
            return Err(self.error(line, "`@set` needs a name, `=` and a value", FORM));
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if name.text.is_empty() || !name.text.chars().all(is_plain) {
            let message = format!("`{}` is not the name of a setting", name.text);
            return Err(self.error(name, message, FORM));
        }
        let name_of = name.text.to_ascii_lowercase();
        if HELD.contains(&name_of.as_str()) {
            let message = format!("`@set` may not change {name_of}");
            let help = match name_of.as_str() {
                "role" => "write `@role: app_user`",
                _ => "pgproof sets it for every query that it runs",
            };
            return Err(self.error(name, message, help));
        }
        let settings = &mut self.directives.asked_by.settings;
        if settings.iter().any(|(set, _)| *set == name_of) {
            let message = format!("a second `@set {name_of}` for the same query");
            return Err(self.error(name, message, "one value is enough"));
        }
        let Some(text) = setting_value(value.text) else {
            return Err(self.error(value, "the value's quotes do not match", FORM));
        };
        settings.push((name_of, text));
        Ok(())
    }

    fn for_each(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        const FORM: &str = "write `@for-each ListCustomers.id -> $1`: the query whose rows drive it, its column, and the \
                            parameter that the value goes to";
        let parts = rest
            .split_once("->")
            .and_then(|(from, to)| Some((from.split_once(".")?, to)));
        let whole =
            |words: &Words<'_>| !words.text.is_empty() && !words.text.contains(char::is_whitespace);
        match parts {
            Some(((parent, column), to)) if [parent, column, to].iter().all(whole) => {
                self.directives.for_each.push(ForEachDirective {
                    parent: parent.text.to_owned(),
                    parent_span: parent.span(),
                    column: column.text.trim_matches('"').to_owned(),
                    column_span: column.span(),
                    parameter: to.text.to_owned(),
                    parameter_span: to.span(),
                });
                Ok(())
            }
            Some(_) | None => Err(self.error(
                line,
                "`@for-each` needs a query, its column and a parameter",
                FORM,
            )),
        }
    }

    fn allow(&mut self, line: Words<'_>, rest: Words<'_>) -> Result<(), SourceError> {
        let (rule, reason) = match rest.split_once(":") {
            Some((rule, reason)) => (rule, Some(reason.text).filter(|reason| !reason.is_empty())),
            None => (rest.first_word().0, None),
        };
        if rule.text.is_empty() {
            return Err(self.error(
                line,
                "`@allow` without a rule",
                "write `@allow seq-scan: small table, 40 rows`",
            ));
        }
        let Ok(id) = rule.text.parse::<RuleId>() else {
            let help = match nearest(rule.text, RuleId::ALL.iter().map(|id| id.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`pgproof rules` lists the rules".to_owned(),
            };
            return Err(self.error(rule, format!("there is no rule `{}`", rule.text), help));
        };
        let Some(reason) = reason else {
            let help = format!("say why it is fine: `@allow {id}: small table, 40 rows`");
            return Err(self.error(line, format!("`@allow {id}` without a reason"), help));
        };
        let allows = &mut self.directives.allows;
        if allows.iter().any(|allow| allow.rule == id) {
            return Err(self.error(
                rule,
                format!("a second `@allow {id}` for the same query"),
                "one reason is enough",
            ));
        }
        allows.push(AllowDirective {
            rule: id,
            reason: reason.to_owned(),
            span: line.span(),
        });
        Ok(())
    }
}

/// A setting's value: in single quotes with each of its own doubled, else as it stands; `None` where quotes do not match.
fn setting_value(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('\'') else {
        return Some(text.to_owned());
    };
    let quoted = rest.strip_suffix('\'')?;
    let lone = quoted.replace("''", "").contains('\'');
    (!lone).then(|| quoted.replace("''", "'"))
}

fn read_choice(text: &str) -> Option<ParameterChoice> {
    match text {
        "auto" => return Some(ParameterChoice::Auto),
        "hot" => return Some(ParameterChoice::Hot),
        "typical" => return Some(ParameterChoice::Typical),
        "rare" => return Some(ParameterChoice::Rare),
        "absent" => return Some(ParameterChoice::Absent),
        "true" | "false" => return Some(ParameterChoice::Literal(text.to_owned())),
        _ => {}
    }
    if let Some(subquery) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        return Some(ParameterChoice::Query(subquery.trim().to_owned()));
    }
    if let Some(quoted) = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        // A lone quote inside ends the literal: what follows it is a mistake.
        let lone = quoted.replace("''", "").contains('\'');
        return (!lone).then(|| ParameterChoice::Literal(quoted.replace("''", "'")));
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    let digits = number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok();
    digits.then(|| ParameterChoice::Literal(text.to_owned()))
}

fn read_pages(text: &str) -> Option<Pages> {
    let pages = match values::count(text) {
        Some(pages) => pages,
        // A size is rounded up to whole pages; it is finite and not negative.
        None => (values::bytes(text)? / Pages::SIZE as f64).ceil() as u64,
    };
    (pages > 0).then_some(Pages(pages))
}

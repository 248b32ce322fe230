//! A catalog query as data: the statement, its parameters, and what its directives ask for.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::finding::{Location, RuleId};
use crate::source::SourceError;
use crate::sql::token::{TokenKind, tokens};
use crate::units::{Millis, Pages};

/// One query of the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Unique in the catalog.
    pub name: String,
    /// What the caller expects back.
    pub command: Command,
    /// Relative to the project.
    pub file: PathBuf,
    /// 1-based line of the `-- name:` header.
    pub header_line: u32,
    /// 1-based line of the statement's first token.
    pub line: u32,
    /// 1-based column, in characters, of the statement's first token.
    pub column: u32,
    /// The statement as it was written, without the final `;`.
    pub source: String,
    /// The statement with every parameter as `$n`, ready for PREPARE.
    pub sql: String,
    /// Which part of `sql` stands for which part of `source`.
    pub segments: Vec<Segment>,
    /// In order of their number, without gaps.
    pub parameters: Vec<Parameter>,
    /// SELECT, INSERT…
    pub statement: StatementKind,
    /// Whether it changes data (a data-modifying CTE or FOR UPDATE counts as well).
    pub writes: bool,
    /// `@budget`.
    pub budget: Budget,
    /// `@calls`: expected executions per second in production.
    pub calls_per_second: Option<f64>,
    /// `@role` and `@set`.
    pub asked_by: Caller,
    /// `@for-each`.
    pub for_each: Vec<ForEach>,
    /// `@allow`.
    pub allows: Vec<Allow>,
    /// `@recorded-types`: what the tool that prepared the statement recorded of `$1`, `$2`…; `unknown` where it did not.
    pub recorded_types: Vec<String>,
}

/// Who asks: `[audit] role` and `[audit] settings` for all queries, `@role` and `@set` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Caller {
    /// `SET ROLE`; `none` is whoever the connection is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `SET name = value`, in the order in which they were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

impl Caller {
    /// Whether nothing is said of it.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        self.role.is_none() && self.settings.is_empty()
    }
}

impl fmt::Display for Caller {
    /// `role app_user, app.user_id = 42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.iter().map(|role| format!("role {role}"));
        let settings = self.settings.iter();
        let settings = settings.map(|(name, value)| format!("{name} = {value}"));
        let parts: Vec<String> = role.chain(settings).collect();
        f.write_str(&parts.join(", "))
    }
}

impl Query {
    /// A statement that stands in no catalog, as it is: of a plan, a recording, a saved report. Nothing is known of its parameters.
    #[must_use]
    pub fn of_text(name: String, file: PathBuf, line: u32, text: String) -> Self {
        Self {
            name,
            command: Command::Many,
            file,
            header_line: 1,
            line,
            column: 1,
            source: text.clone(),
            sql: text,
            segments: vec![Segment {
                sql: 0,
                source: 0,
                verbatim: true,
            }],
            parameters: Vec::new(),
            statement: StatementKind::Select,
            writes: false,
            budget: Budget::default(),
            calls_per_second: None,
            asked_by: Caller::default(),
            for_each: Vec::new(),
            allows: Vec::new(),
            recorded_types: Vec::new(),
        }
    }

    /// Where a finding about the query points: the statement.
    #[must_use]
    pub fn location(&self) -> Location {
        Location {
            file: self.file.clone(),
            line: self.line,
        }
    }

    /// Line and column (in characters, from 1) in the file of a character position (from 1) in `sql`, as the server
    /// reports it with an error. A position past the end is the end.
    #[must_use]
    pub fn source_position(&self, sql_position: u32) -> (u32, u32) {
        let characters = usize::try_from(sql_position)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let sql_offset = self
            .sql
            .char_indices()
            .nth(characters)
            .map_or(self.sql.len(), |(offset, _)| offset);
        let before = self
            .source
            .get(..source_offset(&self.segments, sql_offset))
            .unwrap_or(&self.source);
        let (mut line, mut column) = (self.line, self.column);
        for character in before.chars() {
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        (line, column)
    }

    /// A statement with `$n` as the file would have it: `$1` of `@customer` is `@customer` again. A list keeps its `$n`.
    #[must_use]
    pub fn in_words_of_source(&self, sql: &str) -> String {
        let mut words: HashMap<&str, &str> = HashMap::new();
        for (at, segment) in self
            .segments
            .iter()
            .enumerate()
            .filter(|(_, s)| !s.verbatim)
        {
            let next = self.segments.get(at + 1);
            let end = |of: fn(&Segment) -> usize, whole: usize| next.map_or(whole, of);
            let (sql_end, source_end) = (
                end(|next| next.sql, self.sql.len()),
                end(|next| next.source, self.source.len()),
            );
            let number = self.sql.get(segment.sql..sql_end);
            let written = self.source.get(segment.source..source_end);
            if let (Some(number), Some(written)) = (number, written) {
                words.entry(number).or_insert(written);
            }
        }
        let mut text = String::with_capacity(sql.len());
        for token in tokens(sql) {
            let own = &sql[token.span];
            let is_parameter = matches!(token.kind, TokenKind::PositionalParam { .. });
            let known = words.get(own).filter(|_| is_parameter);
            text.push_str(known.copied().unwrap_or(own));
        }
        text
    }

    /// The parameter that a directive or a person means: `customer_id`, `$1` or `1`.
    #[must_use]
    pub fn parameter(&self, word: &str) -> Option<&Parameter> {
        find_parameter(&self.parameters, word)
    }
}

/// A statement of the catalog, or a file of it, that is not audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name, else its place.
    pub name: String,
    /// Relative to the project.
    pub file: PathBuf,
    /// 1-based line of the statement, or of the header where there is none.
    pub line: u32,
    pub why: SkipReason,
}

/// Why a statement is not audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// It cannot be read.
    Mistake(SourceError),
    /// It is nothing that has a plan: DDL, LOCK, ANALYZE, REFRESH.
    NoPlan(SourceError),
    /// `@skip`.
    Asked {
        /// As it was written.
        reason: String,
    },
    /// `exclude` of pgproof.toml.
    Excluded {
        /// The pattern that fits it.
        pattern: String,
    },
    /// It is no query of the application's: rows of pg_stat_statements, say.
    NoQueries {
        /// How many of which kind.
        reason: String,
    },
}

impl Skipped {
    /// The mistake; `None` where somebody decided that it is not audited.
    #[must_use]
    pub fn mistake(&self) -> Option<&SourceError> {
        match &self.why {
            SkipReason::Mistake(error) | SkipReason::NoPlan(error) => Some(error),
            SkipReason::Asked { .. }
            | SkipReason::Excluded { .. }
            | SkipReason::NoQueries { .. } => None,
        }
    }

    /// Why, in words.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.why {
            SkipReason::Mistake(error) | SkipReason::NoPlan(error) => error.message.clone(),
            SkipReason::Asked { reason } => format!("`@skip`: {reason}"),
            SkipReason::Excluded { pattern } => format!("`exclude` names {pattern:?}"),
            SkipReason::NoQueries { reason } => reason.clone(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match &self.why {
            SkipReason::Mistake(error) | SkipReason::NoPlan(error) => error
                .help
                .clone()
                .unwrap_or_else(|| "correct it, or write `-- @skip: reason` above it".to_owned()),
            SkipReason::Asked { .. } => "take the directive out to have it audited".to_owned(),
            SkipReason::Excluded { .. } => {
                "take the pattern out of pgproof.toml to have it audited".to_owned()
            }
            SkipReason::NoQueries { .. } => "none is needed".to_owned(),
        }
    }
}

/// The parameter that a directive or a person means: `customer_id`, `$1` or `1`. A name that was read off the statement
/// counts only if it is one parameter's alone.
#[must_use]
pub fn find_parameter<'a>(parameters: &'a [Parameter], word: &str) -> Option<&'a Parameter> {
    if let Ok(number) = word.strip_prefix('$').unwrap_or(word).parse::<u16>() {
        return parameters
            .iter()
            .find(|parameter| parameter.number == number);
    }
    let word = word.strip_prefix(['@', ':']).unwrap_or(word);
    if let Some(named) = parameters
        .iter()
        .find(|parameter| parameter.name.as_deref() == Some(word))
    {
        return Some(named);
    }
    let mut inferred = parameters
        .iter()
        .filter(|parameter| parameter.column.as_deref() == Some(word));
    inferred.next().filter(|_| inferred.next().is_none())
}

/// A stretch of `Query::sql` and where it comes from. Ends where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Byte offset in `Query::sql`.
    pub sql: usize,
    /// Byte offset in `Query::source`.
    pub source: usize,
    /// Whether the text is the same in both; else it stands for the whole of what it replaced.
    pub verbatim: bool,
}

/// The byte offset in `Query::source` of a byte offset in `Query::sql`.
#[must_use]
pub fn source_offset(segments: &[Segment], sql_offset: usize) -> usize {
    let after = segments.partition_point(|segment| segment.sql <= sql_offset);
    match after.checked_sub(1).and_then(|index| segments.get(index)) {
        Some(segment) if segment.verbatim => segment.source + (sql_offset - segment.sql),
        Some(segment) => segment.source,
        None => 0,
    }
}

/// sqlc's commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    One,
    Many,
    Exec,
    ExecResult,
    ExecRows,
    ExecLastId,
    CopyFrom,
    BatchExec,
    BatchMany,
    BatchOne,
}

impl Command {
    /// Every command with the word that names it after the colon.
    pub const ALL: [(&'static str, Self); 10] = [
        ("one", Self::One),
        ("many", Self::Many),
        ("exec", Self::Exec),
        ("execresult", Self::ExecResult),
        ("execrows", Self::ExecRows),
        ("execlastid", Self::ExecLastId),
        ("copyfrom", Self::CopyFrom),
        ("batchexec", Self::BatchExec),
        ("batchmany", Self::BatchMany),
        ("batchone", Self::BatchOne),
    ];

    /// The word that names it, without its colon.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, command)| *command == self)
            .map_or("many", |(word, _)| word)
    }

    /// The command of a word without its colon.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, command)| *command)
    }
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Values,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// From 1: `$1`.
    pub number: u16,
    /// For `@name`, `:name`, `sqlc.arg(name)`.
    pub name: Option<String>,
    /// The column or clause that a parameter without a name is compared with or written to, as the statement says it:
    /// `customer_id`, `limit`.
    pub column: Option<String>,
    /// `sqlc.narg`: NULL is a normal value.
    pub nullable: bool,
    /// `sqlc.slice`: becomes `= ANY($n)`.
    pub slice: bool,
    /// `@param`.
    pub choice: ParameterChoice,
}

impl Parameter {
    /// What people call it: its name, else the column that it meets, else `$1`.
    #[must_use]
    pub fn label(&self) -> String {
        self.name
            .clone()
            .or_else(|| self.column.clone())
            .unwrap_or_else(|| format!("${}", self.number))
    }
}

/// Where a parameter's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ParameterChoice {
    /// Every kind that the data offers; the worst counts.
    #[default]
    Auto,
    /// The most common value.
    Hot,
    /// The median.
    Typical,
    /// A value of few rows.
    Rare,
    /// A value that is not there.
    Absent,
    /// A literal, as text.
    Literal(String),
    /// A subquery (without its parentheses) whose first column is the value.
    Query(String),
}

/// `@budget time=50ms buffers=2000 rows=500`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Execution time.
    pub time: Option<Millis>,
    /// Blocks touched.
    pub buffers: Option<Pages>,
    /// Rows returned or changed.
    pub rows: Option<u64>,
}

/// `@for-each ListCustomers.id -> $1`: the application runs this once per row of another query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForEach {
    /// The query whose rows drive it.
    pub parent: String,
    /// The parent's output column.
    pub column: String,
    /// The parameter that the column's value goes to.
    pub parameter: u16,
    /// 1-based line of the directive.
    pub line: u32,
}

/// `@allow seq-scan: small lookup table, 40 rows`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rule that may speak without counting.
    pub rule: RuleId,
    /// Why.
    pub reason: String,
    /// 1-based line of the directive.
    pub line: u32,
}

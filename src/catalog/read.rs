//! Blocks made queries, and the catalog checked as a whole. Pure: what stands in the files is handed in. A query that cannot
//! be read stops no other: it is left out with its reason.

mod names;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::Catalog;
use super::directives::{self, Directives};
use super::parameters::{self, Rewritten};
use super::query::{
    Allow, Command, ForEach, ParameterChoice, Query, SkipReason, Skipped, find_parameter,
    source_offset,
};
use super::split::{Block, split};
use super::statement::{self, Columns, Mistake};
use crate::source::{Source, SourceError, nearest};
use names::{qualify, repeated};

/// A query with what is needed to check it against the others.
#[derive(Debug)]
struct Draft<'a> {
    source: &'a Source,
    /// As the file names it; the catalog may have to say more to tell it from others.
    plain: String,
    /// The name's place, else the statement's.
    name_span: std::ops::Range<usize>,
    query: Query,
    columns: Columns,
    directives: Directives,
}

/// Every query of the files, what is left out, and what is odd. To be called with [`crate::sql::tree::STACK`].
pub(super) fn catalog(sources: &[Source], packages: &BTreeMap<PathBuf, String>) -> Catalog {
    let mut reader = Reader::default();
    for source in sources {
        let without_header = match packages.contains_key(&source.path) {
            true => WithoutHeader::NoQuery,
            false => WithoutHeader::MayBeAQuery,
        };
        reader.file(source, without_header);
    }
    let Reader {
        mut drafts,
        mut skipped,
        mut warnings,
    } = reader;
    repeated(&mut drafts, &mut skipped);
    qualify(&mut drafts, packages, &mut warnings);
    let for_each = all_for_each(&drafts, &skipped, &mut warnings);
    let queries = drafts
        .into_iter()
        .zip(for_each)
        .map(|(draft, for_each)| Query {
            for_each,
            ..draft.query
        })
        .collect();
    warnings.sort_by(|a, b| {
        (&a.source_file.path, a.span.start).cmp(&(&b.source_file.path, b.span.start))
    });
    Catalog {
        queries,
        skipped,
        warnings,
    }
}

/// What a statement without a header is that makes or changes the schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WithoutHeader {
    /// In files of sqlc, which takes what has a header alone.
    NoQuery,
    /// A query, where no other one of the file has a header.
    MayBeAQuery,
}

#[derive(Default)]
struct Reader<'a> {
    drafts: Vec<Draft<'a>>,
    skipped: Vec<Skipped>,
    warnings: Vec<SourceError>,
}

impl<'a> Reader<'a> {
    fn file(&mut self, source: &'a Source, without_header: WithoutHeader) {
        let (first_draft, first_skipped) = (self.drafts.len(), self.skipped.len());
        let (mut blocks, mut headers) = (0, 0);
        let mut schema_statements: Vec<usize> = Vec::new();
        let mut warnings = Vec::new();
        let mut of_blocks = Vec::new();
        split(source, &mut warnings, &mut |block| {
            blocks += 1;
            headers += usize::from(block.header.is_some());
            let is_schema = block.header.is_none() && is_of_the_schema(source, &block.tokens);
            match draft(source, block, &mut of_blocks) {
                Ok(draft) => self.drafts.push(draft),
                Err(skipped) => {
                    if is_schema && skipped.mistake().is_some() {
                        schema_statements.push(self.skipped.len());
                    }
                    self.skipped.push(*skipped);
                }
            }
        });
        // Where queries have headers, a statement without one that makes a table is the schema's; and so is a file that makes
        // and changes tables and does nothing else.
        let is_a_script = blocks > 1 && schema_statements.len() == blocks;
        if headers > 0 || is_a_script || without_header == WithoutHeader::NoQuery {
            for at in schema_statements {
                self.skipped[at].why = SkipReason::NoQueries {
                    reason: "a statement of the schema, without a header".to_owned(),
                };
            }
        }
        warnings.append(&mut of_blocks);
        self.warnings.append(&mut warnings);
        // One statement a file needs no header: the file's name says what it is.
        if blocks == 1
            && let Some(stem) = source.path.file_stem()
        {
            let stem = stem.to_string_lossy().into_owned();
            for draft in self.drafts[first_draft..]
                .iter_mut()
                .filter(|draft| draft.is_unnamed())
            {
                draft.plain.clone_from(&stem);
                draft.query.name.clone_from(&stem);
            }
            for skipped in &mut self.skipped[first_skipped..] {
                if skipped.name == name_by_place(source, skipped.line) {
                    skipped.name.clone_from(&stem);
                }
            }
        }
    }
}

impl Draft<'_> {
    /// Whether it is named by its place.
    fn is_unnamed(&self) -> bool {
        self.plain == name_by_place(self.source, self.query.line)
    }
}

/// Whether a statement makes or changes what queries read, by its first word.
fn is_of_the_schema(source: &Source, tokens: &[crate::sql::token::Token]) -> bool {
    let first = tokens.iter().find(|token| !token.is_trivia());
    first.is_some_and(|token| {
        let word = source.text[token.span.clone()].to_ascii_lowercase();
        matches!(
            word.as_str(),
            "create" | "alter" | "drop" | "comment" | "grant" | "revoke"
        )
    })
}

/// `queries/report.sql:12`: a statement without a name in a file with several.
fn name_by_place(source: &Source, line: u32) -> String {
    format!("{}:{line}", source.path.display())
}

/// One block made a query, or what keeps it from being one. Wrong directives are told and left out.
fn draft<'a>(
    source: &'a Source,
    block: Block,
    warnings: &mut Vec<SourceError>,
) -> Result<Draft<'a>, Box<Skipped>> {
    let span = block.statement_span();
    let place = span
        .as_ref()
        .map_or(block.header_span.start, |span| span.start);
    let (line, column) = source.line_column(place);
    let plain = match &block.header {
        Some(header) => header.name.clone(),
        None => name_by_place(source, line),
    };
    let left_out = |why: SkipReason| {
        Box::new(Skipped {
            name: plain.clone(),
            file: source.path.clone(),
            line,
            why,
        })
    };
    if let Some(mistake) = block.mistake {
        return Err(left_out(SkipReason::Mistake(mistake)));
    }
    let directives = directives::read(source, &block.comments, warnings);
    if let Some(reason) = directives.skip {
        return Err(left_out(SkipReason::Asked { reason }));
    }
    let Some(span) = span else {
        let message = format!("query {plain} has no statement");
        let error =
            SourceError::new(source, block.header_span, message).help("write it under the header");
        return Err(left_out(SkipReason::Mistake(error)));
    };
    let (rewritten, statement) =
        understood(source, &block.tokens, span.start).map_err(|why| left_out(*why))?;
    let Rewritten {
        sql,
        segments,
        mut parameters,
    } = rewritten;
    for (number, column) in statement.meets {
        let unnamed = parameters
            .iter_mut()
            .find(|p| p.number == number && p.name.is_none());
        if let Some(parameter) = unnamed {
            parameter.column = Some(column);
        }
    }
    let allow = |allow: &directives::AllowDirective| Allow {
        rule: allow.rule,
        reason: allow.reason.clone(),
        line: source.line_column(allow.span.start).0,
    };
    let mut query = Query {
        name: plain.clone(),
        command: block
            .header
            .as_ref()
            .map_or(Command::Many, |header| header.command),
        file: source.path.clone(),
        header_line: source.line_column(block.header_span.start).0,
        line,
        column,
        source: source.text[span.clone()].to_owned(),
        sql,
        segments,
        parameters,
        statement: statement.kind,
        writes: statement.writes,
        budget: directives.budget,
        calls_per_second: directives.calls_per_second,
        asked_by: directives.asked_by.clone(),
        for_each: Vec::new(),
        allows: directives.allows.iter().map(allow).collect(),
        recorded_types: directives.recorded_types.clone(),
    };
    choose(source, &directives, &mut query, warnings);
    Ok(Draft {
        source,
        plain,
        name_span: block.header.map_or(span, |header| header.name_span),
        query,
        columns: statement.columns,
        directives,
    })
}

/// The statement with its parameters numbered, and what it is.
fn understood(
    source: &Source,
    tokens: &[crate::sql::token::Token],
    start: usize,
) -> Result<(Rewritten, statement::Statement), Box<SkipReason>> {
    let rewritten = parameters::rewrite(source, tokens)
        .map_err(|mistake| Box::new(SkipReason::Mistake(*mistake)))?;
    match statement::read(&rewritten.sql) {
        Ok(statement) => Ok((rewritten, statement)),
        Err(mistake) => {
            let has_no_plan = mistake.has_no_plan;
            let error = located(source, start, &rewritten, mistake);
            Err(Box::new(match has_no_plan {
                true => SkipReason::NoPlan(error),
                false => SkipReason::Mistake(error),
            }))
        }
    }
}

/// A mistake in the rewritten statement, at its place in the file.
fn located(source: &Source, start: usize, rewritten: &Rewritten, mistake: Mistake) -> SourceError {
    let from = start + source_offset(&rewritten.segments, mistake.span.start);
    let to = start
        + source_offset(
            &rewritten.segments,
            mistake.span.end.saturating_sub(1).max(mistake.span.start),
        );
    let mut end = (to + 1).min(source.text.len());
    while !source.text.is_char_boundary(end) {
        end += 1;
    }
    let error = SourceError::new(source, from.min(end)..end, mistake.message);
    match mistake.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// `@param` into the parameters.
fn choose(
    source: &Source,
    directives: &Directives,
    query: &mut Query,
    errors: &mut Vec<SourceError>,
) {
    let mut chosen: Vec<u16> = Vec::new();
    for param in &directives.params {
        let Some(number) =
            find_parameter(&query.parameters, &param.word).map(|parameter| parameter.number)
        else {
            errors.push(no_parameter(source, &param.word_span, &param.word, query));
            continue;
        };
        if chosen.contains(&number) {
            let message = format!("a second `@param` for parameter {}", param.word);
            errors.push(
                SourceError::new(source, param.word_span.clone(), message)
                    .help("one choice is enough"),
            );
            continue;
        }
        if let ParameterChoice::Query(sql) = &param.choice
            && let Err(mistake) = statement::read(sql).and_then(|statement| reads_only(&statement))
        {
            let message = format!(
                "the subquery for parameter {}: {}",
                param.word, mistake.message
            );
            errors.push(SourceError::new(source, param.choice_span.clone(), message));
            continue;
        }
        chosen.push(number);
        if let Some(parameter) = query
            .parameters
            .iter_mut()
            .find(|parameter| parameter.number == number)
        {
            parameter.choice = param.choice.clone();
        }
    }
}

fn reads_only(statement: &statement::Statement) -> Result<(), Mistake> {
    if statement.writes {
        return Err(Mistake {
            span: 0..0,
            message: "it must not write".into(),
            help: None,
            has_no_plan: false,
        });
    }
    Ok(())
}

fn no_parameter(
    source: &Source,
    span: &std::ops::Range<usize>,
    word: &str,
    query: &Query,
) -> SourceError {
    let labels: Vec<String> = query
        .parameters
        .iter()
        .map(super::query::Parameter::label)
        .collect();
    let shared = labels.iter().filter(|label| *label == word).count() > 1;
    let help = if shared {
        format!("several parameters meet `{word}`: write $1, $2…")
    } else if let Some(near) = nearest(word, labels.iter().map(String::as_str)) {
        format!("did you mean `{near}`?")
    } else if labels.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its parameters: {}", labels.join(", "))
    };
    SourceError::new(
        source,
        span.clone(),
        format!("query {} has no parameter `{word}`", query.name),
    )
    .help(help)
}

/// `@for-each` of every query against the others.
fn all_for_each(
    drafts: &[Draft<'_>],
    skipped: &[Skipped],
    warnings: &mut Vec<SourceError>,
) -> Vec<Vec<ForEach>> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        by_name.entry(&draft.plain).or_default().push(index);
        if draft.query.name != draft.plain {
            by_name.entry(&draft.query.name).or_default().push(index);
        }
    }
    let known = Known {
        drafts,
        by_name,
        left_out: skipped
            .iter()
            .map(|skipped| skipped.name.as_str())
            .collect(),
    };
    drafts
        .iter()
        .map(|draft| known.for_each(draft, warnings))
        .collect()
}

struct Known<'a> {
    drafts: &'a [Draft<'a>],
    by_name: HashMap<&'a str, Vec<usize>>,
    left_out: HashSet<&'a str>,
}

impl Known<'_> {
    /// The query of that name: in the same file, else in the same folder, else the only one.
    fn parent(&self, draft: &Draft<'_>, name: &str) -> Option<&Draft<'_>> {
        let found = self.by_name.get(name)?;
        let of = |index: &&usize| {
            let other = &self.drafts[**index].source.path;
            (
                *other != draft.source.path,
                other.parent() != draft.source.path.parent(),
            )
        };
        found
            .iter()
            .min_by_key(of)
            .map(|index| &self.drafts[*index])
    }

    fn for_each(&self, draft: &Draft<'_>, warnings: &mut Vec<SourceError>) -> Vec<ForEach> {
        let mut found = Vec::new();
        for each in &draft.directives.for_each {
            let Some(parameter) = find_parameter(&draft.query.parameters, &each.parameter) else {
                warnings.push(no_parameter(
                    draft.source,
                    &each.parameter_span,
                    &each.parameter,
                    &draft.query,
                ));
                continue;
            };
            let Some(parent) = self.parent(draft, &each.parent) else {
                if !self.left_out.contains(each.parent.as_str()) {
                    warnings.push(self.no_parent(draft, each));
                }
                continue;
            };
            if let Err(error) = returns(parent, draft, each) {
                warnings.push(*error);
                continue;
            }
            found.push(ForEach {
                parent: parent.query.name.clone(),
                column: each.column.clone(),
                parameter: parameter.number,
                line: draft.source.line_column(each.parent_span.start).0,
            });
        }
        found
    }

    fn no_parent(&self, draft: &Draft<'_>, each: &directives::ForEachDirective) -> SourceError {
        let names = self.by_name.keys().chain(&self.left_out).copied();
        let error = SourceError::new(
            draft.source,
            each.parent_span.clone(),
            format!("there is no query `{}`", each.parent),
        );
        match nearest(&each.parent, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("name the query whose rows drive this one"),
        }
    }
}

/// Whether the parent returns the column, as far as its text tells.
fn returns(
    parent: &Draft<'_>,
    draft: &Draft<'_>,
    each: &directives::ForEachDirective,
) -> Result<(), Box<SourceError>> {
    let columns = &parent.columns;
    if !columns.complete || columns.names.contains(&each.column) {
        return Ok(());
    }
    let message = format!("query {} returns no column `{}`", each.parent, each.column);
    let error = SourceError::new(draft.source, each.column_span.clone(), message);
    let near = nearest(&each.column, columns.names.iter().map(String::as_str));
    Err(Box::new(match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None if columns.names.is_empty() => error.help("it returns none"),
        None => error.help(format!("its columns: {}", columns.names.join(", "))),
    }))
}

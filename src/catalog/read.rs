//! Blocks made queries, and the catalog checked as a whole. Pure: what stands in the files is handed in.

use super::directives::{self, Directives};
use super::parameters::{self, Rewritten};
use super::query::{Allow, ForEach, ParameterChoice, Query, find_parameter, source_offset};
use super::split::{Block, Header, split};
use super::statement::{self, Columns, Mistake};
use crate::source::{Source, SourceError, nearest};

/// A query with what is needed to check it against the others.
#[derive(Debug)]
struct Draft<'a> {
    source: &'a Source,
    header: Header,
    query: Query,
    columns: Columns,
    directives: Directives,
}

/// Every query of the files, or every mistake in them. To be called with [`crate::sql::tree::STACK`].
pub(super) fn queries(sources: &[Source]) -> Result<Vec<Query>, Vec<SourceError>> {
    let mut errors = Vec::new();
    let mut drafts = Vec::new();
    // Names of queries that are broken: they exist, so nobody is told that they do not.
    let mut broken = Vec::new();
    for source in sources {
        for block in split(source, &mut errors) {
            let name = block.header.as_ref().map(|header| (source, header.clone()));
            match draft(source, block, &mut errors) {
                Some(draft) => drafts.push(draft),
                None => broken.extend(name),
            }
        }
    }
    duplicates(&drafts, &broken, &mut errors);
    let broken: Vec<&str> = broken
        .iter()
        .map(|(_, header)| header.name.as_str())
        .collect();
    let for_each: Vec<Vec<ForEach>> = drafts
        .iter()
        .map(|draft| for_each(draft, &drafts, &broken, &mut errors))
        .collect();
    if !errors.is_empty() {
        errors.sort_by(|a, b| {
            (&a.source_file.path, a.span.start).cmp(&(&b.source_file.path, b.span.start))
        });
        return Err(errors);
    }
    Ok(drafts
        .into_iter()
        .zip(for_each)
        .map(|(draft, for_each)| Query {
            for_each,
            ..draft.query
        })
        .collect())
}

/// One block made a query; `None` where its statement is wrong, which was told. One with wrong directives is still checked
/// against the others.
fn draft<'a>(source: &'a Source, block: Block, errors: &mut Vec<SourceError>) -> Option<Draft<'a>> {
    let directives = directives::read(source, &block.comments, errors);
    let header = block.header.as_ref()?;
    let Some(span) = block.statement_span() else {
        if !block.broken {
            let message = format!("query {} has no statement", header.name);
            errors.push(
                SourceError::new(source, block.header_span, message)
                    .help("write it under the header"),
            );
        }
        return None;
    };
    if block.broken {
        return None;
    }
    let rewritten = parameters::rewrite(source, &block.tokens, errors)?;
    let statement = match statement::read(&rewritten.sql) {
        Ok(statement) => statement,
        Err(mistake) => {
            errors.push(located(source, span.start, &rewritten, mistake));
            return None;
        }
    };
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
    let (line, column) = source.line_column(span.start);
    let mut query = Query {
        name: header.name.clone(),
        command: header.command,
        file: source.path.clone(),
        header_line: source.line_column(block.header_span.start).0,
        line,
        column,
        source: source.text[span].to_owned(),
        sql,
        segments,
        parameters,
        statement: statement.kind,
        writes: statement.writes,
        budget: directives.budget,
        calls_per_second: directives.calls_per_second,
        for_each: Vec::new(),
        allows: directives
            .allows
            .iter()
            .map(|allow| Allow {
                rule: allow.rule,
                reason: allow.reason.clone(),
                line: source.line_column(allow.span.start).0,
            })
            .collect(),
    };
    choose(source, &directives, &mut query, errors);
    Some(Draft {
        source,
        header: header.clone(),
        query,
        columns: statement.columns,
        directives,
    })
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

/// Every name once.
fn duplicates(drafts: &[Draft<'_>], broken: &[(&Source, Header)], errors: &mut Vec<SourceError>) {
    let mut all: Vec<(&Source, &Header)> = drafts
        .iter()
        .map(|draft| (draft.source, &draft.header))
        .collect();
    all.extend(broken.iter().map(|(source, header)| (*source, header)));
    all.sort_by_key(|(source, header)| (&source.path, header.name_span.start));
    for (index, (source, header)) in all.iter().enumerate() {
        let Some((first, known)) = all[..index]
            .iter()
            .find(|(_, other)| other.name == header.name)
        else {
            continue;
        };
        let place = format!(
            "{}:{}",
            first.path.display(),
            first.line_column(known.name_span.start).0
        );
        let error = SourceError::new(
            source,
            header.name_span.clone(),
            format!("a second query {}", header.name),
        );
        errors.push(error.help(format!(
            "the first is at {place}; every query needs a name of its own"
        )));
    }
}

/// `@for-each` against the other queries.
fn for_each(
    draft: &Draft<'_>,
    drafts: &[Draft<'_>],
    broken: &[&str],
    errors: &mut Vec<SourceError>,
) -> Vec<ForEach> {
    let mut found = Vec::new();
    for each in &draft.directives.for_each {
        let Some(parameter) = find_parameter(&draft.query.parameters, &each.parameter) else {
            errors.push(no_parameter(
                draft.source,
                &each.parameter_span,
                &each.parameter,
                &draft.query,
            ));
            continue;
        };
        let Some(parent) = drafts.iter().find(|other| other.query.name == each.parent) else {
            if !broken.contains(&each.parent.as_str()) {
                let names = drafts
                    .iter()
                    .map(|other| other.query.name.as_str())
                    .chain(broken.iter().copied());
                let error = SourceError::new(
                    draft.source,
                    each.parent_span.clone(),
                    format!("there is no query `{}`", each.parent),
                );
                errors.push(match nearest(&each.parent, names) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help("name the query whose rows drive this one"),
                });
            }
            continue;
        };
        let columns = &parent.columns;
        if columns.complete && !columns.names.contains(&each.column) {
            let message = format!("query {} returns no column `{}`", each.parent, each.column);
            let error = SourceError::new(draft.source, each.column_span.clone(), message);
            errors.push(
                match nearest(&each.column, columns.names.iter().map(String::as_str)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None if columns.names.is_empty() => error.help("it returns none"),
                    None => error.help(format!("its columns: {}", columns.names.join(", "))),
                },
            );
            continue;
        }
        found.push(ForEach {
            parent: each.parent.clone(),
            column: each.column.clone(),
            parameter: parameter.number,
            line: draft.source.line_column(each.parent_span.start).0,
        });
    }
    found
}

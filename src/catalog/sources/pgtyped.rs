//! PgTyped: `/* @name GetUsers @param ids -> (...) */` above a statement in a `.sql` file, and `` sql`…` `` in TypeScript.
//! <https://pgtyped.dev/docs/sql-file>

use super::code::{self, Language, Piece, Placed};
use super::conventions::{Convention, Found, What};
use super::placeholders::{Edit, edited};
use super::sqlalchemy::is_statement;
use crate::source::Source;
use crate::sql::token::{Token, TokenKind, significant, tokens};

pub(super) const CONVENTION: Convention = Convention {
    key: "pgtyped",
    tool: "PgTyped",
    extensions: &["sql", "ts", "tsx"],
    shows,
    read,
    parts: None,
};

/// JSDoc has a `@name`, too: in code it is the import that shows whose it is.
fn shows(text: &str) -> bool {
    let imports = |quote| text.contains(&format!("from {quote}@pgtyped/runtime{quote}"));
    let holds_a_statement = || {
        let mut found = in_sql(text).into_iter();
        found.any(|one| matches!(one.what, What::Statement { sql, .. } if is_statement(&sql)))
    };
    imports('\'') || imports('"') || holds_a_statement()
}

fn read(source: &Source) -> Vec<Found> {
    let extension = source
        .path
        .extension()
        .unwrap_or_default()
        .to_string_lossy();
    match Language::of(&extension) {
        Some(language) => in_code(&code::pieces(&source.text, language)),
        None => in_sql(&source.text),
    }
}

/// How a parameter is spread, as its `@param` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spread {
    name: String,
    /// `(...)`, `((a, b)...)`: a list.
    list: bool,
    /// `(a, b)`: the fields of an object.
    fields: Vec<String>,
}

fn in_sql(text: &str) -> Vec<Found> {
    let all = tokens(text);
    let mut found = Vec::new();
    let mut header: Option<(String, Vec<Spread>)> = None;
    let mut first: Option<usize> = None;
    let mut end = 0;
    for token in &all {
        let own = &text[token.span.clone()];
        if token.is_comment() {
            if let Some(read) = read_header(own) {
                header = Some(read);
            }
        } else if token.kind == TokenKind::Semi {
            if let (Some(start), Some((name, spreads))) = (first.take(), header.take()) {
                found.push(statement(&name, &spreads, text, start..end));
            }
        } else if !token.is_trivia() {
            first.get_or_insert(token.span.start);
            end = token.span.end;
        }
    }
    if let (Some(start), Some((name, spreads))) = (first, header) {
        found.push(statement(&name, &spreads, text, start..end));
    }
    found
}

fn statement(name: &str, spreads: &[Spread], text: &str, span: std::ops::Range<usize>) -> Found {
    let line = text[..span.start].matches('\n').count() + 1;
    let sql = with_spreads(&text[span], ':', spreads);
    Found::statement(name, u32::try_from(line).unwrap_or(u32::MAX), sql)
}

/// `/* @name X @param ids -> (...) */`.
fn read_header(comment: &str) -> Option<(String, Vec<Spread>)> {
    let inner = comment.strip_prefix("/*")?.strip_suffix("*/")?;
    let mut name = None;
    let mut spreads = Vec::new();
    for part in inner.split('@').skip(1) {
        let part = part.trim_end_matches(['*', ' ', '\n', '\r', '\t']);
        if let Some(rest) = part.strip_prefix("name ") {
            name = rest.split_whitespace().next().map(str::to_owned);
        } else if let Some((param, how)) = part
            .strip_prefix("param ")
            .and_then(|rest| rest.split_once("->"))
        {
            spreads.push(spread(param.trim(), how));
        }
    }
    Some((name?, spreads))
}

fn spread(name: &str, how: &str) -> Spread {
    let fields = how
        .trim_matches(|c: char| c.is_whitespace() || "().*".contains(c))
        .split(',')
        .map(|field| field.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|field| !field.is_empty())
        .map(str::to_owned)
        .collect();
    Spread {
        name: name.to_owned(),
        list: how.contains("..."),
        fields,
    }
}

/// `:name!` → `:name`, `IN :ids` → a list, `VALUES :rows` → the fields of one row.
fn with_spreads(sql: &str, mark: char, spreads: &[Spread]) -> String {
    let all: Vec<Token> = significant(sql);
    let text = |at: usize| {
        all.get(at)
            .map_or("", |token: &Token| &sql[token.span.clone()])
    };
    let mut edits: Vec<Edit> = Vec::new();
    for at in 0..all.len() {
        let is_parameter = text(at) == mark.to_string()
            && all.get(at + 1).is_some_and(|name| {
                name.kind == TokenKind::Ident && name.span.start == all[at].span.end
            })
            && (at == 0 || text(at - 1) != ":");
        if !is_parameter {
            continue;
        }
        let name = text(at + 1);
        let required = all.get(at + 2).is_some_and(|sign| {
            text(at + 2).starts_with('!') && sign.span.start == all[at + 1].span.end
        });
        let end = all[at + 1].span.end + usize::from(required);
        let new = match spreads.iter().find(|spread| spread.name == name) {
            None => format!(":{name}"),
            Some(spread) => replacement(spread),
        };
        edits.push((all[at].span.start..end, new));
    }
    edited(sql, &edits)
}

fn replacement(spread: &Spread) -> String {
    let Spread { name, list, fields } = spread;
    if fields.is_empty() {
        return if *list {
            format!("(sqlc.slice('{name}'))")
        } else {
            format!(":{name}")
        };
    }
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!(":{name}_{field}"))
        .collect();
    format!("({})", names.join(", "))
}

/// `const getUsers = sql<IGetUsers>`…``, with `$name`, `$$ids` and `$user(name, age)`.
fn in_code(pieces: &[Placed]) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let Piece::Text(text) = &piece.piece else {
            continue;
        };
        let Some(tag) = tag_before(pieces, at) else {
            continue;
        };
        let name = name_before(pieces, tag);
        found.push(if text.is_whole() {
            Found::statement(name, text.line, of_template(&text.value))
        } else {
            Found::dynamic(name, text.line)
        });
    }
    found
}

/// Where `sql` stands before a template; its type may stand between.
fn tag_before(pieces: &[Placed], at: usize) -> Option<usize> {
    let mut before = at.checked_sub(1)?;
    if pieces[before].is_sign('>') {
        while !pieces[before].is_sign('<') {
            before = before.checked_sub(1)?;
        }
        before = before.checked_sub(1)?;
    }
    pieces[before].is_word("sql").then_some(before)
}

/// The name that it is assigned to.
fn name_before(pieces: &[Placed], tag: usize) -> String {
    let equals = tag.checked_sub(1).filter(|at| pieces[*at].is_sign('='));
    let name = equals.and_then(|at| at.checked_sub(1));
    name.and_then(|at| pieces[at].word())
        .unwrap_or_default()
        .to_owned()
}

fn of_template(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let list = rest.starts_with('$');
        let body = rest.trim_start_matches('$');
        let length = body
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(body.len());
        let name = &body[..length];
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            text.push('$');
            continue;
        }
        let mut after = &body[length..];
        let mut how = if list {
            "(...)".to_owned()
        } else {
            String::new()
        };
        // Fields stand close behind the name.
        if let Some(inner) = after.strip_prefix('(')
            && let Some(end) = inner.find(')')
        {
            how = format!("({}){}", &inner[..end], if list { "..." } else { "" });
            after = &inner[end + 1..];
        }
        text.push_str(&replacement(&spread(name, &how)));
        rest = after
            .strip_prefix('!')
            .filter(|next| !next.starts_with('='))
            .unwrap_or(after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_of_files_become_lists_and_fields() {
        let text = "/* @name FindBooks @param ids -> (...) */\nSELECT a::text FROM books WHERE id IN :ids AND rank = :rank!;\n\n\
                    /*\n  @name AddBooks\n  @param books -> ((rank!, name)...)\n*/\nINSERT INTO books (rank, name)\nVALUES :books;\nSELECT 1;";
        assert!(shows(text) && !shows("-- name: A :many\nSELECT 1"));
        assert!(!shows("/**\n * @name Span\n */\nexport class Span {};\n"));
        assert_eq!(
            read(&Source::new("b.sql", text)),
            [
                Found::statement(
                    "FindBooks",
                    2,
                    "SELECT a::text FROM books WHERE id IN (sqlc.slice('ids')) AND rank = :rank"
                        .to_owned()
                ),
                Found::statement(
                    "AddBooks",
                    8,
                    "INSERT INTO books (rank, name)\nVALUES (:books_rank, :books_name)".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn templates_of_code_are_read_with_their_names() {
        let code = "import { sql } from '@pgtyped/runtime';\nexport const getUsers = sql<IGetUsers>`\n  SELECT 1 FROM u WHERE id IN $$ids AND a = $age!`;\n\
                    const add = sql`INSERT INTO u (n, m) VALUES $user(n, m)`;\nconst x = sql`SELECT ${a}`;";
        let found = read(&Source::new("q.ts", code));
        assert_eq!(
            found,
            [
                Found::statement(
                    "getUsers",
                    3,
                    "\n  SELECT 1 FROM u WHERE id IN (sqlc.slice('ids')) AND a = :age".to_owned()
                ),
                Found::statement(
                    "add",
                    4,
                    "INSERT INTO u (n, m) VALUES (:user_n, :user_m)".to_owned()
                ),
                Found::dynamic("x", 5),
            ]
        );
    }
}

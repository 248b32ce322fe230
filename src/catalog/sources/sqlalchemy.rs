//! SQLAlchemy's `text("…")`, with `:name` parameters: statements alone, for a text may be a piece of one.
//! <https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.text>

use super::code::{self, Language, Piece, Placed, Value};
use super::conventions::{Convention, Found};
use super::placeholders::lists;
use crate::source::Source;

pub(super) const CONVENTION: Convention = Convention {
    key: "sqlalchemy",
    tool: "SQLAlchemy text()",
    extensions: &["py"],
    shows,
    read,
    parts: None,
};

fn shows(text: &str) -> bool {
    text.contains("sqlalchemy") && text.contains("text(") && !read_text(text).is_empty()
}

fn read(source: &Source) -> Vec<Found> {
    read_text(&source.text)
}

fn read_text(text: &str) -> Vec<Found> {
    let pieces = code::pieces(text, Language::Python);
    let mut found = Vec::new();
    let mut function = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if piece.is_word("def") {
            function = pieces
                .get(at + 1)
                .and_then(Placed::word)
                .unwrap_or_default()
                .to_owned();
        }
        let is_call =
            piece.is_word("text") && pieces.get(at + 1).is_some_and(|next| next.is_sign('('));
        if !is_call {
            continue;
        }
        let name = assigned(&pieces, at).unwrap_or_else(|| function.clone());
        match code::value_at(&pieces, at + 2) {
            Some((Value::Known(text), _)) if is_statement(&text.value) => {
                let sql = lists(&text.value.replace("\\:", ":"));
                found.push(Found::statement(name, text.line, sql));
            }
            Some((Value::Dynamic(line), _)) if begins_statement(&pieces, at + 2) => {
                found.push(Found::dynamic(name, line));
            }
            Some(_) | None => {}
        }
    }
    found
}

/// `QUERY = text(…)`.
fn assigned(pieces: &[Placed], at: usize) -> Option<String> {
    let mut equals = at.checked_sub(1)?;
    // `sa.text(…)`.
    if pieces[equals].is_sign('.') {
        equals = equals.checked_sub(2)?;
    }
    let name = equals.checked_sub(1)?;
    if !pieces[equals].is_sign('=') {
        return None;
    }
    pieces[name]
        .word()
        .filter(|word| word.chars().any(char::is_uppercase))
        .map(str::to_owned)
}

fn begins_statement(pieces: &[Placed], at: usize) -> bool {
    match pieces.get(at).map(|placed| &placed.piece) {
        Some(Piece::Text(text)) => is_statement(&text.value),
        Some(Piece::Sign('(')) => begins_statement(pieces, at + 1),
        Some(Piece::Word(_) | Piece::Sign(_)) | None => false,
    }
}

/// Whether a text is more than a piece of a statement: a default, a condition, a name.
pub(super) fn is_statement(text: &str) -> bool {
    // A path of a URL has the words, too: `/values-file`.
    let begins = |c: char| c.is_alphabetic() || c == '(';
    if !text.trim_start().starts_with(begins) {
        return false;
    }
    let mut words = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase);
    let first = words.next().unwrap_or_default();
    match first.as_str() {
        "select" | "with" => words.next().is_some(),
        "values" => text.contains('('),
        "insert" | "merge" => words.next().as_deref() == Some("into"),
        "delete" => words.next().as_deref() == Some("from"),
        "update" => words.any(|word| word == "set"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_statement() {
        assert!(is_statement("VALUES (1), (2)"));
        assert!(!is_statement("/values-file"));
        assert!(!is_statement("values-file"));
    }

    #[test]
    fn statements_are_read_and_pieces_are_not() {
        let code = "from sqlalchemy import text\nUSERS = text(\n    \"SELECT id FROM users \"\n    \"WHERE city = :city AND id IN :ids\"\n)\n\
                    def orders(db, kind):\n    \"\"\"text('SELECT 1')\"\"\"\n    db.execute(sa.text('UPDATE orders SET a = :a'))\n\
                    \x20   db.execute(text(f'SELECT * FROM {kind}'))\n    column(server_default=text('now()'))\n";
        assert!(shows(code));
        let found = read(&Source::new("q.py", code));
        assert_eq!(
            found,
            [
                Found::statement(
                    "USERS",
                    3,
                    "SELECT id FROM users \nWHERE city = :city AND id IN (sqlc.slice('ids'))"
                        .to_owned()
                ),
                Found::statement("orders", 8, "UPDATE orders SET a = :a".to_owned()),
                Found::dynamic("orders", 9),
            ]
        );
    }
}

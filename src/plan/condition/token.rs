//! The words of a deparsed expression, with their places in the text.

use std::ops::Range;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or keyword; quotes removed.
    Word {
        text: String,
        quoted: bool,
    },
    Number(String),
    /// A string without its quotes.
    Text(String),
    /// `$1`.
    Parameter(u16),
    /// Operator characters, `::` too.
    Operator(String),
    /// One of `( ) [ ] , . : ;` or a character that nothing else takes.
    Mark(char),
}

/// Splits `text`; every byte that is not white space is in one token.
pub(super) fn tokens(text: &str) -> Vec<(Token, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = next(&text[at..], first);
        found.push((token, at..at + length));
        at += length;
    }
    found
}

fn next(rest: &str, first: char) -> (Token, usize) {
    match first {
        '"' => {
            let (text, length) = quoted(rest, 0, '"', false);
            (Token::Word { text, quoted: true }, length)
        }
        '\'' => {
            let (text, length) = quoted(rest, 0, '\'', false);
            (Token::Text(text), length)
        }
        'E' | 'B' | 'X' | 'e' | 'b' | 'x' if rest[1..].starts_with('\'') => {
            let (text, length) = quoted(rest, 1, '\'', matches!(first, 'E' | 'e'));
            (Token::Text(text), length)
        }
        '$' => {
            let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
            match rest[1..=digits].parse() {
                Ok(number) => (Token::Parameter(number), digits + 1),
                Err(_) => (Token::Mark('$'), 1),
            }
        }
        c if c.is_ascii_digit() => {
            let length = number_length(rest);
            (Token::Number(rest[..length].to_owned()), length)
        }
        c if c.is_alphabetic() || c == '_' || !c.is_ascii() => {
            let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            (
                Token::Word {
                    text: rest[..length].to_owned(),
                    quoted: false,
                },
                length,
            )
        }
        ':' if rest.starts_with("::") => (Token::Operator("::".to_owned()), 2),
        c if is_operator(c) => {
            let length = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
            (Token::Operator(rest[..length].to_owned()), length)
        }
        c => (Token::Mark(c), c.len_utf8()),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

/// Digits, a fraction, an exponent.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let exponent_sign =
            matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        if !(bytes[at].is_ascii_alphanumeric() || bytes[at] == b'.' || exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

/// What stands between quotes from `start`, and where it ends; an unclosed one ends with the text.
fn quoted(rest: &str, start: usize, quote: char, escapes: bool) -> (String, usize) {
    let mut text = String::new();
    let mut characters = rest[start + 1..].char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
                text.push(quote);
                continue;
            }
            return (text, start + 1 + at + 1);
        }
        if c == '\\' && escapes {
            if let Some((_, escaped)) = characters.next() {
                text.push(escaped);
            }
            continue;
        }
        text.push(c);
    }
    (text, rest.len())
}

/// The text without the qualifiers of its columns: `lower((c.email)::text)` becomes `lower((email)::text)`. A name
/// before a dot stays where a call follows (`public.lower(…)`) or after `::` (a type's schema).
pub(super) fn without_qualifiers(text: &str) -> String {
    let tokens = tokens(text);
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (i, window) in tokens.windows(3).enumerate() {
        let [
            (Token::Word { .. }, first),
            (Token::Mark('.'), dot),
            (Token::Word { .. }, _),
        ] = window
        else {
            continue;
        };
        let type_schema = i > 0 && tokens[i - 1].0 == Token::Operator("::".to_owned());
        let call = tokens
            .get(i + 3)
            .is_some_and(|(token, _)| *token == Token::Mark('('));
        let field = i > 0 && tokens[i - 1].0 == Token::Mark('.');
        if !(type_schema || call || field) {
            kept.push_str(&text[from..first.start]);
            from = dot.end;
        }
    }
    kept.push_str(&text[from..]);
    kept
}

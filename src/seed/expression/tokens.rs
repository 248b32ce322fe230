//! Words, literals and operators of an expression.

use super::ParseError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Lower-cased unless it was quoted.
    Word {
        text: String,
        quoted: bool,
    },
    Text(String),
    Number(String),
    Operator(String),
    /// `( ) [ ] , . ::`
    Mark(&'static str),
}

/// The tokens of a text, each with the byte at which it begins.
pub(super) fn tokenize(text: &str) -> Result<Vec<(Token, usize)>, ParseError> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let token = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'\'' => Token::Text(quoted(text, &mut at, '\'', Escapes::Doubled)?),
            b'E' | b'e' if bytes.get(at + 1) == Some(&b'\'') => {
                at += 1;
                Token::Text(quoted(text, &mut at, '\'', Escapes::Backslash)?)
            }
            b'B' | b'X' if bytes.get(at + 1) == Some(&b'\'') => {
                at += 1;
                Token::Text(quoted(text, &mut at, '\'', Escapes::Doubled)?)
            }
            b'U' | b'u'
                if bytes.get(at + 1) == Some(&b'&') && bytes.get(at + 2) == Some(&b'\'') =>
            {
                at += 2;
                Token::Text(by_number(text, &mut at, start)?)
            }
            // A function's argument by its number.
            b'$' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                at += 1;
                while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                Token::Word {
                    text: text[start..at].to_owned(),
                    quoted: true,
                }
            }
            b'"' => Token::Word {
                text: quoted(text, &mut at, '"', Escapes::Doubled)?,
                quoted: true,
            },
            byte if byte.is_ascii_digit()
                || (byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)) =>
            {
                at = end_of_number(bytes, start);
                Token::Number(text[start..at].to_owned())
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                at = end_of_word(bytes, start);
                Token::Word {
                    text: text[start..at].to_ascii_lowercase(),
                    quoted: false,
                }
            }
            byte => match mark(bytes, at) {
                Some(mark) => {
                    at += mark.len();
                    Token::Mark(mark)
                }
                None if OPERATOR.contains(&byte) => {
                    while at < bytes.len() && OPERATOR.contains(&bytes[at]) {
                        at += 1;
                    }
                    Token::Operator(text[start..at].to_owned())
                }
                None => {
                    return Err(ParseError {
                        offset: at,
                        what: text[at..].to_owned(),
                    });
                }
            },
        };
        tokens.push((token, start));
    }
    Ok(tokens)
}

/// Where a number ends that begins at `at`: `1.5e-3`.
fn end_of_number(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len()
        && (bytes[at].is_ascii_alphanumeric()
            || bytes[at] == b'.'
            || (matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E')))
    {
        at += 1;
    }
    at
}

/// Where a word without quotes ends that begins at `at`.
fn end_of_word(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len()
        && (bytes[at].is_ascii_alphanumeric()
            || matches!(bytes[at], b'_' | b'$')
            || bytes[at] >= 0x80)
    {
        at += 1;
    }
    at
}

/// A text of `U&'…'`, which begins at `start`.
fn by_number(text: &str, at: &mut usize, start: usize) -> Result<String, ParseError> {
    let text = quoted(text, at, '\'', Escapes::Doubled)?;
    unescaped(&text).ok_or(ParseError {
        offset: start,
        what: text,
    })
}

/// `U&'…'`: `\XXXX` and `\+XXXXXX` are characters by their number.
fn unescaped(text: &str) -> Option<String> {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        shown.push_str(before);
        let (skip, digits) = match after.as_bytes().first()? {
            b'\\' => (1, 0),
            b'+' => (1, 6),
            _ => (0, 4),
        };
        let code = after.get(skip..skip + digits)?;
        shown.push(if digits == 0 {
            '\\'
        } else {
            char::from_u32(u32::from_str_radix(code, 16).ok()?)?
        });
        rest = &after[skip + digits..];
    }
    shown.push_str(rest);
    Some(shown)
}

const OPERATOR: &[u8] = b"+-*/<>=~!@#%^&|`?";

fn mark(bytes: &[u8], at: usize) -> Option<&'static str> {
    Some(match bytes[at] {
        b'(' => "(",
        b')' => ")",
        b'[' => "[",
        b']' => "]",
        b',' => ",",
        b'.' => ".",
        b':' if bytes.get(at + 1) == Some(&b':') => "::",
        b':' => ":",
        _ => return None,
    })
}

/// How a quote is written inside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// Twice.
    Doubled,
    /// Twice, or behind a backslash: `E'…'`.
    Backslash,
}

fn quoted(text: &str, at: &mut usize, quote: char, escapes: Escapes) -> Result<String, ParseError> {
    let start = *at;
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if escapes == Escapes::Backslash && c == '\\' {
            value.extend(chars.next().map(|(_, escaped)| match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }));
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                value.push(quote);
            } else {
                *at = start + 1 + offset + 1;
                return Ok(value);
            }
        } else {
            value.push(c);
        }
    }
    Err(ParseError {
        offset: start,
        what: "a quote that is not closed".to_owned(),
    })
}

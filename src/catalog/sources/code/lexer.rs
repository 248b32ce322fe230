//! The lexer behind [`super::pieces`].

use super::{HOLE, Language, Piece, Placed, Text};

pub(super) fn read(code: &str, language: Language) -> Vec<Placed> {
    let mut lexer = Lexer {
        code,
        language,
        at: 0,
        line: 1,
        found: Vec::new(),
    };
    while lexer.at < code.len() {
        lexer.step();
    }
    lexer.found
}

struct Lexer<'a> {
    code: &'a str,
    language: Language,
    at: usize,
    line: u32,
    found: Vec<Placed>,
}

/// How a text ends and what stands in it.
struct Quotes {
    /// What opens it, with its prefix.
    open: usize,
    close: String,
    escapes: bool,
    /// What opens a hole.
    hole: Option<Hole>,
    /// Whether it may reach over lines.
    lines: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// `{…}`, and `{{` is a brace.
    Brace,
    /// `${…}`.
    DollarBrace,
    /// `${…}` and `$name`.
    Dollar,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let rest = &self.code[self.at..];
        if let Some(length) = self.comment(rest) {
            self.skip(length);
        } else if let Some(quotes) = self.quotes(rest) {
            self.text(&quotes);
        } else if let Some(length) = self.other_literal(rest) {
            self.skip(length);
        } else if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            let word = word(rest).to_owned();
            let length = word.len();
            self.push(Piece::Word(word));
            self.skip(length);
        } else if let Some(sign) = rest.chars().next() {
            if !sign.is_whitespace() {
                self.push(Piece::Sign(sign));
            }
            self.skip(sign.len_utf8());
        }
    }

    fn push(&mut self, piece: Piece) {
        self.found.push(Placed {
            piece,
            line: self.line,
        });
    }

    fn skip(&mut self, length: usize) {
        let end = (self.at + length).min(self.code.len());
        self.line += lines_in(&self.code[self.at..end]);
        self.at = end;
    }

    fn comment(&self, rest: &str) -> Option<usize> {
        let to_line_end = || rest.find('\n').unwrap_or(rest.len());
        match self.language {
            Language::Python => rest.starts_with('#').then(to_line_end),
            Language::Java
            | Language::Kotlin
            | Language::JavaScript
            | Language::Rust
            | Language::Go => {
                if rest.starts_with("//") {
                    Some(to_line_end())
                } else if rest.starts_with("/*") {
                    Some(rest.find("*/").map_or(rest.len(), |end| end + 2))
                } else {
                    None
                }
            }
        }
    }

    fn quotes(&self, rest: &str) -> Option<Quotes> {
        match self.language {
            Language::Python => self.python(rest),
            Language::Java => java(rest, None),
            Language::Kotlin => java(rest, Some(Hole::Dollar)),
            Language::JavaScript => javascript(rest),
            Language::Rust => rust(rest, self.is_after_word()),
            Language::Go => go(rest),
        }
    }

    /// Whether the character before belongs to a word: then a letter here begins no prefix.
    fn is_after_word(&self) -> bool {
        self.code[..self.at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
    }

    fn python(&self, rest: &str) -> Option<Quotes> {
        let prefix: String = rest
            .chars()
            .take_while(|c| "rRbBuUfFtT".contains(*c))
            .take(2)
            .collect();
        if !prefix.is_empty() && self.is_after_word() {
            return None;
        }
        let quoted = &rest[prefix.len()..];
        let mark = quoted.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        let triple = mark.to_string().repeat(3);
        let close = if quoted.starts_with(&triple) {
            triple
        } else {
            mark.to_string()
        };
        let lower = prefix.to_ascii_lowercase();
        Some(Quotes {
            open: prefix.len() + close.len(),
            lines: close.len() == 3,
            close,
            escapes: !lower.contains('r'),
            hole: lower.contains(['f', 't']).then_some(Hole::Brace),
        })
    }

    /// Characters, lifetimes and regular expressions: they may hold quotes.
    fn other_literal(&self, rest: &str) -> Option<usize> {
        match self.language {
            Language::Python => None,
            Language::JavaScript => self.regular_expression(rest),
            Language::Java | Language::Kotlin | Language::Go | Language::Rust => character(rest),
        }
    }

    /// `/…/` where an operand may begin.
    fn regular_expression(&self, rest: &str) -> Option<usize> {
        let body = rest.strip_prefix('/')?;
        let operand = self.found.last().is_none_or(|last| match &last.piece {
            Piece::Sign(sign) => "(,=:[!&|?{};+-*%<>~^".contains(*sign),
            Piece::Word(word) => word == "return" || word == "typeof" || word == "case",
            Piece::Text(_) => false,
        });
        let line = body.lines().next().unwrap_or_default();
        let (mut escaped, mut class) = (false, false);
        for (index, c) in line.char_indices().filter(|_| operand) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => class = true,
                ']' => class = false,
                '/' if !class => return Some(index + 2),
                _ => {}
            }
        }
        None
    }

    fn text(&mut self, quotes: &Quotes) {
        let content = &self.code[self.at + quotes.open..];
        let (mut value, mut holes) = (String::new(), Vec::new());
        let mut at = 0;
        while at < content.len() {
            let rest = &content[at..];
            let Some(c) = rest.chars().next() else { break };
            if rest.starts_with(&quotes.close) || (c == '\n' && !quotes.lines) {
                break;
            }
            if c == '\\' && quotes.escapes {
                at += escape(rest, &mut value);
            } else if let Some(length) = quotes.hole.and_then(|hole| hole_at(rest, hole)) {
                let code = rest[..length]
                    .trim_start_matches('$')
                    .trim_start_matches('{');
                holes.push(code.strip_suffix('}').unwrap_or(code).trim().to_owned());
                value.push(HOLE);
                at += length;
            } else {
                let doubled = quotes.hole == Some(Hole::Brace)
                    && (rest.starts_with("{{") || rest.starts_with("}}"));
                value.push(c);
                at += c.len_utf8() * if doubled { 2 } else { 1 };
            }
        }
        let at = at.min(content.len());
        let body = &content[..at];
        let blank = &body[..body.len() - body.trim_start().len()];
        let text = Text {
            line: self.line + lines_in(blank),
            last_line: self.line + lines_in(body),
            value,
            holes,
        };
        let closed = content[at..].starts_with(&quotes.close);
        self.push(Piece::Text(text));
        self.skip(quotes.open + at + if closed { quotes.close.len() } else { 0 });
    }
}

fn java(rest: &str, hole: Option<Hole>) -> Option<Quotes> {
    let block = rest.starts_with("\"\"\"");
    rest.starts_with('"').then(|| Quotes {
        open: if block { 3 } else { 1 },
        close: if block { "\"\"\"" } else { "\"" }.to_owned(),
        // Kotlin's blocks are raw.
        escapes: !block || hole.is_none(),
        hole,
        lines: block,
    })
}

fn javascript(rest: &str) -> Option<Quotes> {
    let mark = rest.chars().next().filter(|c| "\"'`".contains(*c))?;
    let template = mark == '`';
    Some(Quotes {
        open: 1,
        close: mark.to_string(),
        escapes: true,
        hole: template.then_some(Hole::DollarBrace),
        lines: template,
    })
}

fn rust(rest: &str, after_word: bool) -> Option<Quotes> {
    let raw = rest.strip_prefix('r').filter(|_| !after_word);
    if let Some(raw) = raw {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            return Some(Quotes {
                open: hashes + 2,
                close: format!("\"{}", "#".repeat(hashes)),
                escapes: false,
                hole: None,
                lines: true,
            });
        }
    }
    rest.starts_with('"').then(|| Quotes {
        open: 1,
        close: "\"".to_owned(),
        escapes: true,
        hole: None,
        lines: true,
    })
}

fn go(rest: &str) -> Option<Quotes> {
    let mark = rest.chars().next().filter(|c| "\"`".contains(*c))?;
    Some(Quotes {
        open: 1,
        close: mark.to_string(),
        escapes: mark == '"',
        hole: None,
        lines: mark == '`',
    })
}

/// `'x'`, `'\n'`; what is no character (`'a` of Rust) is only its quote.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    let length = match body.strip_prefix('\\') {
        Some(escaped) => 1 + escaped.find('\'').filter(|at| *at <= 8).unwrap_or(0),
        None => body.chars().next().map_or(0, char::len_utf8),
    };
    Some(
        if body
            .get(length..)
            .is_some_and(|rest| rest.starts_with('\''))
        {
            length + 2
        } else {
            1
        },
    )
}

/// What an escape stands for; how long it is.
fn escape(rest: &str, value: &mut String) -> usize {
    let Some(c) = rest[1..].chars().next() else {
        return 1;
    };
    match c {
        'n' => value.push('\n'),
        't' => value.push('\t'),
        'r' => value.push('\r'),
        // The line goes on: a blank keeps words apart, and nothing else in SQL minds it.
        '\n' => value.push('\n'),
        other => value.push(other),
    }
    1 + c.len_utf8()
}

/// The length of a hole that begins here.
fn hole_at(rest: &str, hole: Hole) -> Option<usize> {
    let open = match hole {
        Hole::Brace if rest.starts_with("{{") => return None,
        Hole::Brace => rest.starts_with('{').then_some(1),
        Hole::DollarBrace | Hole::Dollar => rest.starts_with("${").then_some(2),
    };
    let Some(open) = open else {
        let name = (hole == Hole::Dollar)
            .then(|| rest.strip_prefix('$'))
            .flatten()?;
        let name = word(name);
        return name
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
            .then_some(1 + name.len());
    };
    let mut depth = 1_usize;
    for (index, c) in rest.char_indices().skip(open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index + 1);
        }
    }
    None
}

fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

fn lines_in(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

//! The string literals of a Rust file, with what they mean, where they begin, and the function that they stand in. A lexer's
//! view: macros and conditional code are read like any other text.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    /// With its escapes resolved.
    pub(super) value: String,
    /// 1-based line of the first character inside that is no white space.
    pub(super) line: u32,
    /// The nearest `fn` before it.
    pub(super) function: Option<String>,
}

pub(super) fn literals(text: &str) -> Vec<Literal> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
        function: None,
        found: Vec::new(),
    };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.found
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    function: Option<String>,
    found: Vec<Literal>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if let Some((open, close)) = raw_string(rest) {
            let length = rest[open..].find(&close).unwrap_or(rest.len() - open);
            self.literal(
                open,
                rest[open..open + length].to_owned(),
                length + close.len(),
            );
        } else if let Some(content) = rest.strip_prefix('"') {
            let (value, length) = escaped(content);
            self.literal(1, value, length);
        } else if let Some(length) = character(rest) {
            self.skip(length);
        } else if rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let word = word(rest);
            if word == "fn" {
                let name = self.text[self.at + 2..].trim_start();
                let name = self::word(name);
                self.function = (!name.is_empty()).then(|| name.to_owned());
            }
            self.skip(word.len());
        } else {
            self.skip(rest.chars().next().map_or(1, char::len_utf8));
        }
    }

    fn skip(&mut self, length: usize) {
        let end = (self.at + length).min(self.text.len());
        let lines = self.text[self.at..end].matches('\n').count();
        self.line += u32::try_from(lines).unwrap_or(0);
        self.at = end;
    }

    /// `open` bytes before the content, `length` bytes of content with its closing.
    fn literal(&mut self, open: usize, value: String, length: usize) {
        let content = &self.text[self.at + open..];
        let blank = &content[..content.len() - content.trim_start().len()];
        let before = u32::try_from(blank.matches('\n').count()).unwrap_or(0);
        self.found.push(Literal {
            value,
            line: self.line + before,
            function: self.function.clone(),
        });
        self.skip(open + length);
    }
}

fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

/// Comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of `r#"` and what closes it.
fn raw_string(text: &str) -> Option<(usize, String)> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
    rest[hashes..]
        .starts_with('"')
        .then(|| (hashes + 2, format!("\"{}", "#".repeat(hashes))))
}

/// A character literal's length; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    if rest.starts_with('\\') {
        let end = rest.get(2..)?.find('\'')?;
        return (end <= 10).then_some(1 + 2 + end + 1);
    }
    let first = rest.chars().next()?;
    rest[first.len_utf8()..]
        .starts_with('\'')
        .then(|| 2 + first.len_utf8())
}

/// The value of a literal and the length of its text with the closing quote.
fn escaped(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, at + 1),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some('\n') => {
                    while characters
                        .next_if(|(_, character)| character.is_whitespace())
                        .is_some()
                    {}
                }
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    (value, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_with_their_values_lines_and_functions() {
        let text = "// \"no\"\nfn find<'a>(c: char) -> u8 {\n    let q = '\"';\n    query!(\n        r#\"\n        SELECT \"a\"\n        \"#,\n        /* \"no\" */ \"x\\\n           y\\\"\")\n}\n";
        let found: Vec<(String, u32, Option<String>)> = literals(text)
            .into_iter()
            .map(|literal| (literal.value, literal.line, literal.function))
            .collect();
        let find = Some("find".to_owned());
        assert_eq!(
            found,
            [
                (
                    "\n        SELECT \"a\"\n        ".to_owned(),
                    6,
                    find.clone()
                ),
                ("xy\"".to_owned(), 8, find)
            ]
        );
    }

    #[test]
    fn broken_text_is_read_to_its_end() {
        for text in ["\"", "r#\"", "/*", "'", "'\\", "fn", "é\"é"] {
            let _ = literals(text);
        }
    }
}

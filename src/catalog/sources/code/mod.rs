//! Source code of other languages as words, signs and texts: enough to find the statements that a call or an annotation holds.
//! A text that is put together at run time says so; nothing here guesses what it becomes.

mod lexer;
#[cfg(test)]
mod tests;

/// Whose rules for comments and texts hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Java,
    Kotlin,
    JavaScript,
    Rust,
    Go,
}

impl Language {
    /// By a file's ending.
    pub(super) fn of(extension: &str) -> Option<Self> {
        Some(match extension {
            "py" => Self::Python,
            "java" => Self::Java,
            "kt" | "kts" => Self::Kotlin,
            "ts" | "tsx" | "js" | "mjs" | "cjs" | "mts" | "cts" => Self::JavaScript,
            "rs" => Self::Rust,
            "go" => Self::Go,
            _ => return None,
        })
    }
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A keyword, a name, a number.
    Word(String),
    /// One character.
    Sign(char),
    /// A string.
    Text(Text),
}

/// A string, with its escapes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// What it holds; [`HOLE`] stands where code fills something in.
    pub(super) value: String,
    /// The code in each hole.
    pub(super) holes: Vec<String>,
    /// 1-based line of the first character inside that is no white space.
    pub(super) line: u32,
    /// 1-based line of its last character.
    pub(super) last_line: u32,
}

/// Where a text is filled in: a character that no statement holds.
pub(super) const HOLE: char = '\u{1}';

impl Text {
    /// Whether it is known before the program runs.
    pub(super) fn is_whole(&self) -> bool {
        self.holes.is_empty()
    }
}

/// A piece and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) piece: Piece,
    pub(super) line: u32,
}

impl Placed {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.piece, Piece::Word(own) if own == word)
    }

    pub(super) fn word(&self) -> Option<&str> {
        match &self.piece {
            Piece::Word(word) => Some(word),
            Piece::Sign(_) | Piece::Text(_) => None,
        }
    }

    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.piece == Piece::Sign(sign)
    }
}

/// Code without its comments.
pub(super) fn pieces(code: &str, language: Language) -> Vec<Placed> {
    lexer::read(code, language)
}

/// What an expression of texts comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Known, with its first line.
    Known(Text),
    /// Put together at run time, from this line on.
    Dynamic(u32),
}

/// The text that begins at `pieces[at]`: one, several beside each other (Python), several joined by `+`; and where it ends.
/// `None` where no text begins.
pub(super) fn value_at(pieces: &[Placed], mut at: usize) -> Option<(Value, usize)> {
    let mut parentheses = 0_usize;
    while pieces.get(at).is_some_and(|piece| piece.is_sign('(')) {
        parentheses += 1;
        at += 1;
    }
    let Piece::Text(first) = &pieces.get(at)?.piece else {
        return None;
    };
    let mut text = first.clone();
    let mut known = first.is_whole();
    at += 1;
    while let Some(next) = pieces.get(at) {
        match &next.piece {
            Piece::Text(more) => {
                join(&mut text, more, Lines::Kept);
                known &= more.is_whole();
            }
            Piece::Sign('+') => {
                // A name between the texts is something that only the program knows.
                known &= matches!(pieces.get(at + 1).map(|p| &p.piece), Some(Piece::Text(_)));
            }
            Piece::Sign(')') if parentheses > 0 => parentheses -= 1,
            // Python's `%` and `.format(…)`, Java's `.formatted(…)`.
            Piece::Sign('%') => known = false,
            Piece::Sign('.') => {
                let word = pieces.get(at + 1).and_then(Placed::word);
                match word {
                    Some("trimIndent" | "trimMargin" | "stripIndent" | "strip" | "trim") => {
                        at += 1;
                        while pieces
                            .get(at + 1)
                            .is_some_and(|p| p.is_sign('(') || p.is_sign(')'))
                        {
                            at += 1;
                        }
                    }
                    _ => {
                        known = false;
                        break;
                    }
                }
            }
            Piece::Word(_) if !known => {}
            _ => break,
        }
        at += 1;
    }
    let value = if known {
        Value::Known(text)
    } else {
        Value::Dynamic(text.line)
    };
    Some((value, at))
}

/// What becomes of the lines between two texts that are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// The second text stands further on, in its own line where a blank lets it.
    Kept,
    /// It stands elsewhere.
    None,
}

/// Adds a text.
pub(super) fn join(text: &mut Text, more: &Text, between: Lines) {
    let lines = more.line.saturating_sub(text.last_line) as usize;
    let blank =
        text.value.ends_with(char::is_whitespace) || more.value.starts_with(char::is_whitespace);
    if blank && between == Lines::Kept {
        text.value.push_str(&"\n".repeat(lines));
    }
    text.value.push_str(&more.value);
    text.holes.extend(more.holes.iter().cloned());
    text.last_line = more.last_line;
}

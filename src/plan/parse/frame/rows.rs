//! Rows as drivers and languages print them: `[{"QUERY PLAN": "Limit …"}, …]`, `[('Limit …',), …]`,
//! `{"QUERY PLAN"=>"Limit …"}`. Finds the literals that are the plan's lines, and makes JSON of Python's values.

use std::borrow::Cow;

use super::super::text;
use super::Line;

/// A quoted text of the input.
struct Literal {
    /// Line where it begins, from 0.
    index: usize,
    /// Without quotes and escapes.
    text: String,
    /// What stands between it and the literal before, without blanks.
    before: String,
}

/// Beyond this no separator of a row is that long.
const LONGEST_SEPARATOR: usize = 64;

/// The plan's lines, where the input is rows of a driver; `None` where it is not.
pub(super) fn lines(text: &str) -> Option<Vec<Line<'static>>> {
    let start = text.trim_start();
    let is_candidate = start.starts_with(['[', '(', '{', '#', '<', '\'', '"'])
        || text.contains("'QUERY PLAN'")
        || text.contains("\"QUERY PLAN\"");
    if !is_candidate || !(text.contains("QUERY PLAN") || start.starts_with(['[', '('])) {
        return None;
    }
    let literals = literals(text);
    let values = keyed(&literals).or_else(|| bare(&literals))?;
    let mut lines = Vec::new();
    for literal in values {
        lines.extend(literal.text.lines().map(|line| Line {
            index: literal.index,
            text: Cow::Owned(line.to_owned()),
            ends: false,
        }));
    }
    Some(lines)
}

/// The literals behind each key `QUERY PLAN`.
fn keyed(literals: &[Literal]) -> Option<Vec<&Literal>> {
    let is_assignment =
        |before: &str| matches!(before, ":" | "=>" | "," | "]=>" | "=" | ":[" | "=>[");
    let values: Vec<&Literal> = literals
        .windows(2)
        .filter_map(|pair| match pair {
            [key, value]
                if key.text == "QUERY PLAN" && is_assignment(strip_type(&value.before)) =>
            {
                Some(value)
            }
            _ => None,
        })
        .collect();
    let is_plan = values.iter().any(|value| begins(&value.text));
    is_plan.then_some(values)
}

/// PHP's dumps name the type of a value: `]=>string(12)`.
fn strip_type(before: &str) -> &str {
    match before.find("string(") {
        Some(at) if before.ends_with(')') => &before[..at],
        Some(_) | None => before,
    }
}

/// Literals between brackets and commas alone: tuples of one text each.
fn bare(literals: &[Literal]) -> Option<Vec<&Literal>> {
    let is_row = |before: &str| {
        before
            .chars()
            .all(|c| matches!(c, '[' | ']' | '(' | ')' | ','))
    };
    let first = literals.first().filter(|first| is_row(&first.before))?;
    if !begins(&first.text) || !literals.iter().all(|literal| is_row(&literal.before)) {
        return None;
    }
    Some(literals.iter().collect())
}

fn begins(text: &str) -> bool {
    let text = text.trim_start();
    text::begins(text)
        || text.starts_with("[{")
        || text.starts_with("[\n")
        || text.starts_with("<explain")
}

fn literals(text: &str) -> Vec<Literal> {
    let mut found: Vec<Literal> = Vec::new();
    let mut before = String::new();
    let mut index = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let at = index;
                let literal = quoted(&mut chars, c, &mut index);
                match found.last_mut() {
                    // A text that a printer broke in two.
                    Some(last) if before == "+" => last.text.push_str(&literal),
                    Some(_) | None => found.push(Literal {
                        index: at,
                        text: literal,
                        before: std::mem::take(&mut before),
                    }),
                }
                before.clear();
            }
            '\n' => index += 1,
            c if c.is_whitespace() => {}
            c if before.len() < LONGEST_SEPARATOR => before.push(c),
            _ => {}
        }
    }
    found
}

/// A literal's text up to its closing quote, escapes resolved.
fn quoted(chars: &mut std::str::Chars<'_>, quote: char, index: &mut usize) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => {}
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok();
                    text.extend(code.and_then(char::from_u32));
                }
                Some(other) => text.push(other),
                None => {}
            },
            c if c == quote => break,
            c => {
                *index += usize::from(c == '\n');
                text.push(c);
            }
        }
    }
    text
}

/// JSON of a value as Python prints it; `None` where the text is no such value.
pub(in crate::plan::parse) fn json_of_python(text: &str) -> Option<String> {
    let is_python = text.trim_start().starts_with(['[', '(', '{'])
        && (text.contains("'Plan'") || text.contains("'Node Type'"));
    if !is_python {
        return None;
    }
    let mut json = String::with_capacity(text.len());
    let mut word = String::new();
    let mut chars = text.chars();
    let mut index = 0;
    while let Some(c) = chars.next() {
        if c.is_alphabetic() {
            word.push(c);
            continue;
        }
        json.push_str(match std::mem::take(&mut word).as_str() {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            // A number's exponent.
            "e" => "e",
            "E" => "E",
            _ => "",
        });
        match c {
            '\'' | '"' => {
                let literal = quoted(&mut chars, c, &mut index);
                json.push_str(&serde_json::Value::String(literal).to_string());
            }
            '(' => json.push('['),
            ')' | ']' | '}' => {
                // Python ends its lists with a comma where it pleases.
                let end = json.trim_end().trim_end_matches(',').len();
                json.truncate(end);
                json.push(if c == '}' { '}' } else { ']' });
            }
            other => json.push(other),
        }
    }
    Some(json)
}

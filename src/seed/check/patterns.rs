//! Texts that match a pattern.

use super::atoms::Atom;
use crate::seed::expression::Expression;

pub(super) fn text_match(operator: &str, left: &Expression, right: &Expression) -> Option<Atom> {
    let (bare, negated) = match operator.strip_prefix('!') {
        Some(rest) if rest.starts_with('~') => (rest, true),
        _ => (operator, false),
    };
    let pattern = right.literal()?;
    let pattern = match bare {
        "~" => pattern,
        "~*" => format!("(?i){pattern}"),
        "~~" => like(&pattern),
        "~~*" => format!("(?i){}", like(&pattern)),
        _ => return None,
    };
    if let Expression::Call { name, arguments } = left.uncast()
        && let ("substring", [of, part]) = (name.as_str(), arguments.as_slice())
    {
        // In parentheses would be what is meant.
        let part = part.text().filter(|part| !part.contains('('))?.to_owned();
        return Some(Atom::Part {
            column: of.column()?.to_owned(),
            part,
            pattern,
            negated,
        });
    }
    Some(Atom::Matches {
        column: left.column()?.to_owned(),
        pattern,
        negated,
    })
}

/// LIKE's pattern as a regular expression.
pub(super) fn like(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => regex.push_str(&regex_syntax::escape(
                &chars.next().map_or(String::new(), String::from),
            )),
            other => regex.push_str(&regex_syntax::escape(&other.to_string())),
        }
    }
    regex.push('$');
    regex
}

//! Text for XML 1.0: markup escaped, and characters that no XML document may hold spelled out.

use crate::visible::{is_harmful, push_escaped};

/// Between tags.
pub(super) fn text(text: &str) -> String {
    escaped(text, false)
}

/// Between double quotes: a parser would make spaces of line breaks.
pub(super) fn attribute(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, in_attribute: bool) -> String {
    let mut xml = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' if in_attribute => xml.push_str("&#10;"),
            '\t' if in_attribute => xml.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => push_escaped(&mut xml, character),
            harmful if is_harmful(harmful) => push_escaped(&mut xml, harmful),
            other => xml.push(other),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup_and_nothing_is_forbidden() {
        assert_eq!(text("a<b> & \"c\"\n"), "a&lt;b&gt; &amp; &quot;c&quot;\n");
        assert_eq!(attribute("a\n\u{1b}[2J\u{ffff}"), "a&#10;\\x1b[2J\\u{ffff}");
    }
}

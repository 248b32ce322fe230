//! One HTML file for people who look: no network, nothing beside it. The report goes in as JSON, which no browser runs and no
//! data can leave; the page's script puts every text of it in as text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::report::{Origin, Report};
use crate::visible::is_harmful;

use super::{Escaping, Format};

mod audit;
mod diff;
mod plan;
mod words;

/// For people with a browser.
pub(super) const FORMAT: Format = Format {
    name: "html",
    about: "one page for a browser: what to do, plans as trees, everything linked",
    escaping: Escaping::Own,
    render: |report, _, out| render(report, out),
};

const STYLE: &str = include_str!("html/page.css");
/// One scope, in the order in which they build on each other.
const SCRIPT: &[&str] = &[
    include_str!("html/dom.js"),
    include_str!("html/plan.js"),
    include_str!("html/query.js"),
    include_str!("html/sizes.js"),
    include_str!("html/overview.js"),
    include_str!("html/diff.js"),
    include_str!("html/page.js"),
];

fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let script = format!("(() => {{\n'use strict';\n{}}})();\n", SCRIPT.concat());
    let title = match report.origin {
        Origin::Audit => "pgproof: audit",
        Origin::Explain => "pgproof: plans",
        Origin::Diff => "pgproof: diff",
        Origin::Trace => "pgproof: trace",
    };
    // What is not this very script does not run, whatever a browser makes of the rest.
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(STYLE)
    );
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the report</a>\n\
         <div id=\"page\"><header id=\"head\"></header><div id=\"side\"></div>\
         <main id=\"main\" tabindex=\"-1\"><noscript>This report is drawn by a script in this file. Allow it, or read the \
         same with <code>pgproof report</code> from the JSON report.</noscript></main></div>\n"
    )?;
    block(out, "report", &audit::head(report))?;
    // Apart, so that a browser reads those only that somebody opens.
    for index in 0..report.queries.len() {
        block(out, &format!("query-{index}"), &audit::query(report, index))?;
    }
    if let Some(comparison) = &report.comparison {
        block(out, "diff", &diff::comparison(comparison))?;
    }
    writeln!(out, "<script>{script}</script>\n</body>\n</html>")
}

/// Data that the page's script reads by id.
fn block(out: &mut dyn Write, id: &str, value: &Value) -> io::Result<()> {
    write!(out, "<script type=\"application/json\" id=\"{id}\">")?;
    out.write_all(harmless(value)?.as_bytes())?;
    writeln!(out, "</script>")
}

/// JSON in which nothing ends the element around it: these characters stand in strings only, where JSON has an escape.
fn harmless(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    let is_escaped = |character: char| character == '<' || is_harmful(character);
    if !text.contains(is_escaped) {
        return Ok(text);
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if is_escaped(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(character);
        }
    }
    Ok(safe)
}

/// In the form that a content security policy takes.
fn hash(text: &str) -> String {
    base64(&Sha256::digest(text.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for digit in 0..4 {
            text.push(if digit <= chunk.len() {
                char::from(DIGITS[((bits >> (18 - 6 * digit)) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_base64() {
        // RFC 4648, section 10.
        let known = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, encoded) in known {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn data_cannot_leave_its_element() {
        let data = serde_json::json!({ "</script>": "<!--<script>\u{202e}\u{1}" });
        let text = harmless(&data).unwrap();
        assert!(!text.contains('<'), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, data);
    }
}

//! What clients put around a plan: psql's heading, rulers, borders, line ends and row counts. Takes it off, reads nothing.

use std::borrow::Cow;

/// The output without the frame of psql (aligned, with or without borders).
pub(super) fn unframed(text: &str) -> Cow<'_, str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.lines().any(|line| line.trim().trim_matches('|').trim() == "QUERY PLAN") {
        return Cow::Borrowed(text);
    }
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        let trimmed = line.trim();
        let is_ruler = !trimmed.is_empty()
            && trimmed.chars().all(|c| matches!(c, '-' | '+' | '─' | '┌' | '┐' | '├' | '┤' | '└' | '┘'));
        let is_count = trimmed.starts_with('(') && (trimmed.ends_with(" rows)") || trimmed.ends_with(" row)"));
        let bare = strip_borders(line);
        if is_ruler || is_count || bare.trim() == "QUERY PLAN" {
            continue;
        }
        lines.push_str(bare.trim_end().trim_end_matches(['+', '↵']).trim_end());
        lines.push('\n');
    }
    Cow::Owned(lines)
}

/// Without `|` or `│` at both ends.
fn strip_borders(line: &str) -> &str {
    let trimmed = line.trim_end();
    let body = trimmed.trim_start().strip_prefix(['|', '│']);
    match body.and_then(|body| body.strip_suffix(['|', '│'])) {
        Some(body) => body,
        None => trimmed,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::parse::any;

    #[test]
    fn psql_frames_are_taken_off() {
        let plain = "               QUERY PLAN               \n----------------------------------------\n [                                     +\n   {                                   +\n     \"Plan\": {                         +\n       \"Node Type\": \"Result\"           +\n     }                                 +\n   }                                   +\n ]\n(1 row)\n";
        assert_eq!(any(plain).map(|plans| plans.len()), Ok(1));
        let bordered = "+----------------+\n|   QUERY PLAN   |\n+----------------+\n| [{\"Plan\": {\"Node Type\": \"Result\"}}] |\n+----------------+\n(1 row)\n";
        assert_eq!(any(bordered).map(|plans| plans.len()), Ok(1));
        assert!(any("hello").is_err());
    }
}

//! Tables in markup, as psql and wikis write them: HTML, LaTeX, troff, AsciiDoc; and HTML's entities in text that was copied from
//! a page's source. Gives the cells' own lines.

use std::borrow::Cow;

use super::{Line, is_heading};

/// The lines of the cells; the lines as they are where there is no markup.
pub(super) fn cells(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let has = |mark: &str| lines.iter().any(|line| line.text.contains(mark));
    if has("<td") {
        return html_cells(&lines);
    }
    if has("\\begin{tabular}") || has("\\begin{longtable}") {
        return lines.into_iter().flat_map(latex).collect();
    }
    if lines.iter().any(|line| line.text.trim_end() == ".TS") {
        return lines.into_iter().map(troff).collect();
    }
    if lines.iter().any(|line| line.text.starts_with("|===")) {
        return lines.into_iter().map(asciidoc).collect();
    }
    let lines = if has("<pre") || has("<code") || has("<br") {
        lines.into_iter().map(without_tags).collect()
    } else {
        lines
    };
    with_entities_decoded(lines)
}

/// The text of every `<td>`, whatever the lines it stands on.
fn html_cells<'a>(lines: &[Line<'_>]) -> Vec<Line<'a>> {
    let mut cells = Vec::new();
    let mut cell: Option<String> = None;
    for line in lines {
        let mut rest: &str = &line.text;
        loop {
            let Some(so_far) = &mut cell else {
                let Some(start) = rest.find("<td") else { break };
                let tag = &rest[start..];
                let Some(end) = tag.find('>') else { break };
                // A record's heading goes over both columns.
                if tag[..end].contains("colspan") {
                    rest = &tag[end..];
                    continue;
                }
                cell = Some(String::new());
                rest = &tag[end + 1..];
                continue;
            };
            let (text, closed) = match rest.find("</td>") {
                Some(end) => (&rest[..end], true),
                None => (rest, false),
            };
            so_far.push_str(text);
            if closed {
                rest = &rest[text.len() + "</td>".len()..];
                if let Some(whole) = cell.take() {
                    push_lines(&mut cells, line.index, &without_simple_tags(&whole));
                }
            } else {
                so_far.push('\n');
                break;
            }
        }
    }
    cells
}

fn push_lines(cells: &mut Vec<Line<'_>>, index: usize, text: &str) {
    cells.extend(text.lines().map(|line| Line {
        index,
        text: Cow::Owned(decoded(line)),
        ends: false,
    }));
}

/// Tags that format text; a tag that breaks the line becomes a break unless one follows.
fn without_simple_tags(text: &str) -> String {
    const TAGS: [&str; 12] = [
        "pre", "code", "br", "br/", "br /", "div", "p", "span", "b", "i", "tt", "samp",
    ];
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        bare.push_str(&rest[..start]);
        let tag = &rest[start + 1..];
        let name = tag
            .find('>')
            .map(|end| tag[..end].trim_start_matches('/').trim())
            .filter(|name| {
                TAGS.contains(name)
                    || name
                        .split_once(' ')
                        .is_some_and(|(name, _)| TAGS.contains(&name))
            });
        match (name, tag.find('>')) {
            (Some(name), Some(end)) => {
                rest = &tag[end + 1..];
                if name.starts_with("br") && !rest.starts_with(['\n', '\r']) {
                    bare.push('\n');
                }
            }
            _ => {
                bare.push('<');
                rest = tag;
            }
        }
    }
    bare.push_str(rest);
    bare
}

fn without_tags(line: Line<'_>) -> Line<'_> {
    if !line.text.contains('<') {
        return line;
    }
    let bare = without_simple_tags(&line.text);
    line.with(bare.trim_end_matches('\n').to_owned())
}

/// Entities stand for characters where the arrows or the quotes of JSON are written so.
fn with_entities_decoded(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let marks = [
        "-&gt;",
        "&quot;Plan&quot;",
        "&quot;Node Type&quot;",
        "&nbsp;",
        "&lt;explain",
        "&#45;&gt;",
        "-&#62;",
    ];
    let is_encoded = lines
        .iter()
        .any(|line| marks.iter().any(|mark| line.text.contains(mark)));
    if !is_encoded {
        return lines;
    }
    lines
        .into_iter()
        .map(|line| {
            if !line.text.contains('&') {
                return line;
            }
            let text = decoded(&line.text);
            line.with(text)
        })
        .collect()
}

/// Named and numbered entities.
fn decoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        let entity = &rest[start + 1..];
        let end = entity.find(';').filter(|end| *end <= 8);
        match end.and_then(|end| Some((end, character(&entity[..end])?))) {
            Some((end, c)) => {
                plain.push(c);
                rest = &entity[end + 1..];
            }
            None => {
                plain.push('&');
                rest = entity;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(entity: &str) -> Option<char> {
    Some(match entity {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        other => {
            let number = other.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(if code == 0xa0 { 0x20 } else { code })?
        }
    })
}

/// A row of `tabular` or `longtable`.
fn latex(line: Line<'_>) -> Vec<Line<'_>> {
    let text = line.text.trim_end();
    let row = text
        .strip_suffix("\\tabularnewline")
        .or_else(|| text.strip_suffix("\\\\"))
        .map(str::trim_end);
    let row = match row {
        // A value over several lines ends without the row's own mark in some versions.
        None if text.starts_with("QUERY PLAN & ") || text.starts_with("[\\\\") => Some(text),
        other => other,
    };
    let Some(row) = row else {
        let ends = text.starts_with("\\noindent");
        return vec![line.frame(ends)];
    };
    let row = row.strip_prefix("QUERY PLAN & ").unwrap_or(row);
    let row = row
        .strip_prefix("\\raggedright{")
        .map_or(row, |inside| inside.strip_suffix('}').unwrap_or(inside));
    if row.starts_with("\\multicolumn")
        || row.contains("\\textit{QUERY PLAN}")
        || row.starts_with("\\noindent")
    {
        let ends = row.contains("QUERY PLAN");
        return vec![line.frame(ends)];
    }
    let index = line.index;
    row.split("\\\\")
        .map(|part| Line {
            index,
            text: Cow::Owned(without_latex(part)),
            ends: false,
        })
        .collect()
}

fn without_latex(text: &str) -> String {
    const COMMANDS: [(&str, &str); 8] = [
        ("\\textless{}", "<"),
        ("\\textgreater{}", ">"),
        ("\\textbar{}", "|"),
        ("\\textasciitilde{}", "~"),
        ("\\textasciicircum{}", "^"),
        ("\\^{}", "^"),
        ("\\~{}", "~"),
        ("\\textbackslash{}", "\u{1}"),
    ];
    let mut plain = COMMANDS
        .iter()
        .fold(text.to_owned(), |text, (command, character)| {
            text.replace(command, character)
        });
    for escaped in ["&", "%", "$", "#", "_", "{", "}"] {
        plain = plain.replace(&format!("\\{escaped}"), escaped);
    }
    plain.replace('\u{1}', "\\")
}

/// A line of a table for tbl.
fn troff(line: Line<'_>) -> Line<'_> {
    let text = line.text.trim_end();
    let is_request = text.starts_with('.') || text == "_" || text.starts_with("center");
    let is_format = text.ends_with(['.', ';'])
        && text
            .trim_end_matches(['.', ';'])
            .chars()
            .all(|c| matches!(c, 'c' | 'l' | 's' | ' ' | '|'));
    if is_request || is_format || text.starts_with("\\fI") {
        let ends = text.contains("QUERY PLAN") || text == ".TE";
        return line.frame(ends);
    }
    let value = text.strip_prefix("QUERY PLAN\t").unwrap_or(text);
    let value = value.replace("\\(rs", "\\");
    line.with(value)
}

/// A line of an AsciiDoc table.
fn asciidoc(line: Line<'_>) -> Line<'_> {
    let text = line.text.trim_end();
    let is_frame = text.starts_with("|===")
        || text.starts_with("[options=")
        || text.starts_with("[cols=")
        || text.starts_with("2+")
        || text == "....";
    if is_frame {
        return line.frame(false);
    }
    let value = match text.split_once('|') {
        Some(("" | "<l" | ">l" | "^l", value)) => value,
        Some(_) | None => text,
    };
    if is_heading(value) {
        return line.frame(true);
    }
    let value = match value
        .strip_prefix("QUERY PLAN ")
        .and_then(|rest| rest.split_once('|'))
    {
        Some(("<l" | ">l" | "^l", value)) => value,
        Some(_) | None => value,
    };
    let value = value.replace("\\|", "|");
    line.with(value)
}

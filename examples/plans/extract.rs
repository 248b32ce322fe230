//! Finds outputs of EXPLAIN in files of any kind, and counts their nodes, by simpler means than the readers have.

use std::path::Path;

/// In what form an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    Text,
    Json,
    Xml,
    Yaml,
    Log,
}

/// An output of EXPLAIN.
pub(crate) struct Output {
    pub(crate) shape: Shape,
    /// 1-based line of the file.
    pub(crate) line: usize,
    pub(crate) text: String,
    /// Nodes that it shows.
    pub(crate) nodes: usize,
}

/// Every output in a file.
pub(crate) fn outputs(path: &Path, text: &str) -> Vec<Output> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kind = name.rsplit(['.', '-']).next().unwrap_or_default();
    match kind {
        "plan" | "json" | "xml" | "yaml" | "yml" | "explain" if is_plan(text) => {
            output(1, text).into_iter().collect()
        }
        "plan" | "json" | "xml" | "yaml" | "yml" | "explain" => Vec::new(),
        "ts" | "js" | "vue" | "t" | "py" | "rb" | "go" | "pl" | "tsx" => between(text, '`', '`')
            .into_iter()
            .chain(heredocs(text))
            .collect(),
        "md" => fenced(text),
        "sgml" | "html" => tagged(text),
        "expect" | "c" | "h" | "sql" | "css" | "svg" | "svelte" | "7" | "1" | "3" | "lock" => {
            Vec::new()
        }
        _ => frames(text),
    }
}

fn is_plan(text: &str) -> bool {
    [
        "(cost=",
        "(actual ",
        "\"Node Type\":",
        "\"\"Node Type\"\":",
        "<Node-Type>",
        "Node Type:",
    ]
    .iter()
    .any(|mark| text.contains(mark))
}

fn output(line: usize, text: &str) -> Option<Output> {
    let shape = if text.contains("duration: ") && text.contains("plan:") {
        Shape::Log
    } else if text.contains("<Node-Type>") {
        Shape::Xml
    } else if text.contains("\"Node Type\"") || text.contains("\"\"Node Type\"\"") {
        Shape::Json
    } else if text.contains("Node Type:") {
        Shape::Yaml
    } else {
        Shape::Text
    };
    let text = if shape == Shape::Text {
        text.to_owned()
    } else {
        unmasked(text)
    };
    // Citus puts the plans of its workers into a value of their own, which is no part of the tree.
    let tree = [
        "Distributed Query\"",
        "<Distributed-Query>",
        "Distributed Query:",
    ]
    .iter()
    .filter_map(|mark| text.find(mark))
    .min()
    .map_or(text.as_str(), |end| &text[..end]);
    let nodes = match shape {
        Shape::Json => tree.matches("Node Type\"").count(),
        Shape::Xml => tree.matches("<Node-Type>").count(),
        Shape::Yaml => tree.matches("Node Type:").count(),
        Shape::Text | Shape::Log => text_nodes(&text),
    };
    (nodes > 0).then_some(Output {
        shape,
        line,
        text,
        nodes,
    })
}

/// The arrows, and the roots, which have none: lines with figures at the margin, else the first line of each plan.
fn text_nodes(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    // What stands before the heading is no plan.
    let first = lines
        .iter()
        .position(|line| line.contains("QUERY PLA"))
        .unwrap_or_default();
    let lines = &lines[first..];
    let arrows = lines
        .iter()
        .filter(|line| bare(line).starts_with("->"))
        .count();
    // A terminal may have cut the line of a root after its name.
    let is_cut = |at: usize| lines[at].contains("  (c") && !lines[at].contains(") (actual ");
    let shows_figures = lines
        .iter()
        .any(|line| line.contains("(cost=") || line.contains("(actual "));
    let mut roots = 0;
    let mut due = true;
    for (at, line) in lines.iter().enumerate() {
        let bare = bare(line);
        let is_heading = lines.get(at + 1).is_some_and(|next| is_ruler(next));
        if bare.is_empty() || is_heading || is_frame(line) {
            due = true;
            continue;
        }
        let name = bare
            .split("(cost=")
            .next()
            .unwrap_or_default()
            .split("(actual ")
            .next()
            .unwrap_or_default();
        let has_figures =
            name.len() < bare.len() || bare.contains("(never executed)") || is_cut(at);
        let may_be_a_root = !bare.starts_with("->")
            && !name.contains([':', '\''])
            && name.starts_with(char::is_uppercase);
        // Without figures, the first line of a plan is its root.
        if may_be_a_root && if shows_figures { has_figures } else { due } {
            roots += 1;
        }
        due = false;
    }
    arrows + roots
}

fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '|' | '│' | '║' | '"'))
        .trim_end_matches('+')
}

fn is_ruler(line: &str) -> bool {
    let line = line.trim();
    line.chars().count() > 2
        && line
            .chars()
            .all(|c| matches!(c, '-' | '+' | '|' | '\u{200b}') || ('─'..='╬').contains(&c))
}

fn is_frame(line: &str) -> bool {
    is_ruler(line)
        || line.trim_matches(['-', ' ', '|', '"']) == "QUERY PLAN"
        || line.contains("QUERY PLA")
        || line.trim() == "N"
        || (line.starts_with('(') && line.trim_end().ends_with("s)"))
        || line == "(1 row)"
}

/// Tables of psql: a heading, a ruler, rows, a count.
fn frames(text: &str) -> Vec<Output> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for at in 1..lines.len() {
        let heading = lines[at - 1].trim();
        if heading == "--- QUERY PLAN ---" {
            let end = lines[at..]
                .iter()
                .position(|line| line.trim().is_empty())
                .map_or(lines.len(), |length| at + length);
            found.extend(output(at, &lines[at - 1..end].join("\n")).filter(|_| end > at));
            continue;
        }
        if !is_ruler(lines[at])
            || heading.contains('|')
            || heading.is_empty()
            || heading.starts_with("--")
        {
            continue;
        }
        let end = lines[at + 1..]
            .iter()
            .position(|line| (line.starts_with('(') && line.contains(" row")) || line.is_empty())
            .map_or(lines.len(), |n| at + 1 + n);
        let body = lines[at + 1..end].join("\n");
        let is_query_plan = heading == "QUERY PLAN";
        // A function's result may be a plan too: then it must show figures or formats.
        let first = lines.get(at + 1).copied().unwrap_or_default();
        let mentions = end - at < 2_000
            && is_plan(&body)
            && (first.contains("(cost=")
                || first.contains("(actual ")
                || first.trim_start().starts_with(['[', '{', '<', '-']));
        if (is_query_plan || mentions) && end > at + 1 && end < lines.len() {
            let block = format!("{}\n{}\n{body}\n{}\n", lines[at - 1], lines[at], lines[end]);
            found.extend(output(at, &block));
        }
    }
    found
}

/// Texts between two marks.
fn between(text: &str, open: char, close: char) -> Vec<Output> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((body, next)) = after.split_once(close) else {
            break;
        };
        let line = text[..text.len() - rest.len() + before.len()]
            .matches('\n')
            .count()
            + 1;
        if is_plan(body) && body.contains('\n') && !body.contains("${") {
            // What the source quotes is not the plan's.
            found.extend(output(line, &body.replace("\\\\", "\\")));
        }
        rest = next;
    }
    found
}

/// Perl's and the shell's `<<'END'`.
fn heredocs(text: &str) -> Vec<Output> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, rest)) = line.split_once("<<") else {
            continue;
        };
        let word: String = rest
            .trim_start_matches(['~', '-', '\'', '"'])
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if word.is_empty() {
            continue;
        }
        let Some(length) = lines[at + 1..].iter().position(|line| line.trim() == word) else {
            continue;
        };
        let body = lines[at + 1..at + 1 + length].join("\n");
        if is_plan(&body) {
            found.extend(output(at + 2, &body));
        }
    }
    found
}

/// Code blocks of Markdown.
fn fenced(text: &str) -> Vec<Output> {
    let mut found = Vec::new();
    for (number, block) in text.split("```").enumerate() {
        if number % 2 == 1 && is_plan(block) && !block.contains("</") {
            let body = block.split_once('\n').map_or("", |(_, body)| body);
            found.extend(pieces(body));
        }
    }
    found
}

/// Screens and listings of DocBook and HTML.
fn tagged(text: &str) -> Vec<Output> {
    let mut found = Vec::new();
    for (open, close) in [
        ("<screen>", "</screen>"),
        ("<programlisting>", "</programlisting>"),
        ("<pre", "</pre>"),
    ] {
        for part in text.split(open).skip(1) {
            let body = part.split(close).next().unwrap_or_default();
            let body = if open == "<pre" {
                body.split_once('>').map_or("", |(_, body)| body)
            } else {
                body
            };
            if !is_plan(body) && !body.contains("QUERY PLAN") {
                continue;
            }
            let mut plain = String::new();
            let mut in_tag = false;
            for c in body
                .replace("<![CDATA[", "")
                .replace("]]>", "")
                .replace("<-", "&lt;-")
                .chars()
            {
                match c {
                    '<' => in_tag = true,
                    '>' if in_tag => in_tag = false,
                    other if !in_tag => plain.push(other),
                    _ => {}
                }
            }
            let plain = plain
                .replace("&gt;", ">")
                .replace("&lt;", "<")
                .replace("&quot;", "\"")
                .replace("&amp;", "&")
                .replace("&nbsp;", " ")
                .replace("&zwsp;", "");
            found.extend(pieces(&plain));
        }
    }
    found
}

/// The frames of a block; the block itself where it has none.
fn pieces(block: &str) -> Vec<Output> {
    let lines: Vec<&str> = block.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim() != "QUERY PLAN" {
            at += 1;
            continue;
        }
        let rest = &lines[at + 1..];
        let length = rest
            .iter()
            .skip(1)
            .position(|line| line.trim().is_empty() || line.starts_with('('))
            .map_or(rest.len(), |n| n + 1);
        found.extend(
            output(at, &lines[at..=at + length.min(rest.len())].join("\n")).filter(|_| length > 0),
        );
        at += length + 1;
    }
    if found.is_empty() && is_plan(block) && !block.contains("...") {
        let first = lines.iter().position(|line| {
            line.contains("(cost=")
                || line.trim_start().starts_with(['[', '{', '<', '-'])
                || line.contains("duration: ")
        });
        found.extend(first.and_then(|first| output(first, &lines[first..].join("\n"))));
    }
    found
}

/// The regression suite prints `N` for every number: a 0 in its place, so that JSON is JSON again.
fn unmasked(text: &str) -> String {
    let line = |line: &str| {
        let masked = [": N.N", ": N", ">N.N<", ">N<", ": XXXXX"];
        let Some(mask) = masked.iter().find(|mask| line.contains(**mask)) else {
            return line.to_owned();
        };
        line.replacen(
            *mask,
            &mask
                .replace("N.N", "0.0")
                .replace('N', "0")
                .replace("XXXXX", "0"),
            1,
        )
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

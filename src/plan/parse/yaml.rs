//! EXPLAIN (FORMAT YAML), made into the value that FORMAT JSON has. Knows the YAML that the server writes (block mappings and
//! sequences, quoted texts), not YAML at large.

use serde_json::{Map, Value};

use super::frame::Line;
use super::pieces::ValuePiece;

/// Two blocks a plan level.
const MAX_DEPTH: usize = 300;

/// Whether a line opens a plan in YAML.
pub(super) fn begins(line: &str) -> bool {
    let Some(entry) = line.strip_prefix("- ") else {
        return false;
    };
    ["Plan:", "Query Text:", "Query Identifier:"]
        .iter()
        .any(|key| entry.trim_start().starts_with(key))
}

/// Reads the sequence of statements that begins at the first line.
pub(super) fn read(lines: &[Line<'_>]) -> ValuePiece {
    let first = indent(&lines[0].text);
    let goes_on = |line: &Line<'_>| {
        let text = line.text.trim();
        !line.ends
            && !text.is_empty()
            && indent(&line.text) >= first
            && (text.contains(':') || text.starts_with("- "))
    };
    let count = lines
        .iter()
        .position(|line| !goes_on(line))
        .unwrap_or(lines.len());
    let rows: Vec<Row<'_>> = lines[..count]
        .iter()
        .map(|line| Row::of(&line.text))
        .collect();
    let mut reader = Reader { rows, at: 0 };
    let value = reader.block(first, 0);
    ValuePiece {
        value,
        is_cut: false,
        fails_at: reader.at.min(count.saturating_sub(1)),
        lines: count,
    }
}

struct Row<'a> {
    indent: usize,
    text: &'a str,
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Self {
        Self {
            indent: indent(line),
            text: line.trim(),
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

struct Reader<'a> {
    rows: Vec<Row<'a>>,
    at: usize,
}

impl Reader<'_> {
    /// All rows from here that stand at `column`.
    fn block(&mut self, column: usize, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("blocks are nested deeper than {MAX_DEPTH} levels"));
        }
        let is_sequence = self
            .rows
            .get(self.at)
            .is_some_and(|row| row.text.starts_with("- "));
        if is_sequence {
            self.sequence(column, depth)
        } else {
            self.mapping(column, depth).map(Value::Object)
        }
    }

    fn sequence(&mut self, column: usize, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        while let Some(row) = self
            .rows
            .get_mut(self.at)
            .filter(|row| row.indent == column)
        {
            let Some(rest) = row.text.strip_prefix("- ") else {
                break;
            };
            let entry = rest.trim_start();
            if entry.starts_with(['"', '[']) || !entry.contains(':') {
                items.push(scalar(entry)?);
                self.at += 1;
                continue;
            }
            // The item's mapping stands where its first key does.
            row.indent += row.text.len() - entry.len();
            row.text = entry;
            let inner = row.indent;
            items.push(Value::Object(self.mapping(inner, depth + 1)?));
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, column: usize, depth: usize) -> Result<Map<String, Value>, String> {
        let mut map = Map::new();
        while let Some(row) = self.rows.get(self.at).filter(|row| row.indent == column) {
            let Some((key, rest)) = row.text.split_once(':') else {
                return Err(format!(
                    "{:?} has no key",
                    row.text.chars().take(40).collect::<String>()
                ));
            };
            let (key, rest) = (key.trim().trim_matches('"').to_owned(), rest.trim());
            self.at += 1;
            let value = match self.rows.get(self.at).filter(|_| rest.is_empty()) {
                Some(next) if next.indent > column => {
                    let inner = next.indent;
                    self.block(inner, depth + 1)?
                }
                // Lists that are empty have no rows.
                None if !rest.is_empty() => scalar(rest)?,
                Some(_) | None => Value::Array(Vec::new()),
            };
            map.insert(key, value);
        }
        match self.rows.get(self.at) {
            Some(row) if row.indent > column => {
                Err("it is indented deeper than what it belongs to".to_owned())
            }
            Some(_) | None => Ok(map),
        }
    }
}

/// Texts are quoted as in JSON; numbers and truth values stand bare.
fn scalar(text: &str) -> Result<Value, String> {
    if text.starts_with(['"', '[']) {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    Ok(match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        other => Value::String(other.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use crate::plan::parse::any;
    use crate::plan::{NodeKind, PerLoop};

    #[test]
    fn yaml_is_read_as_json_is() {
        let text = "- Plan: \n    Node Type: \"Sort\"\n    Parallel Aware: false\n    Plan Rows: 7\n    Sort Key: \n      - \"a.x\"\n      - \"a.y DESC\"\n    Plans: \n      - Node Type: \"Seq Scan\"\n        Filter: \"(x = 'a: b'::text)\"\n  Planning Time: 0.1\n  Triggers: \n  Execution Time: 0.2\n";
        let plan = &any(text).unwrap()[0];
        assert_eq!(
            (&plan.root().kind, plan.root().estimate.rows),
            (&NodeKind::Sort, PerLoop(7.0))
        );
        assert_eq!(plan.root().sort_key, ["a.x", "a.y DESC"]);
        assert_eq!(
            plan.nodes[1].conditions.filter.as_deref(),
            Some("(x = 'a: b'::text)")
        );
        assert_eq!(plan.execution_ms.unwrap().0, 0.2);
    }

    #[test]
    fn broken_yaml_says_where() {
        assert_eq!(
            any("- Plan: \n    Node Type: \"Sort\n").unwrap_err().line(),
            Some(2)
        );
        let deep: String = (0..1_000)
            .map(|level| format!("{}- Plan:\n", " ".repeat(level * 2)))
            .collect();
        assert!(any(&deep).is_err());
    }
}

//! EXPLAIN (FORMAT XML), made into the value that FORMAT JSON has. Knows the XML that the server writes (elements, text,
//! five entities), not XML at large.

use serde_json::{Map, Value};

use super::frame::Line;
use super::pieces::{ValuePiece, joined};

/// Two elements a plan level.
const MAX_DEPTH: usize = 300;

/// Whether a line opens a plan in XML.
pub(super) fn begins(line: &str) -> bool {
    line.starts_with("<explain") || line.starts_with("<?xml")
}

/// Reads the document that begins at the first line; a tail that is missing is closed.
pub(super) fn read(lines: &[Line<'_>]) -> ValuePiece {
    let last = lines
        .iter()
        .position(|line| line.text.contains("</explain>"))
        .map_or(lines.len(), |last| last + 1);
    let text = joined(&lines[..last]);
    let is_cut = last == lines.len() && !text.contains("</explain>");
    let end = text
        .find("</explain>")
        .map_or(text.len(), |start| start + "</explain>".len());
    let document = &text[..end];
    match Document::of(document) {
        Ok(value) => ValuePiece {
            value: Ok(value),
            is_cut,
            fails_at: 0,
            lines: document.matches('\n').count() + 1,
        },
        Err((offset, reason)) => ValuePiece {
            value: Err(reason),
            is_cut,
            fails_at: document[..offset].matches('\n').count(),
            lines: document.matches('\n').count() + 1,
        },
    }
}

/// An element whose end has not come.
struct Element {
    name: String,
    children: Vec<(String, Value)>,
    text: String,
}

struct Document {
    open: Vec<Element>,
}

impl Document {
    fn of(text: &str) -> Result<Value, (usize, String)> {
        let mut document = Self {
            open: vec![Element {
                name: String::new(),
                children: Vec::new(),
                text: String::new(),
            }],
        };
        let mut at = 0;
        while let Some(bracket) = text[at..].find('<') {
            let start = at + bracket;
            document.top().text.push_str(&text[at..start]);
            let Some(length) = text[start..].find('>') else {
                break;
            };
            let tag = &text[start + 1..start + length];
            at = start + length + 1;
            document.tag(tag).map_err(|reason| (start, reason))?;
        }
        while document.open.len() > 1 {
            document.close();
        }
        Ok(document
            .open
            .pop()
            .map_or(Value::Null, |root| root.value().1))
    }

    fn top(&mut self) -> &mut Element {
        if self.open.is_empty() {
            self.open.push(Element {
                name: String::new(),
                children: Vec::new(),
                text: String::new(),
            });
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn tag(&mut self, tag: &str) -> Result<(), String> {
        if tag.starts_with(['?', '!']) {
            return Ok(());
        }
        if let Some(name) = tag.strip_prefix('/') {
            let expected = &self.top().name;
            if expected != name.trim() {
                return Err(format!("</{name}> closes <{expected}>"));
            }
            self.close();
            return Ok(());
        }
        if self.open.len() > MAX_DEPTH {
            return Err(format!(
                "elements are nested deeper than {MAX_DEPTH} levels"
            ));
        }
        let empty = tag.ends_with('/');
        let name = tag
            .trim_end_matches('/')
            .split_whitespace()
            .next()
            .unwrap_or_default();
        self.open.push(Element {
            name: name.to_owned(),
            children: Vec::new(),
            text: String::new(),
        });
        if empty {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(element) = self.open.pop()
        {
            let named = element.value();
            self.top().children.push(named);
        }
    }
}

impl Element {
    /// A list where it holds items, an object where it holds elements, else its text.
    fn value(self) -> (String, Value) {
        let name = &self.name;
        let is_list = !self.children.is_empty()
            && self.children.iter().all(|(child, _)| {
                child == "Item"
                    || child == "Query"
                    || name.strip_suffix('s') == Some(child.as_str())
            });
        let value = if is_list {
            Value::Array(self.children.into_iter().map(|(_, value)| value).collect())
        } else if !self.children.is_empty() {
            Value::Object(
                self.children
                    .into_iter()
                    .map(|(name, value)| (key(&name), value))
                    .collect::<Map<_, _>>(),
            )
        } else if self.text.contains('\n') && self.text.trim().is_empty() {
            // The server breaks the line in lists, also in empty ones.
            Value::Array(Vec::new())
        } else {
            Value::String(decoded(&self.text))
        };
        (self.name, value)
    }
}

/// The key in JSON of an element; the server makes `-` of every character that XML names may not have.
fn key(name: &str) -> String {
    match name {
        "Full-sort-Groups" => "Full-sort Groups".to_owned(),
        "Pre-sorted-Groups" => "Pre-sorted Groups".to_owned(),
        "One-Time-Filter" => "One-Time Filter".to_owned(),
        _ => name.replace("I-O-", "I/O ").replace('-', " "),
    }
}

fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let marks = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#x0d;", "\r"),
        ("&amp;", "&"),
    ];
    marks
        .into_iter()
        .fold(text.to_owned(), |text, (entity, character)| {
            text.replace(entity, character)
        })
}

#[cfg(test)]
mod tests {
    use crate::plan::parse::{PlanParseError, any};
    use crate::plan::{JoinType, NodeKind, PerLoop};

    #[test]
    fn xml_is_read_as_json_is() {
        let text = r#"<explain xmlns="http://www.postgresql.org/2009/explain">
  <Query>
    <Plan>
      <Node-Type>Nested Loop</Node-Type>
      <Parallel-Aware>false</Parallel-Aware>
      <Join-Type>Left</Join-Type>
      <Inner-Unique>true</Inner-Unique>
      <Plan-Rows>7</Plan-Rows>
      <Output>
        <Item>a.x</Item>
      </Output>
      <Shared-Hit-Blocks>3</Shared-Hit-Blocks>
      <Shared-I-O-Read-Time>0.5</Shared-I-O-Read-Time>
      <Join-Filter>(a.x &lt; 3)</Join-Filter>
      <Plans>
        <Plan>
          <Node-Type>Seq Scan</Node-Type>
        </Plan>
      </Plans>
    </Plan>
    <Planning-Time>0.1</Planning-Time>
    <Triggers>
    </Triggers>
    <JIT>
      <Functions>2</Functions>
    </JIT>
    <Query-Identifier>-5</Query-Identifier>
  </Query>
</explain>"#;
        let plan = &any(text).unwrap()[0];
        let root = plan.root();
        assert_eq!(
            (&root.kind, &root.join_type, root.inner_unique),
            (&NodeKind::NestedLoop, &Some(JoinType::Left), Some(true))
        );
        assert_eq!(root.estimate.rows, PerLoop(7.0));
        assert_eq!(root.output, ["a.x"]);
        assert_eq!(root.conditions.join_filter.as_deref(), Some("(a.x < 3)"));
        assert_eq!(root.buffers.unwrap().shared_hit, 3);
        assert_eq!(plan.nodes[1].kind, NodeKind::SeqScan);
        assert_eq!(
            (plan.query_id, plan.jit.as_ref().unwrap().functions),
            (Some(-5), 2)
        );
    }

    #[test]
    fn broken_xml_says_where() {
        let error = any("\n<explain>\n<Query>\n</Plan>\n</explain>").unwrap_err();
        assert_eq!(error.line(), Some(4));
        assert!(matches!(error, PlanParseError::Malformed { .. }));
        // A lost tail is closed.
        assert!(any("<explain>\n<Query>\n<Plan>\n<Node-Type>Result</Node-Type>\n").is_ok());
        assert!(any(&format!("<explain>{}", "<Plan>".repeat(100_000))).is_err());
    }
}

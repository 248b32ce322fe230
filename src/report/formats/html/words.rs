//! Texts with what is needed to draw them: colours of a statement, places in it as the page's script counts.

use std::ops::Range;

use serde_json::{Value, json};

use crate::sql::highlight::{Ink, parts};

/// A statement with its colours: kind and length of each part, in UTF-16 units.
pub(super) fn statement(sql: &str) -> Value {
    json!({ "text": sql, "inks": inks(sql) })
}

/// Statements of one script, each with its semicolon.
pub(super) fn script(statements: &[String]) -> Value {
    let mut inks = Vec::new();
    let mut texts = Vec::new();
    for (at, sql) in statements.iter().enumerate() {
        if at > 0 {
            inks.extend([Value::from(""), Value::from(1)]);
        }
        let text = format!("{};", sql.trim_end().trim_end_matches(';'));
        inks.extend(flat_inks(&text));
        texts.push(text);
    }
    json!({ "text": texts.join("\n"), "inks": inks })
}

/// Kind and length in turn: `k6 1 …` as a flat list.
pub(super) fn inks(sql: &str) -> Value {
    Value::Array(flat_inks(sql))
}

fn flat_inks(sql: &str) -> Vec<Value> {
    let mut flat = Vec::new();
    for (ink, span) in parts(sql) {
        flat.push(Value::from(match ink {
            Ink::Plain => "",
            Ink::Keyword => "k",
            Ink::Text => "s",
            Ink::Number => "n",
            Ink::Comment => "c",
            Ink::Parameter => "p",
        }));
        flat.push(Value::from(units(&sql[span])));
    }
    flat
}

/// Bytes of a text as UTF-16 units.
pub(super) fn range(text: &str, bytes: &Range<usize>) -> Option<[usize; 2]> {
    let before = units(text.get(..bytes.start)?);
    let part = units(text.get(bytes.clone())?.trim_end());
    (part > 0).then_some([before, before + part])
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_as_scripts_do() {
        assert_eq!(range("é🜁 x", &(7..8)), Some([4, 5]));
        assert_eq!(range("a  ", &(1..3)), None);
        assert_eq!(inks("SELECT '🜁'"), json!(["k", 6, "", 1, "s", 4]));
        let two = script(&["COMMIT".to_owned(), "TABLE t;".to_owned()]);
        assert_eq!(two["text"], "COMMIT;\nTABLE t;");
        let lengths = two["inks"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64);
        assert_eq!(lengths.sum::<u64>(), 16);
    }
}

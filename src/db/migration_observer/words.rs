//! What the words of a statement and of the server's messages tell an observer: what was read in full, how many rows it
//! changed. Pure.

use tokio_postgres::SimpleQueryMessage;

/// What the server's debug messages say that it read in full.
pub(super) fn scanned(notices: &[String]) -> Vec<String> {
    let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
    let mut found = Vec::new();
    for notice in notices {
        let known = if notice.starts_with("verifying table") {
            quoted(notice).map(|table| format!("table {table}"))
        } else if notice.starts_with("validating foreign key constraint") {
            quoted(notice).map(|name| format!("foreign key {name}"))
        } else if notice.starts_with("building index") {
            quoted(notice)
                .filter(|name| !name.starts_with("pg_toast"))
                .map(|name| format!("building index {name}"))
        } else {
            None
        };
        found.extend(known);
    }
    found.sort();
    found.dedup();
    found
}

pub(super) fn affected(sql: &str, messages: &[SimpleQueryMessage]) -> Option<u64> {
    let first = sql
        .split_whitespace()
        .next()
        .unwrap_or("")
        .to_ascii_uppercase();
    if !matches!(
        first.as_str(),
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "WITH" | "COPY"
    ) {
        return None;
    }
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    })
}

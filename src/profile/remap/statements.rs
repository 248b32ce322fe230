//! Statements as pg_stat_statements keeps them, without constants that the server left in them and without comments.

use crate::profile::model::StatementCalls;
use crate::sql::normal::normal;
use crate::sql::tree::is_understood;

/// Words with which statements begin whose constants can be told from their structure.
const KEPT: [&str; 6] = ["select", "with", "insert", "update", "delete", "merge"];

/// The statements, and what was left out of them. The server keeps a text as it was sent where it lost its own form of it, and
/// utility statements hold passwords.
pub(super) fn without_constants(
    statements: &[StatementCalls],
) -> (Vec<StatementCalls>, Option<String>) {
    let mut kept: Vec<StatementCalls> = Vec::new();
    for statement in statements {
        let text = normal(&statement.text).text(|_| false);
        let first = text.split(|c: char| !c.is_ascii_alphabetic()).next();
        let first = first.unwrap_or_default().to_ascii_lowercase();
        if !KEPT.contains(&first.as_str()) || !is_understood(&text) {
            continue;
        }
        match kept.iter_mut().find(|known| known.text == text) {
            Some(known) => join(known, statement),
            None => kept.push(StatementCalls {
                text,
                ..statement.clone()
            }),
        }
    }
    kept.sort_by(|one, other| one.text.cmp(&other.text));
    let known: f64 = statements.iter().map(|statement| statement.calls).sum();
    let calls: f64 = kept.iter().map(|statement| statement.calls).sum();
    let left_out = (calls < known).then(|| {
        format!(
            "pg_stat_statements: {} calls of utility statements and of what is not understood",
            known - calls
        )
    });
    (kept, left_out)
}

/// Two statements that differed in their constants alone.
fn join(known: &mut StatementCalls, other: &StatementCalls) {
    let total = known
        .mean_ms
        .zip(other.mean_ms)
        .map(|(one, two)| one * known.calls + two * other.calls);
    known.calls += other.calls;
    known.mean_ms = total.map(|total| total / known.calls.max(1.0));
    known.per_second = known
        .per_second
        .zip(other.per_second)
        .map(|(one, two)| one + two);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_comments_and_utility_statements_are_left_out() {
        let statement = |text: &str| StatementCalls {
            text: text.to_owned(),
            per_second: Some(1.0),
            calls: 10.0,
            mean_ms: Some(2.0),
        };
        let (kept, left_out) = without_constants(&[
            statement(
                "SELECT name FROM t WHERE id = 7 AND secret = 'hunter2' -- for bob@example.com",
            ),
            statement("SELECT name FROM t WHERE id = $1 AND secret = $2"),
            statement("CREATE ROLE bob PASSWORD 'hunter2'"),
        ]);
        let texts: Vec<&str> = kept.iter().map(|kept| kept.text.as_str()).collect();
        assert_eq!(texts, ["SELECT name FROM t WHERE id = $1 AND secret = $2"]);
        assert_eq!((kept[0].calls, kept[0].per_second), (20.0, Some(2.0)));
        assert!(left_out.unwrap().contains("10 calls"));
    }
}

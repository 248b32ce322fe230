//! `x = NULL` and `x IN (NULL)`: comparisons that are true of no row.

use super::token::tokens;

/// The comparison with NULL by `=`, `<>` or a list in a WHERE clause, as it is written; `SET x = NULL` is none.
#[must_use]
pub(crate) fn null_comparison(sql: &str) -> Option<String> {
    let tokens: Vec<&str> = tokens(sql)
        .into_iter()
        .filter(|token| !token.is_trivia())
        .map(|token| &sql[token.span])
        .collect();
    let begin = tokens
        .iter()
        .position(|word| word.eq_ignore_ascii_case("where"))?;
    let clause = &tokens[begin..];
    let is_empty_list = |words: &[&str]| {
        let [_, word, "(", null, ")"] = words else {
            return false;
        };
        word.eq_ignore_ascii_case("in") && null.eq_ignore_ascii_case("null")
    };
    if let Some(list) = clause.windows(5).find(|words| is_empty_list(words))
        && !list[0].eq_ignore_ascii_case("not")
    {
        return Some(format!("{} {} ({})", list[0], list[1], list[3]));
    }
    let at = clause.windows(2).position(|pair| {
        matches!(pair[0], "=" | "<>" | "!=" | ">") && pair[1].eq_ignore_ascii_case("null")
    })?;
    // `<>` may be two tokens.
    let first = clause[..at]
        .iter()
        .rposition(|word| !matches!(*word, "<" | "!"))
        .unwrap_or(at);
    let operator = clause[first + 1..=at].concat();
    matches!(operator.as_str(), "=" | "<>" | "!=")
        .then(|| format!("{} {operator} {}", clause[first], clause[at + 1]))
}

#[cfg(test)]
mod tests {
    use super::null_comparison;

    #[test]
    fn a_comparison_is_found_where_it_is_a_condition() {
        for (sql, expected) in [
            (
                "DELETE FROM d WHERE a = NULL AND b = NULL",
                Some("a = NULL"),
            ),
            ("SELECT 1 FROM t WHERE t.b <> null", Some("b <> null")),
            ("SELECT 1 FROM t WHERE b != NULL", Some("b != NULL")),
            (
                "SELECT 1 FROM t WHERE t.\"id\" IN (NULL) OFFSET $1",
                Some("\"id\" IN (NULL)"),
            ),
            ("SELECT 1 FROM t WHERE b IN (NULL, 1)", None),
            ("SELECT 1 FROM t WHERE b NOT IN (NULL)", None),
            ("UPDATE t SET a = NULL WHERE b IS NULL", None),
            ("UPDATE t SET a = NULL", None),
            ("SELECT 1 FROM t WHERE a IS DISTINCT FROM NULL", None),
            ("SELECT 1 FROM t WHERE a = 'x = NULL' -- = NULL", None),
            ("SELECT 1 FROM t WHERE a = nullif(b, 1)", None),
        ] {
            assert_eq!(null_comparison(sql).as_deref(), expected, "{sql}");
        }
    }
}

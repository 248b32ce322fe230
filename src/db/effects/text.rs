//! Which functions a text may call. Reads letters, not SQL: whatever could be a name counts, also within comments and
//! strings, so that no quoting hides one. Statements are looked for in functions' bodies alone.

use std::collections::BTreeSet;

/// Everything that could be a name, as written and in lower case.
pub(super) fn identifiers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |word: &str| {
        if word.starts_with(|first: char| !first.is_ascii_digit()) {
            found.insert(word.to_owned());
            found.insert(word.to_lowercase());
        }
    };
    text.split(|letter| !in_identifier(letter))
        .for_each(&mut add);
    // Quoted names hold any letter. Every pair of quotes counts, also one that begins in the middle.
    let pieces: Vec<&str> = text.split('"').collect();
    for piece in pieces.iter().take(pieces.len().saturating_sub(1)).skip(1) {
        add(piece);
    }
    found
}

fn in_identifier(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

/// Names written with Unicode escapes (`U&"\0070g"`) could be any.
pub(super) fn has_escaped_names(text: &str) -> bool {
    text.to_lowercase().contains("u&\"")
}

/// Every run of letters that operators are made of, and the runs within it: `@-` may be `@` before a negative number.
pub(super) fn operators(text: &str) -> BTreeSet<String> {
    let in_operator = |letter: char| "+-*/<>=~!@#%^&|`?".contains(letter);
    let mut found = BTreeSet::new();
    for run in text.split(|letter| !in_operator(letter)) {
        // PostgreSQL cuts a longer name at 63 bytes; a text of nothing but such letters is no query.
        let run = run.get(..run.len().min(64)).unwrap_or_default();
        for start in 0..run.len() {
            for end in start + 1..=run.len() {
                found.insert(run[start..end].to_owned());
            }
        }
    }
    found
}

/// Names before an opening parenthesis: what is called.
pub(super) fn calls(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('(') {
        let before = text[..at].trim_end();
        if let Some(open) = before.strip_suffix('"') {
            found.extend(open.rfind('"').map(|start| open[start + 1..].to_owned()));
            continue;
        }
        let start = before
            .char_indices()
            .rev()
            .take_while(|(_, letter)| in_identifier(*letter))
            .last()
            .map_or(before.len(), |(start, _)| start);
        if start < before.len() {
            found.insert(before[start..].to_lowercase());
        }
    }
    found
}

/// The statements of a function's body whose work lies outside its transaction, or that may be any statement.
pub(super) fn statements(body: &str) -> Option<&'static str> {
    let words = words(body);
    let mut begins = true;
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", String::as_str);
        match word.as_str() {
            "execute" if next == "function" || next == "procedure" => {}
            "execute"
                if begins || at > 0 && matches!(words[at - 1].as_str(), "query" | "in" | "for") =>
            {
                return Some("runs SQL that it puts together");
            }
            "copy" if begins => return Some("copies to or from files or programs"),
            "notify" if begins => return Some("sends a notification to other sessions"),
            "load" if begins => return Some("loads a library into the server"),
            _ => {}
        }
        begins = matches!(
            word.as_str(),
            ";" | "begin" | "then" | "else" | "loop" | ">>" | "atomic"
        );
    }
    None
}

/// Words and semicolons in lower case, without comments and strings.
fn words(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if in_identifier(first) {
            let end = rest
                .find(|letter| !in_identifier(letter))
                .unwrap_or(rest.len());
            found.push(rest[..end].to_lowercase());
            end
        } else if rest.starts_with(">>") {
            found.push(">>".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                found.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_could_be_a_name_counts() {
        let found = identifiers("SELECT App.Hold(1), \"we ird\"('x--pg_notify(''a'')') -- dblink");
        for name in ["app", "hold", "Hold", "we ird", "pg_notify", "dblink"] {
            assert!(found.contains(name), "{name} in {found:?}");
        }
        assert!(has_escaped_names("select u&\"\\0070g_notify\"('a')"));
        assert!(
            operators("a @-1 === 'x'").is_superset(&["@", "===", "@-"].map(str::to_owned).into())
        );
    }

    #[test]
    fn calls_are_names_before_a_parenthesis() {
        let found = calls("app.hold (id), \"Take it\"(1), (a + b), count(*) FILTER (WHERE x)");
        let expected = ["hold", "Take it", "count", "filter"];
        assert_eq!(found, expected.map(str::to_owned).into());
    }

    #[test]
    fn statements_of_bodies() {
        let dynamic = Some("runs SQL that it puts together");
        assert_eq!(statements("BEGIN EXECUTE 'DROP ' || t; END"), dynamic);
        assert_eq!(
            statements("BEGIN RETURN QUERY EXECUTE q USING a; END"),
            dynamic
        );
        assert_eq!(
            statements("BEGIN FOR r IN EXECUTE q LOOP NULL; END LOOP; END"),
            dynamic
        );
        assert_eq!(statements("BEGIN /* ; */ -- x;\n EXECUTE q; END"), dynamic);
        assert_eq!(
            statements("BEGIN IF a THEN COPY t TO PROGRAM 'sh'; END IF; END"),
            Some("copies to or from files or programs")
        );
        assert_eq!(
            statements("BEGIN -- execute the search;\n RETURN QUERY SELECT 'x; execute y'; END"),
            None
        );
        assert_eq!(statements("SELECT copy, load FROM notify"), None);
    }
}

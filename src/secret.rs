//! Passwords taken out of text that others wrote: the last guard before a person or a log reads it.

/// What stands where a password stood.
const HIDDEN: &str = "***";

/// The text without passwords: those of URLs (`scheme://user:password@host`, `?password=…`) and of libpq strings
/// (`password=…`, quoted or not). Never fails; text without a password comes back as it was.
#[must_use]
pub fn redact(text: &str) -> String {
    redact_assignments(&redact_userinfo(text))
}

/// `scheme://user:password@` → `scheme://user:***@`. The last `@` before the authority ends closes the password, for people
/// write passwords with an `@` in them.
fn redact_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>'))
            .unwrap_or(after.len());
        let word = &after[..end];
        match userinfo(word) {
            Some((user, at)) => {
                out.push_str(user);
                out.push(':');
                out.push_str(HIDDEN);
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    out
}

/// The user's name and where the `@` stands, if the word after `://` has a password.
fn userinfo(word: &str) -> Option<(&str, usize)> {
    let at = word.rfind('@')?;
    let colon = word[..at].find(':')?;
    // `host:5432/db?options=a@b` has no userinfo: a path begins before the colon's value ends in an `@` of the query.
    let port_only = word[..at].find('/').is_some_and(|slash| {
        slash > colon
            && word[colon + 1..slash].bytes().all(|b| b.is_ascii_digit())
            && word[slash..at].contains('?')
    });
    (!port_only).then_some((&word[..colon], at))
}

/// `password=x`, `password = 'x y'`, `PGPASSWORD=x` → `password=***`.
fn redact_assignments(text: &str) -> String {
    const KEY: &str = "password";
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = lower[done..].find(KEY) {
        let key_end = done + found + KEY.len();
        let after_key = text[key_end..].trim_start();
        let Some(value) = after_key.strip_prefix('=').map(str::trim_start) else {
            out.push_str(&text[done..key_end]);
            done = key_end;
            continue;
        };
        let value_start = text.len() - value.len();
        out.push_str(&text[done..value_start]);
        out.push_str(HIDDEN);
        done = value_start + value_length(value);
    }
    out.push_str(&text[done..]);
    out
}

/// How long a password is: to its closing quote, or to white space or the next URL parameter.
fn value_length(value: &str) -> usize {
    if !value.starts_with('\'') {
        return value
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '`'))
            .unwrap_or(value.len());
    }
    let mut escaped = false;
    for (index, c) in value.char_indices().skip(1) {
        match c {
            '\\' if !escaped => escaped = true,
            '\'' if !escaped => return index + 1,
            _ => escaped = false,
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_everything_else_stays() {
        let cases = [
            (
                "postgres://ann:s3cret@db:5432/shop",
                "postgres://ann:***@db:5432/shop",
            ),
            (
                "postgres://ann:p@ss/w:ord@db/shop",
                "postgres://ann:***@db/shop",
            ),
            (
                "postgres://ann@db/shop?password=abc&sslmode=require",
                "postgres://ann@db/shop?password=***&sslmode=require",
            ),
            (
                "postgres://db:5432/shop?options=a@b",
                "postgres://db:5432/shop?options=a@b",
            ),
            ("postgres://ann@db/shop", "postgres://ann@db/shop"),
            (
                "host=db user=ann password=s3cret dbname=shop",
                "host=db user=ann password=*** dbname=shop",
            ),
            (r"password = 'a b\'c' host=db", "password = *** host=db"),
            (
                "error: 'postgres://a:b@c/d' and \"postgres://e:f@g/h\"",
                "error: 'postgres://a:***@c/d' and \"postgres://e:***@g/h\"",
            ),
            ("PGPASSWORD=x psql", "PGPASSWORD=*** psql"),
            (
                "password authentication failed for user \"ann\"",
                "password authentication failed for user \"ann\"",
            ),
            (
                "see https://example.org/docs and mail@example.org",
                "see https://example.org/docs and mail@example.org",
            ),
            ("password=", "password=***"),
            ("postgres://ann:@db", "postgres://ann:***@db"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}

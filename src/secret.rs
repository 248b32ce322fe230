//! Passwords taken out of text that others wrote: the last guard before a person or a log reads it. What is known to be a
//! secret, or may be a piece of one, is taken out wherever it stands.

use std::sync::{Mutex, PoisonError};

/// What stands in place of a password.
const HIDDEN: &str = "***";
/// A shorter piece is a part of too many words; no message holds it by itself.
const SHORTEST: usize = 4;

/// Words of connection strings: a piece of a text that was not understood may be one, and says nothing.
const OPEN: &[&str] = &[
    "postgres",
    "postgresql",
    "localhost",
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "password",
    "sslmode",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslrootcert",
    "disable",
    "prefer",
    "require",
    "options",
    "application_name",
    "connect_timeout",
];

/// Secrets of this process, longest first.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Remembers a secret: from now on [`redact`] takes it out of every text. Short ones are not remembered, nor is one that is
/// also said in the open (`public`: the user's name, the database).
pub fn remember(secret: &str, public: &[&str]) {
    if secret.chars().count() < SHORTEST || public.contains(&secret) {
        return;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.iter().any(|other| other == secret) {
        return;
    }
    known.push(secret.to_owned());
    known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// Remembers every piece of a text that may hold a secret, as wrong readings of it would cut it: a URL whose password was
/// not escaped.
pub fn remember_pieces(text: &str, public: &[&str]) {
    let is_open = |piece: &str| OPEN.contains(&piece) || piece.bytes().all(|b| b.is_ascii_digit());
    let separators = [
        '@', '/', '?', '#', ':', '&', '=', ' ', '\'', '"', '%', '[', ']', ',',
    ];
    remember(text, public);
    for piece in text.split(separators).filter(|piece| !is_open(piece)) {
        remember(piece, public);
    }
}

/// The text without passwords: those that were remembered, those of URLs (`scheme://user:password@host`, `?password=…`) and of
/// libpq strings (`password=…`, quoted or not). Never fails; text without a password comes back as it was.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut text = redact_assignments(&redact_userinfo(text));
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    for secret in known.iter() {
        if text.contains(secret.as_str()) {
            text = without(&text, secret);
        }
    }
    text
}

/// Takes a secret out where it stands by itself: `postgres` as a password does not take the word out of `postgresql`.
fn without(text: &str, secret: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(secret) {
        if at < done {
            continue;
        }
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        // `%2F` in a URL is a slash, whatever letter it ends with.
        let is_escape = text.as_bytes()[..at]
            .last_chunk::<3>()
            .is_some_and(|last| last[0] == b'%' && last[1..].iter().all(u8::is_ascii_hexdigit));
        let begins =
            secret.chars().next().is_some_and(is_word) && before.is_some_and(is_word) && !is_escape;
        let ends = secret.chars().next_back().is_some_and(is_word) && after.is_some_and(is_word);
        if begins || ends {
            continue;
        }
        out.push_str(&text[done..at]);
        out.push_str(HIDDEN);
        done = at + secret.len();
    }
    out.push_str(&text[done..]);
    out
}

/// `scheme://user:password@` → `scheme://user:***@`. The last `@` of the word closes the password, for people write passwords
/// with an `@` in them, and a quote within it is no end where an `@` follows.
fn redact_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let end = end_of_url(after);
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

/// Where a URL ends in prose: at white space, or at a quote behind which no `@` follows in the same word.
fn end_of_url(after: &str) -> usize {
    let word = after.find(char::is_whitespace).unwrap_or(after.len());
    // Another URL in the same word begins a new one.
    let word = after[..word].find("://").unwrap_or(word);
    let is_quote = |c: char| matches!(c, '"' | '\'' | '`' | '<' | '>');
    let mut from = 0;
    while let Some(at) = after[from..word].find(is_quote) {
        let quote = from + at;
        if !after[quote..word].contains('@') {
            return quote;
        }
        from = quote + 1;
    }
    word
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

/// `password=x`, `password = 'x y'`, `PGPASSWORD=x`, `sslpassword=x`, `"password": "x"` → `password=***`.
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

/// How long a password is: to its closing quote, or to white space or the next URL parameter. A backslash takes the next
/// character along, as in libpq's strings.
fn value_length(value: &str) -> usize {
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let mut escaped = false;
    for (index, c) in value.char_indices().skip(usize::from(quote.is_some())) {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            (c, Some(quote)) if c == quote => return index + 1,
            (c, None) if c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '`') => return index,
            (_, Some(_) | None) => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_goes_wherever_it_stands() {
        remember("zw1tterPfl9", &[]);
        remember_pieces("kl0ster@Gart7n/x", &["ann"]);
        assert_eq!(
            redact("no host Gart7n:5432, kl0ster, or zw1tterPfl9!"),
            "no host ***:5432, ***, or ***!"
        );
        remember("shopowner", &["shopowner"]);
        assert_eq!(redact("user shopowner"), "user shopowner");
        remember("w0rds", &[]);
        assert_eq!(redact("w0rds passw0rdsafe"), "*** passw0rdsafe");
        assert_eq!(redact("h/%2Fw0rds%40x"), "h/%2F***%40x");
    }

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
            (r"sslpassword=a\ b host=db", "sslpassword=*** host=db"),
            ("password=\"a b\" host=db", "password=*** host=db"),
            (
                "postgres://ann:a'b\"c@db/shop and 'postgres://ann@db'",
                "postgres://ann:***@db/shop and 'postgres://ann@db'",
            ),
            ("postgres://ann:@db", "postgres://ann:***@db"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}

//! Passwords in URLs: found where they were not escaped, and kept out of every message.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tokio_postgres::config::Host;

use crate::secret::{remember, remember_pieces};

/// A URL's parts as people mean them: a password that was not escaped may hold `@`, `/`, `?` and `#`.
pub(super) struct Written<'a> {
    /// `user:password@` with the password escaped; empty where there is none.
    pub(super) credentials: String,
    /// Hosts and database.
    pub(super) address: &'a str,
    pub(super) query: &'a str,
}

/// Where the `@` stands that ends the credentials. It is the last one before the query, unless all of them belong to it.
pub(super) fn credentials(rest: &str) -> Option<usize> {
    let first_at = rest.find('@')?;
    let colon = rest[..first_at].find(':');
    // `host:5432/db?user=a@b`: everything up to the path is an address.
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_port = |text: &str| {
        let is_part = |byte: u8| byte.is_ascii_digit() || byte == b',';
        !text.is_empty() && text.bytes().all(is_part)
    };
    let is_address = path < first_at
        && colon.is_none_or(|colon| colon > path || is_port(&rest[colon + 1..path]));
    if is_address {
        return None;
    }
    if colon.is_none() {
        return Some(first_at);
    }
    // A later `@` belongs to the password, but not one within a query that follows.
    let last = rest.rfind('@')?;
    let query = rest[..last]
        .rfind('?')
        .filter(|at| *at > first_at && is_query(&rest[at + 1..]));
    match query {
        Some(query) => rest[..query].rfind('@'),
        None => Some(last),
    }
}

/// Whether it is `name=value&…` with a name that a URL may have.
fn is_query(text: &str) -> bool {
    let name = text.split(['=', '&']).next().unwrap_or_default();
    text.contains('=')
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'))
}

/// `user:pass/word` → `user:pass%2Fword`. What is escaped already stays.
fn escaped_credentials(written: &str) -> String {
    const IN_PASSWORD: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'@')
        .add(b'/')
        .add(b'?')
        .add(b'#')
        .add(b':')
        .add(b'[')
        .add(b']');
    match written.split_once(':') {
        None => format!("{written}@"),
        Some((user, password)) => {
            format!("{user}:{}@", utf8_percent_encode(password, IN_PASSWORD))
        }
    }
}

/// Every piece of what may be a password: messages about a URL that is not understood must not hold one.
pub(super) fn hide_pieces(text: &str) {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let end = rest.rfind('@').unwrap_or(rest.len());
    let Some((user, secret)) = rest[..end].split_once(':') else {
        return;
    };
    remember_pieces(secret, &[user]);
    let decoded = percent_decode_str(secret).decode_utf8_lossy();
    remember_pieces(&decoded, &[user]);
}

/// The values of `password=…` and `sslpassword=…` in libpq's notation, understood or not.
pub(super) fn hide_assignments(text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("password") {
        rest = &rest[at + "password".len()..];
        if let Some(value) = rest.trim_start().strip_prefix('=') {
            let value = value.trim_start();
            let end = match value.strip_prefix('\'') {
                Some(quoted) => quoted.find('\'').map_or(value.len(), |end| end + 1),
                None => value.find(char::is_whitespace).unwrap_or(value.len()),
            };
            remember_pieces(value[..end].trim_matches('\''), &[]);
        }
    }
}

/// The password that will be sent, wherever it came from: URL, PGPASSWORD, password file.
pub(super) fn hide(config: &tokio_postgres::Config) {
    let Some(password) = config.get_password() else {
        return;
    };
    let mut public: Vec<&str> = Vec::new();
    public.extend(config.get_user());
    public.extend(config.get_dbname());
    for host in config.get_hosts() {
        match host {
            Host::Tcp(name) => public.push(name),
            Host::Unix(_) => {}
        }
    }
    remember(&String::from_utf8_lossy(password), &public);
}

impl<'a> Written<'a> {
    pub(super) fn of(rest: &'a str) -> Self {
        let (credentials, rest) = match credentials(rest) {
            Some(at) => (escaped_credentials(&rest[..at]), &rest[at + 1..]),
            None => (String::new(), rest),
        };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            credentials,
            address,
            query,
        }
    }
}

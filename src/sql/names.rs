//! Identifiers as they are written and as the catalog keeps them.

/// An identifier as PostgreSQL prints it, without its quotes.
pub(crate) fn unquote(identifier: &str) -> String {
    match identifier
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => identifier.to_owned(),
    }
}

/// An identifier as a person wrote it, as the catalog keeps it: lower-case unless quoted.
pub(crate) fn unquote_lower(identifier: &str) -> String {
    if identifier.starts_with('"') {
        unquote(identifier)
    } else {
        identifier.to_lowercase()
    }
}

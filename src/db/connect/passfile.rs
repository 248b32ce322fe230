//! libpq's password file: `host:port:database:user:password` lines, `*` for any, `\` before `:` and `\`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tokio_postgres::config::Host;

/// The password for a connection, from `PGPASSFILE` or `~/.pgpass`; none where others may read the file, as in libpq.
pub(super) fn look_up(
    config: &tokio_postgres::Config,
    environment: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let path = environment("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".pgpass")))?;
    let readable_by_others = path.metadata().ok()?.permissions().mode() & 0o077 != 0;
    if readable_by_others {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // libpq looks for "localhost" for its default socket directory; a named directory matches itself.
        Some(Host::Unix(_)) | None => "localhost".to_owned(),
    };
    let port = config
        .get_ports()
        .first()
        .copied()
        .unwrap_or(5432)
        .to_string();
    let wanted = [
        host.as_str(),
        &port,
        config.get_dbname().unwrap_or_default(),
        config.get_user().unwrap_or_default(),
    ];
    text.lines().find_map(|line| password_of(line, wanted))
}

fn password_of(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = split(line);
    let [host, port, database, user, password] = fields.as_slice() else {
        return None;
    };
    let matches = [host, port, database, user]
        .into_iter()
        .zip(wanted)
        .all(|(field, wanted)| field == "*" || field == wanted);
    matches.then(|| password.clone())
}

fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.trim_end_matches(['\r', '\n']).chars();
    while let Some(character) = characters.next() {
        match (character, fields.len()) {
            ('\\', _) => fields
                .last_mut()
                .into_iter()
                .for_each(|field| field.extend(characters.next())),
            (':', 1..=4) => fields.push(String::new()),
            (other, _) => fields
                .last_mut()
                .into_iter()
                .for_each(|field| field.push(other)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_by_field() {
        let wanted = ["h", "5432", "shop", "app"];
        assert_eq!(
            password_of("h:5432:shop:app:pw", wanted),
            Some("pw".to_owned())
        );
        assert_eq!(
            password_of(r"*:*:*:app:p\:w\\x", wanted),
            Some(r"p:w\x".to_owned())
        );
        assert_eq!(password_of("h:5433:shop:app:pw", wanted), None);
        assert_eq!(password_of("#h:5432:shop:app:pw", wanted), None);
        assert_eq!(password_of("broken", wanted), None);
    }
}

//! What else libpq takes from the environment and from a service file: honoured, or refused by name where leaving it out would
//! connect otherwise than psql does. `docs/reference/environment.md` lists it all.

use std::collections::HashMap;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::url::UrlError;
use crate::secret::remember;

/// A variable of the process.
type Process<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Parameters that the driver knows, and their variables.
const DRIVEN: &[(&str, &str)] = &[
    ("options", "PGOPTIONS"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
];

/// Settings that libpq asks for when a session begins.
const SETTINGS: &[(&str, &str)] = &[
    ("DateStyle", "PGDATESTYLE"),
    ("TimeZone", "PGTZ"),
    ("geqo", "PGGEQO"),
];

/// Variables that ask for what pgproof's driver cannot do, and the values with which they ask for nothing.
pub const REFUSED: &[(&str, &[&str])] = &[
    ("PGREQUIREAUTH", &["none"]),
    ("PGREQUIREPEER", &[]),
    ("PGREQUIRESSL", &["0"]),
    ("PGSSLCRL", &[]),
    ("PGSSLCRLDIR", &[]),
    ("PGSSLSNI", &["1"]),
    ("PGSSLCERTMODE", &["allow", "disable"]),
    ("PGSSLMINPROTOCOLVERSION", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ("PGSSLMAXPROTOCOLVERSION", &["TLSv1.3"]),
    ("PGGSSENCMODE", &["disable", "prefer"]),
    ("PGMINPROTOCOLVERSION", &["3.0"]),
    (
        "PGCLIENTENCODING",
        &[
            "UTF8", "UTF-8", "utf8", "utf-8", "UNICODE", "unicode", "auto",
        ],
    ),
];

/// What of libpq's environment is honoured, or has no meaning here and why. Those of [`REFUSED`] are not in it.
pub const HONOURED: &[(&str, &str)] = &[
    ("PGHOST", "the host, or the folder of the socket"),
    (
        "PGHOSTADDR",
        "its address, where the name is not to be looked up",
    ),
    ("PGPORT", "the port [default: 5432]"),
    ("PGDATABASE", "the database [default: the user's name]"),
    ("PGUSER", "the user [default: the system's]"),
    ("PGPASSWORD", "the password"),
    (
        "PGPASSFILE",
        "the password file [default: ~/.pgpass]; one that others may read is left alone",
    ),
    (
        "PGSERVICE",
        "a service of the service file; `service=NAME` names one, too",
    ),
    (
        "PGSERVICEFILE",
        "the service file [default: ~/.pg_service.conf]",
    ),
    (
        "PGSYSCONFDIR",
        "the folder of the system's service file [default: /etc/postgresql-common]",
    ),
    (
        "PGSSLMODE",
        "disable, allow, prefer, require, verify-ca or verify-full",
    ),
    ("PGSSLROOTCERT", "PEM file of the authorities to trust"),
    ("PGSSLCERT", "PEM file of the client's certificate"),
    ("PGSSLKEY", "PEM file of the client's key"),
    ("PGSSLNEGOTIATION", "postgres or direct"),
    ("PGCHANNELBINDING", "disable, prefer or require"),
    ("PGTARGETSESSIONATTRS", "which of several hosts is taken"),
    ("PGLOADBALANCEHOSTS", "disable or random"),
    ("PGCONNECT_TIMEOUT", "seconds [default: 10]"),
    ("PGOPTIONS", "options of the session: `-c work_mem=8MB`"),
    ("PGTZ", "the session's time zone"),
    ("PGDATESTYLE", "the session's style of dates"),
    ("PGGEQO", "the session's genetic query optimizer, on or off"),
    (
        "PGAPPNAME",
        "without meaning: sessions are called pgproof, so that they are found",
    ),
    (
        "PGKRBSRVNAME",
        "without meaning: pgproof does not authenticate by Kerberos; a server that asks for it is named",
    ),
    ("PGGSSLIB", "without meaning, as PGKRBSRVNAME"),
    ("PGGSSDELEGATION", "without meaning, as PGKRBSRVNAME"),
    (
        "PGSSLCOMPRESSION",
        "without meaning, as in libpq: no server compresses",
    ),
    ("PGMAXPROTOCOLVERSION", "without meaning: 3.0 is spoken"),
    ("PGLOCALEDIR", "without meaning: libpq's own messages"),
];

/// Keys of a service file, and the variables that mean the same.
const KEYS: &[(&str, &str)] = &[
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("options", "PGOPTIONS"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslsni", "PGSSLSNI"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("gssencmode", "PGGSSENCMODE"),
    ("application_name", "PGAPPNAME"),
];

/// The environment of a connection: a service's values before those of the process, as in libpq.
pub(super) struct Environment<'e> {
    process: Process<'e>,
    service: HashMap<&'static str, String>,
}

impl<'e> Environment<'e> {
    /// With the service that the URL names, else `PGSERVICE`.
    ///
    /// # Errors
    /// There is no such service, its file has what is not known, or something is asked for that cannot be done.
    pub(super) fn of(process: Process<'e>, written: Option<&str>) -> Result<Self, UrlError> {
        let name = written.map(str::to_owned).or_else(|| process("PGSERVICE"));
        let service = match name {
            Some(name) => service(&name, process)?,
            None => HashMap::new(),
        };
        let environment = Self { process, service };
        for (variable, harmless) in REFUSED {
            if let Some(value) = environment.get(variable)
                && !harmless.contains(&value.as_str())
            {
                return Err(UrlError::Unsupported {
                    variable: (*variable).to_owned(),
                    value,
                });
            }
        }
        Ok(environment)
    }

    /// A variable's value.
    pub(super) fn get(&self, variable: &str) -> Option<String> {
        let known = self.service.get(variable).cloned();
        known.or_else(|| (self.process)(variable))
    }

    /// What the URL does not say and the driver reads, as `key=value` of a URL. `written` are the URL's own.
    pub(super) fn driver(&self, written: &[String], has_host: bool) -> Vec<String> {
        let is_written = |key: &str| {
            let of_key = |pair: &String| pair.split('=').next() == Some(key);
            written.iter().any(of_key)
        };
        let mut pairs = Vec::new();
        for (key, variable) in DRIVEN {
            if let Some(value) = self.get(variable).filter(|_| !is_written(key)) {
                pairs.push((*key, value));
            }
        }
        // Without a name the address is the host: see `url::complete`.
        let is_named = has_host || is_written("host") || self.get("PGHOST").is_some();
        if let Some(address) = self.get("PGHOSTADDR")
            && is_named
            && !is_written("hostaddr")
        {
            pairs.push(("hostaddr", address));
        }
        pairs
            .into_iter()
            .map(|(key, value)| format!("{key}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)))
            .collect()
    }

    /// Settings that a session begins with, as options of the server's command line.
    pub(super) fn settings(&self) -> Option<String> {
        let asked = SETTINGS.iter().filter_map(|(setting, variable)| {
            let value = self
                .get(variable)?
                .replace('\\', "\\\\")
                .replace(' ', "\\ ");
            Some(format!("-c{setting}={value}"))
        });
        let asked: Vec<String> = asked.collect();
        (!asked.is_empty()).then(|| asked.join(" "))
    }
}

/// The values of a service, from the user's file, else from the system's.
fn service(name: &str, process: Process<'_>) -> Result<HashMap<&'static str, String>, UrlError> {
    let user = process("PGSERVICEFILE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(process("HOME")?).join(".pg_service.conf")));
    let system = process("PGSYSCONFDIR")
        .map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from);
    let files = user.into_iter().chain([system.join("pg_service.conf")]);
    let mut tried = Vec::new();
    for file in files {
        if let Ok(text) = std::fs::read_to_string(&file)
            && let Some(found) = section(&text, name)
        {
            return values(name, found);
        }
        tried.push(file.display().to_string());
    }
    Err(UrlError::Service {
        name: name.to_owned(),
        files: tried.join(" and "),
    })
}

/// The lines of a service.
fn section<'t>(text: &'t str, name: &str) -> Option<Vec<&'t str>> {
    let heading = format!("[{name}]");
    let mut lines = text.lines().map(str::trim);
    lines.by_ref().find(|line| *line == heading)?;
    let own = lines.take_while(|line| !line.starts_with('['));
    Some(
        own.filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect(),
    )
}

fn values(name: &str, lines: Vec<&str>) -> Result<HashMap<&'static str, String>, UrlError> {
    let mut values = HashMap::new();
    for line in lines {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let Some((_, variable)) = KEYS.iter().find(|(known, _)| *known == key) else {
            return Err(UrlError::ServiceKey {
                service: name.to_owned(),
                key: key.to_owned(),
            });
        };
        if *variable == "PGPASSWORD" {
            remember(value, &[]);
        }
        values.entry(*variable).or_insert_with(|| value.to_owned());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::super::url::DatabaseUrl;
    use super::*;

    fn parse(url: &str, variables: &[(&str, &str)]) -> Result<DatabaseUrl, UrlError> {
        DatabaseUrl::parse_with(url, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn options_and_settings_reach_the_server() {
        let url = parse(
            "postgres://app@h/shop",
            &[
                ("PGOPTIONS", "-c work_mem=8MB"),
                ("PGTZ", "Europe/Vienna"),
                ("PGGEQO", "off"),
                ("PGTARGETSESSIONATTRS", "read-write"),
            ],
        )
        .unwrap();
        assert_eq!(
            url.config().get_options(),
            Some("-c work_mem=8MB -cTimeZone=Europe/Vienna -cgeqo=off")
        );
        let written = parse(
            "postgres://app@h/shop?options=-cgeqo%3Don",
            &[("PGOPTIONS", "-c geqo=off")],
        )
        .unwrap();
        assert_eq!(written.config().get_options(), Some("-cgeqo=on"));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (variable, value) in [
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("PGSSLCRL", "/etc/crl.pem"),
            ("PGGSSENCMODE", "require"),
            ("PGSSLMINPROTOCOLVERSION", "TLSv1.3"),
            ("PGCLIENTENCODING", "LATIN1"),
        ] {
            let error = parse("postgres://h/db", &[(variable, value)]).unwrap_err();
            assert!(error.to_string().contains(variable), "{error}");
        }
        assert!(parse("postgres://h/db", &[("PGGSSENCMODE", "prefer")]).is_ok());
    }

    #[test]
    fn a_service_is_read_and_the_url_goes_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("services");
        let text = "# ours\n[other]\nhost=elsewhere\n\n[staging]\nhost=db.staging\nport=6432\nuser=reader\ndbname=shop\nsslmode=verify-full\n";
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let variables = [
            ("PGSERVICEFILE", file),
            ("PGSERVICE", "staging"),
            ("PGUSER", "somebody"),
        ];
        let url = parse("postgres://", &variables).unwrap();
        assert_eq!(url.to_string(), "postgres://reader@db.staging:6432/shop");
        assert_eq!(url.tls().mode.as_str(), "verify-full");
        let written = parse("postgres://app@h/own?service=other", &variables).unwrap();
        assert_eq!(written.to_string(), "postgres://app@h:5432/own");
        let missing = parse("service=nowhere", &variables).unwrap_err();
        assert!(missing.to_string().contains("nowhere"), "{missing}");
        std::fs::write(file, "[staging]\nhsot=x\n").unwrap();
        let mistaken = parse("postgres://", &variables).unwrap_err();
        assert!(mistaken.to_string().contains("hsot"), "{mistaken}");
    }

    #[test]
    fn an_address_stands_for_a_host_or_beside_it() {
        let alone = parse("postgres://app@/db", &[("PGHOSTADDR", "10.0.0.7")]).unwrap();
        assert_eq!(alone.to_string(), "postgres://app@10.0.0.7:5432/db");
        let beside = parse("postgres://app@h/db", &[("PGHOSTADDR", "10.0.0.7")]).unwrap();
        assert_eq!(beside.config().get_hostaddrs().len(), 1);
        assert_eq!(beside.to_string(), "postgres://app@h:5432/db");
    }
}

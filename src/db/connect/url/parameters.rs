//! What a URL's query says, and what libpq's environment adds to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::FOREIGN;
use super::{
    CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, TlsMode, TlsOptions, UNACKNOWLEDGED,
    UrlError,
};
use crate::secret::remember;

/// The URL's query, split into what the driver reads and what this module reads.
pub(super) struct Parameters {
    /// `key=value` as written.
    pub(super) driver: Vec<String>,
    pub(super) tls: TlsOptions,
    mode_written: bool,
    pub(super) schema: Option<String>,
    pub(super) service: Option<String>,
}

/// Fills what the URL leaves out, in libpq's order.
pub(super) fn complete(
    config: &mut tokio_postgres::Config,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(), UrlError> {
    if config.get_ports().is_empty() {
        let port = environment("PGPORT").unwrap_or_else(|| "5432".to_owned());
        let number = port.parse().map_err(|_| UrlError::Value {
            name: "PGPORT".to_owned(),
            value: port.clone(),
            expected: "a port number",
        })?;
        config.port(number);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let host = environment("PGHOST").or_else(|| environment("PGHOSTADDR"));
        config.host(host.unwrap_or_else(|| default_host(port)));
    }
    if config.get_user().is_none() {
        let user = environment("PGUSER")
            .or_else(operating_system_user)
            .unwrap_or_else(|| "postgres".to_owned());
        config.user(user);
    }
    if config.get_dbname().is_none() {
        let name = environment("PGDATABASE")
            .or_else(|| config.get_user().map(str::to_owned))
            .unwrap_or_default();
        config.dbname(name);
    }
    if config.get_password().is_none()
        && let Some(password) = environment("PGPASSWORD")
            .or_else(|| crate::db::connect::passfile::look_up(config, environment))
    {
        config.password(password);
    }
    if config.get_connect_timeout().is_none() {
        let seconds = environment("PGCONNECT_TIMEOUT")
            .and_then(|text| text.parse().ok())
            .unwrap_or(CONNECT_TIMEOUT.as_secs());
        config.connect_timeout(Duration::from_secs(seconds));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    // The driver's default is two hours: a network that is gone would be waited for that long.
    if config.get_keepalives_idle() > KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    Ok(())
}

/// libpq tries its compiled-in socket directory, which differs by packager; then TCP.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/tmp"]
        .into_iter()
        .find(|directory| {
            Path::new(directory)
                .join(format!(".s.PGSQL.{port}"))
                .exists()
        })
        .unwrap_or("localhost")
        .to_owned()
}

fn operating_system_user() -> Option<String> {
    uzers::get_effective_username().and_then(|name| name.into_string().ok())
}

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, UrlError> {
        let tls = TlsOptions {
            mode: TlsMode::Prefer,
            ..TlsOptions::none()
        };
        let mut parameters = Self {
            driver: Vec::new(),
            tls,
            mode_written: false,
            schema: None,
            service: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            parameters.take(name, &value, pair)?;
        }
        Ok(parameters)
    }

    fn take(&mut self, name: &str, value: &str, pair: &str) -> Result<(), UrlError> {
        match name {
            "sslmode" | "ssl-mode" => {
                self.tls.mode = TlsMode::parse(name, value)?;
                self.mode_written = true;
            }
            "sslrootcert" | "sslcert" | "sslkey" if value.is_empty() => {}
            "sslrootcert" => self.tls.root_certificate = Some(value.into()),
            "sslcert" => self.tls.client_certificate = Some(value.into()),
            "sslkey" => self.tls.client_key = Some(value.into()),
            "schema" => self.schema = Some(value.to_owned()),
            "service" => self.service = Some(value.to_owned()),
            "application_name" => {}
            "user"
            | "password"
            | "dbname"
            | "options"
            | "host"
            | "hostaddr"
            | "port"
            | "connect_timeout"
            | "tcp_user_timeout"
            | "keepalives"
            | "keepalives_idle"
            | "keepalives_interval"
            | "keepalives_retries"
            | "target_session_attrs"
            | "channel_binding"
            | "load_balance_hosts"
            | "sslnegotiation" => {
                // The driver takes an `@` anywhere for the end of the credentials.
                self.driver.push(pair.replace('@', "%40"));
            }
            foreign if FOREIGN.contains(&foreign) => {
                if foreign == "sslpassword" {
                    remember(value, &[]);
                }
            }
            unknown => return Err(UrlError::Parameter(unknown.to_owned())),
        }
        Ok(())
    }

    pub(super) fn complete(
        &mut self,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), UrlError> {
        if let (false, Some(mode)) = (self.mode_written, environment("PGSSLMODE")) {
            self.tls.mode = TlsMode::parse("PGSSLMODE", &mode)?;
        }
        let file = |written: &mut Option<PathBuf>, variable: &str| {
            if written.is_none() {
                *written = environment(variable).map(PathBuf::from);
            }
        };
        file(&mut self.tls.root_certificate, "PGSSLROOTCERT");
        file(&mut self.tls.client_certificate, "PGSSLCERT");
        file(&mut self.tls.client_key, "PGSSLKEY");
        Ok(())
    }
}

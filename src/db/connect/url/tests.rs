use std::path::PathBuf;

use super::*;

fn parse(text: &str) -> Result<DatabaseUrl, UrlError> {
    DatabaseUrl::parse_with(text, |_| None)
}

#[test]
fn the_password_is_kept_and_never_shown() {
    let url = parse("postgres://app:s3cr%40t@db.example:6432/shop?sslmode=require").unwrap();
    assert_eq!(url.to_string(), "postgres://app@db.example:6432/shop");
    assert_eq!(
        format!("{url:?}"),
        "DatabaseUrl(postgres://app@db.example:6432/shop)"
    );
    assert!(!format!("{:?}", url.config()).contains("s3cr"));
    assert_eq!(
        url.reveal(),
        "postgres://app:s3cr%40t@db.example:6432/shop?sslmode=require"
    );
    assert_eq!(parse(&url.reveal()).unwrap(), url);
}

#[test]
fn a_password_needs_no_escapes() {
    for (written, password) in [
        ("postgres://app:p@Sch0rle@h/db", "p@Sch0rle"),
        ("postgres://app:p?Sch0rle@h/db", "p?Sch0rle"),
        ("postgres://app:p#Sch0rle@h/db", "p#Sch0rle"),
        ("postgres://app:p/Sch0rle@h/db?sslmode=disable", "p/Sch0rle"),
        ("postgres://app:p:Sch0rle@h/db", "p:Sch0rle"),
        ("postgres://app:/Sch0rle@h/db", "/Sch0rle"),
        ("postgres://app:p%40Sch0rle@h/db", "p@Sch0rle"),
        (
            "postgres://app:a@b?c#d/e@h/db?application_name=x@y",
            "a@b?c#d/e",
        ),
    ] {
        let url = parse(written).unwrap();
        assert_eq!(
            url.config().get_password(),
            Some(password.as_bytes()),
            "{written}"
        );
        assert_eq!(
            (url.address().as_str(), url.database()),
            ("h:5432", "db"),
            "{written}"
        );
        assert!(!url.to_string().contains("Sch0rle"));
    }
    let none = parse("postgres://h:5432/db?options=-capp.mail%3Da@b").unwrap();
    assert_eq!(
        (none.address().as_str(), none.has_password()),
        ("h:5432", false)
    );
    let user = parse("postgres://app@h/db").unwrap();
    assert_eq!((user.user(), user.has_password()), ("app", false));
}

#[test]
fn no_piece_of_a_password_is_in_any_message() {
    // Each is wrong in another way; a wrong reading would show a piece of the password as host, port or parameter.
    for written in [
        "postgres://app:p@Kr4ftwerk9@h:port/db",
        "postgres://app:p?Kr4ftwerk9=1@h/db",
        "postgres://app:123/Kr4ftwerk9@h/db",
        "postgres://app:p#Kr4ftwerk9",
        "postgres://app:p?Kr4ftwerk9",
        "postgres://app:x@h/db?sslmod=Kr4ftwerk9&password=Kr4ftwerk9",
        "mysql://app:p@Kr4ftwerk9@h/db",
        "host=db password=p@Kr4ftwerk9 sslmode=nope",
        "host=db password='p Kr4ftwerk9 sslmode=nope",
        "sslpassword=Kr4ftwerk9 sslmode=nope",
    ] {
        let message = match parse(written) {
            Ok(url) => format!("{url} {url:?} {}", url.address()),
            Err(error) => error.to_string(),
        };
        let message = crate::secret::redact(&message);
        assert!(!message.contains("Kr4ftwerk9"), "{written}: {message}");
    }
}

#[test]
fn sockets_round_trip() {
    let url = DatabaseUrl::of_socket(Path::new("/run/my project"), 5433, "postgres", "shop");
    assert_eq!(
        url.to_string(),
        "postgres://postgres@/shop?host=/run/my%20project&port=5433"
    );
    let again = parse(&url.reveal()).unwrap();
    assert_eq!(again.address(), "/run/my project/.s.PGSQL.5433");
    assert_eq!(again.database(), "shop");
}

#[test]
fn another_database_of_the_same_server() {
    let url = parse("postgresql://app:pw@h/shop")
        .unwrap()
        .with_database("copy of shop");
    assert_eq!(url.to_string(), "postgres://app@h:5432/copy%20of%20shop");
    assert!(url.has_password());
}

#[test]
fn the_environment_completes_what_is_missing() {
    let environment = |name: &str| {
        let value = match name {
            "PGHOST" => "db.internal",
            "PGPORT" => "5439",
            "PGUSER" => "ada",
            "PGPASSWORD" => "pw",
            "PGSSLMODE" => "verify-full",
            "PGSSLROOTCERT" => "/etc/ca.pem",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let url = DatabaseUrl::parse_with("postgres://", environment).unwrap();
    assert_eq!(url.to_string(), "postgres://ada@db.internal:5439/ada");
    assert!(url.has_password());
    assert_eq!(url.tls().mode, TlsMode::VerifyFull);
    assert_eq!(
        url.tls().root_certificate,
        Some(PathBuf::from("/etc/ca.pem"))
    );
    let written =
        DatabaseUrl::parse_with("postgres://bob:x@h:1/d?sslmode=disable", environment).unwrap();
    assert_eq!(written.to_string(), "postgres://bob@h:1/d");
    assert_eq!(written.tls().mode, TlsMode::Disable);
}

#[test]
fn object_mappers_urls_are_understood() {
    let url = parse("postgresql+asyncpg://u:p@h/d?schema=shop&connection_limit=5&pgbouncer=true")
        .unwrap();
    assert_eq!(url.config().get_options(), Some("-csearch_path=shop"));
    assert_eq!(
        url.reveal(),
        "postgres://u:p@h:5432/d?sslmode=prefer&options=-csearch_path%3Dshop"
    );
}

#[test]
fn mistakes_are_named_without_the_password() {
    let message = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        message("mysql://u:hunter2@h/d"),
        UrlError::Scheme.to_string()
    );
    assert_eq!(message("shop"), UrlError::Scheme.to_string());
    assert_eq!(
        message("postgres://u:hunter2@h/d?sslmod=x"),
        "unknown parameter `sslmod` in the database URL"
    );
    assert_eq!(
        message("postgres://u:hunter2@h/d?sslmode=on"),
        "`on` is no value for `sslmode` in the database URL; expected disable, allow, prefer, require, verify-ca \
             or verify-full"
    );
    assert_eq!(
        message("postgres://u:hunter2@h:port/d"),
        "the database URL does not parse (invalid value for option `port`); percent-encode special characters \
             in the password"
    );
    for text in [
        "postgres://u:hunter2@h:99999/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hunter2@h/%zz",
    ] {
        if let Err(error) = parse(text) {
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

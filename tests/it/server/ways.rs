//! The ways to a database: what goes wrong is said with the remedy, and never with the password.

use pgproof::db::connect::{ConnectError, DatabaseUrl, EnvironmentFault, Session, TlsError};
use pgproof::interrupt::Interrupt;

use super::private;
use crate::support;

async fn failure(url: &str) -> (ConnectError, String) {
    let url = DatabaseUrl::parse_with(url, |_| None).unwrap();
    let error = Session::open(&url, &Interrupt::new()).await.err().unwrap();
    let text = error.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    (error, text)
}

#[tokio::test]
async fn nothing_listens_there() {
    // Nothing has listened on port 1 for decades.
    let (error, text) = failure("postgres://u:hunter2@127.0.0.1:1/d").await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert_eq!(
        text,
        "cannot reach PostgreSQL at 127.0.0.1:1: connection refused; is the server running, and on this port?"
    );
    let (_, text) = failure("postgres://u:hunter2@/d?host=/nonexistent&port=5433").await;
    assert_eq!(
        text,
        "cannot reach PostgreSQL at /nonexistent/.s.PGSQL.5433: no such file or directory; is the server running on \
         this socket?"
    );
    let (_, text) = failure("postgres://u:hunter2@no-such-host.invalid/d").await;
    assert!(
        text.starts_with("cannot reach PostgreSQL at no-such-host.invalid:5432: "),
        "{text}"
    );
    assert!(
        text.ends_with("; check the host name and the network"),
        "{text}"
    );
}

#[tokio::test]
async fn something_else_listens_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.accept().map(drop));
    let (error, text) = failure(&format!(
        "postgres://u:hunter2@127.0.0.1:{port}/d?sslmode=disable"
    ))
    .await;
    assert!(
        text.contains(&format!("127.0.0.1:{port}")),
        "{error:?} {text}"
    );
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn wrong_password_user_and_database() {
    let cluster = support::cluster();
    let right = cluster.loopback_url("postgres").unwrap();
    Session::open(&right, &Interrupt::new())
        .await
        .unwrap()
        .close()
        .await;
    let address = right.address();
    let (error, text) = failure(&format!("postgres://postgres:hunter2@{address}/postgres")).await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    assert_eq!(
        text,
        format!(
            "{address} refused user \"postgres\": password authentication failed for user \"postgres\"; check user and \
             password (URL, PGPASSWORD, ~/.pgpass)"
        )
    );
    let (_, text) = failure(&format!("postgres://postgres@{address}/postgres")).await;
    assert_eq!(
        text,
        format!(
            "{address} refused user \"postgres\": it asks for a password and none is known; put it into the URL, \
             PGPASSWORD or ~/.pgpass"
        )
    );
    let missing = cluster.url("no_such_database");
    let error = Session::open(&missing, &Interrupt::new())
        .await
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has no database \"no_such_database\"; create it or name another in the database URL",
            missing.address()
        )
    );
}

#[tokio::test]
async fn every_connection_is_taken() {
    let project = private::project();
    let mut options = private::options(project.path());
    options.settings = vec![
        ("max_connections".to_owned(), "4".to_owned()),
        ("superuser_reserved_connections".to_owned(), "1".to_owned()),
    ];
    let cluster = private::start(&options).await.unwrap();
    private::execute(&cluster, "CREATE ROLE app LOGIN PASSWORD 'hunter2'").await;
    let loopback = cluster.loopback_url("postgres").unwrap();
    let url = DatabaseUrl::parse_with(
        &format!("postgres://app:hunter2@{}/postgres", loopback.address()),
        |_| None,
    );
    let url = url.unwrap();
    let mut sessions = Vec::new();
    let error = loop {
        match Session::open(&url, &Interrupt::new()).await {
            Ok(session) => sessions.push(session),
            Err(error) => break error,
        }
        assert!(sessions.len() < 10);
    };
    assert!(
        matches!(error, ConnectError::TooManyConnections { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_lost_connection_and_a_full_disk_are_the_environments_fault() {
    let database = support::database().await;
    let session = database.session().await;
    let other = database.session().await;
    let victim: i32 = session
        .client()
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let syntax = session.client().batch_execute("SELEC").await.unwrap_err();
    assert_eq!(EnvironmentFault::of(&syntax), None);
    other
        .client()
        .execute("SELECT pg_terminate_backend($1)", &[&victim])
        .await
        .unwrap();
    let lost = session
        .client()
        .batch_execute("SELECT 1")
        .await
        .unwrap_err();
    assert_eq!(
        EnvironmentFault::of(&lost),
        Some(EnvironmentFault::ConnectionLost)
    );
    let full = other
        .client()
        .batch_execute("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$")
        .await
        .unwrap_err();
    assert_eq!(
        EnvironmentFault::of(&full),
        Some(EnvironmentFault::DiskFull)
    );
}

/// A server with a certificate for `localhost` of an authority that nobody trusts by itself.
#[tokio::test]
async fn tls_asks_for_as_much_as_libpq_does() {
    let project = private::project();
    let options = private::options(project.path());
    let cluster = private::start(&options).await.unwrap();
    let plain = cluster
        .loopback_url("postgres")
        .unwrap()
        .reveal()
        .replace("?sslmode=disable", "");
    let with = |text: &str| plain.replacen("127.0.0.1", "localhost", 1) + text;
    let (_, text) = failure_of(&with("?sslmode=require")).await;
    assert!(
        text.ends_with("the server offers no TLS; use sslmode=disable or enable ssl on the server"),
        "{text}"
    );
    let certificates = private::encrypt(&cluster, project.path()).await;
    let root = certificates.path().join("root.pem");

    let encrypted = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let root = root.display();
    for (parameters, expected) in [
        ("?sslmode=disable".to_owned(), "false"),
        (String::new(), "true"),
        ("?sslmode=require".to_owned(), "true"),
        (format!("?sslmode=verify-ca&sslrootcert={root}"), "true"),
        (format!("?sslmode=verify-full&sslrootcert={root}"), "true"),
    ] {
        let url = DatabaseUrl::parse_with(&with(&parameters), |_| None).unwrap();
        let session = Session::open(&url, &Interrupt::new())
            .await
            .unwrap_or_else(|error| panic!("{parameters}: {error}"));
        let found: String = session
            .client()
            .query_one(encrypted, &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(found, expected, "{parameters}");
    }
    // The address is not the certificate's name.
    let address = |mode: &str| format!("{plain}?sslmode={mode}&sslrootcert={root}");
    let url = DatabaseUrl::parse_with(&address("verify-ca"), |_| None).unwrap();
    Session::open(&url, &Interrupt::new()).await.unwrap();
    let (error, text) = failure_of(&address("verify-full")).await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert!(
        text.contains("not valid for name") || text.contains("127.0.0.1"),
        "{text}"
    );
    // The system's authorities do not know this one.
    let (error, _) = failure_of(&with("?sslmode=verify-full")).await;
    assert!(
        matches!(
            error,
            ConnectError::Tls { .. } | ConnectError::TlsSetup { .. }
        ),
        "{error:?}"
    );
    let (error, text) =
        failure_of(&with("?sslmode=verify-full&sslrootcert=/nonexistent.pem")).await;
    assert!(
        matches!(
            &error,
            ConnectError::TlsSetup {
                source: TlsError::File { .. },
                ..
            }
        ),
        "{error:?} {text}"
    );
}

async fn failure_of(url: &str) -> (ConnectError, String) {
    let url = DatabaseUrl::parse_with(url, |_| None).unwrap();
    let error = Session::open(&url, &Interrupt::new()).await.err().unwrap();
    let text = error.to_string();
    (error, text)
}

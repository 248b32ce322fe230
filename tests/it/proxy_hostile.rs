//! Clients and servers that do what none should, at the recording proxy: no other connection notices, nothing hangs, and what was not
//! read is counted.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use pgproof::db::connect::{DatabaseUrl, TlsMode};
use pgproof::db::proxy::{ListenAt, Proxy};
use pgproof::trace::value::ValueReader;
use pgproof::trace::wire::{Conversation, Seen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls};

use crate::record_ends::behind;
use crate::support::{self, TestDatabase};

/// Nothing of this takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Proxied {
    _database: TestDatabase,
    proxy: Proxy,
    url: DatabaseUrl,
}

async fn proxied() -> Proxied {
    let database = support::database().await;
    let name = database.url().database().to_owned();
    let server = support::cluster().loopback_url(&name).unwrap();
    let proxy = Proxy::before(&server).await.unwrap();
    let url = behind(&server, &proxy, TlsMode::Disable);
    Proxied {
        _database: database,
        proxy,
        url,
    }
}

impl Proxied {
    async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url.reveal(), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }

    async fn socket(&self) -> TcpStream {
        let ListenAt::Tcp(address) = self.proxy.at() else {
            panic!("a port");
        };
        TcpStream::connect(address).await.unwrap()
    }
}

async fn number(client: &Client, sql: &str) -> i64 {
    let answered = tokio::time::timeout(PATIENCE, client.query_one(sql, &[]));
    answered.await.unwrap().unwrap().get(0)
}

async fn process(client: &Client) -> i32 {
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
    row.unwrap().get(0)
}

/// Waits until the server has no such session any more.
async fn is_gone(other: &Client, process: i32) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
    for _ in 0..600 {
        let left: i64 = other.query_one(sql, &[&process]).await.unwrap().get(0);
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("session {process} is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_holds_up_nobody_else_and_goes_with_its_session() {
    let proxied = proxied().await;
    let other = proxied.client().await;
    let stuck = proxied.client().await;
    let session = process(&stuck).await;
    // More than all buffers on the way hold; the stream of rows is asked for and never read.
    let rows = stuck
        .query_raw(
            "SELECT repeat('x', 100000) FROM generate_series(1, 2000)",
            Vec::<String>::new(),
        )
        .await
        .unwrap();
    for n in 0..200 {
        assert_eq!(number(&other, &format!("SELECT {n}::bigint")).await, n);
    }
    assert_eq!(
        number(&other, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT repeat%'").await,
        1,
        "the statement waits for its client"
    );
    drop(rows);
    drop(stuck);
    is_gone(&other, session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_ends_ends_for_its_client_alone() {
    let proxied = proxied().await;
    let (other, ended) = (proxied.client().await, proxied.client().await);
    let session = process(&ended).await;
    let waits = ended.batch_execute("SELECT pg_sleep(60)");
    let (waited, _) = tokio::join!(waits, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other
            .execute("SELECT pg_terminate_backend($1)", &[&session])
            .await
            .unwrap();
    });
    assert_eq!(waited.unwrap_err().code().unwrap().code(), "57P01");
    is_gone(&other, session).await;
    assert!(ended.batch_execute("SELECT 1").await.is_err());
    assert_eq!(number(&other, "SELECT 1::bigint").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_and_halves_of_messages_end_their_own_connection_alone() {
    let proxied = proxied().await;
    let other = proxied.client().await;
    let startup = [&[0, 0, 0, 23][..], &[0, 3, 0, 0], b"user\0postgres\0\0"].concat();
    let all: [&[u8]; 5] = [
        &[255; 64],
        b"GET / HTTP/1.1\r\n\r\n",
        &startup[..9],
        &startup,
        &[&startup[..], &[b'p', 127, 255, 255, 255], &[7; 4_000]].concat(),
    ];
    for bytes in all {
        let mut socket = proxied.socket().await;
        // The server may have closed before everything is written.
        let _ = socket.write_all(bytes).await;
        let _ = socket.shutdown().await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer));
        let _ = ended.await.unwrap();
        assert_eq!(number(&other, "SELECT 7::bigint").await, 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_a_hundred_megabytes_passes_and_is_counted_as_not_read() {
    let proxied = proxied().await;
    let client = proxied.client().await;
    let sql = format!("SELECT length('{}')::bigint", "x".repeat(100_000_000));
    let rows = client.simple_query(&sql).await.unwrap();
    let length = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    assert_eq!(length.as_deref(), Some("100000000"));
    assert_eq!(number(&client, "SELECT 7::bigint").await, 7);
    assert_eq!(proxied.proxy.recording().losses(), 1);
}

#[test]
fn a_million_names_of_statements_are_bounded_and_every_execution_is_counted() {
    let framed = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    };
    let mut conversation = Conversation::new(0, ValueReader::default());
    let (mut executed, mut lost) = (0_u64, 0_u64);
    let mut take = |seen: Seen| match seen {
        Seen::Executed(_) => executed += 1,
        Seen::Lost => lost += 1,
    };
    conversation.from_client(&[0, 0, 0, 8, 0, 3, 0, 0], &mut take);
    let answer = [
        framed(b'1', b""),
        framed(b'2', b""),
        framed(b'C', b"SELECT 0\0"),
        framed(b'Z', b"I"),
    ]
    .concat();
    const NAMES: u64 = 1_000_000;
    for n in 0..NAMES {
        let name = format!("s{n}\0");
        let parse = [name.as_bytes(), b"SELECT 1\0\0\0"].concat();
        let bind = [b"\0", name.as_bytes(), &[0; 6]].concat();
        let client = [
            framed(b'P', &parse),
            framed(b'B', &bind),
            framed(b'E', b"\0\0\0\0\0"),
            framed(b'S', b""),
        ]
        .concat();
        conversation.from_client(&client, &mut take);
        conversation.from_server(&answer, &mut take);
    }
    conversation.end(&mut take);
    assert_eq!(executed + lost, NAMES);
    assert!(lost > 0, "the verdict has to be inconclusive");
}

//! A proxy before a server: bytes are forwarded as they come, and what clients execute is read beside them.

mod decoder;
mod ends;
mod forward;
mod saving;
mod startup;

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::trace::recording::Recording;
use crate::trace::value::{Keeps, ValueReader};

use self::decoder::{Decoder, From, Queue};
use self::ends::{Io, Listener, Upstream};
use self::forward::{Ends, Forwarder};
use self::saving::Saved;
use super::connect::DatabaseUrl;

pub use ends::{Certificate, ListenAt};

/// A proxy. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    at: ListenAt,
    sessions: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
    decoder: Decoder,
}

/// Where a proxy listens, and what it offers its clients.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The address.
    pub at: ListenAt,
    /// The certificate for clients that ask for TLS; without one they are refused it.
    pub tls: Option<Certificate>,
    /// What is kept of values.
    pub keeps: Keeps,
}

impl Default for Listening {
    /// A free port of 127.0.0.1, without TLS.
    fn default() -> Self {
        Self {
            at: ListenAt::ANY_PORT,
            tls: None,
            keeps: Keeps::Hashes,
        }
    }
}

/// What all connections share.
#[derive(Clone)]
struct Between {
    upstream: Upstream,
    tls: Option<TlsAcceptor>,
    sessions: Arc<AtomicU64>,
    queue: Queue,
    forwarder: Arc<Forwarder>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `server`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn before(server: &DatabaseUrl) -> io::Result<Self> {
        Self::listening(server, &Listening::default(), None).await
    }

    /// Listens where it is asked to. What it records is written to a file, too, where one is given, compressed: hashes in the
    /// place of values, unless these are to be kept.
    ///
    /// # Errors
    /// Where the address cannot be had, or a certificate is of no use.
    pub async fn listening(
        server: &DatabaseUrl,
        listening: &Listening,
        file: Option<File>,
    ) -> io::Result<Self> {
        let upstream = Upstream::of(server)?;
        let tls = listening.tls.as_ref().map(ends::acceptor).transpose()?;
        let (listener, at) = Listener::bind(&listening.at).await?;
        let reader = ValueReader::new(key()).keeping(listening.keeps);
        let saved = file.map(|file| Saved::new(file, reader, offset()));
        let decoder = Decoder::start(reader, saved)?;
        let sessions = Arc::new(AtomicU64::new(0));
        let between = Between {
            upstream,
            tls,
            sessions: Arc::clone(&sessions),
            queue: decoder.queue().clone(),
            forwarder: Arc::new(Forwarder::start(decoder.queue().clone())?),
        };
        Ok(Self {
            at,
            sessions,
            accepting: tokio::spawn(accept(listener, between)),
            decoder,
        })
    }

    /// Where it listens: a port that was left open is known now.
    #[must_use]
    pub fn at(&self) -> &ListenAt {
        &self.at
    }

    /// Connections so far.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// What was recorded, once nothing more is expected. The file that it was saved to is whole then.
    ///
    /// # Errors
    /// Where the file could not be written.
    pub fn take_recording(self) -> io::Result<Recording> {
        let recording = std::mem::take(&mut *self.recording());
        self.decoder.finish()?;
        Ok(recording)
    }

    /// What was recorded so far.
    pub fn recording(&self) -> MutexGuard<'_, Recording> {
        self.decoder.recording()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// By how much whole numbers of a saved recording are moved: far from both ends, so that they keep their order.
fn offset() -> i64 {
    let half = u64::from_be_bytes(key()[..8].try_into().unwrap_or_default());
    (half >> 3) as i64
}

/// Nobody knows it, and it is gone with the process: values can be compared, not recovered.
fn key() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(0_u8).to_be_bytes();
    let mut key = [0; 16];
    key[..8].copy_from_slice(&half());
    key[8..].copy_from_slice(&half());
    key
}

/// TLS keeps what it encrypted until it is asked for it.
async fn pass_on(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

async fn accept(listener: Listener, between: Between) {
    // Its connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok(client) = accepted else {
                    // Out of file descriptors, say: until some are closed.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                connections.spawn(connection(client, between.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Brings a connection as far as its session, which the forwarder goes on with where neither end is encrypted.
async fn connection(client: Io, between: Between) {
    let opened = startup::open(client, &between.upstream, between.tls.as_ref()).await;
    // A client that goes away, or only cancelled a statement, is no session.
    let Ok(Some(mut opened)) = opened else {
        return;
    };
    let session = between.sessions.fetch_add(1, Ordering::Relaxed);
    let recorded = Recorded {
        session,
        queue: &between.queue,
    };
    recorded.push(From::Client, &opened.startup);
    if pass_on(&mut opened.server, &opened.startup).await.is_err() {
        return;
    }
    let mut answered = |bytes: &[u8]| recorded.push(From::Server, bytes);
    let mut heard = |bytes: &[u8]| recorded.push(From::Client, bytes);
    if startup::authenticate(&mut opened, &mut answered, &mut heard)
        .await
        .is_err()
    {
        return;
    }
    if !opened.client.is_plain() || !opened.server.is_plain() {
        return encrypted(opened.client, opened.server, &recorded).await;
    }
    let ends = opened.client.into_socket().and_then(|client| {
        let server = opened.server.into_socket()?;
        Ok(Ends {
            session,
            client,
            server,
        })
    });
    if ends.is_ok_and(|ends| between.forwarder.take(ends).is_ok()) {
        recorded.leave_to_forwarder();
    }
}

/// A session whose end is recorded, however it comes.
struct Recorded<'a> {
    session: u64,
    queue: &'a Queue,
}

impl Recorded<'_> {
    fn push(&self, from: From, bytes: &[u8]) {
        self.queue.push(self.session, from, bytes);
    }

    /// The forwarder says when it is over.
    fn leave_to_forwarder(self) {
        std::mem::forget(self);
    }
}

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        self.push(From::Nobody, &[]);
    }
}

/// Forwards where TLS stands between the bytes and their sockets.
async fn encrypted(client: Io, server: Io, recorded: &Recorded<'_>) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let forward = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from_client.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            // What is answered is known before the answer comes.
            recorded.push(From::Client, &buffer[..read]);
            if pass_on(&mut to_server, &buffer[..read]).await.is_err() {
                break;
            }
        }
        // The end goes on as an end: the server closes its side when it has answered.
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from_server.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            recorded.push(From::Server, &buffer[..read]);
            if pass_on(&mut to_client, &buffer[..read]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    // Where the server closes, nothing that the client still sends has a reader.
    tokio::select! {
        () = back => {}
        () = async { forward.await; std::future::pending::<()>().await } => {}
    }
}

//! A proxy before a server: bytes are forwarded as they come, and what clients execute is read beside them.

mod ends;
mod startup;

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::trace::recording::Recording;
use crate::trace::saved::Writer;
use crate::trace::value::{Keeps, ValueReader};
use crate::trace::wire::{Conversation, Seen};

use self::ends::{Io, Listener, Upstream};
use super::connect::DatabaseUrl;

pub use ends::{Certificate, ListenAt};

/// A proxy. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    at: ListenAt,
    recorder: Recorder,
    accepting: JoinHandle<()>,
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

/// The two ends of every connection.
#[derive(Clone)]
struct Between {
    upstream: Upstream,
    tls: Option<TlsAcceptor>,
}

/// What all connections share.
#[derive(Debug, Clone)]
struct Recorder {
    recording: Arc<Mutex<Recording>>,
    sessions: Arc<AtomicU64>,
    reader: ValueReader,
    /// Times of executions are counted from here.
    began: Instant,
    saved: Option<Arc<Mutex<Saved>>>,
}

/// A recording that is written as it comes.
#[derive(Debug)]
struct Saved {
    writer: Writer,
    file: GzEncoder<File>,
    /// The first write that failed: nothing is written after it.
    failed: Option<io::Error>,
}

impl Saved {
    fn write(&mut self, lines: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(lines.as_bytes()).err();
        }
    }
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
        let recorder = Recorder {
            recording: Arc::new(Mutex::new(Recording::new(reader))),
            sessions: Arc::new(AtomicU64::new(0)),
            reader,
            began: Instant::now(),
            saved: file.map(|file| Arc::new(Mutex::new(saved(file, reader)))),
        };
        let between = Between { upstream, tls };
        let accepting = tokio::spawn(accept(listener, between, recorder.clone()));
        Ok(Self {
            at,
            recorder,
            accepting,
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
        self.recorder.sessions.load(Ordering::Relaxed)
    }

    /// What was recorded, once nothing more is expected. The file that it was saved to is whole then.
    ///
    /// # Errors
    /// Where the file could not be written.
    pub fn take_recording(self) -> io::Result<Recording> {
        let recording = std::mem::take(&mut *self.recording());
        if let Some(saved) = &self.recorder.saved {
            let mut saved = locked(saved);
            if let Some(error) = saved.failed.take() {
                return Err(error);
            }
            saved.file.try_finish()?;
        }
        Ok(recording)
    }

    /// What was recorded so far.
    pub fn recording(&self) -> MutexGuard<'_, Recording> {
        locked(&self.recorder.recording)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn saved(file: File, reader: ValueReader) -> Saved {
    let half = u64::from_be_bytes(key()[..8].try_into().unwrap_or_default());
    // Far from both ends, so that numbers keep their order; where values are kept there is nothing to hide.
    let offset = match reader.keeps() {
        Keeps::Hashes => (half >> 3) as i64,
        Keeps::Values => 0,
    };
    let mut saved = Saved {
        writer: Writer::new(reader, offset),
        file: GzEncoder::new(file, Compression::fast()),
        failed: None,
    };
    saved.write(&Writer::head());
    saved
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

async fn accept(listener: Listener, between: Between, recorder: Recorder) {
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
                connections.spawn(connection(client, between.clone(), recorder.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: Io, between: Between, recorder: Recorder) {
    let opened = startup::open(client, &between.upstream, between.tls.as_ref()).await;
    // A client that goes away, or only cancelled a statement, is no session.
    let Ok(Some(mut opened)) = opened else {
        return;
    };
    let session = recorder.sessions.fetch_add(1, Ordering::Relaxed);
    let Recorder {
        recording,
        reader,
        began,
        saved,
        ..
    } = recorder;
    let conversation = Mutex::new(Conversation::new(session, reader));
    let now = || i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
    let take = |seen| {
        if let Some(saved) = &saved {
            let mut saved = locked(saved);
            let lines = match &seen {
                Seen::Executed(executed) => saved.writer.execution(executed),
                Seen::Lost => Writer::lost(),
            };
            saved.write(&lines);
        }
        let mut recording = locked(&recording);
        match seen {
            Seen::Executed(executed) => recording.take(&executed),
            Seen::Lost => recording.lost(),
        }
    };
    let heard = |bytes: &[u8]| {
        let mut conversation = locked(&conversation);
        conversation.at(now());
        conversation.from_client(bytes, &mut &take);
    };
    let answered = |bytes: &[u8]| {
        let mut conversation = locked(&conversation);
        conversation.at(now());
        conversation.from_server(bytes, &mut &take);
    };
    heard(&opened.startup);
    let sent = opened.server.write_all(&opened.startup).await;
    let began = sent.and(opened.server.flush().await);
    let authenticated = match began {
        Ok(()) => startup::authenticate(&mut opened, &mut &answered, &mut &heard).await,
        Err(error) => Err(error),
    };
    if authenticated.is_err() {
        return;
    }
    let (mut from_client, mut to_client) = tokio::io::split(opened.client);
    let (mut from_server, mut to_server) = tokio::io::split(opened.server);
    let forward = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from_client.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            // What is answered is known before the answer comes.
            heard(&buffer[..read]);
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
            // First what the client waits for.
            if pass_on(&mut to_client, &buffer[..read]).await.is_err() {
                break;
            }
            answered(&buffer[..read]);
        }
        let _ = to_client.shutdown().await;
    };
    // Where the server closes, nothing that the client still sends has a reader.
    tokio::select! {
        () = back => {}
        () = async { forward.await; std::future::pending::<()>().await } => {}
    }
    locked(&conversation).end(&mut &take);
    if let Some(saved) = &saved {
        locked(saved).write(&Writer::closed(session));
    }
    locked(&recording).closed(session);
}

//! A proxy before a server: bytes are forwarded as they come, and what clients execute is read beside them.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::trace::recording::Recording;
use crate::trace::saved::Writer;
use crate::trace::value::ValueReader;
use crate::trace::wire::{Conversation, Seen};

/// A proxy that listens on 127.0.0.1. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    recorder: Recorder,
    accepting: JoinHandle<()>,
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
    /// Listens on a free port and forwards to `server`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn before(server: SocketAddr) -> io::Result<Self> {
        Self::saving(server, None).await
    }

    /// The same, and writes what it records to a file, compressed. The file holds no values, but hashes of them.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn saving(server: SocketAddr, file: Option<File>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let reader = ValueReader::new(key());
        let recorder = Recorder {
            recording: Arc::new(Mutex::new(Recording::new(reader))),
            sessions: Arc::new(AtomicU64::new(0)),
            reader,
            began: Instant::now(),
            saved: file.map(|file| Arc::new(Mutex::new(saved(file, reader)))),
        };
        let accepting = tokio::spawn(accept(listener, server, recorder.clone()));
        Ok(Self {
            port,
            recorder,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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
    // Far from both ends, so that numbers keep their order.
    let offset = (half >> 3) as i64;
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

async fn accept(listener: TcpListener, server: SocketAddr, recorder: Recorder) {
    // Its connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors, say: the client tries again.
                let Ok((client, _)) = accepted else { continue };
                let session = recorder.sessions.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, server, session, recorder.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, server: SocketAddr, session: u64, recorder: Recorder) {
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
    // A client that cannot be served sees its connection closed, as by a server that is down.
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forward = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from_client.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            // What is answered is known before the answer comes.
            {
                let mut conversation = locked(&conversation);
                conversation.at(now());
                conversation.from_client(&buffer[..read], &mut &take);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
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
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            {
                let mut conversation = locked(&conversation);
                conversation.at(now());
                conversation.from_server(&buffer[..read], &mut &take);
            }
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

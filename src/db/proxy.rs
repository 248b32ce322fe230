//! A proxy before a server: bytes are forwarded as they come, and what clients execute is read beside them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::trace::event::Executed;
use crate::trace::recording::Recording;
use crate::trace::wire::{Frontend, Seen};

/// A proxy that listens on 127.0.0.1. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    recording: Arc<Mutex<Recording>>,
    sessions: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and forwards to `server`.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let recording = Arc::new(Mutex::new(Recording::default()));
        let sessions = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(
            listener,
            server,
            Arc::clone(&recording),
            Arc::clone(&sessions),
        ));
        Ok(Self {
            port,
            recording,
            sessions,
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
        self.sessions.load(Ordering::Relaxed)
    }

    /// What was recorded so far.
    pub fn recording(&self) -> MutexGuard<'_, Recording> {
        locked(&self.recording)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked(recording: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    recording: Arc<Mutex<Recording>>,
    sessions: Arc<AtomicU64>,
) {
    // Its connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors, say: the client tries again.
                let Ok((client, _)) = accepted else { continue };
                let session = sessions.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, server, session, Arc::clone(&recording)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    client: TcpStream,
    server: SocketAddr,
    session: u64,
    recording: Arc<Mutex<Recording>>,
) {
    // A client that cannot be served sees its connection closed, as by a server that is down.
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forward = async {
        let mut frontend = Frontend::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from_client.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            // First what the server waits for, then what is to be known of it.
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            frontend.feed(&buffer[..read], &mut |seen| {
                let mut recording = locked(&recording);
                match seen {
                    Seen::Executed { text, values } => recording.take(&Executed {
                        session,
                        text,
                        values,
                    }),
                    Seen::Lost => recording.lost(),
                }
            });
        }
        // The end goes on as an end: the server closes its side when it has answered.
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    // Where the server closes, nothing that the client still sends has a reader.
    tokio::select! {
        () = back => {}
        () = async { forward.await; std::future::pending::<()>().await } => {}
    }
    locked(&recording).closed(session);
}

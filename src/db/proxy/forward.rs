//! Bytes forwarded between two sockets, of all connections, on one thread that does nothing else: one read and one write for what
//! comes, as a message has no other thread to wait for. Encrypted ends are not served here.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::Shutdown;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};

use mio::event::{Event, Source};
use mio::net::{TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::decoder::{From, Queue};

/// A socket that does not block.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A session's two ends.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) session: u64,
    pub(super) client: Socket,
    pub(super) server: Socket,
}

/// The thread. Dropping it ends it, and the connections that it was handed.
#[derive(Debug)]
pub(super) struct Forwarder {
    new: Sender<Ends>,
    waker: Arc<Waker>,
    is_over: Arc<AtomicBool>,
}

/// The token of what wakes the thread; connections have two tokens each, from 0 on.
const WAKE: Token = Token(usize::MAX);
/// Sockets that are served before others are looked for.
const EVENTS: usize = 256;
/// As much is read at once.
const PIECE: usize = 64 << 10;
/// One socket is read so often before the others have their turn.
const TURN: usize = 16;

impl Forwarder {
    /// Starts the thread; copies of what is forwarded are left in the queue.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(super) fn start(queue: Queue) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (new, handed) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut forwarding = Forwarding {
            poll,
            handed,
            is_over: Arc::clone(&is_over),
            queue,
            connections: Vec::new(),
            unfinished: Vec::new(),
            buffer: vec![0; PIECE],
        };
        std::thread::Builder::new()
            .name("pgproof-forwarder".to_owned())
            .spawn(move || forwarding.run())?;
        Ok(Self {
            new,
            waker,
            is_over,
        })
    }

    /// Forwards between two ends from now on.
    ///
    /// # Errors
    /// Where the thread is gone.
    pub(super) fn take(&self, ends: Ends) -> io::Result<()> {
        self.new
            .send(ends)
            .map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        self.waker.wake()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Where it cannot be woken it is gone already.
        let _ = self.waker.wake();
    }
}

struct Forwarding {
    poll: Poll,
    handed: Receiver<Ends>,
    is_over: Arc<AtomicBool>,
    queue: Queue,
    connections: Vec<Option<Connection>>,
    /// Connections, and their ends, that have more to read than their turn.
    unfinished: Vec<(usize, End)>,
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

/// A connection with what is on its way in each direction.
struct Connection {
    ends: Ends,
    to_server: Direction,
    to_client: Direction,
}

/// What was read and could not be written yet.
#[derive(Default)]
struct Direction {
    pending: Vec<u8>,
    sent: usize,
    /// The end that it goes to says when it can be written again.
    awaits_room: bool,
    /// Nothing more is read: the end goes on as an end once everything is written.
    is_ended: bool,
}

/// How a direction stands.
#[derive(Debug, PartialEq, Eq)]
enum Stand {
    /// There is nothing to do until the next event.
    Waits,
    /// There may be more to read.
    HasMore,
    /// Its end was passed on, or cannot be.
    Over,
}

impl Forwarding {
    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over.load(Ordering::Relaxed) {
            let patience = (!self.unfinished.is_empty()).then_some(std::time::Duration::ZERO);
            match self.poll.poll(&mut events, patience) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
            }
            let unfinished = mem::take(&mut self.unfinished);
            for (at, end) in unfinished {
                self.read(at, end, true);
            }
            let mut has_new = false;
            for event in &events {
                match event.token() {
                    WAKE => has_new = true,
                    Token(token) => self.serve(token, event),
                }
            }
            // After the events, so that none of a connection before is taken for one of its place's next.
            if has_new {
                while let Ok(ends) = self.handed.try_recv() {
                    self.add(ends);
                }
            }
        }
    }

    fn add(&mut self, mut ends: Ends) {
        let free = self.connections.iter().position(Option::is_none);
        let at = free.unwrap_or(self.connections.len());
        let registry = self.poll.registry();
        let [client, server] = tokens(at);
        let registered = ends
            .client
            .source()
            .register(registry, client, Interest::READABLE)
            .and_then(|()| {
                let source = ends.server.source();
                source.register(registry, server, Interest::READABLE)
            });
        if registered.is_err() {
            self.queue.push(ends.session, From::Nobody, &[]);
            return;
        }
        let connection = Some(Connection {
            ends,
            to_server: Direction::default(),
            to_client: Direction::default(),
        });
        match self.connections.get_mut(at) {
            Some(place) => *place = connection,
            None => self.connections.push(connection),
        }
    }

    fn serve(&mut self, token: usize, event: &Event) {
        let (at, end) = (token / 2, [End::Client, End::Server][token % 2]);
        if event.is_writable() {
            let other = match end {
                End::Client => End::Server,
                End::Server => End::Client,
            };
            let waits = self.connections.get(at).and_then(Option::as_ref);
            let waits = waits.is_some_and(|connection| match other {
                End::Client => !connection.to_server.pending.is_empty(),
                End::Server => !connection.to_client.pending.is_empty(),
            });
            // What was held back is written, and more is read from where it came.
            if waits {
                self.read(at, other, true);
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(at, end, event.is_read_closed() || event.is_error());
        }
    }

    /// Reads what one end sent and writes it to the other; `to_the_end` where a short piece may not be all that there is.
    fn read(&mut self, at: usize, end: End, to_the_end: bool) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else {
            return;
        };
        let Connection {
            ends,
            to_server,
            to_client,
        } = connection;
        let (from, to, direction, who) = match end {
            End::Client => (&mut ends.client, &mut ends.server, to_server, From::Client),
            End::Server => (&mut ends.server, &mut ends.client, to_client, From::Server),
        };
        let seen = |bytes: &[u8]| self.queue.push(ends.session, who, bytes);
        let mut stand = pump(from, to, direction, &mut self.buffer, to_the_end, &seen);
        let [client, server] = tokens(at);
        let token = match end {
            End::Client => server,
            End::Server => client,
        };
        if direction
            .await_room(to, token, self.poll.registry())
            .is_err()
        {
            stand = direction.give_up(to);
        }
        match stand {
            Stand::Waits => {}
            Stand::HasMore => self.unfinished.push((at, end)),
            // Where the server closes, nothing that the client still sends has a reader. A client may close its half, and
            // wait for answers.
            Stand::Over if end == End::Client => {}
            Stand::Over => {
                self.queue.push(ends.session, From::Nobody, &[]);
                self.connections[at] = None;
            }
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        for connection in self.connections.iter().flatten() {
            self.queue.push(connection.ends.session, From::Nobody, &[]);
        }
    }
}

/// The tokens of a connection's client and server.
fn tokens(at: usize) -> [Token; 2] {
    [Token(2 * at), Token(2 * at + 1)]
}

/// Forwards until there is nothing to read, or nothing can be written.
fn pump(
    from: &mut Socket,
    to: &mut Socket,
    direction: &mut Direction,
    buffer: &mut [u8],
    to_the_end: bool,
    seen: &dyn Fn(&[u8]),
) -> Stand {
    for _ in 0..TURN {
        match direction.flush(to) {
            Ok(true) => {}
            Ok(false) => return Stand::Waits,
            Err(_) => return direction.give_up(to),
        }
        if direction.is_ended {
            return Stand::Over;
        }
        let read = match from.read(buffer) {
            Ok(0) => return direction.give_up(to),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Stand::Waits,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return direction.give_up(to),
        };
        seen(&buffer[..read]);
        match direction.write(to, &buffer[..read]) {
            Ok(true) => {}
            Ok(false) => return Stand::Waits,
            Err(_) => return direction.give_up(to),
        }
        // A short piece was all that there was: the next comes with an event of its own.
        if read < buffer.len() && !to_the_end {
            return Stand::Waits;
        }
    }
    Stand::HasMore
}

impl Direction {
    /// Writes what was held back; whether all of it could be written.
    fn flush(&mut self, to: &mut Socket) -> io::Result<bool> {
        while self.sent < self.pending.len() {
            match to.write(&self.pending[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.pending.clear();
        self.sent = 0;
        Ok(true)
    }

    /// Writes bytes, and holds back what cannot be written now; whether nothing is.
    fn write(&mut self, to: &mut Socket, bytes: &[u8]) -> io::Result<bool> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match to.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.pending.extend_from_slice(rest);
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Asks to be woken when there is room, and only while something is held back: a Unix socket reports room whenever its other
    /// end has read, which is once for each message.
    fn await_room(&mut self, to: &mut Socket, token: Token, registry: &Registry) -> io::Result<()> {
        let awaits_room = !self.pending.is_empty();
        if awaits_room == self.awaits_room {
            return Ok(());
        }
        self.awaits_room = awaits_room;
        let interest = match awaits_room {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        to.source().reregister(registry, token, interest)
    }

    /// Nothing more comes, or nothing more is taken.
    fn give_up(&mut self, to: &mut Socket) -> Stand {
        self.is_ended = true;
        self.pending.clear();
        self.sent = 0;
        let _ = to.shutdown();
        Stand::Over
    }
}

impl Socket {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

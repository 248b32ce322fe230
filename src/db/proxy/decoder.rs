//! What both sides of every connection send, read on a thread of its own: whoever forwards bytes leaves a copy of them here and
//! goes on. Nothing is lost where reading is slower than forwarding: forwarding waits.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::saving::Saved;
use crate::trace::recording::Recording;
use crate::trace::value::ValueReader;
use crate::trace::wire::Conversation;

/// Copies that wait to be read take no more bytes than this and one piece.
const MOST_BYTES: usize = 4 << 20;
/// So many of them are read at once, however short they have waited.
const MANY_BYTES: usize = MOST_BYTES / 2;
/// So long fewer gather: a thread that is woken takes a processor from the server or its client.
const GATHER: Duration = Duration::from_millis(5);

/// Who sent a piece, or what became of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
    /// The connection is over.
    Nobody,
}

/// The thread that reads. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Decoder {
    queue: Queue,
    recording: Arc<Mutex<Recording>>,
    saved: Arc<Mutex<Option<Saved>>>,
}

/// Where copies are left.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    /// Times of executions are counted from here.
    began: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to read, or it is over.
    came: Condvar,
    /// Everything that had come is read.
    read: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Pieces,
    /// The thread sleeps until something comes.
    is_idle: bool,
    /// The thread has taken pieces, and not read them all.
    is_reading: bool,
    is_over: bool,
    /// Somebody waits until everything is read.
    is_awaited: bool,
}

impl State {
    /// Whether more may gather before it is read.
    fn gathers(&mut self) -> bool {
        !self.is_over && !self.is_awaited && self.waiting.size() < MANY_BYTES
    }
}

/// Bytes of many pieces, one after the other.
#[derive(Debug, Default)]
struct Pieces {
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

impl Pieces {
    fn size(&self) -> usize {
        self.bytes.len() + self.heads.len() * size_of::<Head>()
    }
}

#[derive(Debug)]
struct Head {
    session: u64,
    from: From,
    /// In microseconds.
    at: i64,
    length: usize,
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Leaves a copy of what was sent. Waits where too much is still to be read.
    pub(super) fn push(&self, session: u64, from: From, bytes: &[u8]) {
        let at = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        let mut state = locked(&self.shared.state);
        while state.waiting.size() > MOST_BYTES && !state.is_over {
            state = wait(&self.shared.read, state);
        }
        if state.is_over {
            return;
        }
        state.waiting.bytes.extend_from_slice(bytes);
        state.waiting.heads.push(Head {
            session,
            from,
            at,
            length: bytes.len(),
        });
        if mem::take(&mut state.is_idle) || state.waiting.size() >= MANY_BYTES {
            self.shared.came.notify_one();
        }
    }

    /// Waits until everything that was left is read.
    fn drain(&self) {
        let mut state = locked(&self.shared.state);
        while (state.is_reading || !state.waiting.heads.is_empty()) && !state.is_over {
            state.is_awaited = true;
            self.shared.came.notify_one();
            state = wait(&self.shared.read, state);
        }
    }

    /// Nothing is read any more, and nobody waits for it.
    fn end(&self) {
        locked(&self.shared.state).is_over = true;
        self.shared.came.notify_all();
        self.shared.read.notify_all();
    }

    /// The next pieces, in the place of those that were read; `None` once it is over.
    fn next(&self, mut read: Pieces) -> Option<Pieces> {
        read.bytes.clear();
        read.heads.clear();
        let mut state = locked(&self.shared.state);
        state.is_reading = false;
        self.shared.read.notify_all();
        while state.waiting.heads.is_empty() && !state.is_over {
            state.is_idle = true;
            state = wait(&self.shared.came, state);
        }
        let gathering = self
            .shared
            .came
            .wait_timeout_while(state, GATHER, |state| state.gathers());
        let (mut state, _) = gathering.unwrap_or_else(PoisonError::into_inner);
        if state.is_over {
            return None;
        }
        state.is_idle = false;
        state.is_awaited = false;
        state.is_reading = true;
        let next = mem::replace(&mut state.waiting, read);
        // Whoever waits for room has it now.
        self.shared.read.notify_all();
        Some(next)
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}

impl Decoder {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(super) fn start(reader: ValueReader, saved: Option<Saved>) -> io::Result<Self> {
        let decoder = Self {
            queue: Queue {
                shared: Arc::default(),
                began: Instant::now(),
            },
            recording: Arc::new(Mutex::new(Recording::new(reader))),
            saved: Arc::new(Mutex::new(saved)),
        };
        let queue = decoder.queue.clone();
        let recording = Arc::clone(&decoder.recording);
        let saved = Arc::clone(&decoder.saved);
        std::thread::Builder::new()
            .name("pgproof-decoder".to_owned())
            .spawn(move || {
                let ended = Ended {
                    queue: &queue,
                    recording: &recording,
                };
                let mut conversations = HashMap::new();
                let mut pieces = Pieces::default();
                while let Some(next) = queue.next(pieces) {
                    let mut reading = Reading {
                        reader,
                        conversations: &mut conversations,
                        recording: &mut locked(&recording),
                        saved: &mut locked(&saved),
                    };
                    reading.all(&next);
                    pieces = next;
                }
                drop(ended);
            })?;
        Ok(decoder)
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What was read of everything that was left so far.
    pub(super) fn recording(&self) -> MutexGuard<'_, Recording> {
        self.queue.drain();
        locked(&self.recording)
    }

    /// The file that the recording is saved to is whole.
    pub(super) fn finish(&self) -> io::Result<()> {
        match locked(&self.saved).take() {
            Some(mut saved) => saved.finish(),
            None => Ok(()),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// The thread is over, as it is meant to be or by a panic: then what was recorded is not all.
struct Ended<'a> {
    queue: &'a Queue,
    recording: &'a Mutex<Recording>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.queue.end();
        if std::thread::panicking() {
            locked(self.recording).lost();
        }
    }
}

/// What pieces become.
struct Reading<'a> {
    reader: ValueReader,
    conversations: &'a mut HashMap<u64, Conversation>,
    recording: &'a mut Recording,
    saved: &'a mut Option<Saved>,
}

impl Reading<'_> {
    fn all(&mut self, pieces: &Pieces) {
        let mut rest = pieces.bytes.as_slice();
        for head in &pieces.heads {
            let (bytes, after) = rest.split_at(head.length);
            rest = after;
            self.piece(head, bytes);
        }
    }

    fn piece(&mut self, head: &Head, bytes: &[u8]) {
        let Self {
            reader,
            conversations,
            recording,
            saved,
        } = self;
        let mut take = |seen| {
            if let Some(saved) = saved.as_mut() {
                saved.take(&seen);
            }
            recording.seen(&seen);
        };
        let session = head.session;
        let conversation = conversations
            .entry(session)
            .or_insert_with(|| Conversation::new(session, *reader));
        conversation.at(head.at);
        match head.from {
            From::Client => conversation.from_client(bytes, &mut take),
            From::Server => conversation.from_server(bytes, &mut take),
            From::Nobody => {
                conversation.end(&mut take);
                conversations.remove(&session);
                if let Some(saved) = saved.as_mut() {
                    saved.closed(session);
                }
                recording.closed(session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue {
            shared: Arc::default(),
            began: Instant::now(),
        }
    }

    #[test]
    fn a_reading_thread_that_panics_makes_the_recording_incomplete_and_stops_nobody() {
        let (queue, recording) = (queue(), Mutex::new(Recording::default()));
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _ended = Ended {
                    queue: &queue,
                    recording: &recording,
                };
                std::panic::resume_unwind(Box::new("a fault of the decoder"));
            });
            thread.join().is_err()
        });
        assert!(panicked);
        assert_eq!(locked(&recording).losses(), 1);
        // Whoever forwards goes on, however much there is, and nobody waits for what is not read.
        for _ in 0..3 {
            queue.push(1, From::Client, &vec![0; MOST_BYTES]);
        }
        queue.drain();
    }

    #[test]
    fn what_gathers_is_read_at_once_where_it_is_much_or_somebody_waits() {
        let queue = queue();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut pieces = Pieces::default();
                let mut read = 0;
                while let Some(next) = queue.next(pieces) {
                    read += next.bytes.len();
                    pieces = next;
                }
                read
            });
            let half = vec![0; MANY_BYTES];
            for _ in 0..10 {
                queue.push(1, From::Server, &half);
            }
            queue.push(1, From::Client, b"last");
            queue.drain();
            queue.end();
            assert_eq!(reader.join().ok(), Some(10 * MANY_BYTES + 4));
        });
    }
}

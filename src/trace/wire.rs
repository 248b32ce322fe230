//! The frontend's half of PostgreSQL's protocol 3, decoded beside the bytes that are forwarded: which statements a client has
//! executed. <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::collections::HashMap;
use std::sync::Arc;

use super::event::Values;

/// A message longer than this is forwarded and not read: its statement is counted as lost.
const LONGEST: usize = 4 << 20;
/// So many statements and portals of one session are remembered.
const MOST_NAMES: usize = 100_000;

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It executed a statement.
    Executed {
        /// As it was sent; a simple query may hold several.
        text: Arc<str>,
        /// Where its values are.
        values: Values,
    },
    /// It executed something that was not understood.
    Lost,
}

/// Reads one client's bytes, in pieces of any size.
#[derive(Debug, Default)]
pub struct Frontend {
    /// Bytes of a message that is not whole yet.
    pending: Vec<u8>,
    /// Bytes of a long message that are still to come.
    skip: usize,
    /// Whether the startup packet went by: messages have a type from then on.
    started: bool,
    /// The session is encrypted, or no session: nothing can be read.
    opaque: bool,
    statements: HashMap<Vec<u8>, Arc<str>>,
    portals: HashMap<Vec<u8>, Arc<str>>,
}

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

impl Frontend {
    /// Takes the next bytes and hands out what they complete.
    pub fn feed(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Seen)) {
        while !bytes.is_empty() && !self.opaque {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let head = if self.started { 5 } else { 4 };
            let wanted = self.length().map_or(head, |length| length);
            let missing = wanted.saturating_sub(self.pending.len()).max(1);
            let taken = missing.min(bytes.len());
            self.pending.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            self.step(take);
        }
    }

    /// The whole message's length, once its head is there.
    fn length(&self) -> Option<usize> {
        let (at, extra) = if self.started { (1, 1) } else { (0, 0) };
        let length: [u8; 4] = self.pending.get(at..at + 4)?.try_into().ok()?;
        Some((u32::from_be_bytes(length) as usize).max(4) + extra)
    }

    fn step(&mut self, take: &mut impl FnMut(Seen)) {
        if !self.started && self.pending.first() == Some(&TLS_HANDSHAKE) {
            self.opaque = true;
            return;
        }
        let Some(length) = self.length() else {
            return;
        };
        if self.started && (!is_read(self.pending[0]) || length > LONGEST) {
            if is_read(self.pending[0]) {
                take(Seen::Lost);
            }
            self.skip = length - self.pending.len();
            self.pending.clear();
            return;
        }
        if !self.started && length > 10_000 {
            // No startup packet is as long: this is no client of PostgreSQL's.
            self.opaque = true;
            return;
        }
        if self.pending.len() < length {
            return;
        }
        let message = std::mem::take(&mut self.pending);
        if self.started {
            self.message(message[0], &message[5..], take);
        } else {
            self.startup(&message);
        }
    }

    fn startup(&mut self, message: &[u8]) {
        let code = message.get(4..8).and_then(|code| code.try_into().ok());
        match code.map(u32::from_be_bytes) {
            // The client goes on as the server answers.
            Some(SSL_REQUEST | GSS_REQUEST) => {}
            Some(CANCEL_REQUEST) | None => self.opaque = true,
            Some(_) => self.started = true,
        }
    }

    fn message(&mut self, kind: u8, body: &[u8], take: &mut impl FnMut(Seen)) {
        let done = match kind {
            b'Q' => string(body).map(|(text, _)| {
                take(Seen::Executed {
                    text: text_of(text),
                    values: Values::InText,
                });
            }),
            b'P' => self.parse(body),
            b'B' => self.bind(body, take),
            b'E' => string(body).map(|(portal, _)| match self.portals.get(portal) {
                Some(text) => take(Seen::Executed {
                    text: Arc::clone(text),
                    values: Values::Bound,
                }),
                None => take(Seen::Lost),
            }),
            _ => self.close(body),
        };
        if done.is_none() {
            take(Seen::Lost);
        }
    }

    fn parse(&mut self, body: &[u8]) -> Option<()> {
        let (name, rest) = string(body)?;
        let (text, _) = string(rest)?;
        if self.statements.len() < MOST_NAMES || self.statements.contains_key(name) {
            self.statements.insert(name.to_vec(), text_of(text));
        }
        Some(())
    }

    fn bind(&mut self, body: &[u8], take: &mut impl FnMut(Seen)) -> Option<()> {
        let (portal, rest) = string(body)?;
        let (statement, _) = string(rest)?;
        match self.statements.get(statement) {
            Some(text) if self.portals.len() < MOST_NAMES || self.portals.contains_key(portal) => {
                let text = Arc::clone(text);
                self.portals.insert(portal.to_vec(), text);
            }
            _ => {
                self.portals.remove(portal);
                let _ = take;
            }
        }
        Some(())
    }

    fn close(&mut self, body: &[u8]) -> Option<()> {
        let (kind, rest) = body.split_first()?;
        let (name, _) = string(rest)?;
        match kind {
            b'S' => self.statements.remove(name),
            _ => self.portals.remove(name),
        };
        Some(())
    }
}

/// Messages that say what is executed; all others are passed over.
fn is_read(kind: u8) -> bool {
    matches!(kind, b'Q' | b'P' | b'B' | b'E' | b'C')
}

/// Up to the next zero byte, and what follows it.
fn string(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = body.iter().position(|byte| *byte == 0)?;
    Some((&body[..end], &body[end + 1..]))
}

fn text_of(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn startup(code: u32) -> Vec<u8> {
        [8_u32.to_be_bytes(), code.to_be_bytes()].concat()
    }

    fn seen(bytes: &[u8], piece: usize) -> Vec<Seen> {
        let mut frontend = Frontend::default();
        let mut seen = Vec::new();
        for piece in bytes.chunks(piece) {
            frontend.feed(piece, &mut |event| seen.push(event));
        }
        seen
    }

    fn executed(text: &str, values: Values) -> Seen {
        Seen::Executed {
            text: text.into(),
            values,
        }
    }

    #[test]
    fn simple_and_prepared_statements_are_seen_in_pieces_of_any_size() {
        let bytes = [
            startup(SSL_REQUEST),
            startup(196_608),
            message(b'p', b"secret\0"),
            message(b'Q', b"SELECT 1\0"),
            message(b'P', b"s1\0SELECT $1\0\0\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'd', &[7; 300]),
            message(b'C', b"Ss1\0"),
            message(b'B', b"\0s1\0\0\0\0\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'X', b""),
        ]
        .concat();
        for piece in [1, 3, 7, 64, bytes.len()] {
            assert_eq!(
                seen(&bytes, piece),
                [
                    executed("SELECT 1", Values::InText),
                    executed("SELECT $1", Values::Bound),
                    executed("SELECT $1", Values::Bound),
                    Seen::Lost,
                ],
                "{piece}"
            );
        }
    }

    #[test]
    fn a_message_too_long_to_be_read_is_lost_and_the_next_is_not() {
        let long = vec![b'x'; LONGEST];
        let bytes = [
            startup(196_608),
            message(b'Q', &long),
            message(b'Q', b"SELECT 2\0"),
        ]
        .concat();
        assert_eq!(
            seen(&bytes, 65_536),
            [Seen::Lost, executed("SELECT 2", Values::InText)]
        );
    }

    #[test]
    fn what_is_no_client_is_left_alone() {
        for bytes in [
            &[22, 3, 1, 2, 0, 1][..],
            &[255; 64],
            b"GET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(seen(bytes, 5), [], "{bytes:?}");
        }
        assert_eq!(seen(&startup(CANCEL_REQUEST), 2), []);
    }
}

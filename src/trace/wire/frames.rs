//! Messages cut out of a stream of bytes that comes in pieces of any size.

/// Cuts messages with a type byte and a length.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of a message that is not whole yet.
    pending: Vec<u8>,
    /// Bytes of a message that nobody reads, still to come.
    skip: usize,
}

/// What was cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A message that is read.
    Message(u8, &'a [u8]),
    /// One that would be, and is too long.
    TooLong(u8),
}

/// The type byte and the length.
const HEAD: usize = 5;

impl Frames {
    /// Takes the next bytes and hands out what they complete. Messages whose type `is_read` refuses are passed over.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        longest: usize,
        is_read: fn(u8) -> bool,
        take: &mut impl FnMut(Frame<'_>),
    ) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            // Nearly every message is whole in its piece, and is read where it lies.
            if self.pending.is_empty()
                && let Some(length) = length(bytes)
            {
                if !is_read(bytes[0]) || length > longest {
                    if is_read(bytes[0]) {
                        take(Frame::TooLong(bytes[0]));
                    }
                    self.skip = length;
                    continue;
                }
                if let Some(message) = bytes.get(..length) {
                    take(Frame::Message(message[0], &message[HEAD..]));
                    bytes = &bytes[length..];
                    continue;
                }
            }
            let wanted = length(&self.pending).unwrap_or(HEAD);
            let missing = wanted.saturating_sub(self.pending.len()).max(1);
            let taken = missing.min(bytes.len());
            self.pending.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            self.step(longest, is_read, take);
        }
    }

    fn step(&mut self, longest: usize, is_read: fn(u8) -> bool, take: &mut impl FnMut(Frame<'_>)) {
        let Some(length) = length(&self.pending) else {
            return;
        };
        let kind = self.pending[0];
        if !is_read(kind) || length > longest {
            if is_read(kind) {
                take(Frame::TooLong(kind));
            }
            self.skip = length.saturating_sub(self.pending.len());
            self.pending.clear();
        } else if self.pending.len() >= length {
            let message = std::mem::take(&mut self.pending);
            take(Frame::Message(kind, &message[HEAD..]));
        }
    }
}

/// The whole message's length, once its head is there.
fn length(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(1..HEAD)?.try_into().ok()?;
    Some((u32::from_be_bytes(length) as usize).max(4) + 1)
}

/// A message's body, read from its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn bytes(&mut self, number: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(number)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Up to the next zero byte.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let taken = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(taken)
    }

    /// A count of 16 bits and as many items.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let number = self.i16()? as u16;
        let mut items = Vec::new();
        for _ in 0..number {
            items.push(item(self)?);
        }
        Some(items)
    }

    /// A value: its length, -1 for NULL, and its bytes.
    pub(super) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match self.i32()? {
            length if length < 0 => Some(None),
            length => Some(Some(self.bytes(usize::try_from(length).ok()?)?)),
        }
    }
}

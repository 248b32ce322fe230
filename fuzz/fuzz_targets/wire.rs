//! Whatever a client and a server send, in pieces of any size: reading it never panics, and every execution is handed out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::trace::recording::Recording;
use pgproof::trace::value::ValueReader;
use pgproof::trace::wire::{Conversation, Seen};

const STARTUP: [u8; 8] = [0, 0, 0, 8, 0, 3, 0, 0];

// The first byte of each piece says who sends it, and how long it is.
fuzz_target!(|bytes: &[u8]| {
    let reader = ValueReader::default();
    let mut recording = Recording::new(reader);
    let mut conversation = Conversation::new(0, reader);
    let mut take = |seen| match seen {
        Seen::Executed(executed) => recording.take(&executed),
        Seen::Lost => recording.lost(),
    };
    conversation.from_client(&STARTUP, &mut take);
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_first() {
        let length = usize::from(head >> 1).min(after.len());
        let (piece, after) = after.split_at(length);
        rest = after;
        if head & 1 == 0 {
            conversation.from_client(piece, &mut take);
        } else {
            conversation.from_server(piece, &mut take);
        }
    }
    conversation.end(&mut take);
    let _ = (recording.statements(), recording.loops());
});

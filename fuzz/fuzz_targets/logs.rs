//! Whatever a file holds, in pieces of any size: reading it as a log, a recording or spans never panics, and every execution and
//! plan that is handed out can be judged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::trace::input::Input;
use pgproof::trace::logs::Seen;
use pgproof::trace::plans::Plans;
use pgproof::trace::recording::Recording;

// The first byte says how long the pieces are.
fuzz_target!(|bytes: &[u8]| {
    let Some((head, bytes)) = bytes.split_first() else {
        return;
    };
    let (mut input, mut recording, mut plans) =
        (Input::default(), Recording::default(), Plans::default());
    let mut out = |seen: Seen<'_>| match seen {
        Seen::Executed(executed) => recording.take(&executed),
        Seen::Inside { caller, inside } => recording.inside(caller, &inside),
        Seen::Lost => recording.lost(),
        Seen::Plan { plan, text } => plans.take(*plan, text),
        Seen::Closed(session) => recording.closed(session),
    };
    for piece in bytes.chunks(usize::from(*head) + 1) {
        if input.feed(piece, &mut out).is_err() {
            return;
        }
    }
    let _ = input.end_of_file(&mut out);
    input.end(&mut out);
    let _ = (input.gaps(), recording.statements(), recording.loops(), recording.units());
    let _ = plans.longest_first();
});

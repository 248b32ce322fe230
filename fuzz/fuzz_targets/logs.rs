//! Whatever a file holds, in pieces of any size: reading it as a log, a recording or spans never panics, and every execution and
//! plan that is handed out can be judged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgproof::trace::input::Input;
use pgproof::trace::logs::Seen;
use pgproof::trace::plans::Plans;
use pgproof::trace::recording::Recording;

/// A line of each reader, which says what the file is; what follows it is any bytes.
const FIRST: [&str; 12] = [
    "",
    "2026-11-30 07:42:20.294 UTC [7] a@b LOG:  duration: 1 ms  statement: SELECT 1\n",
    "2026-11-30 07:42:20 UTC:10.0.0.5(1234):app@shop:[7]:LOG:  duration: 1 ms  statement: SELECT 1\n",
    "2026-11-30 07:42:20.294 UTC,\"app\",\"shop\",7,\"[local]\",6b0d28dc.3eab,1,\"SELECT\",2026-11-30 07:00:00 UTC,3/4,0,LOG,00000,\"duration: 1 ms  statement: SELECT 1\",,,,,,,,,\"psql\"\n",
    "{\"timestamp\":\"2026-11-30 07:42:20.294 UTC\",\"pid\":7,\"error_severity\":\"LOG\",\"message\":\"duration: 1 ms  statement: SELECT 1\"}\n",
    "{\"level\":\"info\",\"logger\":\"postgres\",\"msg\":\"record\",\"record\":{\"error_severity\":\"LOG\",\"message\":\"duration: 1 ms  statement: SELECT 1\"}}\n",
    "{\"textPayload\":\"2026-11-30 07:42:20.294 UTC [7]: [4-1] db=a,user=b LOG:  duration: 1 ms  statement: SELECT 1\"}\n",
    "Nov 30 07:42:20 host postgres[7]: [5-1] LOG:  duration: 1 ms  statement: SELECT 1\n",
    "{\"pgproof_recording\":2}\n",
    "{\"resourceSpans\":[",
    "{\"data\":[{\"traceID\":",
    "[{\"traceId\":",
];

// The first byte says how long the pieces are, the second which reader it is.
fuzz_target!(|bytes: &[u8]| {
    let [head, reader, bytes @ ..] = bytes else {
        return;
    };
    let first = FIRST[usize::from(*reader) % FIRST.len()];
    let (mut input, mut recording, mut plans) =
        (Input::default(), Recording::default(), Plans::default());
    let mut out = |seen: Seen<'_>| match seen {
        Seen::Executed(executed) => recording.take(&executed),
        Seen::Inside { caller, inside } => recording.inside(caller, &inside),
        Seen::Lost => recording.lost(),
        Seen::Plan { plan, text } => plans.take(*plan, text),
        Seen::Closed(session) => recording.closed(session),
    };
    let pieces = bytes.chunks(usize::from(*head) + 1);
    for piece in std::iter::once(first.as_bytes()).chain(pieces) {
        if input.feed(piece, &mut out).is_err() {
            return;
        }
    }
    let _ = input.end_of_file(&mut out);
    input.end(&mut out);
    let _ = (input.gaps(), recording.statements(), recording.loops(), recording.units());
    let _ = plans.longest_first();
});

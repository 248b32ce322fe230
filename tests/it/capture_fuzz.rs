//! Whatever bytes come from a client, a server or a file: nothing panics, pieces of any size say the same, what was cut off or
//! damaged costs no statement but its own, and memory does not follow what a head claims. `fuzz/` has the same readers under
//! libFuzzer.

// A broken invariant fails the test: clippy knows only `#[test]` functions as tests.
#![allow(clippy::unwrap_used)]

use pgproof::trace::input::Input;
use pgproof::trace::logs::Seen;
use pgproof::trace::plans::Plans;
use pgproof::trace::recording::Recording;
use pgproof::trace::saved::Writer;
use pgproof::trace::value::ValueReader;
use pgproof::trace::wire::{self, Conversation};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// A format of files: a statement by its number, as that format writes it.
#[derive(Debug)]
struct Format {
    name: &'static str,
    head: fn() -> String,
    entry: fn(usize) -> String,
    tail: &'static str,
    /// Whether each entry can be read without those after it.
    is_streamed: bool,
}

fn nothing() -> String {
    String::new()
}

fn second(n: usize) -> String {
    format!("2026-11-30 07:{:02}:{:02}.294 UTC", n / 60 % 60, n % 60)
}

fn message(n: usize) -> String {
    format!("duration: 1.5 ms  statement: SELECT a FROM t{n} WHERE b = 'it''s {n}'")
}

fn otlp(n: usize) -> String {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"traceId": format!("t{n}"), "startTimeUnixNano": "2000000", "endTimeUnixNano": "5000000", "attributes": [
        attribute("db.system.name", "postgresql"),
        attribute("db.query.text", &format!("SELECT a FROM t{n}")),
    ]})
    .to_string()
}

const FORMATS: [Format; 14] = [
    Format {
        name: "stderr",
        head: nothing,
        entry: |n| {
            format!(
                "{} [{}] a@b LOG:  duration: 1.5 ms  execute s: SELECT a\n\tFROM t{n}\n\tWHERE b = $1\n{} [{}] a@b DETAIL:  parameters: $1 = '{n}'\n",
                second(n),
                n % 3 + 100,
                second(n),
                n % 3 + 100,
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "RDS",
        head: nothing,
        entry: |n| {
            format!(
                "{}:10.0.0.5(1234):app@shop:[{}]:LOG:  {}\n",
                &second(n).replace(".294", ""),
                n % 3 + 100,
                message(n)
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "csvlog",
        head: nothing,
        entry: |n| {
            format!(
                "{},\"app\",\"shop\",{},\"[local]\",6b0d28dc.{},{n},\"SELECT\",2026-11-30 07:00:00 UTC,3/4,0,LOG,00000,\"{}\n  -- \"\"more\"\"\",,,,,,,,,\"psql\",\"client backend\",,0\n",
                second(n),
                n % 3 + 100,
                n % 3,
                message(n)
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "jsonlog",
        head: nothing,
        entry: |n| {
            let line = json!({"timestamp": second(n), "pid": n % 3 + 100, "session_id": format!("6b0d28dc.{}", n % 3), "line_num": n / 3 + 1,
                "error_severity": "LOG", "message": message(n), "application_name": "psql"});
            format!("{line}\n")
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "CloudNativePG",
        head: nothing,
        entry: |n| {
            let record = json!({"log_time": second(n), "process_id": "7", "session_id": "6b0d28dc.3eab", "session_line_num": (n + 1).to_string(),
                "error_severity": "LOG", "sql_state_code": "00000", "message": message(n)});
            format!(
                "{}\n",
                json!({"level": "info", "logger": "postgres", "msg": "record", "record": record})
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "Cloud SQL",
        head: nothing,
        entry: |n| {
            let text = format!(
                "{} [7]: [{}-1] db=a,user=b LOG:  {}",
                second(n),
                n + 1,
                message(n)
            );
            format!(
                "{}\n",
                json!({"textPayload": text, "timestamp": "2026-11-30T07:42:20.294Z"})
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "Docker",
        head: nothing,
        entry: |n| {
            let log = format!("{} [7] LOG:  {}\n", second(n), message(n));
            format!(
                "{}\n",
                json!({"log": log, "stream": "stderr", "time": "2026-11-30T07:42:20Z"})
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "CRI",
        head: nothing,
        entry: |n| {
            format!(
                "2026-11-30T07:42:20.294Z stderr F {} [7] LOG:  {}\n",
                second(n),
                message(n)
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "syslog",
        head: nothing,
        entry: |n| {
            format!(
                "Nov 30 07:42:20 host postgres[7]: [{}-1] LOG:  {},\nNov 30 07:42:20 host postgres[7]: [{}-2] #011 c\n",
                n + 1,
                message(n),
                n + 1
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "OTLP, one a line",
        head: nothing,
        entry: |n| {
            format!(
                "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}\n",
                otlp(n)
            )
        },
        tail: "",
        is_streamed: true,
    },
    Format {
        name: "OTLP",
        head: || "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}".to_owned(),
        entry: |n| format!(",\n{}", otlp(n)),
        tail: "]}]}]}",
        is_streamed: false,
    },
    Format {
        name: "Jaeger",
        head: || {
            "{\"data\":[{\"traceID\":\"t\",\"processes\":{\"p\":{\"serviceName\":\"api\"}},\"spans\":[{}".to_owned()
        },
        entry: |n| {
            format!(
                ",\n{}",
                json!({"traceID": "t", "startTime": n, "duration": 3, "processID": "p", "tags": [
                    {"key": "db.system", "type": "string", "value": "postgresql"},
                    {"key": "db.statement", "type": "string", "value": format!("SELECT a FROM t{n}")}]})
            )
        },
        tail: "]}]}",
        is_streamed: false,
    },
    Format {
        name: "Zipkin",
        head: || "[{\"traceId\":\"t\",\"tags\":{}}".to_owned(),
        entry: |n| {
            format!(
                ",\n{}",
                json!({"traceId": "t", "timestamp": n, "duration": 3, "tags": {"db.system": "postgresql", "db.statement": format!("SELECT a FROM t{n}")}})
            )
        },
        tail: "]",
        is_streamed: false,
    },
    Format {
        name: "recording",
        head: Writer::head,
        entry: |n| {
            format!(
                "{{\"n\":{n},\"text\":\"SELECT a FROM t{n} WHERE b = $1\"}}\n{{\"s\":{},\"t\":{n},\"p\":[{{\"w\":{n}}}],\"sent\":1,\"done\":2}}\n",
                n % 3
            )
        },
        tail: "",
        is_streamed: true,
    },
];

impl Format {
    fn file(&self, entries: usize) -> Vec<u8> {
        let all: String = (0..entries).map(|n| (self.entry)(n)).collect();
        format!("{}{all}{}", (self.head)(), self.tail).into_bytes()
    }
}

fn format() -> impl Strategy<Value = &'static Format> {
    (0..FORMATS.len()).prop_map(|at| &FORMATS[at])
}

/// Which tables were read, and whether the file was refused.
fn read(bytes: &[u8], piece: usize) -> (Vec<String>, bool) {
    let (mut input, mut recording, mut plans) =
        (Input::default(), Recording::default(), Plans::default());
    let mut tables = Vec::new();
    let mut out = |seen: Seen<'_>| match seen {
        Seen::Executed(executed) => {
            recording.take(&executed);
            let table = executed.text.split(" t").nth(1).unwrap_or_default();
            let end = table
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(table.len());
            tables.push(table[..end].to_owned());
        }
        Seen::Inside { caller, inside } => recording.inside(caller, &inside),
        Seen::Lost => recording.lost(),
        Seen::Plan { plan, text } => plans.take(*plan, text),
        Seen::Closed(session) => recording.closed(session),
    };
    let mut refused = false;
    for piece in bytes.chunks(piece) {
        refused |= input.feed(piece, &mut out).is_err();
    }
    refused |= input.end_of_file(&mut out).is_err();
    input.end(&mut out);
    // Whatever was read can be judged.
    let _ = (input.gaps(), recording.statements(), recording.loops());
    let _ = (recording.units(), recording.loops_in_functions());
    let _ = plans.longest_first();
    (tables, refused)
}

fn numbers(entries: std::ops::Range<usize>) -> Vec<String> {
    entries.map(|n| n.to_string()).collect()
}

#[test]
fn every_format_is_read_whole() {
    for format in &FORMATS {
        let (mut tables, refused) = read(&format.file(20), 1 << 20);
        assert!(!refused, "{}", format.name);
        tables.sort_by_key(|table| table.parse::<usize>().unwrap());
        assert_eq!(tables, numbers(0..20), "{}", format.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file that ends anywhere: every statement before the one that was cut is there. Its beginning is long enough to know its kind.
    #[test]
    fn a_file_that_was_cut_off_has_all_before(format in format(), at in any::<Index>(), piece in 64_usize..5_000) {
        let whole = format.file(30);
        let first = format.file(1).len();
        let cut = &whole[..first + at.index(whole.len() - first)];
        let (tables, _) = read(cut, piece);
        let complete = (0..=30).rev().find(|n| {
            (format.head)().len() + (0..*n).map(|n| (format.entry)(n).len()).sum::<usize>() <= cut.len()
        });
        if format.is_streamed {
            let mut found = tables;
            found.retain(|table| !table.is_empty());
            found.sort_by_key(|table| table.parse::<usize>().unwrap());
            found.dedup();
            let expected = numbers(0..complete.unwrap());
            prop_assert!(found.len() <= expected.len() + 1, "{}: {found:?}", format.name);
            prop_assert!(expected.iter().all(|table| found.contains(table)), "{}: {found:?}", format.name);
        }
    }

    /// Rubbish between two entries costs neither of them, nor any other.
    #[test]
    fn rubbish_between_entries_costs_none(format in format(), at in 1_usize..19, rubbish in "[a-z %{}\\[\\]'0-9]{0,60}", piece in 64_usize..5_000) {
        prop_assume!(format.is_streamed && format.name != "recording");
        let mut file = format.file(at);
        file.extend(format!("{rubbish}\n").bytes());
        file.extend((at..20).flat_map(|n| (format.entry)(n).into_bytes()));
        let (mut tables, _) = read(&file, piece);
        tables.sort_by_key(|table| table.parse::<usize>().unwrap_or(usize::MAX));
        // Spans of a document that is not one may be read once it is whole: what is damaged is refused.
        if !format.name.starts_with("OTLP") {
            prop_assert_eq!(tables, numbers(0..20), "{}", format.name);
        }
    }

    /// Bytes that are changed, doubled and left out anywhere, whatever they are.
    #[test]
    fn damaged_files_are_read_alike_in_pieces_of_any_size(
        format in format(),
        damage in prop::collection::vec((any::<Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..40)), 1..8),
        piece in 1_usize..3_000,
    ) {
        let mut file = format.file(15);
        // The first line says what the file is: which bytes come at once may not change that.
        let first = file.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1).min(file.len() - 1);
        for (at, left_out, put_in) in &damage {
            let at = first + at.index(file.len() - first);
            let end = (at + left_out).min(file.len());
            file.splice(at..end, put_in.iter().copied());
            if file.len() <= first + 1 {
                break;
            }
        }
        let whole = read(&file, 1 << 20);
        if format.is_streamed && format.name != "recording" {
            prop_assert_eq!(&whole, &read(&file, piece.max(first)), "{}", format.name);
        } else {
            read(&file, piece.max(first));
        }
    }

    /// Bytes that are no file of any kind.
    #[test]
    fn rubbish_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..4_000), piece in 1_usize..600) {
        read(&bytes, piece);
    }

    /// Two files' lines mixed, as a collector of several sources writes them: those of one kind are read.
    #[test]
    fn interleaved_sources_are_read(order in prop::collection::vec(any::<bool>(), 40), piece in 64_usize..5_000) {
        // Sessions of two servers in one log of one format.
        let (mut one, mut other) = (0, 20);
        let mut file = Vec::new();
        for first in order {
            let n = if first && one < 20 || other >= 40 { &mut one } else { &mut other };
            if *n < 40 {
                file.extend((FORMATS[0].entry)(*n).into_bytes());
                *n += 1;
            }
        }
        let (tables, refused) = read(&file, piece);
        prop_assert!(!refused);
        prop_assert_eq!(tables.len(), one + (other - 20));
    }
}

/// A message of the protocol.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// What clients send, right and wrong.
fn client_message() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => Just(framed(b'Q', b"SELECT a FROM b WHERE c = 7\0")),
        4 => Just(framed(b'P', b"s\0SELECT a FROM b WHERE c = $1\0\0\0")),
        4 => Just(framed(b'B', &[&b"\0s\0"[..], &[0, 0, 0, 1, 0, 0, 0, 1, b'7', 0, 0]].concat())),
        4 => Just(framed(b'E', b"\0\0\0\0\0")),
        2 => Just(framed(b'D', b"Ss\0")),
        4 => Just(framed(b'S', b"")),
        1 => Just(framed(b'C', b"Ss\0")),
        1 => Just(framed(b'd', &[7; 50])),
        1 => Just(framed(b'f', b"no\0")),
        1 => Just(framed(b'X', b"")),
        2 => (any::<u8>(), body).prop_map(|(kind, body)| framed(kind, &body)),
    ]
}

/// What servers send.
fn server_message() -> impl Strategy<Value = Vec<u8>> {
    let column = [&b"a\0"[..], &[0, 0, 0, 9, 0, 1, 0, 0, 0, 23], &[0; 8]].concat();
    let body = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        3 => Just(framed(b'1', b"")),
        3 => Just(framed(b'2', b"")),
        2 => Just(framed(b'T', &[&[0, 1][..], &column].concat())),
        3 => Just(framed(b'D', &[0, 1, 0, 0, 0, 1, b'7'])),
        3 => Just(framed(b'C', b"SELECT 1\0")),
        4 => Just(framed(b'Z', b"I")),
        1 => Just(framed(b't', &[0, 1, 0, 0, 0, 23])),
        1 => Just(framed(b'n', b"")),
        1 => Just(framed(b's', b"")),
        1 => Just(framed(b'I', b"")),
        1 => Just(framed(b'N', b"SNOTICE\0\0")),
        1 => Just(framed(b'A', &[0; 12])),
        2 => Just(framed(b'E', b"SERROR\0C22012\0\0")),
        2 => (any::<u8>(), body).prop_map(|(kind, body)| framed(kind, &body)),
    ]
}

const STARTUP: [u8; 8] = [0, 0, 0, 8, 0, 3, 0, 0];

/// Executions and losses of a conversation of which each side's bytes come in pieces.
fn converse(turns: &[(Vec<u8>, Vec<u8>)], piece: usize) -> (Vec<String>, u64) {
    let reader = ValueReader::default();
    let mut recording = Recording::new(reader);
    let mut conversation = Conversation::new(0, reader);
    let (mut executed, mut lost) = (Vec::new(), 0);
    let mut take = |seen: wire::Seen| {
        match &seen {
            wire::Seen::Executed(one) => executed.push(format!("{one:?}")),
            wire::Seen::Lost => lost += 1,
        }
        recording.seen(&seen);
    };
    conversation.from_client(&STARTUP, &mut take);
    for (client, server) in turns {
        for piece in client.chunks(piece) {
            conversation.from_client(piece, &mut take);
        }
        for piece in server.chunks(piece) {
            conversation.from_server(piece, &mut take);
        }
    }
    conversation.end(&mut take);
    let _ = (recording.statements(), recording.loops());
    (executed, lost)
}

type Turns = Vec<(Vec<Vec<u8>>, Vec<Vec<u8>>)>;

fn turns() -> impl Strategy<Value = Turns> {
    let client = prop::collection::vec(client_message(), 0..8);
    let server = prop::collection::vec(server_message(), 0..12);
    prop::collection::vec((client, server), 1..12)
}

fn bytes(turns: &Turns) -> Vec<(Vec<u8>, Vec<u8>)> {
    turns
        .iter()
        .map(|(client, server)| (client.concat(), server.concat()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Messages in any order, right and wrong: every query is handed out, answered or not, and in pieces of any size the same.
    #[test]
    fn a_conversation_is_the_same_in_pieces_of_any_size(turns in turns(), piece in 1_usize..200) {
        let whole = bytes(&turns);
        let (executed, lost) = converse(&whole, 1 << 20);
        let sent = turns.iter().flat_map(|(client, _)| client);
        let queries = sent.filter(|message| message.starts_with(b"Q\0\0\0\x20SELECT")).count();
        prop_assert!(executed.len() as u64 + lost >= queries as u64, "{queries} sent: {executed:?}, {lost} lost");
        prop_assert_eq!((executed, lost), converse(&whole, piece));
    }

    /// Bytes of either side that are cut off, changed or of no protocol at all.
    #[test]
    fn damaged_conversations_are_read(
        turns in turns(),
        damage in prop::collection::vec((any::<Index>(), any::<bool>(), any::<Index>(), prop::collection::vec(any::<u8>(), 0..20)), 1..6),
        piece in 1_usize..200,
    ) {
        let mut turns = bytes(&turns);
        for (turn, of_client, at, put_in) in damage {
            let turn = turn.get_mut(&mut turns);
            let side = if of_client { &mut turn.0 } else { &mut turn.1 };
            let at = at.index(side.len() + 1);
            side.truncate(at);
            side.extend(put_in);
        }
        prop_assert_eq!(converse(&turns, 1 << 20), converse(&turns, piece));
    }
}

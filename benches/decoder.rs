//! What reading a recorded connection costs: `pgbench -S` as eight clients send it and a server answers, in pieces as they
//! come. `cargo bench --bench decoder`; an argument says how many statements are read (default 1,000,000).

#![allow(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::time::Instant;

use pgproof::trace::recording::Recording;
use pgproof::trace::value::ValueReader;
use pgproof::trace::wire::Conversation;

const CLIENTS: u64 = 8;
const ROUNDS: usize = 5;

/// How a client sends its statement.
#[derive(Clone, Copy)]
enum Protocol {
    Simple,
    Extended,
    Prepared,
}

fn main() {
    let statements: u64 = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    println!("{:>9}  ns a statement, median of {ROUNDS}", "protocol");
    for (name, protocol) in [
        ("simple", Protocol::Simple),
        ("extended", Protocol::Extended),
        ("prepared", Protocol::Prepared),
    ] {
        let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| read(protocol, statements)).collect();
        rounds.sort_by(f64::total_cmp);
        println!("{name:>9}  {:.0}", rounds[ROUNDS / 2]);
    }
}

/// Nanoseconds for each statement.
fn read(protocol: Protocol, statements: u64) -> f64 {
    let reader = ValueReader::default();
    let mut recording = Recording::new(reader);
    let mut conversations: Vec<Conversation> = (0..CLIENTS)
        .map(|session| Conversation::new(session, reader))
        .collect();
    for conversation in &mut conversations {
        let mut take = |seen| recording.seen(&seen);
        conversation.from_client(
            &[&8_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes()].concat(),
            &mut take,
        );
        conversation.from_server(
            &[message(b'R', &[0; 4]), READY.to_vec()].concat(),
            &mut take,
        );
        if matches!(protocol, Protocol::Prepared) {
            conversation.from_client(&[parse("P0"), message(b'S', b"")].concat(), &mut take);
            conversation.from_server(&[message(b'1', b""), READY.to_vec()].concat(), &mut take);
        }
    }
    let turns: Vec<[Vec<u8>; 2]> = (0..1_000).map(|n| turn(protocol, n * 97)).collect();
    let began = Instant::now();
    for n in 0..statements {
        let conversation = &mut conversations[(n % CLIENTS) as usize];
        let [sent, answered] = &turns[(n % 1_000) as usize];
        let mut take = |seen| recording.seen(&seen);
        conversation.at(i64::try_from(n * 20).unwrap_or(i64::MAX));
        conversation.from_client(sent, &mut take);
        conversation.from_server(answered, &mut take);
    }
    let took = began.elapsed();
    assert_eq!(recording.executions(), statements, "each is read");
    took.as_nanos() as f64 / statements as f64
}

const TEXT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = ";
const READY: &[u8] = b"Z\0\0\0\x05I";

/// What one statement is, as the client sends it and the server answers.
fn turn(protocol: Protocol, key: u32) -> [Vec<u8>; 2] {
    let row = [&[0, 1][..], &cell(b"0")].concat();
    let columns = [
        &[0, 1][..],
        b"abalance\0",
        &16_385_u32.to_be_bytes(),
        &3_i16.to_be_bytes(),
        &23_u32.to_be_bytes(),
        &[0; 8],
    ]
    .concat();
    let rows = [
        message(b'T', &columns),
        message(b'D', &row),
        message(b'C', b"SELECT 1\0"),
        READY.to_vec(),
    ]
    .concat();
    let key = key.to_string();
    let bind = |name: &str| {
        let value = cell(key.as_bytes());
        let body = [
            &b"\0"[..],
            name.as_bytes(),
            &[0, 0, 0, 0, 1],
            &value,
            &[0, 0],
        ]
        .concat();
        [
            message(b'B', &body),
            message(b'D', b"P\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ]
        .concat()
    };
    match protocol {
        Protocol::Simple => {
            let text = format!("{TEXT}{key};\0");
            [message(b'Q', text.as_bytes()), rows]
        }
        Protocol::Extended => {
            let answer = [message(b'1', b""), message(b'2', b""), rows].concat();
            [[parse(""), bind("")].concat(), answer]
        }
        Protocol::Prepared => [bind("P0"), [message(b'2', b""), rows].concat()],
    }
}

fn parse(name: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{TEXT}$1;\0\0\0").as_bytes())
}

fn cell(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

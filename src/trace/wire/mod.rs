//! PostgreSQL's protocol 3, decoded beside the bytes that are forwarded: which statements a client executed, with which
//! values, and which rows came back. <https://www.postgresql.org/docs/current/protocol-message-formats.html>

mod backend;
mod frames;
mod frontend;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::event::{Column, Executed, Values};
use super::value::ValueReader;
use backend::Backend;
use frontend::Frontend;

/// A message longer than this is forwarded and not read: its statement is counted as lost.
const LONGEST: usize = 4 << 20;
/// So many statements and portals of one session are remembered.
const MOST_NAMES: usize = 100_000;
/// So many answers may be outstanding.
const MOST_EXPECTED: usize = 100_000;
/// So many rows of a result are kept.
const MOST_ROWS: usize = 10_000;
/// So many values of a result are kept: few columns of many rows, or many of few.
const MOST_VALUES: usize = 200_000;

/// What a client did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It executed a statement, and the server answered.
    Executed(Box<Executed>),
    /// It executed something that was not understood.
    Lost,
}

/// A statement that was prepared.
#[derive(Debug)]
struct Prepared {
    text: Arc<str>,
    /// As the client named them, and as the server completed them.
    types: Vec<u32>,
    described: OnceLock<Vec<u32>>,
    columns: OnceLock<Arc<[Column]>>,
}

/// What the client waits for.
#[derive(Debug)]
enum Expected {
    /// ParseComplete, BindComplete or CloseComplete.
    Done,
    /// RowDescription or NoData, for a statement; of a portal the formats are those that it was bound with.
    Description(Option<Arc<Prepared>>),
    /// The rows of a portal.
    Rows(Box<Executed>, Option<Arc<Prepared>>, Vec<i16>),
    /// All that a simple query gives, up to ReadyForQuery.
    Query(Box<Executed>),
    /// ReadyForQuery after Sync, or after a function call.
    Ready,
}

/// One connection: both directions of it.
#[derive(Debug)]
pub struct Conversation {
    frontend: Frontend,
    backend: Backend,
    shared: Shared,
}

/// What both directions know.
#[derive(Debug)]
struct Shared {
    session: u64,
    reader: ValueReader,
    expected: VecDeque<Expected>,
    clock: u64,
    /// The caller's clock, in microseconds.
    now: Option<i64>,
    /// `application_name`, as the server reported it last.
    application: Option<Arc<str>>,
    /// Requests for encryption that the server answers with one byte.
    short_answers: usize,
    /// The session is encrypted, or no session: nothing can be read.
    is_opaque: bool,
    /// Answers came that nobody waits for: what is sent is counted, what comes back is not read any more.
    is_confused: bool,
}

impl Shared {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// An execution that is sent now.
    fn sent(&mut self, text: Arc<str>, values: Values) -> Executed {
        let sent = self.tick();
        Executed {
            at: self.now,
            application: self.application.clone(),
            ..Executed::sent(self.session, text, values, sent)
        }
    }

    /// It is done now.
    fn done(&self, executed: &mut Executed, done: u64) {
        executed.done = done;
        executed.took = executed
            .at
            .zip(self.now)
            .and_then(|(at, now)| u64::try_from(now - at).ok());
    }

    fn expect(&mut self, expected: Expected, take: &mut impl FnMut(Seen)) {
        if self.expected.len() >= MOST_EXPECTED {
            self.confuse(take);
        }
        if self.is_confused {
            hand_out(expected, take);
        } else {
            self.expected.push_back(expected);
        }
    }

    /// Nothing more is known of answers: what waits for one is handed out without.
    fn confuse(&mut self, take: &mut impl FnMut(Seen)) {
        self.is_confused = true;
        for expected in std::mem::take(&mut self.expected) {
            hand_out(expected, take);
        }
    }
}

fn hand_out(expected: Expected, take: &mut impl FnMut(Seen)) {
    match expected {
        Expected::Rows(executed, ..) | Expected::Query(executed) => {
            take(Seen::Executed(executed));
        }
        Expected::Done | Expected::Description(_) | Expected::Ready => {}
    }
}

impl Conversation {
    /// Of a session; its values can be compared with those of other sessions that have the same reader.
    #[must_use]
    pub fn new(session: u64, reader: ValueReader) -> Self {
        Self {
            frontend: Frontend::default(),
            backend: Backend::default(),
            shared: Shared {
                session,
                reader,
                expected: VecDeque::new(),
                clock: 0,
                now: None,
                application: None,
                short_answers: 0,
                is_opaque: false,
                is_confused: false,
            },
        }
    }

    /// What comes next comes at this time, in microseconds of the caller's clock.
    pub fn at(&mut self, now: i64) {
        self.shared.now = Some(now);
    }

    /// Takes the client's next bytes.
    pub fn from_client(&mut self, bytes: &[u8], take: &mut impl FnMut(Seen)) {
        self.frontend.feed(bytes, &mut self.shared, take);
    }

    /// Takes the server's next bytes, and hands out the executeds that they complete.
    pub fn from_server(&mut self, bytes: &[u8], take: &mut impl FnMut(Seen)) {
        self.backend.feed(bytes, &mut self.shared, take);
    }

    /// The connection is over: what was not answered is handed out as it is.
    pub fn end(&mut self, take: &mut impl FnMut(Seen)) {
        self.shared.confuse(take);
    }

    /// Whether the rows that came back were read all the time.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        !self.shared.is_confused
    }
}

fn text_of(bytes: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::value::Value;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn startup(code: u32) -> Vec<u8> {
        [8_u32.to_be_bytes(), code.to_be_bytes()].concat()
    }

    fn conversation() -> Conversation {
        Conversation::new(7, ValueReader::default())
    }

    /// What a client that gets no answer is known to have executed.
    fn seen(bytes: &[u8], piece: usize) -> Vec<Option<(String, Values)>> {
        let mut conversation = conversation();
        let mut seen = Vec::new();
        let mut take = |event| {
            seen.push(match event {
                Seen::Executed(executed) => Some((executed.text.to_string(), executed.values)),
                Seen::Lost => None,
            });
        };
        for piece in bytes.chunks(piece) {
            conversation.from_client(piece, &mut take);
        }
        conversation.end(&mut take);
        seen
    }

    fn executed(text: &str, values: Values) -> Option<(String, Values)> {
        Some((text.to_owned(), values))
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
                    None,
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
            [None, executed("SELECT 2", Values::InText)]
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
        assert_eq!(seen(&startup(80_877_102), 2), []);
    }

    const SSL_REQUEST: u32 = 80_877_103;

    /// A column in RowDescription.
    fn column(name: &str, table: u32, attribute: i16, type_oid: u32) -> Vec<u8> {
        [
            name.as_bytes(),
            &[0],
            &table.to_be_bytes(),
            &attribute.to_be_bytes(),
            &type_oid.to_be_bytes(),
            &[0; 8],
        ]
        .concat()
    }

    fn list(items: &[Vec<u8>]) -> Vec<u8> {
        let count = u16::try_from(items.len()).unwrap().to_be_bytes();
        [&count[..], &items.concat()].concat()
    }

    fn cell(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    }

    /// A client's bytes and the server's, in turns.
    fn talk(turns: &[(Vec<u8>, Vec<u8>)], piece: usize) -> (Vec<Executed>, bool) {
        let mut conversation = conversation();
        let mut all = Vec::new();
        let mut take = |event| match event {
            Seen::Executed(executed) => all.push(*executed),
            Seen::Lost => panic!("something was lost"),
        };
        let hello = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
        conversation.from_client(&startup(196_608), &mut take);
        conversation.from_server(&hello, &mut take);
        for (client, server) in turns {
            for piece in client.chunks(piece) {
                conversation.from_client(piece, &mut take);
            }
            for piece in server.chunks(piece) {
                conversation.from_server(piece, &mut take);
            }
        }
        let understood = conversation.is_understood();
        conversation.end(&mut take);
        (all, understood)
    }

    #[test]
    fn values_and_rows_of_a_prepared_statement() {
        let prepare = [
            message(b'P', b"s\0SELECT id, name FROM t WHERE id > $1\0\0\0"),
            message(b'D', b"Ss\0"),
            message(b'S', b""),
        ]
        .concat();
        let described = [
            message(b'1', b""),
            message(b't', &list(&[20_u32.to_be_bytes().to_vec()])),
            message(
                b'T',
                &list(&[column("id", 99, 1, 20), column("name", 99, 2, 25)]),
            ),
            message(b'Z', b"I"),
        ]
        .concat();
        // A binary value, and binary columns.
        let bind = [
            &b"\0s\0"[..],
            &[0, 1, 0, 1, 0, 1],
            &cell(&5_i64.to_be_bytes()),
            &[0, 1, 0, 1],
        ]
        .concat();
        let run = [
            message(b'B', &bind),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ]
        .concat();
        let row = |id: i64, name: &str| {
            message(
                b'D',
                &list(&[cell(&id.to_be_bytes()), cell(name.as_bytes())]),
            )
        };
        let rows = [
            message(b'2', b""),
            row(6, "Ada"),
            row(9, "Bob"),
            message(b'C', b"SELECT 2\0"),
            message(b'Z', b"I"),
        ]
        .concat();
        for piece in [1, 5, 4096] {
            let turns = [
                (prepare.clone(), described.clone()),
                (run.clone(), rows.clone()),
            ];
            let (all, understood) = talk(&turns, piece);
            assert!(understood);
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].session, 7);
            assert_eq!(all[0].parameters, [Value::Whole(5)]);
            assert!(all[0].sent < all[0].done);
            let rows = all[0].rows().unwrap();
            assert_eq!(rows.count, 2);
            assert_eq!(rows.values[0], [Value::Whole(6), Value::Whole(9)]);
            assert_eq!(rows.columns[1].name, "name");
            assert_eq!(rows.columns[0].origin, (99, 1));
        }
    }

    #[test]
    fn the_name_of_the_application_is_the_one_that_the_server_reports() {
        let set = message(b'Q', b"SET application_name = 'test_list'\0");
        let query = message(b'Q', b"SELECT 1\0");
        let done = [message(b'C', b"SET\0"), message(b'Z', b"I")].concat();
        let reported = message(b'S', b"application_name\0test_list\0");
        let answer = [&reported[..], &done].concat();
        // A test may say by a notice what it is; other notices are none of ours.
        let raise = message(b'Q', b"DO 'BEGIN RAISE NOTICE ...'\0");
        let other = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mtable is there\0\0");
        let marked = message(
            b'N',
            b"SNOTICE\0VNOTICE\0C00000\0Mpgproof: test=test_show\0\0",
        );
        let noticed = [&other[..], &marked, &done].concat();
        let (all, understood) = talk(
            &[
                (query.clone(), done.clone()),
                (set, answer),
                (query.clone(), done.clone()),
                (raise, noticed),
                (query, done),
            ],
            5,
        );
        assert!(understood);
        let names: Vec<Option<&str>> = all.iter().map(|one| one.application.as_deref()).collect();
        let (list, show) = (Some("test_list"), Some("test_show"));
        assert_eq!(names, [None, None, list, list, show]);
    }

    #[test]
    fn each_statement_of_a_simple_query_has_its_rows() {
        let text = b"SELECT 1; SET a = b; SELECT 2\0";
        let answer = [
            message(b'T', &list(&[column("a", 0, 0, 23)])),
            message(b'D', &list(&[cell(b"1")])),
            message(b'C', b"SELECT 1\0"),
            message(b'C', b"SET\0"),
            message(b'T', &list(&[column("b", 0, 0, 23)])),
            message(b'D', &list(&[cell(b"2")])),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"I"),
        ]
        .concat();
        let (all, understood) = talk(&[(message(b'Q', text), answer)], 3);
        assert!(understood);
        assert_eq!(all[0].results.len(), 2);
        assert_eq!(all[0].results[1].values[0], [Value::Whole(2)]);
    }

    #[test]
    fn an_error_in_a_pipeline_takes_what_follows_up_to_its_sync() {
        let parse = message(b'P', b"\0SELECT $1\0\0\0");
        let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
        let execute = message(b'E', b"\0\0\0\0\0");
        let sync = message(b'S', b"");
        let client = [
            &parse[..],
            &bind,
            &execute,
            &bind,
            &execute,
            &sync,
            &bind,
            &execute,
            &sync,
        ]
        .concat();
        let server = [
            message(b'1', b""),
            message(b'2', b""),
            message(b'E', b"SERROR\0C22012\0\0"),
            message(b'Z', b"I"),
            message(b'2', b""),
            message(b'C', b"SELECT 0\0"),
            message(b'Z', b"I"),
        ]
        .concat();
        let (all, understood) = talk(&[(client, server)], 11);
        assert!(understood);
        let failed: Vec<bool> = all.iter().map(|executed| executed.failed).collect();
        assert_eq!(failed, [true, false]);
    }

    #[test]
    fn answers_that_nobody_waits_for_end_the_reading_of_rows_and_not_the_count() {
        let client = message(b'Q', b"SELECT 1\0");
        let (all, understood) = talk(
            &[(client.clone(), message(b'1', b"")), (client, Vec::new())],
            64,
        );
        assert!(!understood);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|executed| executed.results.is_empty()));
    }
}

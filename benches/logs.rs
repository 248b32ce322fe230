//! How fast logs are read, and in how much memory: MB a second and the process's peak for each format. `cargo bench --bench logs`;
//! an argument says how many MB each log has (default 1,000).

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark says what it measured, and ends where it fails"
)]

use std::fmt::Write as _;
use std::time::Instant;

use pgproof::trace::input::Input;
use pgproof::trace::logs::Seen;
use pgproof::trace::plans::Plans;
use pgproof::trace::recording::Recording;

const SESSIONS: u64 = 64;
const TABLES: [&str; 10] = [
    "orders",
    "customers",
    "items",
    "products",
    "payments",
    "shipments",
    "reviews",
    "carts",
    "sessions",
    "events",
];

/// Messages one after the other, without end: never more than a piece of them is in memory.
struct Log {
    format: Format,
    random: u64,
    millis: u64,
    lines: [u64; SESSIONS as usize],
}

#[derive(Clone, Copy)]
enum Format {
    /// Values in the text.
    StderrSimple,
    /// Parse, bind and execute, each with its time.
    StderrExtended,
    Csvlog,
    Jsonlog,
}

impl Log {
    fn new(format: Format) -> Self {
        Self {
            format,
            random: 0x2545_f491_4f6c_dd1d,
            millis: 0,
            lines: [0; SESSIONS as usize],
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Adds the messages of one execution.
    fn execution(&mut self, text: &mut String) {
        let session = self.draw(SESSIONS);
        let process = 1_000 + session;
        self.millis += 1 + self.draw(30);
        let seconds = self.millis / 1_000;
        let at = format!(
            "2026-11-{:02} {:02}:{:02}:{:02}.{:03} UTC",
            1 + seconds / 86_400 % 28,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            self.millis % 1_000
        );
        let table = TABLES[self.draw(10) as usize];
        let (id, kind) = (self.draw(999_999), self.draw(99_999));
        let took = format!("{}.{:03}", self.draw(5), self.draw(1_000));
        let statement = |id: &str, kind: &str| {
            format!(
                "SELECT o.id, o.status, o.total, o.created_at FROM {table} o JOIN customers c ON c.id = o.customer_id WHERE o.customer_id = \
                 {id} AND o.kind = {kind} AND c.deleted_at IS NULL ORDER BY o.created_at DESC LIMIT 20"
            )
        };
        let bound = statement("$1", "$2");
        let values = format!("parameters: $1 = '{id}', $2 = 'kind {kind}'");
        let line = &mut self.lines[session as usize];
        *line += 1;
        let written = match self.format {
            Format::StderrSimple => writeln!(
                text,
                "{at} [{process}] app@shop LOG:  duration: {took} ms  statement: {}",
                statement(&id.to_string(), &format!("'kind {kind}'"))
            ),
            Format::StderrExtended => writeln!(
                text,
                "{at} [{process}] app@shop LOG:  duration: 0.021 ms  bind S_1: {bound}\n{at} [{process}] app@shop DETAIL:  {values}\n\
                 {at} [{process}] app@shop LOG:  duration: {took} ms  execute S_1: {bound}\n{at} [{process}] app@shop DETAIL:  {values}"
            ),
            Format::Csvlog => writeln!(
                text,
                "{at},\"app\",\"shop\",{process},\"10.0.0.7:5432\",6b0d28dc.{process:x},{line},\"SELECT\",2026-11-30 07:42:20 UTC,3/1,0,LOG,00000,\
                 \"duration: {took} ms  execute S_1: {bound}\",\"{values}\",,,,,,,,\"api\",\"client backend\",,1"
            ),
            Format::Jsonlog => writeln!(
                text,
                "{{\"timestamp\":\"{at}\",\"user\":\"app\",\"dbname\":\"shop\",\"pid\":{process},\"session_id\":\"6b0d28dc.{process:x}\",\
                 \"line_num\":{line},\"ps\":\"SELECT\",\"error_severity\":\"LOG\",\"message\":\"duration: {took} ms  execute S_1: {bound}\",\
                 \"detail\":\"{values}\",\"application_name\":\"api\",\"backend_type\":\"client backend\",\"query_id\":1}}"
            ),
        };
        written.unwrap();
    }
}

fn main() {
    let megabytes = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse::<u64>().ok());
    let size = megabytes.unwrap_or(1_000) * 1_000_000;
    for (name, format) in [
        ("stderr, values in the text", Format::StderrSimple),
        ("stderr, extended protocol", Format::StderrExtended),
        ("csvlog", Format::Csvlog),
        ("jsonlog", Format::Jsonlog),
    ] {
        measure(name, Log::new(format), size);
    }
}

/// Making the log is not counted.
fn measure(name: &str, mut log: Log, size: u64) {
    const PIECE: usize = 1 << 20;
    let (mut input, mut recording, mut plans) =
        (Input::default(), Recording::default(), Plans::default());
    let mut executions = 0_u64;
    let mut out = |seen: Seen<'_>| match seen {
        Seen::Executed(executed) => {
            executions += 1;
            recording.take(&executed);
        }
        Seen::Inside { caller, inside } => recording.inside(caller, &inside),
        Seen::Lost => recording.lost(),
        Seen::Plan { plan, text } => plans.take(*plan, text),
        Seen::Closed(session) => recording.closed(session),
    };
    let (mut read, mut seconds, mut made) = (0, 0.0, 0_u64);
    let mut piece = String::with_capacity(2 * PIECE);
    while read < size {
        piece.clear();
        while piece.len() < PIECE {
            log.execution(&mut piece);
            made += 1;
        }
        let begun = Instant::now();
        input.feed(piece.as_bytes(), &mut out).unwrap();
        seconds += begun.elapsed().as_secs_f64();
        read += piece.len() as u64;
    }
    input.end_of_file(&mut out).unwrap();
    input.end(&mut out);
    assert_eq!(executions, made, "every execution is read");
    let megabytes = read as f64 / 1e6;
    println!(
        "{name}: {megabytes:.0} MB in {seconds:.2} s: {:.0} MB/s, {executions} executions; peak {}",
        megabytes / seconds,
        peak()
    );
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.map_or_else(
        || "not known".to_owned(),
        |line| line[6..].trim().to_owned(),
    )
}

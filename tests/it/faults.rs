//! The fault table: what may happen to a command, at every phase of its work, on a small project with the real program.
//!
//! `cargo test --test it -- faults --nocapture` prints a part that holds every fault and every phase; with
//! `PGPROOF_FAULTS=all` every cell is tried. Survived is a cell where the command ends, no process of it or of its server
//! is left, nothing is left in the server, and the next command finds what it should.

use std::collections::BTreeMap;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pgproof::db::connect::{DatabaseUrl, Session};
use pgproof::interrupt::Interrupt;

use crate::server::disk::SmallDisk;
use crate::server::private;
use crate::support;

/// What a command is at when it is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Start,
    Migrate,
    Rows,
    Indexes,
    ForeignKeys,
    Clone,
    Audit,
    Proof,
    Diff,
    Report,
}

impl Phase {
    const ALL: [Self; 10] = [
        Self::Start,
        Self::Migrate,
        Self::Rows,
        Self::Indexes,
        Self::ForeignKeys,
        Self::Clone,
        Self::Audit,
        Self::Proof,
        Self::Diff,
        Self::Report,
    ];

    /// Whether the dataset has to be made anew to reach it.
    fn is_of_load(self) -> bool {
        match self {
            Self::Migrate | Self::Rows | Self::Indexes | Self::ForeignKeys => true,
            Self::Start | Self::Clone | Self::Audit | Self::Proof | Self::Diff | Self::Report => {
                false
            }
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Diff => &["diff", "--fail-on", "never"],
            // What was measured before is not measured again without it: there would be nothing to strike.
            _ => &["audit", "--fresh", "--fail-on", "never"],
        }
    }

    /// The statement that runs then; `None` where it is not the server that works.
    fn statement(self) -> Option<&'static str> {
        match self {
            Self::Migrate => Some("%pg_sleep(0.7)%"),
            Self::Rows => Some("COPY %"),
            Self::Indexes => Some("REINDEX INDEX %"),
            Self::ForeignKeys => Some("ALTER TABLE % VALIDATE CONSTRAINT %"),
            Self::Clone => Some("CREATE DATABASE \"pgproof\\_run\\_%"),
            Self::Audit => Some("%EXPLAIN%"),
            Self::Proof => Some("%CREATE INDEX%SELECT%"),
            Self::Diff => Some("%pg_sleep(0.8)%"),
            Self::Start | Self::Report => None,
        }
    }
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillPgproof,
    KillGroup,
    KillPostmaster,
    KillBackend,
    KillWatcher,
    Interrupt,
    InterruptTwice,
    Terminate,
    TerminateTwice,
    HangUp,
    ClosedOutput,
    CutConnections,
    Frozen,
    DiskFull,
    OutputFull,
    LittleMemory,
    Container,
}

impl Fault {
    const ALL: [Self; 17] = [
        Self::KillPgproof,
        Self::KillGroup,
        Self::KillPostmaster,
        Self::KillBackend,
        Self::KillWatcher,
        Self::Interrupt,
        Self::InterruptTwice,
        Self::Terminate,
        Self::TerminateTwice,
        Self::HangUp,
        Self::ClosedOutput,
        Self::CutConnections,
        Self::Frozen,
        Self::DiskFull,
        Self::OutputFull,
        Self::LittleMemory,
        Self::Container,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::KillPgproof => "kill -9 pgproof",
            Self::KillGroup => "kill -9 its process group",
            Self::KillPostmaster => "kill -9 postmaster",
            Self::KillBackend => "kill -9 a backend",
            Self::KillWatcher => "kill -9 the watcher",
            Self::Interrupt => "SIGINT",
            Self::InterruptTwice => "SIGINT twice",
            Self::Terminate => "SIGTERM",
            Self::TerminateTwice => "SIGTERM twice",
            Self::HangUp => "SIGHUP",
            Self::ClosedOutput => "output closed (PIPE)",
            Self::CutConnections => "connections cut",
            Self::Frozen => "server frozen, SIGINT",
            Self::DiskFull => "disk full (data)",
            Self::OutputFull => "disk full (output)",
            Self::LittleMemory => "memory limit",
            Self::Container => "container killed",
        }
    }

    /// Whether there is something to strike then.
    fn applies(self, phase: Phase) -> bool {
        let server_is_gone = phase == Phase::Report;
        match self {
            Self::KillPostmaster | Self::KillWatcher | Self::Frozen => !server_is_gone,
            Self::KillBackend | Self::CutConnections => !server_is_gone && phase != Phase::Start,
            // These hold from the beginning, not from a moment on.
            Self::OutputFull => phase == Phase::Report,
            Self::LittleMemory => phase == Phase::Start,
            Self::DiskFull => !server_is_gone && phase != Phase::Start,
            Self::KillPgproof
            | Self::KillGroup
            | Self::Interrupt
            | Self::InterruptTwice
            | Self::Terminate
            | Self::TerminateTwice
            | Self::HangUp
            | Self::ClosedOutput
            | Self::Container => true,
        }
    }
}

/// The part that is tried by default: each fault, each phase, and the pairs that once failed.
const USUAL: &[(Fault, Phase)] = &[
    (Fault::KillPgproof, Phase::Rows),
    (Fault::KillPgproof, Phase::Diff),
    (Fault::KillGroup, Phase::Proof),
    (Fault::KillPostmaster, Phase::Indexes),
    (Fault::KillPostmaster, Phase::Audit),
    (Fault::KillBackend, Phase::Proof),
    (Fault::KillWatcher, Phase::Audit),
    (Fault::Interrupt, Phase::ForeignKeys),
    (Fault::InterruptTwice, Phase::Migrate),
    (Fault::Terminate, Phase::Clone),
    (Fault::TerminateTwice, Phase::Audit),
    (Fault::HangUp, Phase::Clone),
    (Fault::ClosedOutput, Phase::Report),
    (Fault::CutConnections, Phase::Proof),
    (Fault::Frozen, Phase::Audit),
    (Fault::DiskFull, Phase::Rows),
    (Fault::OutputFull, Phase::Report),
    (Fault::LittleMemory, Phase::Start),
    (Fault::Container, Phase::Start),
    (Fault::Container, Phase::Audit),
];

/// A project whose phases last long enough to be struck.
struct Project {
    path: PathBuf,
    /// Makes a dataset new.
    seed: u32,
    /// Counts of queries by command, as a command runs them that nothing happens to. Findings depend on times, too.
    expected: BTreeMap<&'static str, usize>,
    // Unmounted, or removed, with the value.
    _disk: Option<SmallDisk>,
    _directory: Option<tempfile::TempDir>,
}

impl Project {
    fn new() -> Self {
        let directory = private::bare_project();
        let path = directory.path().to_path_buf();
        Self::at(path, None, Some(directory))
    }

    fn on_small_disk() -> Option<Self> {
        let disk = SmallDisk::of(700)?;
        Some(Self::at(disk.path().to_path_buf(), Some(disk), None))
    }

    fn at(path: PathBuf, disk: Option<SmallDisk>, directory: Option<tempfile::TempDir>) -> Self {
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write(
            "migrations/0001_shop.sql",
            "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, city text NOT NULL);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers,
    placed_at timestamptz NOT NULL, total int NOT NULL, note text NOT NULL);
CREATE INDEX orders_placed ON orders (placed_at);
CREATE INDEX orders_note ON orders (note, total);
SELECT pg_sleep(0.7);
",
        );
        write(
            "migrations/0002_total.sql",
            "SELECT pg_sleep(0.8);\nCREATE INDEX orders_total ON orders (total);\n",
        );
        write(
            "queries/shop.sql",
            "-- name: OfCustomer :many\nSELECT * FROM orders WHERE customer_id = $1;\n
-- name: Newest :many\nSELECT * FROM orders ORDER BY placed_at DESC LIMIT 20;\n
-- name: Cities :many\nSELECT c.city, count(*), sum(o.total) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY \
             c.city;\n",
        );
        write(
            "seeds/shop.toml",
            "[tables.customers]\nrows = 20000\n[tables.orders]\nrows = 80000\n",
        );
        let mut project = Self {
            path,
            seed: 0,
            expected: BTreeMap::new(),
            _disk: disk,
            _directory: directory,
        };
        project.reseed();
        project
    }

    fn reseed(&mut self) {
        self.seed += 1;
        let text = format!(
            "[server]\nversion = \"15\"\n[dataset]\nseed = {}\n",
            self.seed
        );
        std::fs::write(self.path.join("pgproof.toml"), text).unwrap();
    }

    fn data(&self) -> PathBuf {
        private::data(&self.path)
    }

    fn command(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_pgproof");
        let mut command = match wrapper {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .args(arguments)
            .current_dir(&self.path)
            .env_remove("DATABASE_URL")
            .env(
                "PGPROOF_PG_BIN",
                support::binaries_of(support::MAJOR).unwrap(),
            )
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Runs a command to its end; its exit code, how many queries it ran, and what it said.
    fn run(&self, wrapper: &[&str], arguments: &[&str]) -> (Option<i32>, usize, String) {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "json"]);
        let output = self.command(wrapper, &arguments).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let queries = report["queries"].as_array().into_iter().flatten();
        (
            output.status.code(),
            queries.filter(|query| query["failure"].is_null()).count(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// Databases of the server, by their directories.
    fn databases(&self) -> usize {
        let entries = std::fs::read_dir(self.data().join("base"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().parse::<u32>().is_ok()
                    && std::fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_some())
            })
            .count()
    }

    /// Processes that work for this project still after so long.
    fn left_after(&self, limit: Duration) -> Vec<String> {
        let start = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() || start.elapsed() > limit {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Processes that work for this project.
    fn processes(&self) -> Vec<String> {
        let data = self.data().metadata().ok();
        let path = self.path.display().to_string();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter_map(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let inside = std::fs::metadata(format!("/proc/{pid}/cwd")).ok()?;
            let of_server = data
                .as_ref()
                .is_some_and(|data| (data.dev(), data.ino()) == (inside.dev(), inside.ino()));
            (of_server || line.contains(&path)).then(|| format!("{pid} {line}"))
        })
        .collect()
    }
}

/// A command that is to be struck.
struct Victim {
    child: Child,
    output: Option<PipeReader>,
    /// The session that watches the server.
    watching: Option<Session>,
}

/// What the server does for the command.
struct Seen {
    backend: Option<i32>,
}

impl Victim {
    fn start(project: &Project, wrapper: &[&str], phase: Phase) -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        if phase == Phase::Report {
            // A full pipe: whoever writes the report waits.
            writer.write_all(&[b'.'; 65_536]).unwrap();
        }
        let child = project
            .command(wrapper, phase.arguments())
            .stdout(writer)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            output: Some(reader),
            watching: None,
        }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits until the command is in the phase; `None` where it ended before.
    async fn reach(&mut self, project: &Project, phase: Phase) -> Option<Seen> {
        let mut ran = false;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(120) {
            if self.child.try_wait().unwrap().is_some() {
                return None;
            }
            let text = std::fs::read_to_string(project.data().join("postmaster.pid"));
            let is_ready = text.as_ref().is_ok_and(|text| text.contains("ready"));
            match (phase, text) {
                (Phase::Start, Ok(_)) => return Some(Seen { backend: None }),
                (Phase::Report, Err(_)) if ran => return Some(Seen { backend: None }),
                (Phase::Report, Ok(_)) => ran = true,
                (_, Ok(text)) if is_ready => {
                    if let Some(seen) = self.look(&text, phase).await {
                        return Some(seen);
                    }
                }
                (_, _) => {}
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        None
    }

    /// The backend that runs the phase's statement.
    async fn look(&mut self, pid_file: &str, phase: Phase) -> Option<Seen> {
        if self
            .watching
            .as_ref()
            .is_none_or(|session| session.client().is_closed())
        {
            let lines: Vec<&str> = pid_file.lines().collect();
            let (port, socket) = (lines.get(3)?.trim().parse().ok()?, lines.get(4)?);
            let url = DatabaseUrl::of_socket(Path::new(socket), port, "postgres", "postgres");
            self.watching = Session::open(&url, &Interrupt::new()).await.ok();
        }
        let query = "SELECT pid FROM pg_stat_activity WHERE query LIKE $1 AND state = 'active' AND pid <> pg_backend_pid() LIMIT 1";
        let session = self.watching.as_ref()?;
        let found = session
            .client()
            .query_opt(query, &[&phase.statement()?])
            .await;
        let row = found.ok()??;
        Some(Seen {
            backend: Some(row.get(0)),
        })
    }

    /// Waits until the command ends; kills it where it does not.
    fn end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        // Whoever waits for a reader gets one.
        let draining = self.output.take().map(|mut output| {
            std::thread::spawn(move || {
                let mut all = Vec::new();
                output.read_to_end(&mut all).map(drop)
            })
        });
        let ended = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break Some(status);
            }
            if start.elapsed() > limit {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if let Some(draining) = draining {
            let _ = draining.join();
        }
        ended
    }
}

fn send(signal: &str, pid: i32) {
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), "--", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

async fn strike(project: &Project, victim: &mut Victim, fault: Fault, seen: &Seen) {
    let pid = victim.pid();
    let server = || private::postmaster(&project.path);
    match fault {
        Fault::KillPgproof | Fault::Container => send("KILL", pid),
        Fault::KillGroup => send("KILL", -pid),
        Fault::KillPostmaster => {
            if let Some(server) = server() {
                send("KILL", server);
            }
        }
        Fault::KillBackend => send("KILL", seen.backend.unwrap_or(-1)),
        Fault::KillWatcher => {
            if let Some(watcher) = private::watcher(&project.path) {
                send("KILL", watcher);
            }
        }
        Fault::Interrupt => send("INT", pid),
        Fault::Terminate => send("TERM", pid),
        Fault::HangUp => send("HUP", pid),
        Fault::InterruptTwice | Fault::TerminateTwice => {
            let signal = if fault == Fault::InterruptTwice {
                "INT"
            } else {
                "TERM"
            };
            send(signal, pid);
            tokio::time::sleep(Duration::from_millis(30)).await;
            send(signal, pid);
        }
        Fault::ClosedOutput => drop(victim.output.take()),
        Fault::CutConnections => {
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = \
                       'client backend'";
            if let Some(session) = &victim.watching {
                let _ = session.client().batch_execute(all).await;
            }
        }
        Fault::Frozen => {
            if let Some(server) = server() {
                send("STOP", server);
            }
            if let Some(backend) = seen.backend {
                send("STOP", backend);
            }
            send("INT", pid);
        }
        Fault::DiskFull => {
            let mut filler = std::fs::File::create(project.path.join("filler")).unwrap();
            let block = vec![7_u8; 1 << 20];
            while filler.write_all(&block).is_ok() {}
        }
        // They hold from the beginning.
        Fault::OutputFull | Fault::LittleMemory => {}
    }
}

/// What came of a cell.
struct Cell {
    fault: Fault,
    phase: Phase,
    /// Empty where it was survived.
    problems: Vec<String>,
    exit: String,
}

async fn try_out(project: &mut Project, fault: Fault, phase: Phase) -> Cell {
    let mut cell = Cell {
        fault,
        phase,
        problems: Vec::new(),
        exit: "not reached".to_owned(),
    };
    let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let limited = ["prlimit", "--as=500000000"];
    let wrapper: &[&str] = match fault {
        Fault::Container => &container,
        Fault::LittleMemory => &limited,
        _ => &[],
    };
    if !expect_queries(project, phase, &mut cell) {
        return cell;
    }
    let mut reached = false;
    for _ in 0..4 {
        if phase.is_of_load() {
            project.reseed();
        }
        let mut victim = Victim::start(project, wrapper, phase);
        let seen = match fault {
            Fault::LittleMemory | Fault::OutputFull => Some(Seen { backend: None }),
            _ => victim.reach(project, phase).await,
        };
        if let Some(seen) = &seen {
            strike(project, &mut victim, fault, seen).await;
            reached = true;
        }
        victim.watching = None;
        let ended = victim.end(Duration::from_secs(90));
        if reached {
            match ended {
                Some(status) => cell.exit = said(status),
                None => cell.problems.push("did not end in 90 s".to_owned()),
            }
            break;
        }
    }
    if !reached {
        cell.problems.push("the phase was not reached".to_owned());
    }
    judge(project, fault, phase, &container, &mut cell);
    cell
}

fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "?".to_owned(),
    }
}

/// What a command does that nothing happens to; also makes the dataset, where the phase comes after it.
fn expect_queries(project: &mut Project, phase: Phase, cell: &mut Cell) -> bool {
    let arguments = phase.arguments();
    if project.expected.contains_key(arguments[0]) {
        return true;
    }
    let (code, queries, said) = project.run(&[], arguments);
    if code != Some(0) || queries == 0 {
        cell.problems.push(format!(
            "fails without a fault: {code:?}, {queries} queries: {said}"
        ));
        return false;
    }
    project.expected.insert(arguments[0], queries);
    true
}

/// Looks at what is left, and runs the next command.
fn judge(project: &Project, fault: Fault, phase: Phase, container: &[&str], cell: &mut Cell) {
    let left = project.left_after(Duration::from_secs(45));
    if !left.is_empty() {
        cell.problems.push(format!("orphans: {left:?}"));
    }
    let _ = std::fs::remove_file(project.path.join("filler"));
    let arguments = phase.arguments();
    let wrappers: &[&[&str]] = match fault {
        // The next one is a container again, with the same numbers; then one is run outside.
        Fault::Container => &[container, &[]],
        _ => &[&[]],
    };
    for wrapper in wrappers {
        let (code, queries, said) = project.run(wrapper, arguments);
        let expected = project.expected[arguments[0]];
        if code != Some(0) {
            cell.problems
                .push(format!("the next command ends with {code:?}: {said}"));
        } else if queries != expected {
            cell.problems.push(format!(
                "the next command runs {queries} queries, not {expected}"
            ));
        }
    }
    // template0, template1, postgres, and the datasets that are kept: of the audit and of the diff.
    if project.databases() > 3 + 3 {
        cell.problems
            .push(format!("{} databases are left", project.databases()));
    }
    let left = project.left_after(Duration::from_secs(5));
    if !left.is_empty() {
        cell.problems
            .push(format!("orphans of the next command: {left:?}"));
    }
}

fn cells() -> Vec<(Fault, Phase)> {
    let asked = std::env::var("PGPROOF_FAULTS").unwrap_or_default();
    if asked.is_empty() {
        return USUAL.to_vec();
    }
    let pairs = Fault::ALL
        .into_iter()
        .flat_map(|fault| Phase::ALL.into_iter().map(move |phase| (fault, phase)));
    pairs
        .filter(|(fault, phase)| fault.applies(*phase))
        .filter(|(fault, phase)| {
            asked == "all" || format!("{fault:?} {phase:?}").contains(asked.as_str())
        })
        .collect()
}

fn print_table(cells: &[Cell]) {
    let short = |phase: Phase| format!("{phase:?}");
    print!("{:26}", "");
    for phase in Phase::ALL {
        print!(" {:>11}", short(phase));
    }
    println!();
    for fault in Fault::ALL {
        print!("{:26}", fault.name());
        for phase in Phase::ALL {
            let found = cells
                .iter()
                .find(|cell| (cell.fault, cell.phase) == (fault, phase));
            let text = match found {
                Some(cell) if cell.problems.is_empty() => format!("ok {}", cell.exit),
                Some(_) => "FAILED".to_owned(),
                None if fault.applies(phase) => "·".to_owned(),
                None => String::new(),
            };
            print!(" {text:>11}");
        }
        println!();
    }
    let survived = cells.iter().filter(|cell| cell.problems.is_empty()).count();
    println!(
        "\n`ok N`: survived, the command ended with exit code N; `·`: not tried now (PGPROOF_FAULTS=all tries every cell)\n\
         survived: {survived} of {}, {:.0} %",
        cells.len(),
        100.0 * survived as f64 / cells.len().max(1) as f64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_survived() {
    let mut project = Project::new();
    let mut small: Option<Project> = None;
    let mut done = Vec::new();
    for (fault, phase) in cells() {
        let start = Instant::now();
        let cell = match fault {
            Fault::DiskFull => {
                if small.is_none() {
                    small = Project::on_small_disk();
                }
                match &mut small {
                    Some(small) => try_out(small, fault, phase).await,
                    None => continue,
                }
            }
            Fault::OutputFull => full_output(&mut project),
            Fault::Container if !may_unshare() => continue,
            _ => try_out(&mut project, fault, phase).await,
        };
        println!(
            "{} at {phase:?}: {} ({:.1} s)",
            fault.name(),
            if cell.problems.is_empty() {
                format!("survived, exit {}", cell.exit)
            } else {
                cell.problems.join("; ")
            },
            start.elapsed().as_secs_f64()
        );
        done.push(cell);
    }
    print_table(&done);
    let failed = done.iter().filter(|cell| !cell.problems.is_empty()).count();
    assert_eq!(failed, 0, "cells that were not survived");
}

fn may_unshare() -> bool {
    let tried = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "true"])
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!(
            "SKIPPED: this user may not make PID namespaces: `container killed` is not tried"
        );
    }
    may
}

/// A report for a disk that is full: the command says so, and nothing half-written is left.
fn full_output(project: &mut Project) -> Cell {
    let mut cell = Cell {
        fault: Fault::OutputFull,
        phase: Phase::Report,
        problems: Vec::new(),
        exit: String::new(),
    };
    if !expect_queries(project, Phase::Report, &mut cell) {
        return cell;
    }
    let output = project
        .command(&[], &["audit", "--fail-on", "never", "--format", "json"])
        .stdout(std::fs::File::create("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    cell.exit = said(output.status);
    if output.status.code() != Some(3) {
        cell.problems.push(format!(
            "a report that could not be written ends with {}",
            cell.exit
        ));
    }
    judge(project, Fault::OutputFull, Phase::Report, &[], &mut cell);
    cell
}

//! The server's `postgresql.conf`: what a throw-away cluster needs, then the project's planner settings.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::place::Place;

/// What of the configuration follows from the machine and the schema instead of the project's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuning {
    /// `max_locks_per_transaction`.
    pub(super) locks: u32,
    /// `max_wal_size`: a checkpoint comes before the log fills a small disk.
    pub(super) wal_megabytes: u64,
    /// Whether what is written survives a failure of the machine: people work with a database of this server.
    pub(super) durable: bool,
}

impl Tuning {
    /// What a server that is started now gets.
    pub(super) fn of(place: &Place) -> Self {
        let free = free_bytes(&place.home);
        Self {
            locks: wanted_locks(place),
            wal_megabytes: free
                .map_or(MOST_WAL, |bytes| bytes >> 23)
                .clamp(LEAST_WAL, MOST_WAL),
            durable: place.personal().exists(),
        }
    }

    /// What a server has that runs with this configuration; its share of the log may be that of a fuller disk.
    pub(super) fn of_running(place: &Place, configuration: &str) -> Self {
        let number = |name: &str| {
            let line = configuration
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = '"))?;
            line.trim_end_matches('\'')
                .trim_end_matches("MB")
                .parse()
                .ok()
        };
        let locks = number("max_locks_per_transaction").and_then(|locks| u32::try_from(locks).ok());
        Self {
            locks: locks.unwrap_or(0).max(wanted_locks(place)),
            wal_megabytes: number("max_wal_size").unwrap_or(MOST_WAL),
            durable: place.personal().exists(),
        }
    }
}

/// In megabytes; the least that keeps checkpoints apart.
const LEAST_WAL: u64 = 256;
const MOST_WAL: u64 = 4096;
/// Sessions.
const CONNECTIONS: u32 = 50;
/// Locks of a transaction that every server has room for, times its sessions: 50,000 tables and indexes.
const USUAL_LOCKS: u32 = 1024;
/// PostgreSQL takes more, and the memory with it: 300 bytes each, times the sessions.
const MOST_LOCKS: u32 = 65_536;

fn wanted_locks(place: &Place) -> u32 {
    let noted = fs::read_to_string(place.locks()).ok();
    let wanted = noted.and_then(|text| text.trim().parse().ok());
    wanted.unwrap_or(USUAL_LOCKS).clamp(USUAL_LOCKS, MOST_LOCKS)
}

/// `max_locks_per_transaction` for a schema of so many tables, indexes and other relations: one session locks all of them,
/// each of the others of a load a share.
pub(super) fn locks_for(relations: u64) -> u32 {
    let wanted = relations.saturating_mul(3).div_ceil(u64::from(CONNECTIONS));
    u32::try_from(wanted)
        .unwrap_or(MOST_LOCKS)
        .clamp(USUAL_LOCKS, MOST_LOCKS)
}

/// What the file system of a directory has left for this user.
pub(super) fn free_bytes(directory: &Path) -> Option<u64> {
    let existing = directory.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Who may connect: the server's account through the socket's directory, which is closed to others, and whoever knows the
/// password.
pub(super) const ACCESS: &str = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// The server's configuration file, whole. Equal texts mean equal servers.
pub(super) fn render(
    place: &Place,
    port: u16,
    settings: &[(String, String)],
    tuning: &Tuning,
) -> String {
    let memory = memory_bytes();
    let mut text = String::from(
        "# Written by pgproof at every start; `[server] settings` of pgproof.toml come last.\n",
    );
    let mut set = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name} = '{}'",
            value.replace('\\', "\\\\").replace('\'', "''")
        );
    };
    set("listen_addresses", "127.0.0.1");
    set("port", &port.to_string());
    set("unix_socket_directories", &place.socket.to_string_lossy());
    set("max_connections", &CONNECTIONS.to_string());
    set("max_locks_per_transaction", &tuning.locks.to_string());
    // Durability costs time and buys nothing where everything can be made again. A person's work is not: what was committed
    // there is on disk.
    let durable = if tuning.durable { "on" } else { "off" };
    set("fsync", durable);
    set("full_page_writes", durable);
    // VACUUM marks no page as visible to all whose rows' commits are not flushed yet, and without fsync a flush costs next to
    // nothing.
    set("synchronous_commit", "on");
    set("wal_level", "minimal");
    set("max_wal_senders", "0");
    set("max_wal_size", &format!("{}MB", tuning.wal_megabytes));
    set("checkpoint_timeout", "30min");
    // Statistics and visibility change only when pgproof says so: plans stay the same from run to run.
    set("autovacuum", "off");
    set(
        "shared_buffers",
        &format!("{}MB", shared_buffers_megabytes(memory)),
    );
    set(
        "maintenance_work_mem",
        &format!("{}MB", maintenance_megabytes(memory)),
    );
    if shared_memory_is_small() {
        set("dynamic_shared_memory_type", "mmap");
    }
    // The one zone that needs no time zone files.
    set("timezone", "GMT");
    set("log_timezone", "GMT");
    set("lc_messages", "C");
    set("log_checkpoints", "off");
    if !settings.is_empty() {
        text.push_str("\n# [server] settings of pgproof.toml\n");
    }
    for (name, value) in settings {
        let _ = writeln!(
            text,
            "{name} = '{}'",
            value.replace('\\', "\\\\").replace('\'', "''")
        );
    }
    text
}

/// An eighth of the machine's memory, between 128 MB and 2 GB.
fn shared_buffers_megabytes(memory: Option<u64>) -> u64 {
    memory
        .map_or(256, |bytes| (bytes >> 20) / 8)
        .clamp(128, 2048)
}

/// A sixteenth, between 64 MB and 512 MB: index builds use it, one at a time.
fn maintenance_megabytes(memory: Option<u64>) -> u64 {
    memory
        .map_or(128, |bytes| (bytes >> 20) / 16)
        .clamp(64, 512)
}

/// The machine's or the container's memory, whichever is less.
fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace()
            .nth(1)?
            .parse::<u64>()
            .ok()?
            .checked_mul(1024)
    });
    let limit = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(limit).min()
}

/// Containers often have 64 MB of `/dev/shm`: parallel queries and index builds fail there.
fn shared_memory_is_small() -> bool {
    let path = Path::new("/dev/shm");
    path.is_dir()
        && rustix::fs::statvfs(path).is_ok_and(|stat| stat.f_blocks * stat.f_frsize < 512 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_sensibly() {
        assert_eq!(shared_buffers_megabytes(Some(512 << 20)), 128);
        assert_eq!(shared_buffers_megabytes(Some(8 << 30)), 1024);
        assert_eq!(shared_buffers_megabytes(Some(256 << 30)), 2048);
        assert_eq!(maintenance_megabytes(Some(4 << 30)), 256);
    }

    #[test]
    fn locks_follow_the_schema() {
        assert_eq!(locks_for(300), USUAL_LOCKS);
        assert!(u64::from(locks_for(200_000)) * u64::from(CONNECTIONS) > 500_000);
        assert_eq!(locks_for(u64::MAX), MOST_LOCKS);
    }

    #[test]
    fn the_projects_settings_come_last_and_are_quoted() {
        let place = Place {
            project: "/p".into(),
            home: "/p/c".into(),
            socket: "/p/it's".into(),
            major: 15,
        };
        let settings = [
            ("work_mem".to_owned(), "4MB".to_owned()),
            ("search_path".to_owned(), r"a\'b".to_owned()),
        ];
        let tuning = Tuning {
            locks: 1024,
            wal_megabytes: 512,
            durable: false,
        };
        let text = render(&place, 5433, &settings, &tuning);
        assert!(text.contains("fsync = 'off'\n") && text.contains("max_wal_size = '512MB'\n"));
        assert_eq!(Tuning::of_running(&place, &text), tuning);
        assert!(
            text.contains("unix_socket_directories = '/p/it''s'\n"),
            "{text}"
        );
        assert!(
            text.ends_with("work_mem = '4MB'\nsearch_path = 'a\\\\''b'\n"),
            "{text}"
        );
    }
}

//! The server's `postgresql.conf`: what a throw-away cluster needs, then the project's planner settings.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::place::Place;

/// The server's configuration file, whole. Equal texts mean equal servers.
pub(super) fn render(place: &Place, port: u16, settings: &[(String, String)]) -> String {
    let memory = memory_bytes();
    let mut text = String::from(
        "# Written by pgproof at every start: the data is synthetic and can be made again.\n",
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
    set("max_connections", "50");
    // Durability costs time and buys nothing here.
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        set(name, "off");
    }
    set("wal_level", "minimal");
    set("max_wal_senders", "0");
    set("max_wal_size", "4GB");
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
        let text = render(&place, 5433, &settings);
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

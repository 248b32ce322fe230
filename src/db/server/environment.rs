//! What programs of the embedded server get of the caller's environment: next to nothing. The caller's may hold
//! production's password (`DATABASE_URL`), and whoever may run programs on the server could read it.

use std::process::Command;

/// What a program needs to be found and loaded.
const INHERITED: &[&str] = &[
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "TMPDIR",
];

/// Where programs lie, for a caller that has no `PATH`.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Takes the caller's environment from a command, but for what programs are found and loaded by. The locale is C:
/// messages are read, and no variable of the caller's may change what the server does.
pub(in crate::db) fn clean(command: &mut Command) -> &mut Command {
    command
        .env_clear()
        .env("PATH", USUAL_PATH)
        .env("HOME", "/")
        .env("LC_ALL", "C");
    for name in INHERITED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_nothing_of_the_callers() {
        let mut command = Command::new("env");
        command
            .env("DATABASE_URL", "postgres://app:hunter2@db/shop")
            .env("PGPASSWORD", "hunter2");
        let output = clean(&mut command).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once('=').map(|(name, _)| name))
            .filter(|name| !INHERITED.contains(name))
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LC_ALL"]);
    }
}

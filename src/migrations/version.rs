//! The versions of migrations to come: the next numbers, or the time, in the form that a directory's files have.

use std::path::Path;

use crate::baseline::Date;
use crate::units::UnixSeconds;

use super::{History, Layout};

/// Gives one version after the other.
#[derive(Debug, Clone)]
pub(super) struct Versions {
    /// What stands before the number that counts: `1.` of `1.7`.
    before: String,
    next: u128,
    /// With leading zeros.
    width: usize,
    /// `2024-01-31-120000`.
    dashes: bool,
}

impl Versions {
    /// `None` where the newest version ends in no number.
    pub(super) fn after(history: &History, now: UnixSeconds) -> Option<Self> {
        let newest = history
            .migrations
            .iter()
            .rev()
            .find(|migration| !migration.version.is_empty())?;
        let written = written(history.layout, &newest.up.source.path)?;
        let is_dashed = |text: &str| {
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            lengths == [4, 2, 2, 6] && text.bytes().all(|b| b == b'-' || b.is_ascii_digit())
        };
        let dashes = is_dashed(&written);
        let plain = if dashes {
            written.replace('-', "")
        } else {
            written
        };
        let digits = plain.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (before, number) = plain.split_at(plain.len() - digits);
        let last: u128 = number.parse().ok()?;
        let clock = before
            .is_empty()
            .then(|| in_digits(now, number.len()))
            .flatten()
            .map(u128::from);
        Some(Self {
            before: before.to_owned(),
            next: clock.unwrap_or(0).max(last + 1),
            width: number.len(),
            dashes,
        })
    }

    pub(super) fn next(&mut self) -> String {
        let number = format!("{:0width$}", self.next, width = self.width);
        self.next += 1;
        match self.dashes {
            true => format!(
                "{}-{}-{}-{}",
                &number[..4],
                &number[4..6],
                &number[6..8],
                &number[8..]
            ),
            false => format!("{}{number}", self.before),
        }
    }
}

/// The time as a number of so many digits, for those that people use: `20260305` and on to seconds, seconds and milliseconds
/// since 1970.
fn in_digits(now: UnixSeconds, digits: usize) -> Option<u64> {
    let UnixSeconds(seconds) = now;
    let day = Date::of_unix_seconds(seconds).to_string().replace('-', "");
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let time = match digits {
        8 => String::new(),
        10 => return Some(seconds),
        12 => format!("{hour:02}{minute:02}"),
        13 => return Some(seconds * 1000),
        14 => format!("{hour:02}{minute:02}{second:02}"),
        _ => return None,
    };
    (day + &time).parse().ok()
}

/// A version as the file's name, or its folder's, has it: with its leading zeros.
fn written(layout: Layout, path: &Path) -> Option<String> {
    let name = match layout {
        Layout::Diesel | Layout::Hasura | Layout::Prisma => path.parent()?.file_name()?,
        _ => path.file_name()?,
    };
    let name = name.to_str()?;
    let version = match layout {
        Layout::Flyway | Layout::Refinery => name.get(1..)?.split_once("__")?.0,
        // Its versions have dashes of their own.
        Layout::Diesel => name.split('_').next()?,
        _ => {
            let digits = name.bytes().take_while(u8::is_ascii_digit).count();
            &name[..digits]
        }
    };
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{Tree, history};
    use crate::source::Source;

    /// 2026-03-05 07:08:09.
    const NOW: UnixSeconds = UnixSeconds(1_772_694_489);

    fn next(files: &[&str], layout: Layout) -> [String; 2] {
        let sources = files
            .iter()
            .map(|file| Source::new(format!("m/{file}"), "SELECT 1;"));
        let tree = Tree::new(Path::new("m"), false, sources.collect(), false, false);
        let history = history(&tree, Some(layout)).unwrap();
        let mut versions = Versions::after(&history, NOW).unwrap();
        [versions.next(), versions.next()]
    }

    #[test]
    fn versions_go_on_as_they_are() {
        let sqlx = |file| next(&[file], Layout::Sqlx);
        assert_eq!(sqlx("0009_a.sql"), ["0010", "0011"]);
        assert_eq!(sqlx("9_a.sql"), ["10", "11"]);
        assert_eq!(
            sqlx("20250102030405_a.sql"),
            ["20260305070809", "20260305070810"]
        );
        // A clock that is behind the newest migration.
        assert_eq!(
            sqlx("20990102030405_a.sql"),
            ["20990102030406", "20990102030407"]
        );
        assert_eq!(sqlx("1700000000_a.sql"), ["1772694489", "1772694490"]);
        assert_eq!(
            next(&["1700000000000_a/up.sql"], Layout::Hasura),
            ["1772694489000", "1772694489001"]
        );
        assert_eq!(
            next(&["2024-01-02-030405_a/up.sql"], Layout::Diesel),
            ["2026-03-05-070809", "2026-03-05-070810"]
        );
        let flyway = |file| next(&[file], Layout::Flyway);
        assert_eq!(flyway("V1_2__a.sql"), ["1_3", "1_4"]);
        assert_eq!(flyway("V007__a.sql"), ["008", "009"]);
        assert_eq!(flyway("V2024.01.09__a.sql"), ["2024.01.10", "2024.01.11"]);
    }
}

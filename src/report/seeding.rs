//! What a load will do or has done, as a table on standard output.

use std::io::{self, Write};

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Padding, Style};

use super::summary::plural;
use crate::units::{Bytes, Count, Millis};

/// A table's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededTable {
    /// For people.
    pub name: String,
    /// Rows that are made, or that it keeps.
    pub rows: u64,
    /// Its size, measured or expected.
    pub bytes: Bytes,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is filled.
    Filled,
    /// It holds rows already and keeps them.
    Kept,
    /// It is emptied, then filled.
    Replaced,
    /// Its rows stay, more are added.
    Appended,
}

impl Fate {
    const fn text(self) -> &'static str {
        match self {
            Self::Filled => "",
            Self::Kept => "keeps its rows",
            Self::Replaced => "emptied first",
            Self::Appended => "added to its rows",
        }
    }
}

/// The time is an expectation or a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Duration {
    /// Nothing was written.
    Expected {
        /// How long it takes.
        time: Millis,
        /// What tables and indexes take on disk.
        on_disk: Bytes,
    },
    /// It is done.
    Taken(Millis),
    /// It was there already.
    Nothing,
}

/// Writes the table, largest first, and a line with the sums.
///
/// # Errors
/// What `out` returns.
pub fn write(tables: &[SeededTable], duration: Duration, out: &mut dyn Write) -> io::Result<()> {
    let mut sorted: Vec<&SeededTable> = tables.iter().collect();
    sorted.sort_by(|a, b| {
        b.bytes
            .cmp(&a.bytes)
            .then_with(|| b.rows.cmp(&a.rows))
            .then_with(|| a.name.cmp(&b.name))
    });
    let mut builder = Builder::default();
    builder.push_record(["table", "rows", "size", ""]);
    for table in sorted {
        let rows = Count(table.rows as f64).to_string();
        builder.push_record([
            &table.name,
            &rows,
            &table.bytes.to_string(),
            table.fate.text(),
        ]);
    }
    let drawn = builder
        .build()
        .with(Style::empty())
        .with(Padding::new(0, 2, 0, 0))
        .with(Modify::new(Columns::new(1..3)).with(Alignment::right()))
        .to_string();
    for line in drawn.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    let made = tables.iter().filter(|table| table.fate != Fate::Kept);
    let (count, rows, bytes) = made.fold((0, 0, 0), |(count, rows, bytes), t| {
        (count + 1, rows + t.rows, bytes + t.bytes.0)
    });
    let sums = format!(
        "{} in {}, {}",
        plural(rows as usize, "row", "rows"),
        plural(count, "table", "tables"),
        Bytes(bytes)
    );
    match duration {
        Duration::Expected { time, on_disk } => {
            writeln!(out, "\n{sums}, {on_disk} with indexes; about {time}")
        }
        Duration::Taken(time) => writeln!(out, "\n{sums}, made in {time}"),
        Duration::Nothing => writeln!(out, "\n{sums}; it was there already"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_as_a_table() {
        let table = |name: &str, rows, bytes, fate| SeededTable {
            name: name.into(),
            rows,
            bytes: Bytes(bytes),
            fate,
        };
        let tables = [
            table("customers", 150_000, 30 << 20, Fate::Filled),
            table("countries", 250, 16_384, Fate::Kept),
            table("orders", 1_000_000, 120 << 20, Fate::Replaced),
        ];
        let mut out = Vec::new();
        let expected = Duration::Expected {
            time: Millis(12_000.0),
            on_disk: Bytes(200 << 20),
        };
        write(&tables, expected, &mut out).unwrap();
        let expected = "table           rows    size\n\
                        orders     1,000,000  120 MB  emptied first\n\
                        customers    150,000   30 MB\n\
                        countries        250   16 kB  keeps its rows\n\n\
                        1,150,000 rows in 2 tables, 150 MB, 200 MB with indexes; about 12.00 s\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

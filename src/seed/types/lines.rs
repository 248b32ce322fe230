//! Rows of COPY BINARY as lines: of COPY's text format, and of CSV. Values print themselves: see [`super::text`].

use super::TypeClass;
use super::text::{Reader, value};

/// The columns of COPY BINARY rows: class and type OID of each.
pub type Columns = [(TypeClass, u32)];

/// Binary rows (without header and trailer) as lines of COPY's text format.
pub fn copy_lines(rows: &[u8], columns: &Columns, out: &mut Vec<u8>) {
    lines(rows, columns, out, b'\t', |text, out| match text {
        None => out.extend_from_slice(b"\\N"),
        Some(text) => {
            for byte in text.bytes() {
                match byte {
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    b'\n' => out.extend_from_slice(b"\\n"),
                    b'\r' => out.extend_from_slice(b"\\r"),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    other => out.push(other),
                }
            }
        }
    });
}

/// Binary rows as lines of CSV, as `COPY … (FORMAT csv)` reads them: NULL is nothing, an empty text is `""`.
pub fn csv_lines(rows: &[u8], columns: &Columns, out: &mut Vec<u8>) {
    lines(rows, columns, out, b',', |text, out| {
        let Some(text) = text else { return };
        if !text.is_empty() && !text.contains(['"', ',', '\n', '\r']) && text != "\\." {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(b'"');
        for byte in text.bytes() {
            out.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
        }
        out.push(b'"');
    });
}

fn lines(
    rows: &[u8],
    columns: &Columns,
    out: &mut Vec<u8>,
    separator: u8,
    field: impl Fn(Option<&str>, &mut Vec<u8>),
) {
    let mut reader = Reader { bytes: rows };
    let mut text = String::new();
    while reader.take::<2>().is_some() {
        for (position, (class, oid)) in columns.iter().enumerate() {
            if position > 0 {
                out.push(separator);
            }
            text.clear();
            let shown = match reader.cell() {
                Some(Some(mut cell)) => {
                    let _ = value(&mut cell, class, *oid, &mut text);
                    Some(text.as_str())
                }
                Some(None) | None => None,
            };
            field(shown, out);
        }
        out.push(b'\n');
    }
}

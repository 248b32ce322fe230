//! Cells of COPY BINARY as PostgreSQL's text forms: for files, for SQL, and for tables that cannot take binary rows
//! (a type without a `receive` function). One direction only: binary is what generators make.

use std::fmt::Write as _;

use super::binary::{self, DAY, Numeric};
use super::{Geometry, ScalarEncoding, System, TextForm, TypeClass};
use crate::calendar::civil_from_days;

/// Appends a value's text form; `false` for NULL, which has none. `cell` is a length and so many bytes.
#[must_use]
pub fn write(cell: &[u8], class: &TypeClass, type_oid: u32, out: &mut String) -> bool {
    let Some((length, body)) = cell.split_first_chunk::<4>() else {
        return false;
    };
    if i32::from_be_bytes(*length) < 0 {
        return false;
    }
    let mut reader = Reader { bytes: body };
    // A cell that ends early shows as far as it goes: generators make none.
    let _ = value(&mut reader, class, type_oid, out);
    true
}

/// What is left of a value.
pub(super) struct Reader<'b> {
    pub(super) bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*head)
    }

    fn int4(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn float8(&mut self) -> Option<f64> {
        self.take().map(f64::from_be_bytes)
    }

    /// A cell inside this one, with its length; `None` inside is NULL.
    pub(super) fn cell(&mut self) -> Option<Option<Reader<'b>>> {
        let length = self.int4()?;
        let Ok(length) = usize::try_from(length) else {
            return Some(None);
        };
        let (bytes, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(Some(Reader { bytes }))
    }
}

/// Prints a value; `None` where it ends early.
pub(super) fn value(
    reader: &mut Reader<'_>,
    class: &TypeClass,
    oid: u32,
    out: &mut String,
) -> Option<()> {
    match class {
        TypeClass::Domain { base, .. } => value(reader, base, oid, out)?,
        TypeClass::Scalar(encoding) => scalar(reader, *encoding, oid, out)?,
        TypeClass::Text { version, .. } => plain(reader, usize::from(version.is_some()), out),
        TypeClass::Json { binary } => plain(reader, usize::from(*binary), out),
        TypeClass::Enum(_) | TypeClass::Unknown(_) => plain(reader, 0, out),
        TypeClass::Uuid => uuid(reader.take()?, out),
        TypeClass::Inet { cidr: true } => inet(reader, Netmask::Always, out)?,
        TypeClass::Inet { cidr: false } => inet(reader, Netmask::UnlessHost, out)?,
        TypeClass::Mac { .. } => {
            for (position, byte) in reader.bytes.iter().enumerate() {
                let _ = write!(out, "{}{byte:02x}", if position > 0 { ":" } else { "" });
            }
        }
        TypeClass::Bytes => {
            out.push_str("\\x");
            for byte in reader.bytes {
                let _ = write!(out, "{byte:02x}");
            }
        }
        TypeClass::Bits { .. } => {
            let length = usize::try_from(reader.int4()?).ok()?;
            out.extend((0..length).map(|bit| {
                match reader.bytes.get(bit / 8).copied().unwrap_or(0) >> (7 - bit % 8) & 1 {
                    1 => '1',
                    _ => '0',
                }
            }));
        }
        TypeClass::Geometry(figure) => geometry(reader, *figure, out)?,
        TypeClass::TextSearch => text_search(reader, out)?,
        TypeClass::TextQuery => {
            reader.take::<7>()?;
            let word = reader.bytes.strip_suffix(&[0])?;
            let _ = write!(out, "'{}'", String::from_utf8_lossy(word));
        }
        TypeClass::Pairs => pairs(reader, out)?,
        TypeClass::System(kind) => system(reader, *kind, out)?,
        TypeClass::Array { element, .. } => array(reader, element, out)?,
        TypeClass::Composite(fields) => composite(reader, fields, out)?,
        TypeClass::Range {
            subtype,
            multirange: false,
        } => range(reader, subtype, out)?,
        TypeClass::Range {
            subtype,
            multirange: true,
        } => {
            out.push('{');
            for position in 0..reader.int4()? {
                if position > 0 {
                    out.push(',');
                }
                range(&mut reader.cell()??, subtype, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

fn plain(reader: &Reader<'_>, skip: usize, out: &mut String) {
    out.push_str(&String::from_utf8_lossy(
        reader.bytes.get(skip..).unwrap_or_default(),
    ));
}

/// A number's text; `oid` is its type, 0 where that is not known.
fn scalar(reader: &Reader<'_>, encoding: ScalarEncoding, oid: u32, out: &mut String) -> Option<()> {
    let body = reader.bytes;
    let integer = || binary::integer(body);
    // Writing to a string cannot fail.
    let _ = match TextForm::of(oid, encoding) {
        TextForm::Bool => write!(out, "{}", if integer()? == 0 { "f" } else { "t" }),
        TextForm::Integer => write!(out, "{}", integer()?),
        TextForm::Unsigned => write!(out, "{}", integer()? as u32),
        TextForm::Float4 => write!(out, "{}", f32::from_be_bytes(body.try_into().ok()?)),
        TextForm::Float8 => write!(out, "{}", f64::from_be_bytes(body.try_into().ok()?)),
        TextForm::Numeric => {
            numeric(&Numeric::read(body)?, out)?;
            Ok(())
        }
        TextForm::Money => {
            let cents = integer()?;
            let sign = if cents < 0 { "-" } else { "" };
            write!(
                out,
                "{sign}${}.{:02}",
                cents.unsigned_abs() / 100,
                cents.unsigned_abs() % 100
            )
        }
        TextForm::Date => {
            date(integer()?, out);
            Ok(())
        }
        TextForm::Time => {
            time_of_day(integer()?, out);
            Ok(())
        }
        TextForm::TimeTz => {
            time_of_day(binary::integer(body.get(..8)?)?, out);
            write!(out, "+00")
        }
        TextForm::Timestamp => {
            timestamp(integer()?, out);
            Ok(())
        }
        TextForm::TimestampTz => {
            timestamp(integer()?, out);
            write!(out, "+00")
        }
        TextForm::Interval => {
            interval(body, out)?;
            Ok(())
        }
        TextForm::Lsn => {
            let position = integer()? as u64;
            write!(out, "{:X}/{:X}", position >> 32, position & 0xFFFF_FFFF)
        }
        // Its class is no scalar.
        TextForm::OfClass => return None,
    };
    Some(())
}

/// `None` where the value ends early.
fn interval(body: &[u8], out: &mut String) -> Option<()> {
    let mut reader = Reader { bytes: body };
    let micros = i64::from_be_bytes(reader.take()?);
    let (days, months) = (reader.int4()?, reader.int4()?);
    let sign = if micros < 0 { "-" } else { "" };
    let _ = write!(out, "{months} mons {days} days {sign}");
    time_of_day(micros.abs(), out);
    Some(())
}

fn numeric(numeric: &Numeric, out: &mut String) -> Option<()> {
    if numeric.is_negative() {
        out.push('-');
    }
    let highest = i32::from(numeric.weight).max(0);
    for place in (0..=highest).rev() {
        let _ = if place == highest {
            write!(out, "{}", numeric.digit(place))
        } else {
            write!(out, "{:04}", numeric.digit(place))
        };
    }
    let scale = usize::from(numeric.scale);
    if scale > 0 {
        let mut fraction = String::new();
        for place in 1..=scale.div_ceil(4) {
            let _ = write!(fraction, "{:04}", numeric.digit(-(place as i32)));
        }
        out.push('.');
        out.push_str(fraction.get(..scale)?);
    }
    Some(())
}

/// Microseconds since 2000-01-01.
pub(crate) fn timestamp(micros: i64, out: &mut String) {
    date(micros.div_euclid(DAY), out);
    out.push(' ');
    time_of_day(micros.rem_euclid(DAY), out);
}

/// A day of the calendar.
pub(crate) fn date(days_since_2000: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(days_since_2000);
    let _ = if year > 0 {
        write!(out, "{year:04}-{month:02}-{day:02}")
    } else {
        write!(out, "{:04}-{month:02}-{day:02} BC", 1 - year)
    };
}

/// Microseconds since midnight.
pub(crate) fn time_of_day(micros: i64, out: &mut String) {
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if rest > 0 {
        let fraction = format!("{rest:06}");
        let _ = write!(out, ".{}", fraction.trim_end_matches('0'));
    }
}

fn uuid(bytes: [u8; 16], out: &mut String) {
    for (position, byte) in bytes.into_iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
}

/// When an address is written with its netmask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Netmask {
    /// `cidr`.
    Always,
    /// `inet`: not where it is of one host.
    UnlessHost,
}

fn inet(reader: &mut Reader<'_>, netmask: Netmask, out: &mut String) -> Option<()> {
    let [family, bits, _, _] = reader.take()?;
    let (address, full): (core::net::IpAddr, u8) = match family {
        2 => (core::net::Ipv4Addr::from(reader.take::<4>()?).into(), 32),
        _ => (core::net::Ipv6Addr::from(reader.take::<16>()?).into(), 128),
    };
    let _ = write!(out, "{address}");
    if netmask == Netmask::Always || bits != full {
        let _ = write!(out, "/{bits}");
    }
    Some(())
}

fn geometry(reader: &mut Reader<'_>, figure: Geometry, out: &mut String) -> Option<()> {
    let point = |reader: &mut Reader<'_>, out: &mut String| -> Option<()> {
        let (x, y) = (reader.float8()?, reader.float8()?);
        let _ = write!(out, "({x},{y})");
        Some(())
    };
    match figure {
        Geometry::Point => point(reader, out)?,
        Geometry::Line => {
            let (a, b, c) = (reader.float8()?, reader.float8()?, reader.float8()?);
            let _ = write!(out, "{{{a},{b},{c}}}");
        }
        Geometry::Segment | Geometry::Box => {
            out.push_str(if figure == Geometry::Segment { "[" } else { "" });
            point(reader, out)?;
            out.push(',');
            point(reader, out)?;
            out.push_str(if figure == Geometry::Segment { "]" } else { "" });
        }
        Geometry::Circle => {
            out.push('<');
            point(reader, out)?;
            let _ = write!(out, ",{}>", reader.float8()?);
        }
        Geometry::Path | Geometry::Polygon => {
            if figure == Geometry::Path {
                reader.take::<1>()?;
            }
            let count = reader.int4()?;
            out.push('(');
            for position in 0..count {
                if position > 0 {
                    out.push(',');
                }
                point(reader, out)?;
            }
            out.push(')');
        }
    }
    Some(())
}

fn text_search(reader: &mut Reader<'_>, out: &mut String) -> Option<()> {
    for position in 0..reader.int4()? {
        let end = reader.bytes.iter().position(|byte| *byte == 0)?;
        let lexeme = String::from_utf8_lossy(reader.bytes.get(..end)?).into_owned();
        reader.bytes = reader.bytes.get(end + 1..)?;
        let _ = write!(
            out,
            "{}'{}'",
            if position > 0 { " " } else { "" },
            lexeme.replace('\'', "''")
        );
        let positions = u16::from_be_bytes(reader.take()?);
        for at in 0..positions {
            let place = u16::from_be_bytes(reader.take()?) & 0x3FFF;
            let _ = write!(out, "{}{place}", if at == 0 { ":" } else { "," });
        }
    }
    Some(())
}

fn pairs(reader: &mut Reader<'_>, out: &mut String) -> Option<()> {
    for position in 0..reader.int4()? {
        out.push_str(if position > 0 { ", " } else { "" });
        quote(&String::from_utf8_lossy(reader.cell()??.bytes), out);
        out.push_str("=>");
        match reader.cell()? {
            Some(value) => quote(&String::from_utf8_lossy(value.bytes), out),
            None => out.push_str("NULL"),
        }
    }
    Some(())
}

fn system(reader: &mut Reader<'_>, kind: System, out: &mut String) -> Option<()> {
    match kind {
        System::Tid => {
            let (block, offset) = (
                u32::from_be_bytes(reader.take()?),
                u16::from_be_bytes(reader.take()?),
            );
            let _ = write!(out, "({block},{offset})");
        }
        System::Snapshot => {
            reader.take::<4>()?;
            let (low, high) = (
                u64::from_be_bytes(reader.take()?),
                u64::from_be_bytes(reader.take()?),
            );
            let _ = write!(out, "{low}:{high}:");
        }
        System::Cube => {
            reader.take::<4>()?;
            let numbers: Vec<String> = std::iter::from_fn(|| reader.float8())
                .map(|number| number.to_string())
                .collect();
            let _ = write!(out, "({})", numbers.join(","));
        }
        System::Int2Vector | System::OidVector => {
            reader.take::<20>()?;
            let mut first = true;
            while !reader.bytes.is_empty() {
                let cell = reader.cell()??;
                let number = cell
                    .bytes
                    .iter()
                    .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
                let _ = write!(out, "{}{number}", if first { "" } else { " " });
                first = false;
            }
        }
        System::JsonPath => plain(reader, 1, out),
        // What PostGIS takes for its text form.
        System::Spatial(_) => {
            for byte in reader.bytes {
                let _ = write!(out, "{byte:02X}");
            }
        }
        System::Vector(_) => {
            reader.take::<4>()?;
            let numbers: Vec<String> =
                std::iter::from_fn(|| reader.take::<4>().map(f32::from_be_bytes))
                    .map(|number| number.to_string())
                    .collect();
            let _ = write!(out, "[{}]", numbers.join(","));
        }
    }
    Some(())
}

fn array(reader: &mut Reader<'_>, element: &TypeClass, out: &mut String) -> Option<()> {
    let dimensions = reader.int4()?;
    reader.int4()?;
    let oid = u32::from_be_bytes(reader.take()?);
    out.push('{');
    if dimensions > 0 {
        let length = reader.int4()?;
        reader.int4()?;
        for position in 0..length {
            if position > 0 {
                out.push(',');
            }
            match reader.cell()? {
                None => out.push_str("NULL"),
                Some(mut cell) => {
                    let mut item = String::new();
                    value(&mut cell, element, oid, &mut item)?;
                    quote_item(&item, out);
                }
            }
        }
    }
    out.push('}');
    Some(())
}

fn composite(
    reader: &mut Reader<'_>,
    fields: &[(String, u32, TypeClass)],
    out: &mut String,
) -> Option<()> {
    reader.int4()?;
    out.push('(');
    for (position, (_, oid, class)) in fields.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        reader.int4()?;
        if let Some(mut cell) = reader.cell()? {
            let mut item = String::new();
            value(&mut cell, class, *oid, &mut item)?;
            quote(&item, out);
        }
    }
    out.push(')');
    Some(())
}

fn range(reader: &mut Reader<'_>, subtype: &TypeClass, out: &mut String) -> Option<()> {
    let [flags] = reader.take()?;
    if flags & 0x01 != 0 {
        out.push_str("empty");
        return Some(());
    }
    out.push(if flags & 0x02 != 0 { '[' } else { '(' });
    for (infinite, separator) in [(0x08, ","), (0x10, "")] {
        if flags & infinite == 0 {
            let mut item = String::new();
            value(&mut reader.cell()??, subtype, 0, &mut item)?;
            quote_item(&item, out);
        }
        out.push_str(separator);
    }
    out.push(if flags & 0x04 != 0 { ']' } else { ')' });
    Some(())
}

/// In quotes wherever a bare word could be misread.
fn quote_item(item: &str, out: &mut String) {
    let bare = !item.is_empty()
        && !item.eq_ignore_ascii_case("null")
        && item
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | ':' | '$'));
    if bare {
        out.push_str(item)
    } else {
        quote(item, out)
    }
}

fn quote(item: &str, out: &mut String) {
    out.push('"');
    for c in item.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(encoding: ScalarEncoding, number: i64) -> String {
        let mut cell = Vec::new();
        encoding.write(number, &mut cell);
        let mut out = String::new();
        assert!(write(&cell, &TypeClass::Scalar(encoding), 1114, &mut out));
        out
    }

    #[test]
    fn scalars() {
        let numeric = |value, decimals| shown(ScalarEncoding::Numeric { decimals }, value);
        assert_eq!(numeric(12_345, 2), "123.45");
        assert_eq!(numeric(-5, 4), "-0.0005");
        assert_eq!(numeric(1_0000_0000, 0), "100000000");
        assert_eq!(numeric(0, 2), "0.00");
        assert_eq!(shown(ScalarEncoding::Date, 9496), "2025-12-31");
        assert_eq!(shown(ScalarEncoding::Date, 60), "2000-03-01");
        assert_eq!(
            shown(ScalarEncoding::Timestamp, -1),
            "1999-12-31 23:59:59.999999"
        );
        assert_eq!(shown(ScalarEncoding::Money, -1234), "-$12.34");
        assert_eq!(shown(ScalarEncoding::Bool, 1), "t");
    }

    #[test]
    fn null_has_no_text() {
        assert!(!write(&[0xff; 4], &TypeClass::Uuid, 0, &mut String::new()));
    }
}

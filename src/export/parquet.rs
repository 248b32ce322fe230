//! Rows as Apache Parquet: typed columns in row groups of bounded size, compressed with Snappy. What Parquet has no type
//! for is text, as in a CSV file: the server reads it as the value. Arrays, ranges and composite values are text too.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    FloatType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use crate::schema::{DataType, Schema};
use crate::seed::encode::ScalarEncoding;
use crate::seed::infer::types::{TypeClass, classify};
use crate::seed::plan::TablePlan;
use crate::seed::text;

/// Bytes of COPY BINARY that a row group is made of: what a thread holds in memory, a few times over.
const ROW_GROUP: usize = 32 << 20;

/// Days and microseconds from 1970, where Parquet counts from, to 2000, where PostgreSQL does.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// How a column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Date,
    Time,
    Timestamp {
        utc: bool,
    },
    Uuid,
    /// `numeric(precision, scale)` of at most 38 digits.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Bytes,
    /// Its text after so many bytes of version.
    Plain {
        version: usize,
    },
    Json {
        version: usize,
    },
    /// A text that the server reads as the value.
    Printed,
}

impl Kind {
    fn of(class: &TypeClass, data_type: &DataType) -> Self {
        match class.base() {
            TypeClass::Scalar(encoding) => match encoding {
                ScalarEncoding::Bool => Self::Bool,
                ScalarEncoding::Int2 => Self::Int2,
                ScalarEncoding::Int4 => Self::Int4,
                // `pg_lsn` and `xid8` are laid out the same and print otherwise.
                ScalarEncoding::Int8 if data_type.oid == 3220 || data_type.oid == 5069 => {
                    Self::Printed
                }
                ScalarEncoding::Int8 => Self::Int8,
                ScalarEncoding::Oid if data_type.oid == 26 => Self::Oid,
                ScalarEncoding::Float4 { .. } => Self::Float4,
                ScalarEncoding::Float8 { .. } => Self::Float8,
                ScalarEncoding::Date => Self::Date,
                ScalarEncoding::Time => Self::Time,
                ScalarEncoding::Timestamp => Self::Timestamp {
                    utc: data_type.oid == 1184,
                },
                ScalarEncoding::Numeric { .. } => decimal(data_type),
                ScalarEncoding::Oid
                | ScalarEncoding::Money
                | ScalarEncoding::TimeTz
                | ScalarEncoding::Interval => Self::Printed,
            },
            TypeClass::Text { version, .. } => Self::Plain {
                version: usize::from(version.is_some()),
            },
            TypeClass::Enum(_) => Self::Plain { version: 0 },
            TypeClass::Json { binary } => Self::Json {
                version: usize::from(*binary),
            },
            TypeClass::Uuid => Self::Uuid,
            TypeClass::Bytes => Self::Bytes,
            TypeClass::Inet { .. }
            | TypeClass::Mac { .. }
            | TypeClass::Bits { .. }
            | TypeClass::Geometry(_)
            | TypeClass::TextSearch
            | TypeClass::TextQuery
            | TypeClass::Pairs
            | TypeClass::System(_)
            | TypeClass::Array { .. }
            | TypeClass::Composite(_)
            | TypeClass::Range { .. }
            | TypeClass::Domain { .. }
            | TypeClass::Unknown(_) => Self::Printed,
        }
    }

    fn physical(self) -> Physical {
        match self {
            Self::Bool => Physical::BOOLEAN,
            Self::Int2 | Self::Int4 | Self::Date => Physical::INT32,
            Self::Int8 | Self::Oid | Self::Time | Self::Timestamp { .. } => Physical::INT64,
            Self::Float4 => Physical::FLOAT,
            Self::Float8 => Physical::DOUBLE,
            Self::Decimal {
                precision: 0..=9, ..
            } => Physical::INT32,
            Self::Decimal {
                precision: 10..=18, ..
            } => Physical::INT64,
            Self::Uuid | Self::Decimal { .. } => Physical::FIXED_LEN_BYTE_ARRAY,
            Self::Bytes | Self::Plain { .. } | Self::Json { .. } | Self::Printed => {
                Physical::BYTE_ARRAY
            }
        }
    }

    fn logical(self) -> Option<LogicalType> {
        match self {
            Self::Bool
            | Self::Int4
            | Self::Int8
            | Self::Oid
            | Self::Float4
            | Self::Float8
            | Self::Bytes => None,
            Self::Int2 => Some(LogicalType::integer(16, true)),
            Self::Date => Some(LogicalType::Date),
            Self::Time => Some(LogicalType::time(false, TimeUnit::MICROS)),
            Self::Timestamp { utc } => Some(LogicalType::timestamp(utc, TimeUnit::MICROS)),
            Self::Uuid => Some(LogicalType::Uuid),
            Self::Decimal { precision, scale } => {
                Some(LogicalType::decimal(scale.into(), precision.into()))
            }
            Self::Json { .. } => Some(LogicalType::Json),
            Self::Plain { .. } | Self::Printed => Some(LogicalType::String),
        }
    }
}

/// `numeric(p, s)`; one without a declared precision, or of more digits than a decimal has, is text.
fn decimal(data_type: &DataType) -> Kind {
    let Some(modifier) = data_type
        .modifier
        .checked_sub(4)
        .filter(|modifier| *modifier >= 0)
    else {
        return Kind::Printed;
    };
    // Scales are signed numbers of 11 bits (numeric.c, numeric_typmod_scale).
    let (precision, scale) = (
        (modifier >> 16) & 0xFFFF,
        ((modifier & 0x7FF) ^ 1024) - 1024,
    );
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            Kind::Decimal { precision, scale }
        }
        _ => Kind::Printed,
    }
}

/// A row group's values of a column; NULLs have a definition level and no value.
#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    /// One after another, and where each ends.
    Bytes(Vec<u8>, Vec<usize>),
    Fixed(Vec<u8>, Vec<usize>),
}

impl Values {
    fn of(physical: Physical) -> Self {
        match physical {
            Physical::BOOLEAN => Self::Bool(Vec::new()),
            Physical::INT32 => Self::Int32(Vec::new()),
            Physical::INT64 | Physical::INT96 => Self::Int64(Vec::new()),
            Physical::FLOAT => Self::Float(Vec::new()),
            Physical::DOUBLE => Self::Double(Vec::new()),
            Physical::BYTE_ARRAY => Self::Bytes(Vec::new(), Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => Self::Fixed(Vec::new(), Vec::new()),
        }
    }
}

struct Column {
    name: String,
    kind: Kind,
    class: TypeClass,
    type_oid: u32,
    levels: Vec<i16>,
    values: Values,
}

impl Column {
    /// Takes a cell, with its length.
    fn push(&mut self, cell: &[u8], printed: &mut String) -> io::Result<()> {
        let Some((length, body)) = cell.split_first_chunk::<4>() else {
            return Err(cut_short());
        };
        if i32::from_be_bytes(*length) < 0 {
            self.levels.push(0);
            return Ok(());
        }
        self.levels.push(1);
        let unrepresentable = || unfit(&self.name);
        match (&mut self.values, self.kind) {
            (Values::Bool(values), _) => values.push(body.first().is_some_and(|byte| *byte != 0)),
            (Values::Int32(values), Kind::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).and_then(|value| i32::try_from(value).ok());
                values.push(value.ok_or_else(unrepresentable)?);
            }
            (Values::Int32(values), Kind::Date) => {
                let days = number(body)?;
                let shifted = i32::try_from(days)
                    .ok()
                    .filter(|days| !matches!(*days, i32::MIN | i32::MAX));
                values.push(
                    shifted
                        .and_then(|days| days.checked_add(EPOCH_DAYS))
                        .ok_or_else(unrepresentable)?,
                );
            }
            (Values::Int32(values), _) => {
                values.push(i32::try_from(number(body)?).map_err(|_| unfit(&self.name))?)
            }
            (Values::Int64(values), Kind::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).and_then(|value| i64::try_from(value).ok());
                values.push(value.ok_or_else(unrepresentable)?);
            }
            (Values::Int64(values), Kind::Timestamp { .. }) => {
                let finite = Some(number(body)?).filter(|at| !matches!(*at, i64::MIN | i64::MAX));
                values.push(
                    finite
                        .and_then(|at| at.checked_add(EPOCH_MICROSECONDS))
                        .ok_or_else(unrepresentable)?,
                );
            }
            (Values::Int64(values), Kind::Oid) => values.push(number(body)? & 0xFFFF_FFFF),
            (Values::Int64(values), _) => values.push(number(body)?),
            (Values::Float(values), _) => values.push(f32::from_be_bytes(exactly(body)?)),
            (Values::Double(values), _) => values.push(f64::from_be_bytes(exactly(body)?)),
            (Values::Fixed(bytes, ends), Kind::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).ok_or_else(unrepresentable)?;
                bytes.extend_from_slice(&value.to_be_bytes());
                ends.push(bytes.len());
            }
            (Values::Fixed(bytes, ends), _) => {
                bytes.extend_from_slice(&exactly::<16>(body)?);
                ends.push(bytes.len());
            }
            (Values::Bytes(bytes, ends), Kind::Plain { version } | Kind::Json { version }) => {
                bytes.extend_from_slice(body.get(version..).unwrap_or_default());
                ends.push(bytes.len());
            }
            (Values::Bytes(bytes, ends), Kind::Printed) => {
                printed.clear();
                let _ = text::write(cell, &self.class, self.type_oid, printed);
                bytes.extend_from_slice(printed.as_bytes());
                ends.push(bytes.len());
            }
            (Values::Bytes(bytes, ends), _) => {
                bytes.extend_from_slice(body);
                ends.push(bytes.len());
            }
        }
        Ok(())
    }

    /// Writes what was taken, and forgets it.
    fn flush(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        let levels = Some(levels.as_slice());
        match std::mem::replace(&mut self.values, Values::of(self.kind.physical())) {
            Values::Bool(values) => writer
                .typed::<BoolType>()
                .write_batch(&values, levels, None)?,
            Values::Int32(values) => writer
                .typed::<Int32Type>()
                .write_batch(&values, levels, None)?,
            Values::Int64(values) => writer
                .typed::<Int64Type>()
                .write_batch(&values, levels, None)?,
            Values::Float(values) => writer
                .typed::<FloatType>()
                .write_batch(&values, levels, None)?,
            Values::Double(values) => writer
                .typed::<DoubleType>()
                .write_batch(&values, levels, None)?,
            Values::Bytes(bytes, ends) => {
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&arrays(bytes, &ends), levels, None)?
            }
            Values::Fixed(bytes, ends) => {
                let values: Vec<FixedLenByteArray> =
                    arrays(bytes, &ends).into_iter().map(Into::into).collect();
                writer
                    .typed::<FixedLenByteArrayType>()
                    .write_batch(&values, levels, None)?
            }
        };
        Ok(())
    }
}

/// Values that lie in one buffer, as pieces of it.
fn arrays(bytes: Vec<u8>, ends: &[usize]) -> Vec<ByteArray> {
    let bytes = Bytes::from(bytes);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| bytes.slice(start..*end).into())
        .collect()
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a row ends early")
}

fn unfit(column: &str) -> io::Error {
    let message = format!(
        "column {column} holds a value that parquet has no place for (infinity, NaN, or out of its range): give it other values \
         in the spec, or write csv"
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn exactly<const N: usize>(body: &[u8]) -> io::Result<[u8; N]> {
    body.try_into().map_err(|_| cut_short())
}

/// A signed integer of one to eight bytes.
fn number(body: &[u8]) -> io::Result<i64> {
    let first = *body
        .first()
        .filter(|_| body.len() <= 8)
        .ok_or_else(cut_short)?;
    let sign = i64::from(first as i8) >> 7;
    Ok(body
        .iter()
        .fold(sign, |number, byte| number << 8 | i64::from(*byte)))
}

/// A `numeric_send` value times ten to the power of `scale`; `None` for NaN, infinity and what 128 bits do not hold.
fn unscaled(body: &[u8], scale: u8) -> Option<i128> {
    let short = |at: usize| {
        Some(u16::from_be_bytes(
            body.get(2 * at..2 * at + 2)?.try_into().ok()?,
        ))
    };
    let (count, weight, sign) = (short(0)?, i32::from(short(1)? as i16), short(2)?);
    if sign & 0x8000 != 0 {
        return None;
    }
    let mut value: i128 = 0;
    for at in 0..usize::from(count) {
        value = value
            .checked_mul(10_000)?
            .checked_add(i128::from(short(4 + at)?))?;
    }
    // The last digit stands for 10000 ^ (weight - count + 1).
    let power = 4 * (weight - i32::from(count) + 1) + i32::from(scale);
    let shift = 10_i128.checked_pow(power.unsigned_abs())?;
    value = if power >= 0 {
        value.checked_mul(shift)?
    } else {
        value / shift
    };
    Some(if sign == 0x4000 { -value } else { value })
}

/// A table's file while it is being written.
pub(super) struct ParquetFile<'w> {
    writer: SerializedFileWriter<&'w mut (dyn Write + Send)>,
    columns: Vec<Column>,
    held: usize,
    printed: String,
}

impl<'w> ParquetFile<'w> {
    pub(super) fn new(
        schema: &Schema,
        table: &TablePlan,
        out: &'w mut (dyn Write + Send),
    ) -> io::Result<Self> {
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for column in &table.columns {
            let class = classify(schema, &column.data_type);
            let kind = Kind::of(&class, &column.data_type);
            let (precision, scale) = match kind {
                Kind::Decimal { precision, scale } => (i32::from(precision), i32::from(scale)),
                _ => (-1, -1),
            };
            // Optional all of them: what the spec says of NULL is not known here.
            let field = Type::primitive_type_builder(&column.name, kind.physical())
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(kind.logical())
                .with_length(if kind.physical() == Physical::FIXED_LEN_BYTE_ARRAY {
                    16
                } else {
                    -1
                })
                .with_precision(precision)
                .with_scale(scale)
                .build()
                .map_err(failed)?;
            fields.push(Arc::new(field));
            columns.push(Column {
                name: column.name.clone(),
                kind,
                class,
                type_oid: column.data_type.oid,
                levels: Vec::new(),
                values: Values::of(kind.physical()),
            });
        }
        let message = Type::group_type_builder(&table.name.name)
            .with_fields(fields)
            .build()
            .map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("pgproof {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(message), Arc::new(properties))
            .map_err(failed)?;
        Ok(Self {
            writer,
            columns,
            held: 0,
            printed: String::new(),
        })
    }

    /// Takes whole rows of COPY BINARY, without header and trailer.
    pub(super) fn rows(&mut self, mut rows: &[u8]) -> io::Result<()> {
        self.held += rows.len();
        while let Some((_fields, mut rest)) = rows.split_first_chunk::<2>() {
            for column in &mut self.columns {
                let (length, _) = rest.split_first_chunk::<4>().ok_or_else(cut_short)?;
                let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
                let (cell, after) = rest.split_at_checked(4 + length).ok_or_else(cut_short)?;
                column.push(cell, &mut self.printed)?;
                rest = after;
            }
            rows = rest;
        }
        if self.held >= ROW_GROUP {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.held = 0;
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column().map_err(failed)? else {
                break;
            };
            column.flush(&mut writer).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed).map(|_| ())
    }

    /// The last rows and the footer.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.held > 0 {
            self.flush()?;
        }
        self.writer.close().map_err(failed).map(|_| ())
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        // The file system's message, with its kind.
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error.to_string()),
        },
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_become_decimals() {
        let unscaled = |value, decimals, scale| {
            let mut cell = Vec::new();
            ScalarEncoding::Numeric { decimals }.write(value, &mut cell);
            unscaled(&cell[4..], scale)
        };
        for (value, decimals, scale, expected) in [
            (12_345, 2, 2, 12_345),
            (-5, 4, 4, -5),
            (0, 2, 2, 0),
            (1_0000_0000, 0, 2, 100_0000_0000),
            (7, 0, 0, 7),
            (1_500, 3, 1, 15),
        ] {
            assert_eq!(
                unscaled(value, decimals, scale),
                Some(expected),
                "{value} {decimals} {scale}"
            );
        }
        assert_eq!(unscaled(i64::MIN, 3, 3), Some(i128::from(i64::MIN)));
        assert_eq!(
            super::unscaled(&[0, 0, 0, 0, 0xC0, 0, 0, 0], 2),
            None,
            "NaN"
        );
    }

    #[test]
    fn integers_of_every_width() {
        assert_eq!(number(&(-2_i16).to_be_bytes()).unwrap(), -2);
        assert_eq!(number(&70_000_i32.to_be_bytes()).unwrap(), 70_000);
        assert_eq!(number(&i64::MIN.to_be_bytes()).unwrap(), i64::MIN);
        assert!(number(&[]).is_err());
    }
}

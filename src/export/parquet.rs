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

use crate::schema::Schema;
use crate::seed::plan::TablePlan;
use crate::seed::types::binary::{Numeric, integer};
use crate::seed::types::{ParquetForm, TypeClass, classify, text};

/// Bytes of COPY BINARY that a row group is made of: what a thread holds in memory, a few times over.
const ROW_GROUP: usize = 32 << 20;

/// Days and microseconds from 1970, where Parquet counts from, to 2000, where PostgreSQL does.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// What the file stores.
fn physical(form: ParquetForm) -> Physical {
    match form {
        ParquetForm::Bool => Physical::BOOLEAN,
        ParquetForm::Int2 | ParquetForm::Int4 | ParquetForm::Date => Physical::INT32,
        ParquetForm::Int8
        | ParquetForm::Oid
        | ParquetForm::Time
        | ParquetForm::Timestamp { .. } => Physical::INT64,
        ParquetForm::Float4 => Physical::FLOAT,
        ParquetForm::Float8 => Physical::DOUBLE,
        ParquetForm::Decimal {
            precision: 0..=9, ..
        } => Physical::INT32,
        ParquetForm::Decimal {
            precision: 10..=18, ..
        } => Physical::INT64,
        ParquetForm::Uuid | ParquetForm::Decimal { .. } => Physical::FIXED_LEN_BYTE_ARRAY,
        ParquetForm::Bytes
        | ParquetForm::Plain { .. }
        | ParquetForm::Json { .. }
        | ParquetForm::Printed => Physical::BYTE_ARRAY,
    }
}

/// What readers take it for.
fn logical(form: ParquetForm) -> Option<LogicalType> {
    match form {
        ParquetForm::Bool
        | ParquetForm::Int4
        | ParquetForm::Int8
        | ParquetForm::Oid
        | ParquetForm::Float4
        | ParquetForm::Float8
        | ParquetForm::Bytes => None,
        ParquetForm::Int2 => Some(LogicalType::integer(16, true)),
        ParquetForm::Date => Some(LogicalType::Date),
        ParquetForm::Time => Some(LogicalType::time(false, TimeUnit::MICROS)),
        ParquetForm::Timestamp { utc } => Some(LogicalType::timestamp(utc, TimeUnit::MICROS)),
        ParquetForm::Uuid => Some(LogicalType::Uuid),
        ParquetForm::Decimal { precision, scale } => {
            Some(LogicalType::decimal(scale.into(), precision.into()))
        }
        ParquetForm::Json { .. } => Some(LogicalType::Json),
        ParquetForm::Plain { .. } | ParquetForm::Printed => Some(LogicalType::String),
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
    form: ParquetForm,
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
        match (&mut self.values, self.form) {
            (Values::Bool(values), _) => values.push(body.first().is_some_and(|byte| *byte != 0)),
            (Values::Int32(values), ParquetForm::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).and_then(|value| i32::try_from(value).ok());
                values.push(value.ok_or_else(unrepresentable)?);
            }
            (Values::Int32(values), ParquetForm::Date) => {
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
            (Values::Int64(values), ParquetForm::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).and_then(|value| i64::try_from(value).ok());
                values.push(value.ok_or_else(unrepresentable)?);
            }
            (Values::Int64(values), ParquetForm::Timestamp { .. }) => {
                let finite = Some(number(body)?).filter(|at| !matches!(*at, i64::MIN | i64::MAX));
                values.push(
                    finite
                        .and_then(|at| at.checked_add(EPOCH_MICROSECONDS))
                        .ok_or_else(unrepresentable)?,
                );
            }
            (Values::Int64(values), ParquetForm::Oid) => values.push(number(body)? & 0xFFFF_FFFF),
            (Values::Int64(values), _) => values.push(number(body)?),
            (Values::Float(values), _) => values.push(f32::from_be_bytes(exactly(body)?)),
            (Values::Double(values), _) => values.push(f64::from_be_bytes(exactly(body)?)),
            (Values::Fixed(bytes, ends), ParquetForm::Decimal { scale, .. }) => {
                let value = unscaled(body, scale).ok_or_else(unrepresentable)?;
                bytes.extend_from_slice(&value.to_be_bytes());
                ends.push(bytes.len());
            }
            (Values::Fixed(bytes, ends), _) => {
                bytes.extend_from_slice(&exactly::<16>(body)?);
                ends.push(bytes.len());
            }
            (
                Values::Bytes(bytes, ends),
                ParquetForm::Plain { version } | ParquetForm::Json { version },
            ) => {
                bytes.extend_from_slice(body.get(version..).unwrap_or_default());
                ends.push(bytes.len());
            }
            (Values::Bytes(bytes, ends), ParquetForm::Printed) => {
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
        match std::mem::replace(&mut self.values, Values::of(physical(self.form))) {
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

fn number(body: &[u8]) -> io::Result<i64> {
    integer(body).ok_or_else(cut_short)
}

/// A `numeric_send` value times ten to the power of `scale`; `None` for NaN, infinity and what 128 bits do not hold.
fn unscaled(body: &[u8], scale: u8) -> Option<i128> {
    let numeric = Numeric::read(body).filter(|numeric| !numeric.is_special())?;
    let mut value: i128 = 0;
    for digit in &numeric.digits {
        value = value.checked_mul(10_000)?.checked_add(i128::from(*digit))?;
    }
    // The last digit stands for 10000 ^ (weight - count + 1).
    let count = i32::try_from(numeric.digits.len()).ok()?;
    let power = 4 * (i32::from(numeric.weight) - count + 1) + i32::from(scale);
    let shift = 10_i128.checked_pow(power.unsigned_abs())?;
    value = if power >= 0 {
        value.checked_mul(shift)?
    } else {
        value / shift
    };
    Some(if numeric.is_negative() { -value } else { value })
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
            let form = ParquetForm::of(&class, &column.data_type);
            let (precision, scale) = match form {
                ParquetForm::Decimal { precision, scale } => {
                    (i32::from(precision), i32::from(scale))
                }
                _ => (-1, -1),
            };
            // Optional all of them: what the spec says of NULL is not known here.
            let field = Type::primitive_type_builder(&column.name, physical(form))
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical(form))
                .with_length(if physical(form) == Physical::FIXED_LEN_BYTE_ARRAY {
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
                form,
                class,
                type_oid: column.data_type.oid,
                levels: Vec::new(),
                values: Values::of(physical(form)),
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
        // The file system's message, with its form.
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
    use crate::seed::types::ScalarEncoding;

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
}

//! The table of PostgreSQL's own types: one line a type, with its class (which says how COPY BINARY lays it out), its text
//! form and its Parquet form. Types that people make are made of these.

use super::{Geometry, ScalarEncoding, System, TypeClass};
use crate::schema::DataType;

/// A type's forms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BuiltIn {
    /// What generators make, and how it is laid out.
    pub class: TypeClass,
    /// How PostgreSQL prints it.
    pub text: TextForm,
    /// How a Parquet file holds it.
    pub parquet: ParquetForm,
}

/// How PostgreSQL prints a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    Bool,
    Integer,
    Unsigned,
    Float4,
    Float8,
    Numeric,
    Money,
    Date,
    Time,
    /// In UTC.
    TimeTz,
    Timestamp,
    /// In UTC.
    TimestampTz,
    Interval,
    /// Two hexadecimal halves of 64 bits.
    Lsn,
    /// A text of more than one number: its class says how it is read.
    OfClass,
}

/// How a column of a Parquet file holds values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParquetForm {
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
    /// The same, which is json.
    Json {
        version: usize,
    },
    /// A text that the server reads as the value.
    Printed,
}

/// The line of a type, by `pg_type.dat`'s OIDs.
pub(super) fn built_in(oid: u32, modifier: i32) -> Option<BuiltIn> {
    use {ParquetForm as Parquet, ScalarEncoding as Binary, TextForm as Text};
    let scalar = |encoding, text, parquet| BuiltIn {
        class: TypeClass::Scalar(encoding),
        text,
        parquet,
    };
    let other = |class, parquet| BuiltIn {
        class,
        text: Text::OfClass,
        parquet,
    };
    let string = |max_chars, fixed| {
        let class = TypeClass::Text {
            version: None,
            max_chars,
            fixed,
        };
        other(class, Parquet::Plain { version: 0 })
    };
    let figure = |figure| other(TypeClass::Geometry(figure), Parquet::Printed);
    let system = |kind| other(TypeClass::System(kind), Parquet::Printed);
    let (local, utc) = (
        Parquet::Timestamp { utc: false },
        Parquet::Timestamp { utc: true },
    );
    let length = u32::try_from(modifier - 4).unwrap_or(0);
    let bits = |unlimited| u32::try_from(modifier).unwrap_or(unlimited).max(1);
    let decimals = numeric_decimals(modifier).unwrap_or(2);
    Some(match oid {
        16 => scalar(Binary::Bool, Text::Bool, Parquet::Bool),
        17 => other(TypeClass::Bytes, Parquet::Bytes),
        18 => string(1, true),
        19 => string(63, false),
        20 => scalar(Binary::Int8, Text::Integer, Parquet::Int8),
        21 => scalar(Binary::Int2, Text::Integer, Parquet::Int2),
        22 => system(System::Int2Vector),
        23 => scalar(Binary::Int4, Text::Integer, Parquet::Int4),
        // text, refcursor, xml.
        25 | 1790 | 142 => string(0, false),
        26 => scalar(Binary::Oid, Text::Unsigned, Parquet::Oid),
        // regproc, xid, cid and the other names of objects.
        24 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => {
            scalar(Binary::Oid, Text::Unsigned, Parquet::Printed)
        }
        27 => system(System::Tid),
        30 => system(System::OidVector),
        114 => other(
            TypeClass::Json { binary: false },
            Parquet::Json { version: 0 },
        ),
        600 => figure(Geometry::Point),
        601 => figure(Geometry::Segment),
        602 => figure(Geometry::Path),
        603 => figure(Geometry::Box),
        604 => figure(Geometry::Polygon),
        628 => figure(Geometry::Line),
        650 => other(TypeClass::Inet { cidr: true }, Parquet::Printed),
        700 => scalar(
            Binary::Float4 { decimals: 2 },
            Text::Float4,
            Parquet::Float4,
        ),
        701 => scalar(
            Binary::Float8 { decimals: 4 },
            Text::Float8,
            Parquet::Float8,
        ),
        718 => figure(Geometry::Circle),
        774 => other(TypeClass::Mac { bytes: 8 }, Parquet::Printed),
        790 => scalar(Binary::Money, Text::Money, Parquet::Printed),
        829 => other(TypeClass::Mac { bytes: 6 }, Parquet::Printed),
        869 => other(TypeClass::Inet { cidr: false }, Parquet::Printed),
        1042 => string(length.max(1), true),
        1043 => string(length, false),
        1082 => scalar(Binary::Date, Text::Date, Parquet::Date),
        1083 => scalar(Binary::Time, Text::Time, Parquet::Time),
        1114 => scalar(Binary::Timestamp, Text::Timestamp, local),
        1184 => scalar(Binary::Timestamp, Text::TimestampTz, utc),
        1186 => scalar(Binary::Interval, Text::Interval, Parquet::Printed),
        1266 => scalar(Binary::TimeTz, Text::TimeTz, Parquet::Printed),
        1560 => {
            let (min, max) = (bits(1), bits(1));
            other(TypeClass::Bits { min, max }, Parquet::Printed)
        }
        1562 => {
            let (min, max) = (1, bits(64));
            other(TypeClass::Bits { min, max }, Parquet::Printed)
        }
        1700 => scalar(
            Binary::Numeric { decimals },
            Text::Numeric,
            decimal(modifier),
        ),
        2950 => other(TypeClass::Uuid, Parquet::Uuid),
        2970 | 5038 => system(System::Snapshot),
        3220 => scalar(Binary::Int8, Text::Lsn, Parquet::Printed),
        3614 => other(TypeClass::TextSearch, Parquet::Printed),
        3615 => other(TypeClass::TextQuery, Parquet::Printed),
        3802 => other(
            TypeClass::Json { binary: true },
            Parquet::Json { version: 1 },
        ),
        4072 => system(System::JsonPath),
        5069 => scalar(Binary::Int8, Text::Integer, Parquet::Printed),
        _ => return None,
    })
}

impl ScalarEncoding {
    /// The type whose line says how values so laid out are printed where their own type is not known.
    const fn type_oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Int2 => 21,
            Self::Int4 => 23,
            Self::Int8 => 20,
            Self::Oid => 26,
            Self::Float4 { .. } => 700,
            Self::Float8 { .. } => 701,
            Self::Numeric { .. } => 1700,
            Self::Money => 790,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::TimeTz => 1266,
            Self::Timestamp => 1184,
            Self::Interval => 1186,
        }
    }
}

impl TextForm {
    /// A number's: its type's, or, of a domain and of the ends of a range, what values so laid out have.
    pub(super) fn of(type_oid: u32, encoding: ScalarEncoding) -> Self {
        let is_so_laid_out = |own: &BuiltIn| match &own.class {
            TypeClass::Scalar(of) => of.type_oid() == encoding.type_oid(),
            _ => false,
        };
        built_in(type_oid, -1)
            .filter(is_so_laid_out)
            .or_else(|| built_in(encoding.type_oid(), -1))
            .map_or(Self::OfClass, |own| own.text)
    }
}

impl ParquetForm {
    /// A column's.
    #[must_use]
    pub fn of(class: &TypeClass, data_type: &DataType) -> Self {
        if let Some(own) = built_in(data_type.oid, data_type.modifier) {
            return own.parquet;
        }
        match class {
            TypeClass::Domain {
                base, base_type, ..
            } => Self::of(base, base_type),
            TypeClass::Text { version, .. } => Self::Plain {
                version: usize::from(version.is_some()),
            },
            TypeClass::Enum(_) => Self::Plain { version: 0 },
            TypeClass::Scalar(_)
            | TypeClass::Json { .. }
            | TypeClass::Uuid
            | TypeClass::Bytes
            | TypeClass::Inet { .. }
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
            | TypeClass::Unknown(_) => Self::Printed,
        }
    }
}

/// The digits of `numeric(precision, scale)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    /// All of them.
    pub precision: i32,
    /// Those behind the point; less than 0 where even whole numbers are rounded.
    pub scale: i32,
}

impl Digits {
    /// What a modifier says; `None` where the type has no limit.
    #[must_use]
    pub fn of_modifier(modifier: i32) -> Option<Self> {
        let bits = modifier.checked_sub(4).filter(|bits| *bits >= 0)?;
        Some(Self {
            precision: (bits >> 16) & 0xFFFF,
            // A signed number of 11 bits (numeric.c, numeric_typmod_scale).
            scale: ((bits & 0x7FF) ^ 1024) - 1024,
        })
    }
}

/// Digits behind the point that generators make, where the type has a scale.
fn numeric_decimals(modifier: i32) -> Option<u8> {
    let scale = Digits::of_modifier(modifier)?.scale;
    Some(u8::try_from(scale.clamp(0, 18)).unwrap_or(0))
}

/// One without a declared precision, or of more digits than a decimal has, is text.
fn decimal(modifier: i32) -> ParquetForm {
    let Some(Digits { precision, scale }) = Digits::of_modifier(modifier) else {
        return ParquetForm::Printed;
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
            ParquetForm::Decimal { precision, scale }
        }
        _ => ParquetForm::Printed,
    }
}

/// The step between the values that a type with so many digits of a second holds, in microseconds; 1 for other types.
#[must_use]
pub fn grain(encoding: ScalarEncoding, data_type: &DataType) -> i64 {
    match (encoding, data_type.modifier) {
        (
            ScalarEncoding::Timestamp | ScalarEncoding::Time | ScalarEncoding::TimeTz,
            digits @ 0..=5,
        ) => 10_i64.pow(6 - digits as u32),
        _ => 1,
    }
}

/// What a type can hold: of `numeric(p, s)` what p digits hold.
#[must_use]
pub fn limits(encoding: ScalarEncoding, data_type: &DataType) -> (i64, i64) {
    let digits = match encoding {
        ScalarEncoding::Numeric { .. } => Digits::of_modifier(data_type.modifier),
        _ => None,
    };
    match digits {
        Some(Digits { precision, .. }) if precision < 18 => {
            let most = 10_i64.pow(precision as u32) - 1;
            (-most, most)
        }
        _ => encoding.limits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(oid: u32, modifier: i32) -> DataType {
        DataType {
            oid,
            modifier,
            name: String::new(),
        }
    }

    #[test]
    fn a_type_of_each_form() {
        let line = |oid, modifier| built_in(oid, modifier).map(|own| (own.text, own.parquet));
        let utc = ParquetForm::Timestamp { utc: true };
        assert_eq!(line(1184, -1), Some((TextForm::TimestampTz, utc)));
        assert_eq!(line(3220, -1), Some((TextForm::Lsn, ParquetForm::Printed)));
        let (precision, scale) = (12, 2);
        assert_eq!(
            line(1700, 4 + (12 << 16) + 2),
            Some((TextForm::Numeric, ParquetForm::Decimal { precision, scale }))
        );
        assert_eq!(
            line(1700, -1),
            Some((TextForm::Numeric, ParquetForm::Printed))
        );
        assert_eq!(line(16_384, -1), None);
    }

    #[test]
    fn the_type_that_stands_for_a_layout_has_it() {
        for oid in 1..6_000 {
            let Some(own) = built_in(oid, -1) else {
                continue;
            };
            let TypeClass::Scalar(encoding) = own.class else {
                assert_eq!(own.text, TextForm::OfClass, "{oid}");
                continue;
            };
            let standing = built_in(encoding.type_oid(), -1).map(|standing| standing.class);
            assert_eq!(standing, Some(TypeClass::Scalar(encoding)), "{oid}");
            assert_eq!(TextForm::of(oid, encoding), own.text, "{oid}");
        }
    }

    #[test]
    fn a_number_of_another_type_prints_as_it_is_laid_out() {
        assert_eq!(TextForm::of(1114, ScalarEncoding::Int4), TextForm::Integer);
        assert_eq!(
            TextForm::of(0, ScalarEncoding::Timestamp),
            TextForm::TimestampTz
        );
        assert_eq!(
            TextForm::of(1700, ScalarEncoding::Numeric { decimals: 7 }),
            TextForm::Numeric
        );
    }

    #[test]
    fn a_domain_is_held_as_its_base_is() {
        let base_type = of_type(1700, 4 + (10 << 16) + 2);
        let domain = TypeClass::Domain {
            base: Box::new(TypeClass::Scalar(ScalarEncoding::Numeric { decimals: 2 })),
            base_type,
            not_null: false,
            checks: Vec::new(),
        };
        let (precision, scale) = (10, 2);
        assert_eq!(
            ParquetForm::of(&domain, &of_type(16_500, -1)),
            ParquetForm::Decimal { precision, scale }
        );
    }

    #[test]
    fn digits_of_numeric() {
        let encoding = ScalarEncoding::Numeric { decimals: 2 };
        let limited = of_type(1700, 4 + (5 << 16) + 2);
        assert_eq!(limits(encoding, &limited), (-99_999, 99_999));
        assert_eq!(limits(encoding, &of_type(1700, -1)), encoding.limits());
        // numeric(3, -2).
        let rounded = Digits::of_modifier(4 + (3 << 16) + (2048 - 2));
        let (precision, scale) = (3, -2);
        assert_eq!(rounded, Some(Digits { precision, scale }));
    }
}

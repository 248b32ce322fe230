//! A column's type as generation sees it: how it is laid out, what it is made of.

use crate::schema::{Check, DataType, Schema, TypeDefinition};
use crate::seed::encode::ScalarEncoding;
use crate::seed::generators::spatial::Spatial;
use crate::seed::plan::{Geometry, System};

/// A type's class.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeClass {
    /// Numbers, dates, times.
    Scalar(ScalarEncoding),
    /// Text, or a type whose binary form is text after a version byte.
    Text {
        /// The version byte.
        version: Option<u8>,
        /// Most characters, 0 for no limit.
        max_chars: u32,
        /// `char(n)`.
        fixed: bool,
    },
    /// Labels in order.
    Enum(Vec<String>),
    Uuid,
    Inet {
        cidr: bool,
    },
    Mac {
        bytes: u8,
    },
    Bytes,
    Bits {
        min: u32,
        max: u32,
    },
    Geometry(Geometry),
    TextSearch,
    TextQuery,
    /// `hstore`.
    Pairs,
    System(System),
    Json {
        binary: bool,
    },
    Array {
        element: Box<TypeClass>,
        element_type: u32,
    },
    /// Name, type OID and class of each field.
    Composite(Vec<(String, u32, TypeClass)>),
    Range {
        subtype: Box<TypeClass>,
        multirange: bool,
    },
    Domain {
        base: Box<TypeClass>,
        not_null: bool,
        checks: Vec<Check>,
    },
    /// No generator; the type's name.
    Unknown(String),
}

impl TypeClass {
    /// The class under all domains.
    #[must_use]
    pub fn base(&self) -> &Self {
        match self {
            Self::Domain { base, .. } => base.base(),
            other => other,
        }
    }

    /// Every domain's checks.
    #[must_use]
    pub fn checks(&self) -> Vec<&Check> {
        match self {
            Self::Domain { base, checks, .. } => base.checks().into_iter().chain(checks).collect(),
            _ => Vec::new(),
        }
    }

    /// A domain that refuses something.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        match self {
            Self::Domain {
                base,
                not_null,
                checks,
            } => *not_null || !checks.is_empty() || base.is_limited(),
            _ => self.is_limited_inside(),
        }
    }

    /// Made of parts of which one is a domain that refuses something.
    #[must_use]
    pub fn is_limited_inside(&self) -> bool {
        match self {
            Self::Domain { base, .. } => base.is_limited_inside(),
            Self::Array { element, .. } => element.is_limited(),
            Self::Range { subtype, .. } => subtype.is_limited(),
            Self::Composite(fields) => fields.iter().any(|(_, _, class)| class.is_limited()),
            _ => false,
        }
    }
}

/// The class of a type.
#[must_use]
pub fn classify(schema: &Schema, data_type: &DataType) -> TypeClass {
    classify_nested(schema, data_type, 0)
}

fn classify_nested(schema: &Schema, data_type: &DataType, depth: u32) -> TypeClass {
    if depth > 16 {
        return TypeClass::Unknown(data_type.name.clone());
    }
    if let Some(class) = built_in(data_type) {
        return class;
    }
    let nested = |inner: &DataType| classify_nested(schema, inner, depth + 1);
    let Some(user_type) = schema.user_type(data_type.oid) else {
        return TypeClass::Unknown(data_type.name.clone());
    };
    match &user_type.definition {
        TypeDefinition::Enum(labels) => TypeClass::Enum(labels.clone()),
        TypeDefinition::Domain {
            base,
            not_null,
            checks,
            ..
        } => TypeClass::Domain {
            base: Box::new(nested(base)),
            not_null: *not_null,
            checks: checks.clone(),
        },
        TypeDefinition::Composite(fields) => TypeClass::Composite(
            fields
                .iter()
                .map(|(name, of)| (name.clone(), of.oid, nested(of)))
                .collect(),
        ),
        TypeDefinition::Array(element) => {
            // The modifier of an array's type is its elements'.
            let element = DataType {
                modifier: data_type.modifier,
                ..element.clone()
            };
            TypeClass::Array {
                element: Box::new(nested(&element)),
                element_type: element.oid,
            }
        }
        TypeDefinition::Range(subtype) => TypeClass::Range {
            subtype: Box::new(nested(subtype)),
            multirange: false,
        },
        TypeDefinition::Multirange(range) => match nested(range) {
            TypeClass::Range { subtype, .. } => TypeClass::Range {
                subtype,
                multirange: true,
            },
            _ => TypeClass::Unknown(data_type.name.clone()),
        },
        TypeDefinition::Base => match user_type.name.name.as_str() {
            "citext" => TypeClass::Text {
                version: None,
                max_chars: 0,
                fixed: false,
            },
            "ltree" => TypeClass::Text {
                version: Some(1),
                max_chars: 0,
                fixed: false,
            },
            "hstore" => TypeClass::Pairs,
            "cube" => TypeClass::System(System::Cube),
            name @ ("geometry" | "geography") => TypeClass::System(System::Spatial(
                Spatial::of_modifier(data_type.modifier, name == "geography"),
            )),
            "vector" => TypeClass::System(System::Vector(
                u16::try_from(data_type.modifier).unwrap_or(16),
            )),
            _ => TypeClass::Unknown(data_type.name.clone()),
        },
    }
}

/// `pg_type.dat`'s OIDs.
fn built_in(data_type: &DataType) -> Option<TypeClass> {
    let length = u32::try_from(data_type.modifier - 4).unwrap_or(0);
    let text = |max_chars, fixed| TypeClass::Text {
        version: None,
        max_chars,
        fixed,
    };
    Some(match data_type.oid {
        16 => TypeClass::Scalar(ScalarEncoding::Bool),
        17 => TypeClass::Bytes,
        18 => text(1, true),
        19 => text(63, false),
        20 => TypeClass::Scalar(ScalarEncoding::Int8),
        21 => TypeClass::Scalar(ScalarEncoding::Int2),
        23 => TypeClass::Scalar(ScalarEncoding::Int4),
        25 | 1790 | 142 => text(0, false),
        24 | 26 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => {
            TypeClass::Scalar(ScalarEncoding::Oid)
        }
        114 => TypeClass::Json { binary: false },
        3802 => TypeClass::Json { binary: true },
        650 => TypeClass::Inet { cidr: true },
        869 => TypeClass::Inet { cidr: false },
        700 => TypeClass::Scalar(ScalarEncoding::Float4 { decimals: 2 }),
        701 => TypeClass::Scalar(ScalarEncoding::Float8 { decimals: 4 }),
        790 => TypeClass::Scalar(ScalarEncoding::Money),
        774 => TypeClass::Mac { bytes: 8 },
        829 => TypeClass::Mac { bytes: 6 },
        1042 => text(length.max(1), true),
        1043 => text(length, false),
        1082 => TypeClass::Scalar(ScalarEncoding::Date),
        1083 => TypeClass::Scalar(ScalarEncoding::Time),
        1266 => TypeClass::Scalar(ScalarEncoding::TimeTz),
        1114 | 1184 => TypeClass::Scalar(ScalarEncoding::Timestamp),
        1186 => TypeClass::Scalar(ScalarEncoding::Interval),
        1560 => {
            let bits = u32::try_from(data_type.modifier).unwrap_or(1).max(1);
            TypeClass::Bits {
                min: bits,
                max: bits,
            }
        }
        1562 => TypeClass::Bits {
            min: 1,
            max: u32::try_from(data_type.modifier).unwrap_or(64).max(1),
        },
        1700 => TypeClass::Scalar(ScalarEncoding::Numeric {
            decimals: numeric_scale(data_type).unwrap_or(2),
        }),
        2950 => TypeClass::Uuid,
        3220 | 5069 => TypeClass::Scalar(ScalarEncoding::Int8),
        22 => TypeClass::System(System::Int2Vector),
        30 => TypeClass::System(System::OidVector),
        4072 => TypeClass::System(System::JsonPath),
        27 => TypeClass::System(System::Tid),
        2970 | 5038 => TypeClass::System(System::Snapshot),
        3614 => TypeClass::TextSearch,
        3615 => TypeClass::TextQuery,
        oid => TypeClass::Geometry(super::geometry(oid)?),
    })
}

/// `numeric(p, s)`: its scale, where it has one.
fn numeric_scale(data_type: &DataType) -> Option<u8> {
    let modifier = data_type
        .modifier
        .checked_sub(4)
        .filter(|modifier| *modifier >= 0)?;
    // The scale is a signed number of 11 bits (numeric.c, numeric_typmod_scale).
    let scale = ((modifier & 0x7FF) ^ 1024) - 1024;
    Some(u8::try_from(scale.clamp(0, 18)).unwrap_or(0))
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
    let (low, high) = encoding.limits();
    let ScalarEncoding::Numeric { .. } = encoding else {
        return (low, high);
    };
    let Some(modifier) = data_type
        .modifier
        .checked_sub(4)
        .filter(|modifier| *modifier >= 0)
    else {
        return (low, high);
    };
    let precision = (modifier >> 16) & 0xFFFF;
    if precision >= 18 {
        return (low, high);
    }
    let most = 10_i64.pow(precision as u32) - 1;
    (-most, most)
}

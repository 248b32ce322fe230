//! The types of values: what a column's type is made of, and each form that a value has, the one table of which is
//! `built_in`. [`binary`] writes COPY BINARY, [`text`] prints it, [`literal`] reads constants.

pub mod binary;
mod built_in;
pub mod lines;
pub mod literal;
pub(in crate::seed) mod spatial;
pub mod text;

pub use binary::ScalarEncoding;
use built_in::built_in;
pub use built_in::{Digits, ParquetForm, TextForm, grain, limits};
pub use spatial::Spatial;

use crate::schema::{Check, DataType, Schema, TypeDefinition};

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
        base_type: DataType,
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
                ..
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

/// Types of the system and of extensions with a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Tid,
    Snapshot,
    Cube,
    Int2Vector,
    OidVector,
    JsonPath,
    /// `geometry` and `geography`.
    Spatial(Spatial),
    /// `vector`, with this many dimensions.
    Vector(u16),
}

/// Geometric types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Geometry {
    Point,
    Line,
    Segment,
    Box,
    Path,
    Polygon,
    Circle,
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
    if let Some(own) = built_in(data_type.oid, data_type.modifier) {
        return own.class;
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
            base_type: base.clone(),
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

//! What texts and documents are made of.

use super::{Shape, TextPart};
use crate::seed::generators::regex::Pattern;
use crate::seed::generators::{Locale, TextGenerator};
use crate::seed::random::Permutation;
use crate::seed::types::TypeClass;

/// What a json document looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonShape {
    /// Some members out of a common list, and these in any case.
    Object {
        keys: Box<[String]>,
        members: Box<[JsonMember]>,
    },
    /// The same, with the row's number as a member: no two are alike.
    Numbered {
        keys: Box<[String]>,
        members: Box<[JsonMember]>,
    },
    /// A list of words.
    Array {
        min: u32,
        max: u32,
    },
    /// A word.
    Text,
    Number,
    /// true or false.
    Bool,
}

/// A member of a document that queries ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonMember {
    /// Its name.
    pub key: String,
    /// Documents that have it, out of a thousand.
    pub in_thousand: u32,
    /// What it is.
    pub content: JsonContent,
}

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonContent {
    /// What its name suggests.
    ByKey,
    /// One of these, as JSON writes them, in so many documents out of a thousand; the rest in the others.
    Known {
        values: Box<[String]>,
        in_thousand: u32,
        rest: Box<JsonContent>,
    },
    /// A whole number.
    Number {
        low: i64,
        high: i64,
    },
    /// true or false.
    Bool,
    /// A day, counted from 2000-01-01.
    Day {
        low: i64,
        high: i64,
    },
    Uuid,
    /// A document.
    Object(Box<[JsonMember]>),
    /// One or two of these.
    Items(Box<JsonContent>),
}

/// Text and its limits.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it reads like.
    pub source: TextSource,
    /// The first byte of the binary form (1 for `jsonb` and `ltree`).
    pub version: Option<u8>,
    /// Fewest characters.
    pub min_chars: u32,
    /// Most characters; 0 for no limit.
    pub max_chars: u32,
    /// Set where every index must give another text.
    pub unique: Option<Permutation>,
    /// Names, places.
    pub locale: &'static Locale,
    /// All lower or upper case.
    pub case: Case,
    /// Bytes of an average text; 0 leaves them to the source.
    pub width: u32,
}

/// Letters' case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    AsIs,
    Lower,
    Upper,
}

/// What a text reads like.
#[derive(Debug, Clone)]
pub enum TextSource {
    /// One of the registered generators.
    Registered(&'static TextGenerator),
    /// Texts that a regular expression matches.
    Pattern(Box<Pattern>),
    /// Other columns of the row, and what stands between them.
    Template(Box<[Piece]>),
    /// Between neighbouring bounds of a histogram: the lower bound and some letters.
    Bounds(Box<[Box<str>]>),
    /// As a profile describes it.
    Shape(Box<Shape<TextPart>>),
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(Box<str>),
    /// The text form of a column (its index in the table); its class and type.
    Column {
        column: usize,
        class: TypeClass,
        type_oid: u32,
    },
}

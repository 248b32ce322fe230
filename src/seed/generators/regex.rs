//! Texts that a regular expression matches. Every text of the language has a number; different numbers give different
//! texts where the expression is not ambiguous, and always after [`Pattern::told_apart`].

mod ambiguity;

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::seed::check::look_ahead;
use crate::seed::random::Stream;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    node: Node,
    /// As it was written.
    pub source: String,
    /// How many different texts it has; capped at 2^63.
    pub cardinality: u64,
    /// Bytes of an average text, roughly.
    pub width: u32,
    /// Most characters of a text.
    pub max_chars: u32,
}

#[derive(Debug, Clone)]
enum Node {
    Literal(Box<[u8]>),
    /// Characters of a class, ASCII ones as bytes.
    Class(Box<[char]>),
    /// The same ASCII class several times.
    Run {
        bytes: Box<[u8]>,
        count: u32,
    },
    Concat(Box<[Node]>),
    Alternation(Box<[Node]>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: u32,
    },
}

/// Repetitions without an end stop after this many more than they must have.
const OPEN_REPEAT: u32 = 8;
const CAP: u128 = 1 << 63;

/// Why a pattern cannot be generated from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a regular expression.
    #[error("{0}")]
    Syntax(String),
    /// A look-around or a class that no text matches.
    #[error("the pattern matches no text")]
    Empty,
}

/// What of letters tells texts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    AsTheyAre,
    /// `A` and `a` are the same: a class of both has one of them.
    AnyCase,
}

impl Pattern {
    /// Compiles a regular expression; it stands for the whole text.
    ///
    /// # Errors
    /// Where it is not one, or matches nothing.
    pub fn new(pattern: &str, letters: Letters) -> Result<Self, PatternError> {
        Self::with_length(pattern, letters, (0, 0))
    }

    /// The same, where open repetitions are stretched and cut so that texts have about so many characters (at least,
    /// at most; 0 for no limit).
    ///
    /// # Errors
    /// Where it is not a regular expression, or matches nothing.
    pub fn with_length(
        pattern: &str,
        letters: Letters,
        length: (u32, u32),
    ) -> Result<Self, PatternError> {
        let parsed = look_ahead::parse(pattern).map_err(PatternError::Syntax)?;
        let hir = look_ahead::narrowed(&parsed).ok_or(PatternError::Empty)?;
        Self::compiled(&hir, pattern, letters, length)
    }

    /// The same without digits where other characters will do.
    ///
    /// # Errors
    /// As [`Pattern::with_length`].
    pub fn without_digits(
        pattern: &str,
        letters: Letters,
        length: (u32, u32),
    ) -> Result<Self, PatternError> {
        let parsed = look_ahead::parse(pattern).map_err(PatternError::Syntax)?;
        let hir = look_ahead::narrowed(&parsed).ok_or(PatternError::Empty)?;
        Self::compiled(&look_ahead::without_digits(&hir), pattern, letters, length)
    }

    fn compiled(
        hir: &Hir,
        pattern: &str,
        letters: Letters,
        length: (u32, u32),
    ) -> Result<Self, PatternError> {
        let mut node = compile(
            hir,
            Style {
                letters,
                length,
                full: false,
                open: OPEN_REPEAT,
            },
        )?;
        // Nothing shorter than the longest text will do: what may be left out is there.
        if length.0 > 0 && max_chars(&node) <= length.0 {
            node = compile(
                hir,
                Style {
                    letters,
                    length,
                    full: true,
                    open: OPEN_REPEAT,
                },
            )?;
        }
        // What is fixed takes its part of the length from what is open.
        let excess = max_chars(&node).saturating_sub(length.1);
        if length.1 > excess && excess > 0 {
            let shorter = (length.0.saturating_sub(excess), length.1 - excess);
            let shorter = compile(
                hir,
                Style {
                    letters,
                    length: shorter,
                    full: false,
                    open: OPEN_REPEAT,
                },
            )?;
            node = if max_chars(&shorter) <= length.1 {
                shorter
            } else {
                node
            };
        }
        // Several open repetitions, or long ones: fewer of each.
        for open in [4, 2, 1, 0] {
            if length.1 == 0 || max_chars(&node) <= length.1 {
                break;
            }
            let fewer = compile(
                hir,
                Style {
                    letters,
                    length: (0, length.1),
                    full: false,
                    open,
                },
            )?;
            if (length.0..=length.1).contains(&max_chars(&fewer)) {
                node = fewer;
            }
        }
        Ok(Self::of(node, pattern))
    }

    fn of(node: Node, source: &str) -> Self {
        let cardinality = cardinality(&node).min(CAP) as u64;
        let (width, max_chars) = (mean_width(&node).ceil() as u32, max_chars(&node));
        Self {
            node,
            source: source.to_owned(),
            cardinality,
            width,
            max_chars,
        }
    }

    /// Texts of this pattern of which every number has its own: all of them, or those of one shape where a text might
    /// be made in two ways.
    #[must_use]
    pub fn told_apart(&self) -> Self {
        match ambiguity::is_certain(&self.node) {
            true => self.clone(),
            false => Self::of(ambiguity::of_one_shape(&self.node), &self.source),
        }
    }

    /// Appends the text with this number, or a random one.
    pub fn write(&self, mut stream: Stream, number: Option<u64>, out: &mut Vec<u8>) {
        let rest = number.map(u128::from);
        write(&self.node, &mut stream, rest, out);
    }
}

/// How a pattern is compiled.
#[derive(Debug, Clone, Copy)]
struct Style {
    letters: Letters,
    length: (u32, u32),
    /// As many repetitions as there may be.
    full: bool,
    /// Repetitions of what has no end, past those that it must have.
    open: u32,
}

fn compile(hir: &Hir, style: Style) -> Result<Node, PatternError> {
    Ok(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Node::Literal(Box::default()),
        HirKind::Literal(literal) => Node::Literal(literal.0.clone()),
        HirKind::Class(class) => compile_class(class, style.letters)?,
        HirKind::Capture(capture) => compile(&capture.sub, style)?,
        HirKind::Repetition(repetition) => {
            let node = compile(&repetition.sub, style)?;
            let (least, most) = style.length;
            let (min, max) = match repetition.max {
                Some(max) if most > 0 && max > most && repetition.min <= most => {
                    (repetition.min, most)
                }
                Some(max) => (if style.full { max } else { repetition.min }, max),
                None => {
                    let min = repetition.min.max(least);
                    (
                        min,
                        if most > 0 {
                            (min + style.open).min(most.max(min))
                        } else {
                            min + style.open
                        },
                    )
                }
            };
            match node {
                Node::Class(chars) if min == max && chars.iter().all(char::is_ascii) => Node::Run {
                    bytes: chars.iter().map(|c| *c as u8).collect(),
                    count: min,
                },
                node => Node::Repeat {
                    node: Box::new(node),
                    min,
                    max,
                },
            }
        }
        HirKind::Concat(parts) => Node::Concat(
            parts
                .iter()
                .map(|part| compile(part, style))
                .collect::<Result<_, _>>()?,
        ),
        HirKind::Alternation(parts) => Node::Alternation(
            parts
                .iter()
                .map(|part| compile(part, style))
                .collect::<Result<_, _>>()?,
        ),
    })
}

fn compile_class(class: &Class, letters: Letters) -> Result<Node, PatternError> {
    // Of a large class (any character, every letter of every script) the printable ASCII part is enough.
    let all: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|r| (r.start() as u32, r.end() as u32))
            .collect(),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|r| (u32::from(r.start()), u32::from(r.end())))
            .collect(),
    };
    let within = |low: u32, high: u32| -> Vec<char> {
        all.iter()
            .flat_map(|(from, to)| (*from).max(low)..=(*to).min(high))
            .filter_map(char::from_u32)
            .collect()
    };
    let mut chars = within(0x20, 0x7E);
    if chars.is_empty() {
        chars = within(0x01, 0x1F);
    }
    if chars.is_empty() {
        chars = within(0xA0, 0x2FFF);
    }
    if letters == Letters::AnyCase {
        chars.retain(|c| {
            !(c.is_ascii_lowercase() && within(0x20, 0x7E).contains(&c.to_ascii_uppercase()))
        });
    }
    if chars.is_empty() {
        Err(PatternError::Empty)
    } else {
        Ok(Node::Class(chars.into()))
    }
}

fn cardinality(node: &Node) -> u128 {
    match node {
        Node::Literal(_) => 1,
        Node::Class(chars) => chars.len() as u128,
        Node::Run { bytes, count } => power(bytes.len() as u128, *count),
        Node::Concat(parts) => parts.iter().fold(1, |product: u128, part| {
            capped(product.saturating_mul(cardinality(part)))
        }),
        Node::Alternation(parts) => parts
            .iter()
            .fold(0, |sum: u128, part| capped(sum + cardinality(part))),
        Node::Repeat { node, min, max } => {
            let each = cardinality(node);
            (*min..=*max).fold(0, |sum: u128, count| capped(sum + power(each, count)))
        }
    }
}

fn power(base: u128, exponent: u32) -> u128 {
    let mut product = 1_u128;
    for _ in 0..exponent {
        product = capped(product.saturating_mul(base));
        if product == CAP || base <= 1 {
            break;
        }
    }
    product
}

fn capped(value: u128) -> u128 {
    value.min(CAP)
}

fn mean_width(node: &Node) -> f64 {
    match node {
        Node::Literal(bytes) => bytes.len() as f64,
        Node::Class(chars) => {
            chars.iter().map(|c| c.len_utf8() as f64).sum::<f64>() / chars.len() as f64
        }
        Node::Run { count, .. } => f64::from(*count),
        Node::Concat(parts) => parts.iter().map(mean_width).sum(),
        Node::Alternation(parts) => parts.iter().map(mean_width).sum::<f64>() / parts.len() as f64,
        Node::Repeat { node, min, max } => mean_width(node) * f64::from(min + max) / 2.0,
    }
}

fn max_chars(node: &Node) -> u32 {
    match node {
        Node::Literal(bytes) => String::from_utf8_lossy(bytes).chars().count() as u32,
        Node::Class(_) => 1,
        Node::Run { count, .. } => *count,
        Node::Concat(parts) => parts.iter().map(max_chars).sum(),
        Node::Alternation(parts) => parts.iter().map(max_chars).max().unwrap_or(0),
        Node::Repeat { node, max, .. } => max_chars(node).saturating_mul(*max),
    }
}

/// Writes the text numbered `number`, or a random one; the number's part that a node does not need is its caller's.
fn write(node: &Node, stream: &mut Stream, number: Option<u128>, out: &mut Vec<u8>) {
    match node {
        Node::Literal(bytes) => out.extend_from_slice(bytes),
        Node::Class(chars) => {
            let pick = match number {
                Some(number) => (number % chars.len() as u128) as usize,
                None => stream.below(chars.len() as u64) as usize,
            };
            let mut room = [0; 4];
            out.extend_from_slice(chars[pick].encode_utf8(&mut room).as_bytes());
        }
        Node::Run { bytes, count } => write_run(bytes, *count, stream, number, out),
        Node::Concat(parts) => {
            let mut rest = number;
            for part in parts {
                let Some(number) = rest else {
                    write(part, stream, None, out);
                    continue;
                };
                let size = cardinality(part);
                // A part with room for everything takes the whole number; what follows is free.
                if size >= CAP {
                    write(part, stream, Some(number), out);
                    rest = None;
                } else {
                    write(part, stream, Some(number % size), out);
                    rest = Some(number / size);
                }
            }
        }
        Node::Alternation(parts) => match number {
            None => write(
                &parts[stream.below(parts.len() as u64) as usize],
                stream,
                None,
                out,
            ),
            Some(mut number) => {
                for part in parts {
                    let size = cardinality(part);
                    if number < size || size >= CAP {
                        write(part, stream, Some(number), out);
                        return;
                    }
                    number -= size;
                }
                if let Some(last) = parts.last() {
                    write(last, stream, Some(number), out);
                }
            }
        },
        Node::Repeat { node, min, max } => write_repeat(node, (*min, *max), stream, number, out),
    }
}

fn write_run(
    bytes: &[u8],
    count: u32,
    stream: &mut Stream,
    number: Option<u128>,
    out: &mut Vec<u8>,
) {
    let size = bytes.len() as u64;
    let mut rest = number.map_or(0, |number| number as u64);
    let mut from_number = number.is_some();
    let mut room = if from_number { CAP as u64 } else { 0 };
    let mut bits = 0;
    for position in 0..count {
        if from_number {
            out.push(bytes[(rest % size) as usize]);
            rest /= size;
            room /= size.max(2);
            // All of the number is shown: the other characters are free.
            from_number = room > 0;
            continue;
        }
        // Eight picks of at most 256 from one draw: the high half of the product picks, the low half goes on.
        if position % 8 == 0 || bits == 0 {
            bits = stream.next_bits();
        }
        let product = u128::from(bits) * u128::from(size);
        out.push(bytes[(product >> 64) as usize]);
        bits = product as u64;
    }
}

fn write_repeat(
    node: &Node,
    (min, max): (u32, u32),
    stream: &mut Stream,
    number: Option<u128>,
    out: &mut Vec<u8>,
) {
    let Some(mut number) = number else {
        for _ in 0..stream.between(u64::from(min), u64::from(max)) {
            write(node, stream, None, out);
        }
        return;
    };
    let each = cardinality(node);
    let mut count = min;
    while count < max && number >= power(each, count) && power(each, count) < CAP {
        number -= power(each, count);
        count += 1;
    }
    for _ in 0..count {
        if each >= CAP {
            write(node, stream, Some(number), out);
            number = 0;
        } else {
            write(node, stream, Some(number % each), out);
            number /= each.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    fn text(pattern: &Pattern, index: u64, number: Option<u64>) -> String {
        let mut out = Vec::new();
        pattern.write(Key::new(5).stream(index), number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_number_gives_another_text() {
        for (expression, size) in [
            ("[A-C]{2}-[0-9]", 90),
            ("(ab|c[0-9]){2}", 121),
            ("x?[yz]{1,2}", 12),
            ("a|bb|[0-9]", 12),
        ] {
            let pattern = Pattern::new(expression, Letters::AsTheyAre).unwrap();
            assert_eq!(pattern.cardinality, size, "{expression}");
            let mut all: Vec<_> = (0..size)
                .map(|number| text(&pattern, number, Some(number)))
                .collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len() as u64, size, "{expression}");
        }
    }

    #[test]
    fn texts_that_are_told_apart_never_collide() {
        for expression in [
            "(a|ab)(c|bc)",
            "[a-c]{1,3}[b-d]{1,3}",
            "(x|xx){1,3}",
            "([ab]?|b)[bc]",
            "[0-9]{1,2}(-[0-9]{1,2})?",
            "(ab|c[0-9]){2}",
            "x?[yz]{1,2}",
            "[a-b]+@[ab]{1,2}",
            "(a|b|ab)?[0-3]",
            "a?b?a?b?",
            "(|a)(|a)[a-d]",
        ] {
            let pattern = Pattern::new(expression, Letters::AsTheyAre)
                .unwrap()
                .told_apart();
            let every = regex_lite(expression);
            let mut all: Vec<_> = (0..pattern.cardinality.min(5000))
                .map(|number| text(&pattern, number, Some(number)))
                .collect();
            assert!(all.iter().all(|text| every.finds(text)), "{expression}");
            let made = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), made, "{expression}");
        }
        let certain = Pattern::new("[A-Z]{2,3}-[0-9]{1,4}", Letters::AsTheyAre).unwrap();
        assert_eq!(certain.told_apart().cardinality, certain.cardinality);
        assert!(
            Pattern::new("[^@]+@[^@]+[.][^@]+", Letters::AsTheyAre)
                .unwrap()
                .told_apart()
                .cardinality
                > 1 << 40
        );
    }

    fn regex_lite(expression: &str) -> crate::seed::check::matcher::Matcher {
        crate::seed::check::matcher::Matcher::new(&format!("^(?:{expression})$")).unwrap()
    }

    #[test]
    fn large_languages_stay_unique() {
        for expression in [
            "[0-9a-f]{64}",
            "[a-z]{2}_[A-Za-z0-9]{24}",
            "[A-Z]{3}-[0-9]{8}",
        ] {
            let pattern = Pattern::new(expression, Letters::AsTheyAre).unwrap();
            let mut all: Vec<_> = (0..5000)
                .map(|number| text(&pattern, number, Some(number)))
                .collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 5000, "{expression}");
        }
    }

    #[test]
    fn random_texts_look_random() {
        let pattern = Pattern::new("SO-[0-9]{10}", Letters::AsTheyAre).unwrap();
        let texts: Vec<_> = (0..1000).map(|index| text(&pattern, index, None)).collect();
        let ones = texts
            .iter()
            .flat_map(|text| text.bytes())
            .filter(|byte| *byte == b'1')
            .count();
        assert!((850..1150).contains(&ones), "{ones}");
    }

    #[test]
    fn mistakes_are_named() {
        assert!(matches!(
            Pattern::new("[a-", Letters::AsTheyAre),
            Err(PatternError::Syntax(_))
        ));
        assert_eq!(
            Pattern::new("[A-Za-z]", Letters::AnyCase)
                .unwrap()
                .cardinality,
            26
        );
    }
}

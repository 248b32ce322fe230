//! Regular expressions with look-ahead and look-behind, which the parser of patterns does not know: each is taken out of the
//! pattern and leaves a mark, which the matcher asks exactly, and which a generator may narrow what follows by.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Repetition};

/// A pattern whose look-arounds stand beside it.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// With a mark (see [`mark_of`]) where each look-around stood.
    pub hir: Hir,
    /// By mark.
    pub looks: Vec<LookAround>,
}

/// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`.
#[derive(Debug, Clone)]
pub struct LookAround {
    /// What is looked for.
    pub hir: Hir,
    /// It must not be there.
    pub negated: bool,
    /// It is looked for in what came before.
    pub behind: bool,
}

/// Marks are characters of a private plane.
const FIRST_MARK: u32 = 0x10_F000;

/// Which look-around a character of a parsed pattern stands for.
#[must_use]
pub fn mark_of(c: char) -> Option<usize> {
    u32::from(c)
        .checked_sub(FIRST_MARK)
        .filter(|at| *at < 0xF00)
        .map(|at| at as usize)
}

/// Parses a pattern.
///
/// # Errors
/// What is no pattern, in words.
pub fn parse(pattern: &str) -> Result<Parsed, String> {
    let (text, found) = taken_out(pattern);
    let parse = |text: &str| {
        let parsed = regex_syntax::ParserBuilder::new()
            .unicode(true)
            .build()
            .parse(text);
        parsed.map_err(|error| error.to_string().replace('\n', " "))
    };
    let flags = if pattern.starts_with("(?i)") {
        "(?i)"
    } else {
        ""
    };
    let looks = found.into_iter().map(|look| {
        Ok(LookAround {
            hir: parse(&format!("{flags}{}", look.inner))?,
            negated: look.kind.negated,
            behind: look.kind.behind,
        })
    });
    Ok(Parsed {
        hir: parse(&text)?,
        looks: looks.collect::<Result<_, String>>()?,
    })
}

/// How a look begins, and what it means.
struct Look {
    opening: &'static str,
    negated: bool,
    behind: bool,
}

const LOOKS: [Look; 4] = [
    Look {
        opening: "(?=",
        negated: false,
        behind: false,
    },
    Look {
        opening: "(?!",
        negated: true,
        behind: false,
    },
    Look {
        opening: "(?<=",
        negated: false,
        behind: true,
    },
    Look {
        opening: "(?<!",
        negated: true,
        behind: true,
    },
];

/// A look that a mark stands for.
struct TakenOut<'p> {
    kind: &'static Look,
    /// The pattern inside.
    inner: &'p str,
}

/// The pattern with marks, and what they stand for.
fn taken_out(pattern: &str) -> (String, Vec<TakenOut<'_>>) {
    let (mut text, mut found) = (String::new(), Vec::new());
    let mut at = 0;
    while let Some(c) = pattern[at..].chars().next() {
        let rest = &pattern[at..];
        let kind = LOOKS.iter().find(|kind| rest.starts_with(kind.opening));
        if let (Some(kind), Some(length)) = (kind, group_length(rest)) {
            text.push(char::from_u32(FIRST_MARK + found.len() as u32).unwrap_or(c));
            let inner = &rest[kind.opening.len()..length - 1];
            found.push(TakenOut { kind, inner });
            at += length;
        } else {
            let length = match c {
                '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
                '[' => class_length(rest),
                _ => c.len_utf8(),
            };
            text.push_str(&rest[..length]);
            at += length;
        }
    }
    (text, found)
}

/// Bytes of the group with which the text begins.
fn group_length(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        at += match c {
            '\\' => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            '[' => class_length(&text[at..]),
            _ => c.len_utf8(),
        };
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Bytes of the class with which the text begins; all of it where it has no end.
fn class_length(text: &str) -> usize {
    let (mut escaped, mut named) = (false, false);
    let first = if text.starts_with("[^") { 2 } else { 1 };
    for (at, c) in text.char_indices().skip(first) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // `[[:alpha:]]`: its `]` ends a name.
            '[' if text[at..].starts_with("[:") => named = true,
            ']' if named => named = false,
            ']' if at > first => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Texts that a generator may make: of each negative look-ahead none of the first characters of what must not follow
/// comes next. Fewer than the pattern allows, but never others; `None` where that leaves none. Other look-arounds are left
/// out, for the matcher to judge.
#[must_use]
pub fn narrowed(parsed: &Parsed) -> Option<Hir> {
    if parsed.looks.is_empty() {
        return Some(parsed.hir.clone());
    }
    sequence(flat(&parsed.hir), parsed)
}

/// The same pattern without digits where other characters will do.
#[must_use]
pub fn without_digits(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(without_digits).collect();
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let mut left = class.clone();
            left.difference(&ClassUnicode::new([
                regex_syntax::hir::ClassUnicodeRange::new('0', '9'),
            ]));
            Hir::class(Class::Unicode(if left.ranges().is_empty() {
                class.clone()
            } else {
                left
            }))
        }
        HirKind::Capture(capture) => without_digits(&capture.sub),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(without_digits(&repetition.sub));
            Hir::repetition(Repetition {
                sub,
                ..repetition.clone()
            })
        }
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        HirKind::Class(Class::Bytes(_))
        | HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Look(_) => hir.clone(),
    }
}

/// A sequence's parts, literals cut at marks.
fn flat(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Concat(parts) => parts.iter().flat_map(flat).collect(),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) if text.chars().any(|c| mark_of(c).is_some()) => text
                .chars()
                .map(|c| Hir::literal(c.to_string().into_bytes()))
                .collect(),
            _ => vec![hir.clone()],
        },
        HirKind::Empty
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Alternation(_) => vec![hir.clone()],
    }
}

fn sequence(parts: Vec<Hir>, parsed: &Parsed) -> Option<Hir> {
    let mut done: Vec<Hir> = Vec::new();
    // From the end, so that what follows a mark has its own marks dealt with.
    for part in parts.into_iter().rev() {
        let Some(look) = mark(&part).and_then(|at| parsed.looks.get(at)) else {
            done.insert(0, inside(&part, parsed)?);
            continue;
        };
        if look.negated && !look.behind {
            done = without_first(&done, &first_of(&look.hir)?)?;
        }
    }
    Some(Hir::concat(done))
}

fn mark(hir: &Hir) -> Option<usize> {
    let HirKind::Literal(literal) = hir.kind() else {
        return None;
    };
    let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
    chars
        .next()
        .filter(|_| chars.next().is_none())
        .and_then(mark_of)
}

/// The same for what stands inside of a part.
fn inside(hir: &Hir, parsed: &Parsed) -> Option<Hir> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
        HirKind::Capture(capture) => sequence(flat(&capture.sub), parsed)?,
        HirKind::Concat(_) => sequence(flat(hir), parsed)?,
        HirKind::Repetition(repetition) => {
            let sub = Box::new(sequence(flat(&repetition.sub), parsed)?);
            Hir::repetition(Repetition {
                sub,
                ..repetition.clone()
            })
        }
        HirKind::Alternation(parts) => {
            let left: Vec<Hir> = parts
                .iter()
                .filter_map(|part| sequence(flat(part), parsed))
                .collect();
            if left.is_empty() {
                return None;
            }
            Hir::alternation(left)
        }
    })
}

/// The characters with which a match may begin; `None` where it may be empty, or begins with anything.
fn first_of(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([
                regex_syntax::hir::ClassUnicodeRange::new(c, c),
            ]))
        }
        HirKind::Class(Class::Unicode(class)) => {
            Some(class.clone()).filter(|class| class.ranges().len() < 100)
        }
        HirKind::Capture(capture) => first_of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => first_of(&repetition.sub),
        HirKind::Concat(parts) => first_of(
            parts
                .iter()
                .find(|part| !matches!(part.kind(), HirKind::Look(_) | HirKind::Empty))?,
        ),
        HirKind::Alternation(parts) => {
            let mut all = ClassUnicode::empty();
            for part in parts {
                all.union(&first_of(part)?);
            }
            Some(all)
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Class(Class::Bytes(_)) => None,
    }
}

/// A sequence that does not begin with one of these characters.
fn without_first(parts: &[Hir], forbidden: &ClassUnicode) -> Option<Vec<Hir>> {
    let Some((first, rest)) = parts.split_first() else {
        return Some(Vec::new());
    };
    let with = |head: Vec<Hir>| {
        Some(
            head.into_iter()
                .chain(rest.iter().cloned())
                .collect::<Vec<_>>(),
        )
    };
    let has = |c: char| {
        forbidden
            .ranges()
            .iter()
            .any(|range| range.start() <= c && c <= range.end())
    };
    match first.kind() {
        HirKind::Empty | HirKind::Look(_) => without_first(rest, forbidden)
            .map(|rest| std::iter::once(first.clone()).chain(rest).collect()),
        HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            if has(c) {
                None
            } else {
                with(vec![first.clone()])
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut left = class.clone();
            left.difference(forbidden);
            if left.ranges().is_empty() {
                None
            } else {
                with(vec![Hir::class(Class::Unicode(left))])
            }
        }
        HirKind::Class(Class::Bytes(_)) => None,
        HirKind::Capture(capture) => with(without_first(&flat(&capture.sub), forbidden)?),
        HirKind::Concat(parts) => with(without_first(parts, forbidden)?),
        HirKind::Alternation(parts) => {
            let left = parts
                .iter()
                .filter_map(|part| without_first(&flat(part), forbidden).map(Hir::concat));
            let left: Vec<Hir> = left.collect();
            if left.is_empty() {
                None
            } else {
                with(vec![Hir::alternation(left)])
            }
        }
        HirKind::Repetition(repetition) => {
            let once = without_first(&flat(&repetition.sub), forbidden);
            match once.filter(|_| repetition.max != Some(0)) {
                // Once at least, so that it is clear what comes first.
                Some(mut once) => {
                    let (min, max) = (
                        repetition.min.saturating_sub(1),
                        repetition.max.map(|max| max - 1),
                    );
                    once.push(Hir::repetition(Repetition {
                        min,
                        max,
                        ..repetition.clone()
                    }));
                    with(once)
                }
                None if repetition.min == 0 => without_first(rest, forbidden),
                None => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::check::Matcher;

    #[test]
    fn a_negative_look_ahead_narrows_what_follows() {
        let of = |pattern: &str| narrowed(&parse(pattern).unwrap()).map(|hir| hir.to_string());
        let shown = of("^(?!-)[a-z-]{0,3}x$").unwrap();
        assert!(
            shown.contains("[a-z]") && shown.contains("{0,2}"),
            "{shown}"
        );
        assert!(
            of("(?!a|b)[a-d]").is_some_and(|shown| !shown.contains('a') && !shown.contains('b'))
        );
        assert_eq!(of("(?!a)a"), None);
        assert!(of(r"[(?!a)]\(\?!b").is_some());
    }

    #[test]
    fn look_around_is_matched_exactly() {
        let finds = |pattern: &str, text: &str| Matcher::new(pattern).unwrap().finds(text);
        assert!(finds("^(?!-)[a-z-]+$", "a-b") && !finds("^(?!-)[a-z-]+$", "-ab"));
        assert!(finds("^(?!admin)[a-z]+$", "adam") && !finds("^(?!admin)[a-z]+$", "admins"));
        assert!(finds("^(?=.*[0-9])[a-z0-9]+$", "ab1") && !finds("^(?=.*[0-9])[a-z0-9]+$", "abc"));
        assert!(finds("^[a-z-]+(?<!-)$", "a-b") && !finds("^[a-z-]+(?<!-)$", "ab-"));
        assert!(!finds("^(?!.*--)[a-z-]+$", "a--b") && finds("^(?!.*--)[a-z-]+$", "a-b-c"));
    }
}

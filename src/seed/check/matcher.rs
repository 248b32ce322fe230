//! Whether a text matches a regular expression: enough to ask whether a generator's texts already meet a pattern.
//! Backtracks with a budget; not for hot loops.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::look_ahead::{LookAround, mark_of, parse};

/// A parsed pattern that can be searched for.
#[derive(Debug, Clone)]
pub struct Matcher {
    hir: Hir,
    looks: Vec<LookAround>,
}

/// Steps after which a search gives up and says no.
const BUDGET: u32 = 100_000;

impl Matcher {
    /// Parses a pattern; `None` where it is none that this engine knows (back-references).
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        parse(pattern).ok().map(|parsed| Self {
            hir: parsed.hir,
            looks: parsed.looks,
        })
    }

    /// Whether the text contains a match.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        let search = Search {
            text,
            looks: &self.looks,
        };
        let mut budget = BUDGET;
        let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.any(|start| search.run(&self.hir, start, &mut budget, &mut |_, _| true))
    }

    /// The first part of the text that matches.
    #[must_use]
    pub fn part<'t>(&self, text: &'t str) -> Option<&'t str> {
        let search = Search {
            text,
            looks: &self.looks,
        };
        let mut budget = BUDGET;
        let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.find_map(|start| {
            let mut end = None;
            let found = search.run(&self.hir, start, &mut budget, &mut |at, _| {
                end = Some(at);
                true
            });
            end.filter(|_| found).and_then(|end| text.get(start..end))
        })
    }
}

struct Search<'t> {
    text: &'t str,
    looks: &'t [LookAround],
}

type Then<'c> = dyn FnMut(usize, &mut u32) -> bool + 'c;

impl Search<'_> {
    /// Matches `hir` at `at` and goes on with `then`.
    fn run(&self, hir: &Hir, at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        match hir.kind() {
            HirKind::Empty => then(at, budget),
            HirKind::Literal(literal) if !self.looks.is_empty() => {
                self.marked(&literal.0, at, budget, then)
            }
            HirKind::Literal(literal) => {
                let found = self.text.as_bytes()[at..].starts_with(&literal.0);
                found && then(at + literal.0.len(), budget)
            }
            HirKind::Class(class) => match self.text[at..].chars().next() {
                Some(c) if contains(class, c) => then(at + c.len_utf8(), budget),
                _ => false,
            },
            HirKind::Look(look) => self.look(*look, at) && then(at, budget),
            HirKind::Capture(capture) => self.run(&capture.sub, at, budget, then),
            HirKind::Concat(parts) => self.all(parts, at, budget, then),
            HirKind::Alternation(parts) => {
                parts.iter().any(|part| self.run(part, at, budget, then))
            }
            HirKind::Repetition(repetition) => self.repeat(
                &repetition.sub,
                (repetition.min, repetition.max),
                at,
                0,
                budget,
                then,
            ),
        }
    }

    /// A literal in which look-arounds may stand.
    fn marked(&self, literal: &[u8], at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
        let mut at = at;
        for c in String::from_utf8_lossy(literal).chars() {
            match mark_of(c).and_then(|mark| self.looks.get(mark)) {
                Some(look) if look.behind => {
                    let mut starts = self.text[..at]
                        .char_indices()
                        .map(|(start, _)| start)
                        .chain([at]);
                    if starts
                        .any(|start| self.run(&look.hir, start, budget, &mut |end, _| end == at))
                        == look.negated
                    {
                        return false;
                    }
                }
                Some(look) if self.run(&look.hir, at, budget, &mut |_, _| true) == look.negated => {
                    return false;
                }
                Some(_) => {}
                None if self.text[at..].starts_with(c) => at += c.len_utf8(),
                None => return false,
            }
        }
        then(at, budget)
    }

    fn all(&self, parts: &[Hir], at: usize, budget: &mut u32, then: &mut Then<'_>) -> bool {
        match parts.split_first() {
            None => then(at, budget),
            Some((first, rest)) => self.run(first, at, budget, &mut |next, budget| {
                self.all(rest, next, budget, then)
            }),
        }
    }

    fn repeat(
        &self,
        part: &Hir,
        (min, max): (u32, Option<u32>),
        at: usize,
        count: u32,
        budget: &mut u32,
        then: &mut Then<'_>,
    ) -> bool {
        if count < 400 && max.is_none_or(|max| count < max) {
            let more = self.run(part, at, budget, &mut |next, budget| {
                // An empty match would repeat for ever.
                (next > at || count < min)
                    && self.repeat(part, (min, max), next, count + 1, budget, then)
            });
            if more {
                return true;
            }
        }
        count >= min && then(at, budget)
    }

    fn look(&self, look: Look, at: usize) -> bool {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let before = || word(self.text[..at].chars().next_back());
        let after = || word(self.text[at..].chars().next());
        match look {
            Look::Start => at == 0,
            Look::End => at == self.text.len(),
            Look::StartLF | Look::StartCRLF => at == 0 || self.text[..at].ends_with('\n'),
            Look::EndLF | Look::EndCRLF => {
                at == self.text.len() || self.text[at..].starts_with('\n')
            }
            Look::WordAscii | Look::WordUnicode => before() != after(),
            Look::WordAsciiNegate | Look::WordUnicodeNegate => before() == after(),
            Look::WordStartAscii | Look::WordStartUnicode => !before() && after(),
            Look::WordEndAscii | Look::WordEndUnicode => before() && !after(),
            Look::WordStartHalfAscii | Look::WordStartHalfUnicode => !before(),
            Look::WordEndHalfAscii | Look::WordEndHalfUnicode => !after(),
        }
    }
}

fn contains(class: &Class, c: char) -> bool {
    match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .any(|range| range.start() <= c && c <= range.end()),
        Class::Bytes(class) => class.ranges().iter().any(|range| {
            u8::try_from(u32::from(c))
                .is_ok_and(|byte| range.start() <= byte && byte <= range.end())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_postgres_finds() {
        let finds = |pattern: &str, text: &str| Matcher::new(pattern).unwrap().finds(text);
        assert!(finds(
            "^[^@]+@[^@]+\\.[a-z]+$",
            "anna.smith7@mail.example.com"
        ));
        assert!(!finds("^[A-Z]+$", "ABc"));
        assert!(finds("b+", "aabbcc") && finds("^.*@.*$", "@") && finds("(?i)ABC", "xabcx"));
        assert!(finds("^(a|ab)(c|bcd)$", "abcd"));
        assert_eq!(Matcher::new("[^.]*$").unwrap().part("a.b.123"), Some("123"));
        assert!(!finds("^(a*)*$", &format!("{}b", "a".repeat(60))));
    }
}

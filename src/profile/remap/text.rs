//! Order-preserving maps of texts. Lengths, classes of characters and the lengths of shared prefixes stay; letters and digits are
//! replaced, differently after each prefix. Whether the order of a server's collation is kept is the server's to say: where it is
//! not, [`plain`] makes texts of a few characters that every collation orders alike.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::random::Stream;

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alphabet {
    /// Letters, digits, signs.
    Words,
    /// Hexadecimal digits in lower case, and signs that stay.
    Hexadecimal,
}

/// Characters that replace each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Stays as it is.
    Sign,
    Digit,
    Letter,
    HexadecimalDigit,
    /// Letters beyond ASCII, by the bytes that they take.
    Beyond(usize),
}

impl Class {
    fn of(character: char, alphabet: Alphabet) -> Self {
        match alphabet {
            Alphabet::Hexadecimal if matches!(character, '0'..='9' | 'a'..='f') => {
                Self::HexadecimalDigit
            }
            Alphabet::Hexadecimal => Self::Sign,
            Alphabet::Words if character.is_ascii_digit() => Self::Digit,
            Alphabet::Words if character.is_ascii_alphabetic() => Self::Letter,
            Alphabet::Words if character.is_alphabetic() => Self::Beyond(character.len_utf8()),
            Alphabet::Words => Self::Sign,
        }
    }

    /// In order, as ranges.
    fn ranges(self) -> &'static [(u32, u32)] {
        match self {
            Self::Sign => &[],
            Self::Digit => &[(0x30, 0x39)],
            Self::Letter => &[(0x61, 0x7a)],
            Self::HexadecimalDigit => &[(0x30, 0x39), (0x61, 0x66)],
            // Latin-1's small letters before the division sign, CJK ideographs, and those of the second plane.
            Self::Beyond(2) => &[(0xe0, 0xf6)],
            Self::Beyond(3) => &[(0x4e00, 0x9fff)],
            Self::Beyond(_) => &[(0x2_0000, 0x2_5000)],
        }
    }

    fn count(self) -> usize {
        let counts = self.ranges().iter().map(|(least, most)| most - least + 1);
        counts.sum::<u32>() as usize
    }

    /// The one of this number, counted from 0.
    fn character(self, mut at: usize) -> Option<char> {
        for (least, most) in self.ranges() {
            let count = (most - least + 1) as usize;
            if at < count {
                return char::from_u32(least + at as u32);
            }
            at -= count;
        }
        None
    }

    /// In order.
    fn characters(self) -> Vec<char> {
        (0..self.count())
            .filter_map(|at| self.character(at))
            .collect()
    }
}

/// A text with what is needed of it at each step.
struct Walked {
    characters: Vec<char>,
    is_anchor: bool,
    mapped: String,
}

impl Walked {
    /// What no other text shares: each character is replaced by another one of its class.
    fn finish(&mut self, depth: usize, alphabet: Alphabet, stream: &mut Stream) {
        for at in depth..self.characters.len() {
            let was = self.characters[at];
            let lower = folded(was);
            let count = match self.is_anchor {
                true => 0,
                false => Class::of(lower, alphabet).count(),
            };
            if count < 2 {
                self.mapped.push(was);
                continue;
            }
            let class = Class::of(lower, alphabet);
            let mut choice = stream.below(count);
            if class.character(choice) == Some(lower) {
                choice = (choice + 1 + stream.below(count - 1)) % count;
            }
            let new = class.character(choice).unwrap_or(lower);
            self.mapped
                .push(if was == lower { new } else { raised(new) });
        }
    }
}

/// Where the texts go; `None` where a prefix is followed by more different letters than there are to replace them.
pub(super) fn by_class(
    texts: &[String],
    anchors: &BTreeSet<String>,
    alphabet: Alphabet,
    stream: &mut Stream,
) -> Option<Vec<String>> {
    let walked = |text: &String, is_anchor| Walked {
        characters: text.chars().collect(),
        is_anchor,
        mapped: String::with_capacity(text.len()),
    };
    let mut all: Vec<Walked> = texts
        .iter()
        .map(|text| walked(text, anchors.contains(text)))
        .collect();
    // Prefixes of anchors are theirs, too, wherever they are in the texts.
    all.extend(anchors.iter().map(|anchor| walked(anchor, true)));
    // Prefixes that are left to do, each with the texts that have it.
    let mut open: Vec<(usize, Vec<usize>)> = vec![(0, (0..all.len()).collect())];
    while let Some((depth, members)) = open.pop() {
        if let [only] = members[..] {
            all[only].finish(depth, alphabet, stream);
            continue;
        }
        let mut followed: BTreeMap<char, Vec<usize>> = BTreeMap::new();
        for at in members {
            if let Some(character) = all[at].characters.get(depth) {
                followed.entry(folded(*character)).or_default().push(at);
            }
        }
        let replaced = replacements(&followed, &all, alphabet, stream)?;
        for (character, members) in followed {
            let new = replaced.get(&character).copied().unwrap_or(character);
            for at in &members {
                let walked = &mut all[*at];
                let was = walked.characters[depth];
                // What only upper case tells apart stays told apart.
                let cased = if was == character { new } else { raised(new) };
                let kept = was != character && new == character;
                walked.mapped.push(if kept { was } else { cased });
            }
            open.push((depth + 1, members));
        }
    }
    let texts = all.into_iter().take(texts.len());
    Some(texts.map(|walked| walked.mapped).collect())
}

/// In lower case, where that is one character.
fn folded(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

fn raised(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// What the characters that follow a prefix are replaced by, class by class, in their order.
fn replacements(
    followed: &BTreeMap<char, Vec<usize>>,
    all: &[Walked],
    alphabet: Alphabet,
    stream: &mut Stream,
) -> Option<BTreeMap<char, char>> {
    let mut classes: BTreeMap<Class, Vec<char>> = BTreeMap::new();
    for character in followed.keys() {
        let class = Class::of(*character, alphabet);
        classes.entry(class).or_default().push(*character);
    }
    let mut replaced = BTreeMap::new();
    for (class, characters) in classes {
        let choices = class.characters();
        if choices.is_empty() {
            continue;
        }
        let is_fixed = |character: &char| followed[character].iter().any(|at| all[*at].is_anchor);
        let mut start = 0;
        // The choices that lie between two characters that stay.
        let mut least = 0;
        for end in 0..=characters.len() {
            let fixed = characters.get(end).filter(|character| is_fixed(character));
            if end < characters.len() && fixed.is_none() {
                continue;
            }
            let most = match fixed {
                Some(fixed) => choices.iter().position(|choice| choice == fixed)?,
                None => choices.len(),
            };
            let moved = moved(&characters[start..end], &choices, least..most, stream)?;
            replaced.extend(characters[start..end].iter().copied().zip(moved));
            if let Some(fixed) = fixed {
                replaced.insert(*fixed, *fixed);
            }
            (start, least) = (end + 1, most + 1);
        }
    }
    Some(replaced)
}

/// As many of the choices, in order; as few as possible stay what they were.
fn moved(
    characters: &[char],
    choices: &[char],
    within: Range<usize>,
    stream: &mut Stream,
) -> Option<Vec<char>> {
    const ATTEMPTS: usize = 8;
    let choices = choices.get(within)?;
    if characters.len() > choices.len() {
        return None;
    }
    if characters.is_empty() {
        return Some(Vec::new());
    }
    let mut best: Option<(usize, Vec<char>)> = None;
    for _ in 0..ATTEMPTS {
        let chosen: Vec<char> = stream
            .choose(characters.len(), choices.len())
            .into_iter()
            .map(|at| choices[at])
            .collect();
        let same = characters.iter().zip(&chosen);
        let same = same.filter(|(was, is)| was == is).count();
        if best.as_ref().is_none_or(|(fewest, _)| same < *fewest) {
            best = Some((same, chosen));
        }
        if same == 0 {
            break;
        }
    }
    best.map(|(_, chosen)| chosen)
}

/// What every collation orders alike.
const PLAIN: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Texts of small letters and digits, in the order of `sorted`; between anchors they begin as the lower one. Lengths are kept
/// where the order has room for it.
pub(super) fn plain(
    sorted: &[String],
    anchors: &BTreeSet<String>,
    stream: &mut Stream,
) -> Vec<String> {
    let mut found = Vec::with_capacity(sorted.len());
    let mut before = "";
    for run in sorted.chunk_by(|one, next| !anchors.contains(one) && !anchors.contains(next)) {
        if let [one] = run
            && anchors.contains(one)
        {
            before = one.as_str();
            found.push(one.clone());
            continue;
        }
        let characters: Vec<Vec<char>> = run.iter().map(|text| text.chars().collect()).collect();
        let mut made = vec![String::from(before); run.len()];
        ranked(&characters, 0..run.len(), 0, &mut made, stream);
        found.append(&mut made);
    }
    found
}

/// Gives the texts of `range`, which share their first `depth` characters, what follows.
fn ranked(
    texts: &[Vec<char>],
    range: Range<usize>,
    depth: usize,
    made: &mut [String],
    stream: &mut Stream,
) {
    let mut open = vec![(range, depth)];
    while let Some((range, depth)) = open.pop() {
        let at_depth = |at: &usize| texts[*at].get(depth).copied();
        let all: Vec<usize> = range.collect();
        let groups: Vec<&[usize]> = all
            .chunk_by(|one, next| at_depth(one) == at_depth(next))
            .collect();
        // The first may end here; it is less than what goes on.
        let ends = groups
            .first()
            .is_some_and(|group| at_depth(&group[0]).is_none());
        let groups = &groups[usize::from(ends)..];
        let mut digits = 1;
        while PLAIN.len().pow(digits) < groups.len() {
            digits += 1;
        }
        let codes = stream.choose(groups.len(), PLAIN.len().pow(digits));
        for (group, code) in groups.iter().zip(codes) {
            for at in *group {
                for digit in (0..digits).rev() {
                    let place = code / PLAIN.len().pow(digit) % PLAIN.len();
                    made[*at].push(char::from(PLAIN[place]));
                }
            }
            if group.len() > 1 || texts[group[0]].len() > depth + 1 {
                open.push((group[0]..group[group.len() - 1] + 1, depth + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Key;
    use super::*;

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|text| (*text).to_owned()).collect()
    }

    fn stream() -> Stream {
        Key::of(b"a key of this test").stream("texts")
    }

    #[test]
    fn order_lengths_classes_and_prefixes_stay() {
        let before = texts(&[
            "",
            "12 High Street",
            "14 High Street",
            "Alice",
            "Alina",
            "bob@example.com",
            "bobby",
            "open",
            "opera",
            "Übung",
        ]);
        let anchors = ["open".to_owned()].into();
        let after = by_class(&before, &anchors, Alphabet::Words, &mut stream()).unwrap();
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.chars().count(), after.chars().count());
            assert!(before == "open" || before.is_empty() || before != after);
        }
        assert!(
            after[1..].windows(2).all(|pair| pair[0] < pair[1]),
            "{after:?}"
        );
        assert_eq!(after[7], "open");
        assert!(
            after[8].starts_with("ope") && after[3][..3] == after[4][..3],
            "{after:?}"
        );
        assert!(
            after[1].contains(' ') && after[5].contains('@'),
            "{after:?}"
        );
    }

    #[test]
    fn hexadecimal_texts_stay_hexadecimal() {
        let before = texts(&[
            "0f1e2d3c-0000-4000-8000-aabbccddeeff",
            "ffffffff-0000-4000-8000-000000000000",
        ]);
        let after = by_class(
            &before,
            &BTreeSet::new(),
            Alphabet::Hexadecimal,
            &mut stream(),
        )
        .unwrap();
        for text in &after {
            assert!(
                text.chars().all(|c| c == '-' || c.is_ascii_hexdigit()),
                "{text}"
            );
        }
        assert!(after[0] < after[1] && after[0][..8] != before[0][..8]);
    }

    #[test]
    fn plain_texts_have_the_order_that_they_are_given() {
        // As a collation orders them that does not look at signs first.
        let before = texts(&["a b", "A-B", "a_c", "Émile", "open", "zoë", "李", "王"]);
        let after = plain(&before, &["open".to_owned()].into(), &mut stream());
        assert!(
            after
                .windows(2)
                .all(|pair| pair[0] < pair[1] || pair[1] == "open"),
            "{after:?}"
        );
        assert_eq!(after[4], "open");
        let many: Vec<String> = (0..3_000_u32)
            .map(|n| char::from_u32(0x4e00 + n).unwrap().to_string())
            .collect();
        let after = plain(&many, &BTreeSet::new(), &mut stream());
        assert!(after.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

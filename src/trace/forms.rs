//! Texts brought to the forms that executions are counted by. Most texts are those of a form that is known: one pass over the
//! bytes finds it; only what is new goes through the lexer.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::event::Values;
use super::keys::{FormKey, KeyMap};
use super::tags::Tags;
use super::text_form::of_constant;
use crate::sql::normal::{Normal, normal};
use crate::sql::skeleton::Skeleton;
use crate::sql::token::{Token, TokenKind, significant, tokens};

/// So many different statements are kept apart; what comes after them is counted.
const MOST: usize = 20_000;
/// So many skeletons and texts are known; then they are found anew.
const MOST_KNOWN: usize = 40_000;

/// What is one for all executions of a form.
#[derive(Debug)]
pub(super) struct Form {
    /// With `$n` for every constant: its identity.
    pub(super) key: FormKey,
    normal: Normal,
    values: Values,
    /// Which constants were not always the same.
    changed: Vec<bool>,
    /// What the first execution had in the place of each `$n` of the key, where values are kept.
    pub(super) example: Option<Vec<Option<String>>>,
    pub(super) executions: u64,
    /// The most executions in one session, each near the one before.
    pub(super) longest_loop: u64,
    /// Of all executions whose time is known, in microseconds, and of the longest.
    pub(super) took: u64,
    pub(super) longest: u64,
    pub(super) timed: u64,
    /// Rows that all executions returned.
    pub(super) rows: u64,
    pub(super) kind: Kind,
    /// The name that its text says.
    pub(super) name: Option<String>,
    /// Where in the application it was executed first.
    pub(super) site: Option<String>,
}

/// What a form is to loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It asks for many at once: an IN list, an array, rows of VALUES.
    Batch,
    /// Of a driver, a pool, a transaction: in every loop, and no part of it.
    Transparent,
    /// It begins a transaction.
    Begin,
    /// It ends one.
    End,
}

/// One statement of a text that was executed.
#[derive(Debug)]
pub(super) struct Met<'a> {
    pub(super) form: usize,
    /// The text's constants.
    pub(super) constants: Vec<&'a str>,
}

/// Every form so far.
#[derive(Debug, Default)]
pub(super) struct Forms {
    pub(super) all: Vec<Form>,
    by_key: HashMap<Arc<str>, usize>,
    skeletons: KeyMap<u128, Shape>,
    texts: HashMap<Arc<str>, Arc<[Piece]>>,
    scratch: Skeleton,
    /// Statements of which there were too many kinds.
    pub(super) lost: u64,
}

/// Texts of one skeleton.
#[derive(Debug)]
struct Shape {
    /// Which literals are constants; the others belong to the structure.
    mask: Vec<bool>,
    /// By the text of those others.
    forms: Vec<(String, usize)>,
}

/// A statement of a text without a skeleton.
#[derive(Debug)]
struct Piece {
    form: usize,
    /// Where its constants are in the text.
    constants: Vec<Range<usize>>,
}

impl Forms {
    /// The statements of a text, each with its constants; and what its comments say.
    pub(super) fn of<'t>(&mut self, text: &'t str, values: Values, met: &mut Vec<Met<'t>>) -> Tags {
        met.clear();
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut tags = Tags::default();
        if scratch.read(text) {
            for comment in &scratch.comments {
                tags.read(&text[comment.clone()]);
            }
            self.of_skeleton(text, values, &scratch, met);
        } else {
            for token in tokens(text).iter().filter(|token| token.is_comment()) {
                let comment = text[token.span.clone()].trim_start_matches(['-', '/', '*']);
                tags.read(comment.trim_end_matches(['*', '/']));
            }
            self.of_text(text, values, met);
        }
        self.scratch = scratch;
        for one in met.iter() {
            let form = &mut self.all[one.form];
            if values == Values::InText {
                form.values = values;
            }
            if form.name.is_none() {
                form.name.clone_from(&tags.name);
            }
            if form.site.is_none() {
                form.site.clone_from(&tags.site);
            }
            for (index, constant) in one.constants.iter().enumerate() {
                if form.normal.constants.get(index).map(String::as_str) != Some(*constant)
                    && let Some(changed) = form.changed.get_mut(index)
                {
                    *changed = true;
                }
            }
        }
        tags
    }

    fn of_skeleton<'t>(
        &mut self,
        text: &'t str,
        values: Values,
        skeleton: &Skeleton,
        met: &mut Vec<Met<'t>>,
    ) {
        let literals = skeleton.literals.iter();
        if let Some(shape) = self.skeletons.get(&skeleton.hash)
            && shape.mask.len() == skeleton.literals.len()
        {
            let form = match &shape.forms[..] {
                [(structure, form)] if structure.is_empty() => Some(*form),
                forms => {
                    let structure = structure(text, skeleton, &shape.mask);
                    forms
                        .iter()
                        .find(|(known, _)| *known == structure)
                        .map(|(_, form)| *form)
                }
            };
            if let Some(form) = form {
                let constants = literals
                    .zip(&shape.mask)
                    .filter(|(_, is_constant)| **is_constant)
                    .map(|(place, _)| &text[place.clone()])
                    .collect();
                met.push(Met { form, constants });
                return;
            }
        }
        let normal = normal(text);
        let mask: Vec<bool> = literals
            .map(|place| normal.places.contains(place))
            .collect();
        let constants: Vec<&str> = normal
            .places
            .iter()
            .map(|place| &text[place.clone()])
            .collect();
        let Some(form) = self.form(normal, values) else {
            return;
        };
        let structure = structure(text, skeleton, &mask);
        if self.skeletons.len() >= MOST_KNOWN {
            self.skeletons.clear();
        }
        let shape = self
            .skeletons
            .entry(skeleton.hash)
            .or_insert_with(|| Shape {
                mask: mask.clone(),
                forms: Vec::new(),
            });
        /// `ORDER BY 1` and its like are few.
        const STRUCTURES: usize = 100;
        if shape.mask == mask && shape.forms.len() < STRUCTURES {
            shape.forms.push((structure, form));
        }
        met.push(Met { form, constants });
    }

    fn of_text<'t>(&mut self, text: &'t str, values: Values, met: &mut Vec<Met<'t>>) {
        let known = match self.texts.get(text) {
            Some(known) => Arc::clone(known),
            None => {
                let mut pieces = Vec::new();
                for (start, statement) in statements(text) {
                    let normal = normal(statement);
                    let constants = normal
                        .places
                        .iter()
                        .map(|place| place.start + start..place.end + start)
                        .collect();
                    if let Some(form) = self.form(normal, values) {
                        pieces.push(Piece { form, constants });
                    }
                }
                if self.texts.len() >= MOST_KNOWN {
                    self.texts.clear();
                }
                let pieces: Arc<[Piece]> = pieces.into();
                self.texts.insert(text.into(), Arc::clone(&pieces));
                pieces
            }
        };
        met.extend(known.iter().map(|piece| {
            Met {
                form: piece.form,
                constants: piece
                    .constants
                    .iter()
                    .map(|place| &text[place.clone()])
                    .collect(),
            }
        }));
    }

    fn form(&mut self, normal: Normal, values: Values) -> Option<usize> {
        let key = normal.text(|_| false);
        if let Some(known) = self.by_key.get(key.as_str()) {
            return Some(*known);
        }
        if self.all.len() >= MOST {
            self.lost += 1;
            return None;
        }
        let key: Arc<str> = key.into();
        let place = self.all.len();
        self.by_key.insert(Arc::clone(&key), place);
        self.all.push(Form {
            kind: kind(&key),
            changed: vec![false; normal.constants.len()],
            example: None,
            key: FormKey::new(place, key),
            normal,
            values,
            executions: 0,
            longest_loop: 0,
            took: 0,
            longest: 0,
            timed: 0,
            rows: 0,
            name: None,
            site: None,
        });
        Some(place)
    }
}

impl Form {
    /// The statement, with `$n` for what changed.
    pub(super) fn text(&self) -> String {
        self.normal.text(|index| self.keeps(index))
    }

    /// What the first execution had in the place of each `$n` of [`Self::text`].
    pub(super) fn values(&self) -> Vec<Option<String>> {
        let Some(example) = &self.example else {
            return Vec::new();
        };
        let (bound, constants) = example.split_at(self.normal.parameters.min(example.len()));
        let constants = constants.iter().enumerate();
        let changed = constants.filter(|(index, _)| !self.keeps(*index));
        let changed = changed.map(|(_, value)| value);
        bound.iter().chain(changed).cloned().collect()
    }

    /// Keeps the values of an execution, unless those of one before are kept.
    pub(super) fn keep(&mut self, bound: &[Option<String>], constants: &[&str]) {
        if self.example.is_none() {
            let mut values = bound.to_vec();
            values.resize(self.normal.parameters, None);
            values.extend(constants.iter().map(|constant| of_constant(constant)));
            self.example = Some(values);
        }
    }

    /// The statement with `$1` for one of its values, as it was executed first; `None` where values that were bound beside it are
    /// not known any more.
    pub(super) fn with_key(&self, parameter: usize) -> Option<String> {
        match (self.normal.parameters, parameter) {
            (1, 1) => Some(self.normal.text(|_| true)),
            (0, place) => Some(self.normal.text(|index| index + 1 != place)),
            _ => None,
        }
    }

    /// The same of a statement whose other values were the same every time; `None` where they changed: one statement for all keys
    /// would have to bring them, too.
    pub(super) fn with_key_alone(&self, parameter: usize) -> Option<String> {
        let others_stay = |text: &usize| *text + 1 == parameter || !self.changed[*text];
        let literals = self.normal.parameters == 0;
        let alone = !literals || (0..self.changed.len()).all(|index| others_stay(&index));
        alone.then(|| self.with_key(parameter)).flatten()
    }

    /// A constant stays where it always was the same, unless it was seen once and the driver may have written it; the size of a
    /// page is nearly always the author's.
    fn keeps(&self, index: usize) -> bool {
        let changed = self.changed.get(index).copied().unwrap_or(true);
        let is_sure = self.values != Values::InText || self.executions > 1;
        !changed && (is_sure || self.normal.is_limit(index))
    }
}

/// The literals that belong to the structure, one after the other.
fn structure(text: &str, skeleton: &Skeleton, mask: &[bool]) -> String {
    let mut structure = String::new();
    for (place, _) in skeleton
        .literals
        .iter()
        .zip(mask)
        .filter(|(_, is_constant)| !**is_constant)
    {
        structure.push_str(&text[place.clone()]);
        structure.push('\n');
    }
    structure
}

/// The statements of a simple query, each with where it begins.
pub(super) fn statements(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    let mut end = 0;
    for token in tokens(text) {
        if token.kind == TokenKind::Semi {
            found.extend(start.take().map(|start| (start, &text[start..end])));
        } else if !token.is_trivia() {
            start.get_or_insert(token.span.start);
            end = token.span.end;
        }
    }
    found.extend(start.map(|start| (start, &text[start..end])));
    found
}

/// What a form is to loops.
fn kind(form: &str) -> Kind {
    const TRANSPARENT: [&str; 18] = [
        "savepoint",
        "release",
        "set",
        "show",
        "reset",
        "discard",
        "deallocate",
        "prepare",
        "listen",
        "unlisten",
        "notify",
        "declare",
        "fetch",
        "move",
        "close",
        "explain",
        "load",
        "copy",
    ];
    let all: Vec<Token> = significant(form);
    let words: Vec<String> = all
        .iter()
        .map(|token| form[token.span.clone()].to_ascii_lowercase())
        .collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "begin" | "start" => return Kind::Begin,
        "rollback" if words.iter().any(|word| word == "to") => return Kind::Transparent,
        "commit" | "end" | "rollback" | "abort" => return Kind::End,
        first if TRANSPARENT.contains(&first) => return Kind::Transparent,
        "select" if words.len() == 2 => return Kind::Transparent,
        _ => {}
    }
    if asks_for_many(&words) || words.windows(2).any(|pair| pair == ["skip", "locked"]) {
        return Kind::Batch;
    }
    let writes = ["insert", "update", "delete", "merge"];
    let at = words
        .iter()
        .position(|word| writes.contains(&word.as_str()));
    match at {
        // `FOR UPDATE` locks, `ON CONFLICT DO UPDATE` stands behind its INSERT.
        Some(0) => Kind::Write,
        Some(at) if word(0) == "with" && word(at - 1) != "for" => Kind::Write,
        _ => Kind::Read,
    }
}

/// `IN ($1, $2)`, `VALUES (…), (…)`, `= ANY (…)`, `unnest(…)`.
fn asks_for_many(words: &[String]) -> bool {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    for (at, each) in words.iter().enumerate() {
        match each.as_str() {
            "in" if word(at + 1) == "(" && word(at + 2).starts_with('$') && word(at + 3) == "," => {
                return true;
            }
            "any" | "unnest" if word(at + 1) == "(" => return true,
            "values" if word(at + 1) == "(" => {
                let mut depth = 0_usize;
                for (place, inner) in words.iter().enumerate().skip(at + 1) {
                    match inner.as_str() {
                        "(" => depth += 1,
                        ")" => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    if depth == 0 {
                        if word(place + 1) == "," && word(place + 2) == "(" {
                            return true;
                        }
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_form_is_to_loops() {
        for (form, expected) in [
            ("SELECT a FROM b WHERE c = $1", Kind::Read),
            ("SELECT a FROM b WHERE c IN ($1)", Kind::Read),
            ("SELECT a FROM b WHERE c IN ($1, $2)", Kind::Batch),
            ("SELECT a FROM b WHERE c = ANY ($1)", Kind::Batch),
            ("SELECT a FROM b WHERE c = $1 FOR UPDATE", Kind::Read),
            (
                "SELECT a FROM b WHERE c = $1 FOR UPDATE SKIP LOCKED",
                Kind::Batch,
            ),
            ("INSERT INTO b (c) VALUES ($1)", Kind::Write),
            ("INSERT INTO b (c) VALUES ($1), ($2)", Kind::Batch),
            (
                "WITH x AS (DELETE FROM b RETURNING c) SELECT c FROM x",
                Kind::Write,
            ),
            ("BEGIN", Kind::Begin),
            ("ROLLBACK TO SAVEPOINT a", Kind::Transparent),
            ("ROLLBACK", Kind::End),
            ("SELECT $1", Kind::Transparent),
            ("SET a = $1", Kind::Transparent),
        ] {
            assert_eq!(kind(form), expected, "{form}");
        }
    }

    #[test]
    fn texts_with_and_without_a_skeleton_meet_one_form() {
        let mut forms = Forms::default();
        let mut met = Vec::new();
        for text in [
            "SELECT a FROM b WHERE c = 7",
            "SELECT a FROM b WHERE c = 9",
            "SELECT a FROM b WHERE c = 1e3; COMMIT",
        ] {
            forms.of(text, Values::InText, &mut met);
            assert_eq!(met[0].form, 0, "{text}");
        }
        assert_eq!(met.len(), 2);
        assert_eq!(met[0].constants, ["1e3"]);
        for (text, form) in [
            ("SELECT a FROM b ORDER BY 1", 2),
            ("SELECT a FROM b ORDER BY 2", 3),
            ("SELECT a FROM b ORDER BY 1", 2),
        ] {
            forms.of(text, Values::InText, &mut met);
            assert_eq!(met[0].form, form, "{text}");
        }
    }
}

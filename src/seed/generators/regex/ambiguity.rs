//! Whether a pattern's numbers give different texts: `(a|ab)(c|bc)` makes one text in two ways. What cannot be shown to
//! be without such texts is narrowed to texts of one shape.

use std::collections::BTreeSet;

use super::{Node, cardinality};

/// Different numbers give different texts, for sure.
pub(super) fn is_certain(node: &Node) -> bool {
    match node {
        Node::Literal(_) | Node::Class(_) | Node::Run { .. } => true,
        Node::Alternation(parts) => parts.iter().all(is_certain) && are_told_by_first(parts),
        Node::Repeat { node, min, max } => {
            is_certain(node)
                && !can_be_empty(node)
                && (is_self_delimiting(node) || (*min == 0 && *max == 1) || *max <= 1)
        }
        Node::Concat(parts) => parts.iter().all(is_certain) && are_split_in_one_way(parts),
    }
}

/// The pattern with one length, and so one shape: of alternatives the one with most texts, of repetitions the most.
pub(super) fn of_one_shape(node: &Node) -> Node {
    match node {
        Node::Literal(_) | Node::Class(_) | Node::Run { .. } => node.clone(),
        Node::Concat(parts) => Node::Concat(parts.iter().map(of_one_shape).collect()),
        Node::Alternation(parts) => {
            let shapes = parts.iter().map(of_one_shape);
            shapes
                .max_by_key(cardinality)
                .unwrap_or_else(|| node.clone())
        }
        Node::Repeat { node, max, .. } => match of_one_shape(node) {
            Node::Class(chars) if chars.iter().all(char::is_ascii) => Node::Run {
                bytes: chars.iter().map(|c| *c as u8).collect(),
                count: *max,
            },
            shape => Node::Repeat {
                node: Box::new(shape),
                min: *max,
                max: *max,
            },
        },
    }
}

/// Where each part ends follows from the text: it has one length, or tells its end itself, or is followed by what it
/// cannot hold, or by parts of one length each.
fn are_split_in_one_way(parts: &[Node]) -> bool {
    parts.iter().enumerate().all(|(at, part)| {
        let rest = &parts[at + 1..];
        let follows = || {
            rest.iter().scan(true, |open, part| {
                let firsts = open.then(|| first(part));
                *open &= can_be_empty(part);
                firsts
            })
        };
        rest.is_empty()
            || is_self_delimiting(part)
            || rest.iter().all(|part| length(part).is_some())
            || follows()
                .flatten()
                .collect::<BTreeSet<char>>()
                .is_disjoint(&held(part))
    })
}

/// The first character tells which of the alternatives a text is of.
fn are_told_by_first(parts: &[Node]) -> bool {
    let mut seen = BTreeSet::new();
    let distinct = parts
        .iter()
        .all(|part| first(part).into_iter().all(|c| seen.insert(c)));
    distinct && parts.iter().filter(|part| can_be_empty(part)).count() <= 1
}

/// A text's end is known when it is reached, whatever comes after it.
fn is_self_delimiting(node: &Node) -> bool {
    length(node).is_some()
        || match node {
            Node::Literal(_) | Node::Class(_) | Node::Run { .. } => true,
            Node::Concat(parts) => parts.iter().all(is_self_delimiting),
            Node::Alternation(parts) => {
                parts
                    .iter()
                    .all(|part| is_self_delimiting(part) && !can_be_empty(part))
                    && are_told_by_first(parts)
            }
            Node::Repeat { node, min, max } => min == max && is_self_delimiting(node),
        }
}

fn can_be_empty(node: &Node) -> bool {
    match node {
        Node::Literal(bytes) => bytes.is_empty(),
        Node::Class(_) => false,
        Node::Run { count, .. } => *count == 0,
        Node::Concat(parts) => parts.iter().all(can_be_empty),
        Node::Alternation(parts) => parts.iter().any(can_be_empty),
        Node::Repeat { node, min, .. } => *min == 0 || can_be_empty(node),
    }
}

/// The characters of every text, where all have as many.
fn length(node: &Node) -> Option<u32> {
    match node {
        Node::Literal(bytes) => Some(String::from_utf8_lossy(bytes).chars().count() as u32),
        Node::Class(_) => Some(1),
        Node::Run { count, .. } => Some(*count),
        Node::Concat(parts) => parts.iter().map(length).sum(),
        Node::Alternation(parts) => {
            let lengths: BTreeSet<Option<u32>> = parts.iter().map(length).collect();
            if lengths.len() == 1 {
                lengths.into_iter().next().flatten()
            } else {
                None
            }
        }
        Node::Repeat { node, min, max } => (min == max)
            .then(|| length(node))
            .flatten()
            .map(|each| each.saturating_mul(*max)),
    }
}

/// The characters that a text can begin with.
fn first(node: &Node) -> BTreeSet<char> {
    match node {
        Node::Literal(bytes) => String::from_utf8_lossy(bytes).chars().take(1).collect(),
        Node::Class(_) | Node::Run { .. } => held(node),
        Node::Concat(parts) => {
            let mut found = BTreeSet::new();
            for part in parts {
                found.extend(first(part));
                if !can_be_empty(part) {
                    break;
                }
            }
            found
        }
        Node::Alternation(parts) => parts.iter().flat_map(first).collect(),
        Node::Repeat { node, .. } => first(node),
    }
}

/// The characters that a text can hold.
fn held(node: &Node) -> BTreeSet<char> {
    match node {
        Node::Literal(bytes) => String::from_utf8_lossy(bytes).chars().collect(),
        Node::Class(chars) => chars.iter().copied().collect(),
        Node::Run { bytes, .. } => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Node::Concat(parts) | Node::Alternation(parts) => parts.iter().flat_map(held).collect(),
        Node::Repeat { node, .. } => held(node),
    }
}

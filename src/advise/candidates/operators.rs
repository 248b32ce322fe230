//! Which access method and operator class serve an operator, by the type that it is applied to: what PostgreSQL and its
//! contrib modules have. A class that the server lacks is refused when the index is built.

use super::super::{Method, TRIGRAMS, TRIGRAMS_IN_ORDER};

/// A way to serve an operator that a default B-tree does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) method: Method,
    /// `None`: the type's default.
    pub(super) name: Option<&'static str>,
}

const fn default_of(method: Method) -> Class {
    Class { method, name: None }
}

const fn named(method: Method, name: &'static str) -> Class {
    Class {
        method,
        name: Some(name),
    }
}

const GIN: Class = default_of(Method::Gin);
const GIST: Class = default_of(Method::Gist);
const BTREE: Class = default_of(Method::Btree);
/// Smaller and faster than the default where it serves.
const JSON_PATHS: Class = named(Method::Gin, "jsonb_path_ops");
/// No default: `inet` has none for GiST.
const NETWORKS: Class = named(Method::Gist, "inet_ops");
const SIMILAR: Class = named(Method::Gin, TRIGRAMS);

/// The classes that serve `column operator value`; none where nothing or only a default B-tree does.
pub(super) fn serving(operator: &str, type_name: &str) -> &'static [Class] {
    match (kind_of(type_name), operator) {
        (Kind::Json, "@>" | "@?" | "@@") => &[JSON_PATHS, GIN],
        (Kind::Json, "?" | "?|" | "?&") => &[GIN],
        (Kind::Array, "@>" | "<@" | "&&") => &[GIN],
        (Kind::Words, "@@") => &[GIN],
        (Kind::Hstore, "@>" | "?" | "?|" | "?&") => &[GIN],
        (Kind::Range, "@>" | "<@" | "&&" | "<<" | ">>" | "&<" | "&>" | "-|-") => &[GIST],
        (Kind::Network, "<<" | "<<=") => &[BTREE, NETWORKS],
        (Kind::Network, ">>" | ">>=" | "&&") => &[NETWORKS],
        (Kind::Shape, "<@" | "@>" | "&&" | "~=" | "<<" | ">>" | "<<|" | "|>>") => &[GIST],
        (Kind::Tree, "@>" | "<@" | "~" | "@" | "?") => &[GIST],
        (Kind::Text, "%" | "<%" | "%>" | "<<%" | "%>>") => &[SIMILAR],
        (
            Kind::Json
            | Kind::Array
            | Kind::Words
            | Kind::Hstore
            | Kind::Range
            | Kind::Network
            | Kind::Shape
            | Kind::Tree
            | Kind::Text
            | Kind::Other,
            _,
        ) => &[],
    }
}

/// The class whose index hands rows out by their distance (`ORDER BY column <-> value`); `None` where there is none.
pub(super) fn nearest(type_name: &str) -> Option<Class> {
    match kind_of(type_name) {
        Kind::Shape => Some(GIST),
        Kind::Text => Some(named(Method::Gist, TRIGRAMS_IN_ORDER)),
        Kind::Json
        | Kind::Array
        | Kind::Words
        | Kind::Hstore
        | Kind::Range
        | Kind::Network
        | Kind::Tree
        | Kind::Other => None,
    }
}

/// Types that share their operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Array,
    /// tsvector.
    Words,
    Hstore,
    Range,
    Network,
    /// Points and figures.
    Shape,
    /// ltree.
    Tree,
    Text,
    Other,
}

fn kind_of(type_name: &str) -> Kind {
    // `public.ltree` and `ltree` are one.
    let name = type_name.rsplit('.').next().unwrap_or(type_name);
    match name {
        "jsonb" => Kind::Json,
        "tsvector" => Kind::Words,
        "hstore" => Kind::Hstore,
        "inet" | "cidr" => Kind::Network,
        "point" | "box" | "polygon" | "circle" | "geometry" | "geography" | "cube" => Kind::Shape,
        "ltree" => Kind::Tree,
        "text" => Kind::Text,
        _ if name.ends_with("[]") => Kind::Array,
        _ if name.starts_with("character varying") => Kind::Text,
        _ if name.starts_with("geometry(") || name.starts_with("geography(") => Kind::Shape,
        _ if name.ends_with("range") => Kind::Range,
        _ => Kind::Other,
    }
}

/// The type of an expression's result, as far as its text tells.
pub(super) fn type_of_expression(text: &str) -> Option<&'static str> {
    const CALLS: [(&str, &str); 9] = [
        ("to_tsvector(", "tsvector"),
        ("tsrange(", "tsrange"),
        ("tstzrange(", "tstzrange"),
        ("daterange(", "daterange"),
        ("int4range(", "int4range"),
        ("int8range(", "int8range"),
        ("numrange(", "numrange"),
        ("point(", "point"),
        ("lower(", "text"),
    ];
    let call = CALLS.iter().find(|(call, _)| text.starts_with(call));
    if let Some((_, type_name)) = call {
        return Some(type_name);
    }
    if text.contains("to_tsvector(") {
        return Some("tsvector");
    }
    if text.contains(" ->> ") || text.contains(" #>> ") {
        return Some("text");
    }
    (text.contains(" -> ") || text.contains(" #> ")).then_some("jsonb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_what_serves_an_operator() {
        let methods = |operator: &str, type_name: &str| -> Vec<(Method, Option<&str>)> {
            serving(operator, type_name)
                .iter()
                .map(|class| (class.method, class.name))
                .collect()
        };
        assert_eq!(
            methods("@>", "jsonb"),
            [(Method::Gin, Some("jsonb_path_ops")), (Method::Gin, None)]
        );
        assert_eq!(methods("?", "jsonb"), [(Method::Gin, None)]);
        assert_eq!(methods("@>", "text[]"), [(Method::Gin, None)]);
        assert_eq!(methods("@>", "tstzrange"), [(Method::Gist, None)]);
        assert_eq!(methods("<@", "public.ltree"), [(Method::Gist, None)]);
        assert_eq!(
            methods("%", "character varying(80)"),
            [(Method::Gin, Some(TRIGRAMS))]
        );
        // json has no operator classes, and a remainder is no similarity.
        assert_eq!(methods("@>", "json"), []);
        assert_eq!(methods("%", "integer"), []);
        assert_eq!(methods("<", "text"), []);
    }

    #[test]
    fn distances_need_a_type_that_has_them() {
        assert_eq!(
            nearest("point").map(|class| class.method),
            Some(Method::Gist)
        );
        assert_eq!(
            nearest("text").and_then(|class| class.name),
            Some(TRIGRAMS_IN_ORDER)
        );
        assert_eq!(nearest("integer"), None);
    }

    #[test]
    fn expressions_tell_their_type() {
        assert_eq!(type_of_expression("payload -> 'tags'::text"), Some("jsonb"));
        assert_eq!(type_of_expression("payload ->> 'tags'::text"), Some("text"));
        assert_eq!(
            type_of_expression("to_tsvector('simple'::regconfig, body)"),
            Some("tsvector")
        );
        assert_eq!(type_of_expression("a + b"), None);
    }
}

//! How grave a missing index is, at the limits.

use super::*;
use crate::advise::given_effect::{effect, effect_on_checks, in_audit};
use crate::schema::QualifiedName;

fn of(effect: &Effect) -> Severity {
    let index = IndexSpec {
        table: QualifiedName::new("public", "letters"),
        table_oid: 1,
        method: Method::Btree,
        keys: Vec::new(),
        include: Vec::new(),
        predicate: None,
        beside: Vec::new(),
    };
    let trial = Trial::bare(index);
    in_audit(|audited| severity(&trial, effect, false, *audited))
}

#[test]
fn a_fifth_of_the_pages_is_an_error() {
    assert_eq!(of(&effect((5_000, 1_000), (9.0, 1.0))), Severity::Error);
    assert_eq!(of(&effect((5_000, 1_001), (9.0, 1.0))), Severity::Warning);
    assert_eq!(of(&effect_on_checks((50.0, 10.0))), Severity::Error);
    assert_eq!(of(&effect_on_checks((50.0, 10.1))), Severity::Warning);
}

#[test]
fn a_call_that_ends_at_once_on_few_pages_is_a_warning() {
    assert_eq!(of(&effect((1_999, 10), (0.9, 0.1))), Severity::Warning);
    assert_eq!(of(&effect((2_000, 10), (0.9, 0.1))), Severity::Error);
    assert_eq!(of(&effect((1_999, 10), (1.0, 0.1))), Severity::Error);
}

//! Properties of a node that EXPLAIN states in one word. A word of a newer server is kept.

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`.")] $variant,)+
            /// Of a newer server.
            Unknown(String),
        }

        impl $name {
            /// From EXPLAIN's word.
            #[must_use]
            pub fn of(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }

            /// EXPLAIN's word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(word) => word,
                }
            }
        }
    };
}

words! {
    /// How an aggregate or a set operation tells groups apart.
    Strategy { Plain = "Plain", Sorted = "Sorted", Hashed = "Hashed", Mixed = "Mixed" }
}

words! {
    /// Which part of an aggregate a node computes.
    PartialMode { Simple = "Simple", Partial = "Partial", Finalize = "Finalize" }
}

words! {
    /// What a node does to the rows of a table.
    Operation { Insert = "Insert", Update = "Update", Delete = "Delete", Merge = "Merge" }
}

words! {
    /// The order in which an index is read.
    ScanDirection { Forward = "Forward", Backward = "Backward", NoMovement = "NoMovement" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_newer_server_is_kept() {
        assert_eq!(Operation::of("Merge"), Operation::Merge);
        assert_eq!(Operation::of("Merge").as_str(), "Merge");
        assert_eq!(Strategy::of("Sharded").as_str(), "Sharded");
    }
}

//! `Finding` is the narrow waist: rules, N+1 detection, the advisor and plan regressions produce findings,
//! every report reads them, nothing else crosses. Pure data: no database, no printing.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::plan::NodeId;
use crate::run_id::RunId;
use crate::units::{Bytes, Millis, Pages};

/// How much a finding matters. Ordered: `Info < Warning < Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, never gates.
    Info,
    /// Likely to hurt, or smaller.
    Warning,
    /// Will hurt at production scale: past its threshold, and measured.
    Error,
}

impl Severity {
    /// The word used in files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! rule_ids {
    ($($file:ident $name:ident $id:literal;)+) => {
        /// A rule's identity, stable for ever. What each means stands in its file under `rules/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId {
            $(#[doc = concat!("`", $id, "`.")] $name,)+
        }

        impl RuleId {
            /// Every id, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The kebab-case id.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }
        }
    };
}
crate::rule_list::for_each_rule!(rule_ids);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RuleId {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|id| id.as_str() == text)
            .ok_or_else(|| UnknownRule(text.to_owned()))
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An id that no rule has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule {0:?}")]
pub struct UnknownRule(pub String);

/// A place in the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Relative to the project where possible.
    pub file: PathBuf,
    /// 1-based.
    pub line: u32,
}

/// What a number counts; decides how it is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Quantity {
    /// Rows; fractional where an average.
    Rows(f64),
    /// 8 kB pages.
    Pages(Pages),
    Bytes(Bytes),
    /// Milliseconds.
    Millis(Millis),
    /// A share or factor; 1.0 is the whole.
    Ratio(f64),
    /// Anything else that is counted: loops, calls, batches.
    Count(u64),
    /// A name or an expression.
    Text(String),
}

/// One number or name that a finding rests on. The key says its unit where it is not obvious (`time_ms`, `rows_read`, `pages`).
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// snake_case, stable: it is a key of the JSON report.
    pub key: Cow<'static, str>,
    /// The value.
    pub quantity: Quantity,
}

/// What a finding rests on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// The run in which it was seen.
    pub run: Option<RunId>,
    /// The guilty node of that run's plan.
    pub node: Option<NodeId>,
    /// The node in words: `Seq Scan on orders o`.
    pub node_label: Option<String>,
    /// The relation at fault, qualified unless it is in `public`; a partition is named by its root.
    pub relation: Option<String>,
    /// The condition at fault as EXPLAIN prints it.
    pub condition: Option<String>,
    /// The numbers, most telling first.
    pub measures: Vec<Measure>,
}

impl Evidence {
    /// Adds a number.
    #[must_use]
    pub fn with(mut self, key: &'static str, quantity: Quantity) -> Self {
        self.measures.push(Measure {
            key: Cow::Borrowed(key),
            quantity,
        });
        self
    }

    /// The quantity of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Quantity> {
        self.measures
            .iter()
            .find(|measure| measure.key == key)
            .map(|measure| &measure.quantity)
    }
}

/// One side of a proof: what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Median execution time.
    pub time_ms: Millis,
    /// Shared blocks touched (hit + read) at the root.
    pub blocks: Pages,
    /// Temporary blocks read and written.
    pub temp_blocks: Pages,
    /// Rows returned.
    pub rows: f64,
}

/// What building the fix showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// As it is; `None` where the statement did not finish.
    pub before: Option<Measurement>,
    /// Set where it did not finish: the time after which it was cancelled.
    #[serde(default)]
    pub cancelled_ms: Option<Millis>,
    /// With the fix.
    pub after: Measurement,
    /// Size of what the fix adds on disk.
    pub index_bytes: Option<Bytes>,
    /// How long the fix took to build.
    pub build_ms: Option<Millis>,
}

/// What to run, and what it was measured to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// A statement, complete and quoted: for a migration, or where it is SET LOCAL to run before the query.
    pub sql: String,
    /// `None` where it could not be measured.
    pub proof: Option<Proof>,
}

/// Why a finding does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// `@allow`, `baseline` or `pgproof.toml`.
    pub by: String,
    /// The reason that was written down.
    pub reason: String,
}

/// Identity of a finding across runs: survives moved lines, renamed files and re-seeding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl Fingerprint {
    /// From the parts that make a finding the same one: rule, query name, relation, normalized condition. Never numbers.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        Self(
            hasher
                .finalize()
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

/// One thing to know about one query (or one table, or one migration statement).
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which rule says it.
    pub rule: RuleId,
    /// How much it matters.
    pub severity: Severity,
    /// Catalog query, where it is about one.
    pub query: Option<String>,
    /// Where to look.
    pub location: Option<Location>,
    /// *What*: one sentence with the numbers.
    pub message: String,
    /// *Why* it will hurt at production scale.
    pub why: String,
    /// *What to do next*.
    pub advice: String,
    /// What it rests on.
    pub evidence: Evidence,
    /// The statement that mends it, measured.
    pub fix: Option<Fix>,
    /// Identity across runs.
    pub fingerprint: Fingerprint,
    /// Set where somebody decided that it does not count.
    pub suppressed: Option<Suppression>,
    /// Consequences of the same cause, reported under it and not as findings of their own.
    pub symptoms: Vec<Finding>,
}

impl Finding {
    /// Whether it counts for the exit code.
    #[must_use]
    pub fn gates(&self, fail_on: &FailOn) -> bool {
        let is_named = fail_on.rules.contains(&self.rule);
        let is_severe = fail_on.from.is_some_and(|from| self.severity >= from);
        self.suppressed.is_none() && self.severity != Severity::Info && (is_named || is_severe)
    }
}

/// Which findings fail a command. Information never does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailOn {
    /// From this severity on; `None`: none by its severity.
    pub from: Option<Severity>,
    /// Warnings of these rules as well.
    pub rules: Vec<RuleId>,
}

impl FailOn {
    /// Whether nothing fails.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.from.is_none() && self.rules.is_empty()
    }
}

impl From<Option<Severity>> for FailOn {
    fn from(from: Option<Severity>) -> Self {
        Self {
            from,
            rules: Vec::new(),
        }
    }
}

/// As pgproof.toml has it: `"error"`, `["error", "not-audited"]`.
impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.from.map_or("never", Severity::as_str);
        if self.rules.is_empty() {
            return write!(f, "{from:?}");
        }
        write!(f, "[{from:?}")?;
        for rule in &self.rules {
            write!(f, ", {:?}", rule.as_str())?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        for id in RuleId::ALL.iter().copied() {
            assert_eq!(id.as_str().parse::<RuleId>(), Ok(id));
        }
        assert!("sequential".parse::<RuleId>().is_err());
    }

    #[test]
    fn fingerprints_keep_parts_apart() {
        assert_ne!(Fingerprint::of(["ab", "c"]), Fingerprint::of(["a", "bc"]));
        assert_eq!(Fingerprint::of(["ab", "c"]).0.len(), 16);
    }
}

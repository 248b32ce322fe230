//! Which of a query's runs: the parameter set that it ran with, and whether its plan was made for those values.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Identity of a run within its query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The parameter set.
    pub set: SetId,
    /// Whether its plan was made for those values.
    pub plan: PlanChoice,
}

/// Identity of a parameter set within its query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetId {
    /// `typical`, `hot customer_id`, `given`.
    pub name: String,
    /// What it stands for.
    pub role: SetRole,
}

/// What a parameter set stands for, whatever it is called.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SetRole {
    /// The values of an ordinary call: the set that others are compared with.
    Base,
    /// One value is in no row.
    Absent,
    /// Some values differ from the base set's.
    #[default]
    Varied,
}

/// Which kind of plan PostgreSQL makes for a prepared statement.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum PlanChoice {
    /// For the values that it runs with.
    #[default]
    Custom,
    /// For any values: what an application with prepared statements may get after five executions.
    Generic,
}

const GENERIC: &str = "generic plan, ";

/// How the name of a set begins whose range is as wide as most of the data.
pub const WIDE: &str = "wide ";
/// How the names of sets begin that leave out one filter.
pub const WITHOUT: &str = "NULL ";
/// The same, where an empty text leaves it out.
pub const EMPTY: &str = "empty ";
/// The set of an ordinary call that gives none of the filters that may be left out.
pub const NO_FILTERS: &str = "no filters";
/// The same with the most common values of the others.
pub const HOT_WITHOUT_FILTERS: &str = "hot without filters";
/// The most common values of all that have some.
pub const HOT_TOGETHER: &str = "hot together";
/// The same with ranges of most of the data.
pub const WIDE_TOGETHER: &str = "wide ranges together";
/// The same without the filters that may be left out.
pub const WIDE_WITHOUT_FILTERS: &str = "wide ranges without filters";

impl SetId {
    /// The set that others are compared with.
    #[must_use]
    pub fn base(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: SetRole::Base,
        }
    }

    /// A set some of whose values differ from the base set's.
    #[must_use]
    pub fn varied(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role: SetRole::Varied,
        }
    }

    /// Whether it asks for a range as wide as the data's, which nobody said that the application does.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.role == SetRole::Varied && self.name.starts_with(WIDE)
    }

    /// The run with a plan for the set's values.
    #[must_use]
    pub const fn custom(self) -> RunId {
        RunId {
            set: self,
            plan: PlanChoice::Custom,
        }
    }
}

impl RunId {
    /// From the label that a file shows, and the role and kind of plan that it states beside it.
    #[must_use]
    pub fn of_label(label: &str, role: SetRole, plan: PlanChoice) -> Self {
        let name = match plan {
            PlanChoice::Custom => label,
            PlanChoice::Generic => label.strip_prefix(GENERIC).unwrap_or(label),
        };
        let set = SetId {
            name: name.to_owned(),
            role,
        };
        Self { set, plan }
    }

    /// From a label of which nothing else is known.
    #[must_use]
    pub fn shown_as(label: &str) -> Self {
        let plan = match label.starts_with(GENERIC) {
            true => PlanChoice::Generic,
            false => PlanChoice::Custom,
        };
        Self::of_label(label, SetRole::Varied, plan)
    }

    /// Whether its set asks for a range as wide as the data's, which nobody said that the application does.
    #[must_use]
    pub fn is_of_a_wide_range(&self) -> bool {
        self.set.is_wide()
    }

    /// Whether its set leaves out a filter that may be left out.
    #[must_use]
    pub fn leaves_filters_out(&self) -> bool {
        let leaves_one_out =
            |start: &&str| self.set.role == SetRole::Varied && self.set.name.starts_with(*start);
        [WITHOUT, EMPTY].iter().any(leaves_one_out)
            || [NO_FILTERS, HOT_WITHOUT_FILTERS, WIDE_WITHOUT_FILTERS]
                .contains(&self.set.name.as_str())
    }

    /// Whether it ran the generic plan.
    #[must_use]
    pub const fn is_generic(&self) -> bool {
        matches!(self.plan, PlanChoice::Generic)
    }

    /// Whether it ran the base set with a plan of its own.
    #[must_use]
    pub const fn is_base(&self) -> bool {
        matches!(
            (self.set.role, self.plan),
            (SetRole::Base, PlanChoice::Custom)
        )
    }

    /// Whether a value of it is in no row.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self.set.role, SetRole::Absent)
    }
}

/// `hot customer_id`, `generic plan, hot customer_id`.
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plan {
            PlanChoice::Custom => f.write_str(&self.set.name),
            PlanChoice::Generic => write!(f, "{GENERIC}{}", self.set.name),
        }
    }
}

/// As its label: files state role and kind of plan beside it.
impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its label alone: what a saved comparison says of it.
impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::shown_as(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_its_role_and_plan_is_the_identity() {
        for role in [SetRole::Base, SetRole::Absent, SetRole::Varied] {
            for plan in [PlanChoice::Custom, PlanChoice::Generic] {
                // A name may look like another run's label.
                for name in ["typical", "generic plan, x", "absent email"] {
                    let set = SetId {
                        name: name.to_owned(),
                        role,
                    };
                    let id = RunId { set, plan };
                    assert_eq!(RunId::of_label(&id.to_string(), role, plan), id);
                }
            }
        }
    }
}

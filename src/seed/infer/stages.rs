//! Times that follow each other by their names: ordered, shipped, delivered. What a name tells, and nothing of a plan.

use super::names::{is_time_word, words};
use crate::seed::types::binary::DAY;

const MINUTE: i64 = DAY / 1440;
const HOUR: i64 = DAY / 24;

/// A stage of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Which chain, as an index of [`CHAINS`].
    chain: usize,
    /// Which place in it.
    pub place: usize,
    /// What it is a stage of: `order` in `order_shipped_at`.
    subject: String,
}

/// Stages in their order.
struct Chain {
    /// Each with its names: words joined by `_`.
    stages: &'static [&'static [&'static str]],
    /// From one stage to the next on average, in microseconds; `None` where years lie between them.
    delay: Option<i64>,
    /// Share of the rows that have not come to a later stage, where it may be NULL.
    open: f64,
}

const CHAINS: &[Chain] = &[
    Chain {
        stages: &[
            &["born", "birth", "date_of_birth", "birthday"],
            &["died", "death", "date_of_death", "deceased"],
        ],
        delay: None,
        open: 0.85,
    },
    Chain {
        stages: &[
            &["hired", "hire", "employed", "employment_start", "joined"],
            &["terminated", "termination", "fired", "left", "resigned"],
        ],
        delay: Some(400 * DAY),
        open: 0.8,
    },
    Chain {
        stages: &[
            &[
                "check_in",
                "checkin",
                "checked_in",
                "checkedin",
                "arrival_date",
            ],
            &[
                "check_out",
                "checkout",
                "checked_out",
                "checkedout",
                "departure_date",
            ],
        ],
        delay: Some(4 * DAY),
        open: 0.05,
    },
    Chain {
        stages: &[
            &["departure", "departs", "departed", "depart", "takeoff"],
            &["arrival", "arrives", "arrived", "arrive", "landing"],
        ],
        delay: Some(5 * HOUR),
        open: 0.05,
    },
    Chain {
        stages: &[
            &["pickup", "pick_up", "picked_up", "collected"],
            &["dropoff", "drop_off", "dropped_off", "drop"],
        ],
        delay: Some(25 * MINUTE),
        open: 0.05,
    },
    Chain {
        stages: &[
            &["login", "logged_in", "signed_in"],
            &["logout", "logged_out", "signed_out"],
        ],
        delay: Some(HOUR),
        open: 0.1,
    },
    Chain {
        stages: &[
            &["issued", "issue", "invoice", "billed"],
            &["due"],
            &["overdue"],
        ],
        delay: Some(21 * DAY),
        open: 0.05,
    },
    Chain {
        stages: &[
            &["issued", "issue", "invoice", "billed", "invoiced"],
            &["paid", "settled"],
            &["refunded"],
        ],
        delay: Some(18 * DAY),
        open: 0.15,
    },
    Chain {
        stages: &[
            &["ordered", "order", "placed"],
            &["confirmed"],
            &["packed"],
            &["shipped", "ship", "dispatched"],
            &["delivered", "delivery"],
            &["returned"],
        ],
        delay: Some(2 * DAY),
        open: 0.1,
    },
    Chain {
        stages: &[&["ordered", "order", "placed"], &["required"]],
        delay: Some(14 * DAY),
        open: 0.05,
    },
    Chain {
        stages: &[
            &["requested", "scheduled", "queued", "enqueued", "planned"],
            &["started"],
            &["completed", "finished", "done", "stopped"],
        ],
        delay: Some(6 * HOUR),
        open: 0.1,
    },
    Chain {
        stages: &[
            &["requested", "asked"],
            &["responded", "answered", "replied"],
        ],
        delay: Some(5 * HOUR),
        open: 0.1,
    },
    Chain {
        stages: &[
            &["reported", "detected", "opened", "open", "raised"],
            &["acknowledged", "triaged", "assigned"],
            &["resolved", "fixed", "solved"],
            &["closed", "close"],
        ],
        delay: Some(3 * DAY),
        open: 0.25,
    },
    Chain {
        stages: &[
            &["submitted", "applied"],
            &["reviewed"],
            &["approved", "accepted", "granted", "decided"],
            &["published"],
        ],
        delay: Some(4 * DAY),
        open: 0.15,
    },
    Chain {
        stages: &[&["invited"], &["accepted", "joined"]],
        delay: Some(2 * DAY),
        open: 0.2,
    },
    Chain {
        stages: &[
            &["sent"],
            &["delivered", "received"],
            &["opened", "read", "seen"],
            &["clicked", "replied"],
        ],
        delay: Some(3 * HOUR),
        open: 0.2,
    },
    Chain {
        stages: &[&["authorized", "authorised"], &["captured"], &["refunded"]],
        delay: Some(DAY),
        open: 0.1,
    },
    Chain {
        stages: &[
            &["borrowed", "loaned", "loan", "rental", "rented"],
            &["due"],
        ],
        delay: Some(21 * DAY),
        open: 0.0,
    },
    Chain {
        stages: &[
            &["borrowed", "loaned", "loan", "rental", "rented"],
            &["returned", "return"],
        ],
        delay: Some(12 * DAY),
        open: 0.15,
    },
    Chain {
        stages: &[&["enrolled", "enrollment"], &["graduated", "graduation"]],
        delay: Some(300 * DAY),
        open: 0.4,
    },
    Chain {
        stages: &[
            &["purchased", "acquired", "bought", "manufactured"],
            &["sold", "disposed", "retired"],
        ],
        delay: Some(200 * DAY),
        open: 0.6,
    },
    Chain {
        stages: &[&["admitted", "admission"], &["discharged", "discharge"]],
        delay: Some(5 * DAY),
        open: 0.1,
    },
];

impl Stage {
    /// Every stage that a column's name can be.
    #[must_use]
    pub fn all_of(name: &str) -> Vec<Self> {
        let words = words(name);
        // A day says which one only in `arrival_date`, a guest's, and the like.
        let timeless: Vec<String> = words
            .iter()
            .filter(|word| !is_time_word(word))
            .cloned()
            .collect();
        let whole = Self::among(&|stage| (stage == words.join("_")).then(String::new));
        if whole.is_empty() || timeless.len() == words.len() {
            Self::among(&|stage| without(&timeless, stage))
        } else {
            whole
        }
    }

    /// The stages of one of whose names something is left.
    fn among(subject: &dyn Fn(&str) -> Option<String>) -> Vec<Self> {
        let mut found = Vec::new();
        for (chain, Chain { stages, .. }) in CHAINS.iter().enumerate() {
            for (place, names) in stages.iter().enumerate() {
                let subject = names.iter().find_map(|name| subject(name));
                found.extend(subject.map(|subject| Self {
                    chain,
                    place,
                    subject,
                }));
            }
        }
        found
    }

    /// Whether this stage comes after another one of the same chain and thing; how many stages lie between.
    #[must_use]
    pub fn follows(&self, other: &Self) -> Option<usize> {
        let same = self.chain == other.chain && self.subject == other.subject;
        self.place
            .checked_sub(other.place)
            .filter(|steps| same && *steps > 0)
    }

    /// From the stage before on average, in microseconds; `None` where years lie between.
    #[must_use]
    pub const fn delay(&self) -> Option<i64> {
        CHAINS[self.chain].delay
    }

    /// Share of rows that have not come so far.
    #[must_use]
    pub const fn open(&self) -> f64 {
        CHAINS[self.chain].open
    }
}

/// What is left of a name without a stage's words; `None` where they are not there.
fn without(words: &[String], stage: &str) -> Option<String> {
    let wanted: Vec<&str> = stage.split('_').collect();
    let at = words
        .windows(wanted.len())
        .position(|window| window.iter().zip(&wanted).all(|(a, b)| a == b))?;
    let rest = words[..at].iter().chain(&words[at + wanted.len()..]);
    Some(rest.map(String::as_str).collect::<Vec<_>>().join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(later: &str, earlier: &str) -> Option<usize> {
        let earlier = Stage::all_of(earlier);
        Stage::all_of(later)
            .iter()
            .find_map(|later| earlier.iter().find_map(|earlier| later.follows(earlier)))
    }

    #[test]
    fn names_tell_what_follows_what() {
        for (earlier, later) in [
            ("check_in", "check_out"),
            ("checkin_date", "checkout_date"),
            ("departure_time", "arrival_time"),
            ("scheduled_departure", "scheduled_arrival"),
            ("pickup_at", "dropoff_at"),
            ("opened_at", "closed_at"),
            ("issue_date", "due_date"),
            ("invoice_date", "paid_on"),
            ("ordered_at", "delivered_at"),
            ("order_date", "shippedDate"),
            ("scheduled_at", "completed_at"),
            ("requested_at", "responded_at"),
            ("hire_date", "termination_date"),
            ("born", "died"),
            ("date_of_birth", "date_of_death"),
            ("birth_date", "death_date"),
            ("rental_date", "return_date"),
            ("arrival_date", "departure_date"),
        ] {
            assert!(
                steps(later, earlier).is_some(),
                "{earlier} comes before {later}"
            );
            assert_eq!(steps(earlier, later), None, "{earlier} {later}");
        }
        assert_eq!(
            steps("actual_arrival", "scheduled_departure"),
            None,
            "of unlike things"
        );
        assert_eq!(
            steps("updated_at", "created_at"),
            None,
            "is known otherwise"
        );
    }
}

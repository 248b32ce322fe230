//! Documents that hold what queries ask of their members. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::seed::clock::Clock;
use crate::seed::plan::{JsonContent, JsonMember};
use crate::sql::constants::{Side, ValueHint};
use crate::sql::documents::{Member, Step};

/// Documents with one of a member's values, out of a thousand.
const ASKED_FOR: u32 = 100;
/// What the values that are known come to at most.
const MOST: u32 = 850;
/// Documents with a member of which nothing is known but its name.
const NAMED: u32 = 500;
/// Every document.
const ALL: u32 = 1000;

/// What is said of one place in a document.
#[derive(Debug, Default)]
struct Place {
    /// As JSON writes them.
    values: BTreeSet<String>,
    bounds: Vec<(Side, String)>,
    read_as: Option<String>,
    /// No document is without it.
    needed: bool,
    members: BTreeMap<String, Place>,
    items: Option<Box<Place>>,
}

/// The members that documents have because somebody asks for them; those of the paths in `needed` are in each.
pub(super) fn members(said: &[Member], needed: &[Vec<Step>], clock: Clock) -> Box<[JsonMember]> {
    let mut whole = Place::default();
    for path in needed {
        whole.need(path);
    }
    for member in said {
        // A list of lists is nothing that documents are made as.
        if member.path.first().is_some_and(|step| *step != Step::Item) {
            whole.enter(&member.path, member);
        }
    }
    whole.as_members(clock)
}

impl Place {
    fn enter(&mut self, path: &[Step], member: &Member) {
        match path.split_first() {
            Some((Step::Key(key), rest)) => {
                self.members
                    .entry(key.clone())
                    .or_default()
                    .enter(rest, member);
            }
            Some((Step::Item, rest)) => {
                self.items.get_or_insert_default().enter(rest, member);
            }
            None => {
                self.read_as = self.read_as.take().or_else(|| member.read_as.clone());
                match member.said.as_deref() {
                    Some(ValueHint::Has(value) | ValueHint::Excludes(value)) => {
                        self.values.insert(value.clone());
                    }
                    Some(ValueHint::Lies(side, text)) => self.bounds.push((*side, text.clone())),
                    Some(
                        ValueHint::Like(_)
                        | ValueHint::LiesOfNow(_)
                        | ValueHint::IsNull
                        | ValueHint::IsPresent
                        | ValueHint::Element(_)
                        | ValueHint::Contains(_)
                        | ValueHint::Member(_),
                    )
                    | None => {}
                }
            }
        }
    }

    fn need(&mut self, path: &[Step]) {
        self.needed = true;
        if let Some((Step::Key(key), rest)) = path.split_first() {
            self.members.entry(key.clone()).or_default().need(rest);
        }
    }

    fn as_members(&self, clock: Clock) -> Box<[JsonMember]> {
        let members = self.members.iter().map(|(key, place)| JsonMember {
            key: key.clone(),
            in_thousand: if place.is_named_alone() { NAMED } else { ALL },
            content: place.content(clock),
        });
        members.collect()
    }

    fn is_named_alone(&self) -> bool {
        !self.needed
            && self.values.is_empty()
            && self.bounds.is_empty()
            && self.items.is_none()
            && self.members.values().all(Self::is_named_alone)
    }

    fn content(&self, clock: Clock) -> JsonContent {
        if !self.members.is_empty() {
            return JsonContent::Object(self.as_members(clock));
        }
        let rest = match &self.items {
            Some(items) => JsonContent::Items(Box::new(items.content(clock))),
            None => self.scalar(clock),
        };
        if self.values.is_empty() {
            return rest;
        }
        let values: Box<[String]> = self.values.iter().cloned().collect();
        let share = (values.len() as u32).saturating_mul(ASKED_FOR).min(MOST);
        JsonContent::Known {
            values,
            in_thousand: share,
            rest: Box::new(rest),
        }
    }

    /// What a cast of its text can read, on both sides of what it is compared with.
    fn scalar(&self, clock: Clock) -> JsonContent {
        let name = self.read_as.as_deref().unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|known| name.starts_with(known));
        let numbers = || {
            let of_bounds = self.bounds.iter().map(|(_, text)| text.as_str());
            let all = of_bounds.chain(self.values.iter().map(String::as_str));
            all.filter_map(|text| text.trim_matches('"').parse::<f64>().ok())
        };
        let compared = self
            .bounds
            .iter()
            .any(|(_, text)| text.parse::<f64>().is_ok());
        if is(&[
            "int", "bigint", "smallint", "numeric", "decimal", "float", "real", "double",
        ]) || compared
        {
            let most = numbers().fold(0.0, f64::max);
            let least = numbers().fold(0.0, f64::min);
            return JsonContent::Number {
                low: (least * 2.0) as i64,
                high: ((most * 2.0) as i64).saturating_add(10),
            };
        }
        if is(&["bool"]) {
            return JsonContent::Bool;
        }
        if is(&["uuid"]) {
            return JsonContent::Uuid;
        }
        if is(&["timestamp", "date"]) {
            return JsonContent::Day {
                low: clock.begin(),
                high: clock.today(),
            };
        }
        JsonContent::ByKey
    }
}

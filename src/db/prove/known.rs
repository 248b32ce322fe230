//! What is known of an index from before: how large it was, and what it did to each run, by the index and the measurement
//! of the query without it. Only what is missing is measured.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::advise::{Candidate, Effect, IndexSpec, WriteCost};
use crate::db::audit::digest;
use crate::interrupt::Interrupt;
use crate::results::{Key, Results};
use crate::run::QueryRuns;
use crate::units::{Bytes, Millis};

use super::{Place, Why};

/// The results of proofs of one audit.
pub(super) struct Proofs<'a> {
    results: &'a Results,
    interrupt: &'a Interrupt,
    /// Of each query's runs without any index.
    digests: BTreeMap<usize, String>,
}

/// An index that was built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Built {
    /// The index's and, on a partitioned table, those of its partitions.
    pub(super) names: BTreeSet<String>,
    pub(super) bytes: Bytes,
    pub(super) build: Millis,
}

/// How building went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Building {
    Done(Built),
    /// Not immutable, no such operator class, too wide, or too slow here.
    Refused,
}

/// What is known of a candidate.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) building: Option<Building>,
    /// `None` where the run does not use the index, or does not finish with it.
    pub(super) effects: BTreeMap<Place, Option<Effect>>,
    /// By the query that writes.
    pub(super) writes: BTreeMap<usize, Option<WriteCost>>,
}

impl Pieces {
    /// Whether some run uses the index: else its price is nobody's concern.
    pub(super) fn serves(&self) -> bool {
        self.effects.values().any(Option::is_some)
    }

    /// Whether nothing is to be measured of these places and of these queries that write.
    pub(super) fn are_complete(&self, places: &[Place], writers: &[usize]) -> bool {
        let built = matches!(self.building, Some(Building::Done(_)));
        let effects = places.iter().all(|place| self.effects.contains_key(place));
        let writes = writers.iter().all(|query| self.writes.contains_key(query));
        built && effects && (writes || !self.serves())
    }
}

impl<'a> Proofs<'a> {
    pub(super) fn of(results: &'a Results, runs: &[QueryRuns], interrupt: &'a Interrupt) -> Self {
        let digests = if results.are_kept() {
            runs.iter().map(|runs| (runs.query, digest(runs))).collect()
        } else {
            BTreeMap::new()
        };
        Self {
            results,
            interrupt,
            digests,
        }
    }

    /// The key of what was measured with one query; `parts` say what was there.
    fn with_query(&self, kind: &str, query: usize, parts: &[&str]) -> Key {
        let digest = self.digests.get(&query).map_or("", String::as_str);
        let all: Vec<&str> = [digest].into_iter().chain(parts.iter().copied()).collect();
        self.results.key(kind, &all)
    }

    pub(super) fn pieces(
        &self,
        candidate: &Candidate,
        places: &[Place],
        writers: &[usize],
    ) -> Pieces {
        let find = |key: Key| self.results.find::<Building>(&key);
        let mut pieces = Pieces {
            building: find(self.building_key(&candidate.index)).map(|found| found.value),
            ..Pieces::default()
        };
        for place in places {
            let found = self
                .results
                .find::<Option<Effect>>(&self.effect_key(&candidate.index, place));
            // The catalog's order may have changed.
            let effect = found.map(|found| found.value.map(|effect| at(effect, place)));
            pieces.effects.extend(effect.map(|effect| (*place, effect)));
        }
        for query in writers {
            let found = self
                .results
                .find::<Option<WriteCost>>(&self.write_key(&candidate.index, *query));
            let here = |cost: WriteCost| WriteCost {
                query: *query,
                ..cost
            };
            pieces
                .writes
                .extend(found.map(|found| (*query, found.value.map(here))));
        }
        pieces
    }

    pub(super) fn keep_building(&self, index: &IndexSpec, building: &Building) {
        self.keep(&self.building_key(index), building);
    }

    pub(super) fn keep_effect(&self, index: &IndexSpec, place: &Place, effect: Option<&Effect>) {
        self.keep(&self.effect_key(index, place), &effect);
    }

    pub(super) fn keep_write(&self, index: &IndexSpec, query: usize, cost: Option<&WriteCost>) {
        self.keep(&self.write_key(index, query), &cost);
    }

    fn building_key(&self, index: &IndexSpec) -> Key {
        self.results.key("index", &[&text(index)])
    }

    fn effect_key(&self, index: &IndexSpec, place: &Place) -> Key {
        let parts = [&text(index)[..], &place.run.to_string(), place.why.as_str()];
        self.with_query("index effect", place.query, &parts)
    }

    fn write_key(&self, index: &IndexSpec, query: usize) -> Key {
        self.with_query("index price", query, &[&text(index)])
    }

    /// The members of a group that a query uses together.
    pub(super) fn group(&self, query: usize, members: &[IndexSpec]) -> Option<Vec<IndexSpec>> {
        let key = self.with_query("group", query, &[&text(members)]);
        self.results.find(&key).map(|found| found.value)
    }

    pub(super) fn keep_group(&self, query: usize, members: &[IndexSpec], useful: &[IndexSpec]) {
        self.keep(&self.with_query("group", query, &[&text(members)]), &useful);
    }

    /// What a set of indexes did to a run.
    pub(super) fn with_set(&self, place: &Place, state: &State<'_>) -> Option<Option<WithSet>> {
        let key = self.set_key(place, state);
        let found = self.results.find::<Option<WithSet>>(&key)?;
        let here = |known: WithSet| WithSet {
            effect: at(known.effect, place),
            ..known
        };
        Some(found.value.map(here))
    }

    pub(super) fn keep_with_set(&self, place: &Place, state: &State<'_>, known: Option<&WithSet>) {
        self.keep(&self.set_key(place, state), &known);
    }

    fn set_key(&self, place: &Place, state: &State<'_>) -> Key {
        let members = text(&state.members);
        let dropped = text(&state.dropped);
        let run = place.run.to_string();
        let parts = [&members[..], &dropped, &run, place.why.as_str()];
        self.with_query("set", place.query, &parts)
    }

    /// How large a member of the set is, and how long it took to build.
    pub(super) fn member(&self, index: &IndexSpec) -> Option<Built> {
        let key = self.results.key("member", &[&text(index)]);
        self.results.find(&key).map(|found| found.value)
    }

    pub(super) fn keep_member(&self, index: &IndexSpec, built: &Built) {
        self.keep(&self.results.key("member", &[&text(index)]), built);
    }

    /// What an interrupt made of a statement is no result.
    fn keep<T: Serialize>(&self, key: &Key, value: &T) {
        if !self.interrupt.is_set() {
            self.results.keep(key, value);
        }
    }
}

/// The indexes that are there, and those that are not, while a run is measured with a set.
pub(super) struct State<'a> {
    pub(super) members: Vec<&'a IndexSpec>,
    pub(super) dropped: Vec<&'a str>,
}

/// What a set did to a run, its members named by what they are: their order changes from audit to audit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WithSet {
    pub(super) effect: Effect,
    pub(super) used: Vec<IndexSpec>,
    pub(super) searched: Vec<IndexSpec>,
}

fn at(effect: Effect, place: &Place) -> Effect {
    Effect {
        query: place.query,
        run: place.run,
        ..effect
    }
}

/// As part of a key. What has no text, which no index is, would only share its key with its like.
fn text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Check => "check",
        }
    }
}

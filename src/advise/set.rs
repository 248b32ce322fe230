//! The chosen indexes as a set: what each contributes when all are there, and which one makes a query worse. Pure;
//! `db::prove` builds and measures it.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Metrics, Node, Plan, RelationRef};
use crate::schema::{Index, QualifiedName, Schema};
use crate::units::{Bytes, Millis};

use super::candidates::existing;
use super::{Audited, Effect, IndexSpec, Method, Part, Trial, candidates, select};

/// A query is worse if it touches more than this many times the pages…
const WORSE: f64 = 1.05;
/// …and so many more, without being clearly faster: far from the same time, where noise decides,
const WORSE_PAGES: f64 = 20.0;
const FASTER: f64 = 0.8;
/// or if it touches no fewer and its fastest run takes longer by more than noise.
const SLOWER: f64 = 1.5;
const SLOWER_BY: Millis = Millis(2.0);

/// What the whole catalog took with a set of indexes.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of the members, in their order.
    pub names: Vec<String>,
    /// Their sizes.
    pub bytes: Vec<Bytes>,
    /// How long each took to build.
    pub build: Vec<Millis>,
    /// Of the runs whose plans use a member.
    pub effects: Vec<SetEffect>,
}

/// What a set did to one run, and which of its members the plan uses.
#[derive(Debug, Clone, PartialEq)]
pub struct SetEffect {
    /// Before, and with the set.
    pub effect: Effect,
    /// Indexes of members that the plan reads.
    pub used: Vec<usize>,
    /// Of those the ones that it searches: for the others it would need no index.
    pub searched: Vec<usize>,
}

/// An index without those beside it.
#[must_use]
pub fn alone(index: &IndexSpec) -> IndexSpec {
    IndexSpec {
        beside: Vec::new(),
        ..index.clone()
    }
}

/// Every index of the chosen ones, each once, in a fixed order.
#[must_use]
pub fn members(chosen: &[Trial]) -> Vec<IndexSpec> {
    let mut members: Vec<IndexSpec> = chosen
        .iter()
        .flat_map(|trial| trial.index.all())
        .map(alone)
        .collect();
    members.sort();
    members.dedup();
    let all = members.clone();
    members.retain(|member| !all.iter().any(|other| does_all_of(other, member)));
    members
}

/// Whether an index finds all that another one does: it has its key as its own beginning, and holds every row. The other
/// one may be smaller; it is still one more to write.
fn does_all_of(index: &IndexSpec, other: &IndexSpec) -> bool {
    let stores = |name: &String| {
        let key =
            |key: &super::KeySpec| matches!(&key.part, Part::Column(column) if column == name);
        index.include.contains(name) || index.keys.iter().any(key)
    };
    index != other
        && index.table_oid == other.table_oid
        && (index.method, other.method) == (Method::Btree, Method::Btree)
        && index.predicate.is_none()
        && index.keys.starts_with(&other.keys)
        && other.include.iter().all(stores)
}

/// An index that is there and finds nothing that a member does not find.
#[derive(Debug, Clone, PartialEq)]
pub struct Superseded {
    /// Its table.
    pub table: QualifiedName,
    /// The index.
    pub index: Index,
    /// Its own name and those of its partitions.
    pub names: BTreeSet<String>,
    /// The member that does its work.
    pub by: IndexSpec,
}

/// The existing indexes whose work a member does: those that enforce nothing, and whose key is the beginning of the member's.
#[must_use]
pub fn superseded(members: &[IndexSpec], schema: &Schema) -> Vec<Superseded> {
    let mut found: Vec<Superseded> = Vec::new();
    for member in members {
        let Some(table) = schema.table_by_oid(member.table_oid) else {
            continue;
        };
        for index in &table.indexes {
            let known = found.iter().any(|known| known.index.oid == index.oid);
            if known || !does_work_of(member, index) {
                continue;
            }
            let all = schema.tables.iter().flat_map(|table| &table.indexes);
            let parts = all.filter(|part| part.parent == Some(index.oid));
            let names = parts.chain([index]).map(|index| index.name.clone());
            found.push(Superseded {
                table: table.name.clone(),
                index: index.clone(),
                names: names.collect(),
                by: member.clone(),
            });
        }
    }
    found
}

fn does_work_of(member: &IndexSpec, index: &Index) -> bool {
    let enforces = index.unique || index.primary || index.constraint.is_some();
    let is_plain = index.valid && index.method == "btree" && index.predicate.is_none();
    let own = IndexSpec {
        keys: index.keys.iter().map(super::KeySpec::of_existing).collect(),
        include: index.include.clone(),
        ..alone(member)
    };
    is_plain && !enforces && index.parent.is_none() && does_all_of(member, &own)
}

/// Whether any run that only reads takes more with what was measured.
#[must_use]
pub fn is_any_worse(measured: &Measured, audited: &Audited<'_>) -> bool {
    let mut effects = measured.effects.iter();
    effects.any(|found| is_worse(&found.effect, audited))
}

/// A member to take out, and the query that gets worse by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Harm {
    /// Index of the member.
    pub member: usize,
    /// Index of the query in the catalog.
    pub query: usize,
}

/// A member without its last column, to be tried in its place: an index of all the columns that a look-up by key compares besides
/// looks as good as the key to the planner, and one of fewer does not. None where there is none, or it is there already.
#[must_use]
pub fn narrower(member: &IndexSpec, schema: &Schema) -> Option<IndexSpec> {
    let (_, keys) = member.keys.split_last()?;
    let narrower = IndexSpec {
        keys: keys.to_vec(),
        include: Vec::new(),
        ..alone(member)
    };
    let is_possible = member.method == Method::Btree && !keys.is_empty();
    (is_possible && !existing::serves(schema, &narrower)).then_some(narrower)
}

/// Puts one index in the place of another one.
pub fn replace(chosen: &mut [Trial], old: &IndexSpec, new: &IndexSpec) {
    for trial in chosen {
        if alone(&trial.index) == *old {
            let beside = std::mem::take(&mut trial.index.beside);
            trial.index = IndexSpec {
                beside,
                ..new.clone()
            };
        }
        let others = trial.index.beside.iter_mut();
        others
            .filter(|other| *other == old)
            .for_each(|other| *other = new.clone());
    }
}

/// Every member that some worse run uses.
#[must_use]
pub fn suspects(measured: &Measured, audited: &Audited<'_>) -> Vec<Harm> {
    let worse = |found: &&SetEffect| is_worse(&found.effect, audited);
    let suspects = measured.effects.iter().filter(worse).flat_map(|found| {
        let query = found.effect.query;
        found.used.iter().map(move |member| Harm {
            member: *member,
            query,
        })
    });
    suspects.collect()
}

/// The member to take out: of the suspects the one that saves least elsewhere.
#[must_use]
pub fn most_harmful(measured: &Measured, audited: &Audited<'_>) -> Option<Harm> {
    let suspects = suspects(measured, audited).into_iter();
    let saved = |member: usize| -> f64 {
        let using = measured
            .effects
            .iter()
            .filter(|found| found.used.contains(&member));
        using
            .map(|found| select::saving(&found.effect) * select::calls(found.effect.query, audited))
            .sum()
    };
    suspects.min_by(|a, b| {
        let (one, other) = (saved(a.member), saved(b.member));
        one.total_cmp(&other).then(b.member.cmp(&a.member))
    })
}

/// Whether a run reads more with the set, or, where it only reads, takes longer. What a write pays for its indexes is in their price.
fn is_worse(effect: &Effect, audited: &Audited<'_>) -> bool {
    reads_more(effect, audited) || is_slower(effect, audited)
}

fn reads_more(effect: &Effect, audited: &Audited<'_>) -> bool {
    // Of a statement that writes: the pages by which it finds its rows.
    let pages = match only_reads(effect, audited) {
        true => effect.pages(),
        false => effect
            .reading
            .map(|(before, after)| (before.0 as f64, after.0 as f64)),
    };
    pages.is_some_and(|(pages, after)| {
        let is_faster = effect
            .fastest
            .is_some_and(|(without, with)| with.0 < without.0 * FASTER);
        after > pages * WORSE && after > pages + WORSE_PAGES && !is_faster
    })
}

/// Whether a run takes longer with the set. Fewer pages in more time: a plan that reads little and computes much.
#[must_use]
pub fn is_slower(effect: &Effect, audited: &Audited<'_>) -> bool {
    let times = effect.fastest.filter(|_| only_reads(effect, audited));
    times.is_some_and(|(without, with)| {
        with.0 > without.0 * SLOWER && with.0 > without.0 + SLOWER_BY.0
    })
}

fn only_reads(effect: &Effect, audited: &Audited<'_>) -> bool {
    let query = audited.queries.get(effect.query);
    query.is_some_and(|query| !query.writes)
}

/// What the set does, by the indexes that a run's plan uses together: each query then has one statement with all that it
/// needs, and nothing else.
#[must_use]
pub fn as_measured(
    chosen: &[Trial],
    members: &[IndexSpec],
    measured: &Measured,
    audited: &Audited<'_>,
) -> Vec<Trial> {
    let mut groups: BTreeMap<Vec<usize>, Vec<Effect>> = BTreeMap::new();
    for found in &measured.effects {
        let (used, effect) = attributed(found, members, audited);
        groups.entry(used).or_default().push(effect);
    }
    groups
        .into_iter()
        .filter_map(|(used, effects)| group(&used, effects, chosen, members, measured))
        .collect()
}

/// The members that serve a run, and the effect as theirs: those that its plan reads, or, where its own pages stay as they
/// are, those that its checks of foreign keys search by, which no plan shows.
fn attributed(
    found: &SetEffect,
    members: &[IndexSpec],
    audited: &Audited<'_>,
) -> (Vec<usize>, Effect) {
    let effect = &found.effect;
    let scans = || Effect {
        checks: None,
        ..effect.clone()
    };
    let reads_less = effect
        .pages()
        .is_some_and(|(without, with)| with * 2.0 <= without);
    let Some(run) = audited.run(effect.query, effect.run) else {
        return (found.searched.clone(), scans());
    };
    let table = |name: &RelationRef| {
        let known = audited.schema.table(name.schema.as_deref(), &name.name)?;
        Some(audited.schema.root_of(known).oid)
    };
    let needed = || needed(&found.searched, members, &run.plan, &table);
    let searched = candidates::of_checks(run, audited.schema);
    let serves = |member: &IndexSpec| {
        let same_table = |key: &&IndexSpec| key.table_oid == member.table_oid;
        let leads = |key: &IndexSpec| {
            let leading = member.keys.get(..key.keys.len());
            leading.is_some_and(|leading| leading.iter().all(|part| key.keys.contains(part)))
        };
        member.method == Method::Btree
            && member.predicate.is_none()
            && searched.iter().filter(same_table).any(leads)
    };
    let checked: Vec<usize> = (0..members.len())
        .filter(|member| serves(&members[*member]))
        .collect();
    let is_of_scans = match effect.before {
        Some(_) => effect.checks.is_none(),
        // It was cancelled: where its plan searches no member, its checks do.
        None => !found.searched.is_empty(),
    };
    if is_of_scans || reads_less || checked.is_empty() {
        return (needed(), scans());
    }
    (checked, effect.clone())
}

/// Less of a run's pages than this share is not what it is slow for.
const LITTLE: f64 = 0.02;

/// The members that a run's plan searches without those on tables that cost it next to nothing before: an index that it had
/// did as well there. All of them where the run shows no pages, or where they cost nothing anywhere.
fn needed(
    searched: &[usize],
    members: &[IndexSpec],
    plan: &Plan,
    table: &dyn Fn(&RelationRef) -> Option<u32>,
) -> Vec<usize> {
    let metrics = Metrics::of(plan);
    let all = metrics.blocks.map_or(0.0, |pages| pages.0 as f64);
    if searched.len() < 2 || all <= 0.0 {
        return searched.to_vec();
    }
    let pages_of = |oid: u32| {
        let is_it = |node: &Node| node.relation.as_ref().and_then(table) == Some(oid);
        let scans = plan.table_scans().filter(|(_, node)| is_it(node));
        let pages = scans.filter_map(|(id, _)| metrics.node(id).inclusive_blocks);
        pages.map(|pages| pages.0 as f64).sum::<f64>()
    };
    let costs = |member: &&usize| pages_of(members[**member].table_oid) >= all * LITTLE;
    let found: Vec<usize> = searched.iter().filter(costs).copied().collect();
    match found.is_empty() {
        true => searched.to_vec(),
        false => found,
    }
}

fn group(
    used: &[usize],
    effects: Vec<Effect>,
    chosen: &[Trial],
    members: &[IndexSpec],
    measured: &Measured,
) -> Option<Trial> {
    let (first, beside) = used.split_first()?;
    let with_member = chosen.iter().filter(|trial| {
        let mut own = trial.index.all();
        own.any(|index| used.iter().any(|member| members[*member] == alone(index)))
    });
    let mut sites = Vec::new();
    let mut writes = Vec::new();
    for trial in with_member {
        sites.extend(trial.sites.iter().copied());
        for cost in &trial.writes {
            let known = writes
                .iter()
                .any(|known: &super::WriteCost| known.query == cost.query);
            if !known {
                writes.push(*cost);
            }
        }
    }
    let bytes = used.iter().map(|member| measured.bytes[*member].0).sum();
    let build = used.iter().map(|member| measured.build[*member].0).sum();
    Some(Trial {
        index: IndexSpec {
            beside: beside
                .iter()
                .map(|member| members[*member].clone())
                .collect(),
            ..members[*first].clone()
        },
        names: used
            .iter()
            .map(|member| measured.names[*member].clone())
            .collect(),
        bytes: Bytes(bytes),
        build: Millis(build),
        effects,
        sites,
        writes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::KeySpec;
    use crate::advise::given_effect::{effect, in_audit};
    use crate::plan::parse;
    use crate::schema::ServerVersion;

    fn index(columns: &[&str]) -> IndexSpec {
        let key = |name: &&str| KeySpec::plain(Part::Column((*name).to_owned()));
        IndexSpec {
            table: QualifiedName::new("public", "letters"),
            table_oid: 1,
            method: Method::Btree,
            keys: columns.iter().map(key).collect(),
            include: Vec::new(),
            predicate: None,
            beside: Vec::new(),
        }
    }

    #[test]
    fn an_index_takes_the_place_of_another_one_wherever_it_stands() {
        let (wide, narrow) = (index(&["reader", "office"]), index(&["reader"]));
        let other = index(&["title"]);
        let with = |first: &IndexSpec, beside: &IndexSpec| IndexSpec {
            beside: vec![beside.clone()],
            ..first.clone()
        };
        let mut chosen = vec![
            Trial::bare(with(&wide, &other)),
            Trial::bare(with(&other, &wide)),
        ];
        replace(&mut chosen, &wide, &narrow);
        assert_eq!(chosen[0].index, with(&narrow, &other));
        assert_eq!(chosen[1].index, with(&other, &narrow));
    }

    #[test]
    fn a_table_that_cost_nothing_needs_no_index() {
        let on = |oid: u32| IndexSpec {
            table_oid: oid,
            ..index(&["office"])
        };
        let members = [on(1), on(2)];
        let needed_of = |offices: u64| {
            let text = format!(
                "Nested Loop (actual time=0.1..9.0 rows=1 loops=1)\n  Buffers: shared hit={}\n\
                 \x20 ->  Index Scan using offices_pkey on offices (actual time=0.1..0.1 rows=1 loops=1)\n        Buffers: shared hit={offices}\n\
                 \x20 ->  Seq Scan on letters (actual time=0.1..8.0 rows=1 loops=1)\n        Buffers: shared hit=5000\n\
                 Execution Time: 9.1 ms\n",
                5000 + offices
            );
            let plan = parse::any(&text).unwrap().remove(0);
            let table = |name: &RelationRef| Some(if name.name == "letters" { 1 } else { 2 });
            needed(&[0, 1], &members, &plan, &table)
        };
        assert_eq!(needed_of(3), [0]);
        assert_eq!(needed_of(900), [0, 1]);
        // A fiftieth of all pages is something.
        assert_eq!(needed_of(102), [0]);
        assert_eq!(needed_of(103), [0, 1]);
    }

    #[test]
    fn what_has_one_column_has_nothing_narrower() {
        let schema = Schema {
            server: ServerVersion(150_000),
            tables: Vec::new(),
            materialized_views: Vec::new(),
            types: Vec::new(),
        };
        assert_eq!(narrower(&index(&["reader"]), &schema), None);
        let both = index(&["reader", "office"]);
        assert_eq!(narrower(&both, &schema), Some(index(&["reader"])));
    }

    #[test]
    fn a_set_is_worse_by_pages_that_are_not_made_up_for_by_time() {
        let is_more = |pages, times| in_audit(|audited| is_worse(&effect(pages, times), audited));
        let same = (100.0, 100.0);
        assert!(!is_more((1_000, 1_050), same) && is_more((1_000, 1_051), same));
        assert!(!is_more((100, 120), same) && is_more((100, 121), same));
        assert!(is_more((1_000, 2_000), (100.0, 80.0)));
        assert!(!is_more((1_000, 2_000), (100.0, 79.9)));
    }

    #[test]
    fn a_set_is_slower_by_half_and_two_milliseconds() {
        let is_longer =
            |times| in_audit(|audited| is_slower(&effect((1_000, 1_000), times), audited));
        assert!(!is_longer((100.0, 150.0)) && is_longer((100.0, 150.1)));
        assert!(!is_longer((2.0, 4.0)) && is_longer((2.0, 4.1)));
    }
}

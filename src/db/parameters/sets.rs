//! Sets of values: one rank at a time for each parameter, the others from a row in which it occurs.

use std::collections::{BTreeMap, HashMap};

use crate::db::explain::{ExplainError, TypeKind};
use crate::run_id::{
    EMPTY, HOT_TOGETHER, HOT_WITHOUT_FILTERS, NO_FILTERS, SetId, SetRole, WIDE_TOGETHER,
    WIDE_WITHOUT_FILTERS, WITHOUT,
};

use super::group::{Group, Groups};
use super::open_bounds::Reach;
use super::rows::{Led, equal_places, led};
use super::sample::Row;
use super::together::Together;
use super::uses::{ComparedWith, Wrap};
use super::values::{PartOf, Rank, absent, any_of_type, part_of, written};
use super::{Absent, ParameterSet, Search, Slot, Wanted};
use super::{alternatives, bounds, open_bounds};

/// More sets than these are not worth their planning time.
const MAX_SETS: usize = 24;
/// Rows of a page, where the caller says.
const PAGE: &str = "20";
/// The tenth page: past it people search.
const DEEP_OFFSET: &str = "200";

/// What varies in a set; everything else is typical.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Variation {
    Ranked(Rank),
    Null,
    DeepOffset,
    /// Of a type with few values: each of them.
    Value(String),
}

/// Whether some value can be had for a slot at all.
pub(super) fn has_value(i: usize, slot: &Slot<'_>, groups: &Groups) -> bool {
    if matches!(slot.wanted, Wanted::Fixed(_))
        || slot.usage.limit
        || slot.usage.offset
        || slot.usage.null_tested
    {
        return true;
    }
    match (&slot.compared, groups.of(i)) {
        (Some(with), Some(_)) => {
            let typical = groups
                .distribution(i)
                .and_then(|found| found.value(Rank::Typical).or(found.value(Rank::Hot)));
            let value =
                typical.and_then(|value| written(value, Rank::Typical, with, slot.info, &[]));
            value.is_some()
                || matches!(with.wrap, Wrap::Distance | Wrap::Span)
                || absent(slot.info, &[]).is_some()
                || any_of_type(slot.info).is_some()
        }
        _ => {
            // What it decides is not seen: where the value is wrong, the query finds nothing and is said to prove nothing.
            any_of_type(slot.info).is_some() || !slot.usage.stored.is_empty()
        }
    }
}

/// Builds the sets, the normal one first, without repetitions.
pub(super) async fn build(
    search: &mut Search<'_>,
    slots: &[Slot<'_>],
    groups: &Groups,
    fresh: &HashMap<usize, String>,
    together: Option<&Together>,
) -> Result<Vec<ParameterSet>, ExplainError> {
    let mut sets: Vec<ParameterSet> = Vec::new();
    for (id, variations) in variations(slots, groups) {
        let values = values_of(search, slots, groups, (fresh, together), &variations).await?;
        if !sets.iter().any(|set| set.values == values) {
            sets.push(ParameterSet { id, values });
        }
        if sets.len() == MAX_SETS {
            break;
        }
    }
    Ok(sets)
}

fn variations(slots: &[Slot<'_>], groups: &Groups) -> Vec<(SetId, BTreeMap<usize, Variation>)> {
    let mut found = vec![(base_set(slots), BTreeMap::new())];
    for rank in [Rank::Hot, Rank::Rare, Rank::Absent] {
        for (i, slot) in slots.iter().enumerate() {
            if !offers(slots, groups, i, rank) || alternatives::first_of(slots, i).is_some() {
                continue;
            }
            let ranked = |slot: usize| (slot, Variation::Ranked(rank));
            // The two bounds of a range move together: one alone may leave nothing between them.
            match slot
                .compared
                .as_ref()
                .and_then(|with| other_bound(slots, with))
            {
                Some(other) if slots[other].wanted == Wanted::Any => {
                    let column = slot
                        .compared
                        .as_ref()
                        .and_then(|with| with.column.as_deref())
                        .unwrap_or(&slot.name);
                    if i < other {
                        found.push((
                            ranked_set(rank, slot, column),
                            [ranked(i), ranked(other)].into(),
                        ));
                    }
                }
                Some(_) | None => {
                    // Alternatives are hot together.
                    let others = alternatives::after(slots, i).into_iter();
                    let others = others.filter(|other| slots[*other].wanted == Wanted::Any);
                    let varied = others.chain([i]).map(ranked).collect();
                    found.push((ranked_set(rank, slot, &slot.name), varied));
                }
            }
        }
    }
    let mut one = |name: String, i: usize, variation: Variation| {
        found.push((SetId::varied(name), BTreeMap::from([(i, variation)])))
    };
    for (i, slot) in slots.iter().enumerate() {
        if slot.wanted != Wanted::Any {
            continue;
        }
        if slot.usage.null_tested {
            one(format!("{WITHOUT}{}", slot.name), i, Variation::Null);
        } else if slot.usage.empty_tested {
            one(
                format!("{EMPTY}{}", slot.name),
                i,
                Variation::Value(String::new()),
            );
        }
        for value in each_value(slot) {
            one(format!("{value} {}", slot.name), i, Variation::Value(value));
        }
        if slot.usage.offset {
            one(
                format!("later page by {}", slot.name),
                i,
                Variation::DeepOffset,
            );
        }
    }
    let optional = left_out(slots);
    if optional.len() > 1 {
        found.push((SetId::varied(NO_FILTERS), optional.clone()));
    }
    found.extend(worst_together(slots, groups, &optional));
    found
}

/// The filters that a call may leave out, with the values that leave them out. A flag beside such filters is one of them.
fn left_out(slots: &[Slot<'_>]) -> BTreeMap<usize, Variation> {
    let free = || {
        let all = slots.iter().enumerate();
        all.filter(|(_, slot)| slot.wanted == Wanted::Any)
    };
    let mut found: BTreeMap<usize, Variation> = free()
        .filter(|(_, slot)| slot.usage.null_tested)
        .map(|(i, _)| (i, Variation::Null))
        .collect();
    let empty: Vec<usize> = free()
        .filter(|(_, slot)| slot.usage.empty_tested && !slot.usage.null_tested)
        .map(|(i, _)| i)
        .collect();
    if !empty.is_empty() {
        let no = || Variation::Value("false".to_owned());
        let flags = free().filter(|(_, slot)| {
            slot.info.kind == TypeKind::Boolean && !each_value(slot).is_empty()
        });
        found.extend(flags.map(|(i, _)| (i, no())));
        found.extend(
            empty
                .into_iter()
                .map(|i| (i, Variation::Value(String::new()))),
        );
    }
    found
}

/// What is worst alone may be far worse together: the hot values with no optional filter and a late page; apart from these, with
/// the widest ranges, which nobody may ask for.
fn worst_together(
    slots: &[Slot<'_>],
    groups: &Groups,
    optional: &BTreeMap<usize, Variation>,
) -> Vec<(SetId, BTreeMap<usize, Variation>)> {
    let (wide, hot): (BTreeMap<usize, Variation>, BTreeMap<usize, Variation>) = (0..slots.len())
        .filter(|i| {
            !slots[*i].usage.null_tested
                && !slots[*i].usage.empty_tested
                && offers(slots, groups, *i, Rank::Hot)
        })
        .map(|i| (i, Variation::Ranked(Rank::Hot)))
        .partition(|(i, _)| is_wide(&slots[*i]));
    let late: BTreeMap<usize, Variation> = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| slot.usage.offset && slot.wanted == Wanted::Any)
        .map(|(i, _)| (i, Variation::DeepOffset))
        .collect();
    let joined = |parts: &[&BTreeMap<usize, Variation>]| -> BTreeMap<usize, Variation> {
        parts
            .iter()
            .flat_map(|part| part.iter().map(|(i, variation)| (*i, variation.clone())))
            .collect()
    };
    let mut found = Vec::new();
    let both = joined(&[&hot, &late]);
    if both.len() > 1 {
        found.push((SetId::varied(HOT_TOGETHER), both.clone()));
    }
    if !optional.is_empty() && !both.is_empty() {
        found.push((
            SetId::varied(HOT_WITHOUT_FILTERS),
            joined(&[&both, optional]),
        ));
    }
    if !wide.is_empty() {
        let all = joined(&[&both, &wide]);
        if all.len() > 1 {
            found.push((SetId::varied(WIDE_TOGETHER), all.clone()));
        }
        if !optional.is_empty() {
            let all = joined(&[&all, optional]);
            found.push((SetId::varied(WIDE_WITHOUT_FILTERS), all));
        }
    }
    found
}

/// Whether a slot's hot value is a range that nobody may ask for: all but the first page's.
fn is_wide(slot: &Slot<'_>) -> bool {
    slot.compared.as_ref().is_some_and(is_range) && slot.reach != Reach::Page
}

/// Values of a parameter whose type has few, where no column says which of them matter.
fn each_value(slot: &Slot<'_>) -> Vec<String> {
    const MOST: usize = 4;
    if slot.compared.is_some() || !slot.usage.decides || slot.info.element.is_some() {
        return Vec::new();
    }
    match slot.info.kind {
        TypeKind::Boolean => vec!["false".to_owned()],
        TypeKind::Enum => {
            let labels = slot.info.labels.iter().flatten().skip(1);
            labels.take(MOST).cloned().collect()
        }
        TypeKind::Integer
        | TypeKind::Number
        | TypeKind::Text
        | TypeKind::Date
        | TypeKind::Timestamp
        | TypeKind::Time
        | TypeKind::Interval
        | TypeKind::Uuid
        | TypeKind::Json
        | TypeKind::Network
        | TypeKind::TsQuery
        | TypeKind::TsVector
        | TypeKind::Bytea
        | TypeKind::Other => Vec::new(),
    }
}

/// Whether a slot's data has a value of a rank that is another than the typical one.
fn offers(slots: &[Slot<'_>], groups: &Groups, i: usize, rank: Rank) -> bool {
    let slot = &slots[i];
    let (Some(with), Some(distribution)) = (&slot.compared, groups.distribution(i)) else {
        return false;
    };
    let offers = match rank {
        Rank::Hot => distribution.is_skewed() || with.operator != "=" || with.wrap != Wrap::Same,
        Rank::Rare => distribution.is_skewed() || matches!(with.wrap, Wrap::Distance | Wrap::Span),
        Rank::Absent => {
            with.operator == "=" && with.wrap == Wrap::Same && slot.absent != Absent::None
        }
        Rank::Typical => false,
    };
    offers && slot.wanted == Wanted::Any && !groups.of(i).is_some_and(|(group, _)| group.inserted)
}

/// `hot customer_id`; of a range `wide` and `narrow`.
fn ranked_set(rank: Rank, slot: &Slot<'_>, name: &str) -> SetId {
    let word = match rank {
        Rank::Hot if is_wide(slot) => "wide",
        Rank::Hot if slot.compared.as_ref().is_some_and(is_range) => "first page by",
        Rank::Rare if slot.compared.as_ref().is_some_and(is_range) => "narrow",
        Rank::Hot | Rank::Rare | Rank::Absent | Rank::Typical => rank.as_str(),
    };
    let role = match rank {
        Rank::Absent => SetRole::Absent,
        Rank::Hot | Rank::Rare | Rank::Typical => SetRole::Varied,
    };
    SetId {
        name: format!("{word} {name}"),
        role,
    }
}

/// The slot that bounds the same column's range from the other side.
pub(super) fn other_bound(slots: &[Slot<'_>], with: &ComparedWith) -> Option<usize> {
    let lower = with.operator.starts_with('>');
    slots.iter().position(|slot| {
        slot.compared.as_ref().is_some_and(|other| {
            let same = (other.table, &other.alias, &other.expression)
                == (with.table, &with.alias, &with.expression);
            same && is_range(other) && is_range(with) && other.operator.starts_with('>') != lower
        })
    })
}

/// The base set, named after what the author asked for.
fn base_set(slots: &[Slot<'_>]) -> SetId {
    let ranked: Vec<String> = slots
        .iter()
        .filter_map(|slot| match slot.wanted {
            Wanted::Ranked(rank) if rank != Rank::Typical => {
                Some(format!("{} {}", rank.as_str(), slot.name))
            }
            Wanted::Ranked(_) | Wanted::Any | Wanted::Fixed(_) => None,
        })
        .collect();
    let all_fixed = !slots.is_empty()
        && slots
            .iter()
            .all(|slot| matches!(slot.wanted, Wanted::Fixed(_)));
    if slots
        .iter()
        .any(|slot| slot.wanted == Wanted::Ranked(Rank::Absent))
    {
        // What finds nothing is no measure of the other sets.
        return SetId {
            name: ranked.join(", "),
            role: SetRole::Absent,
        };
    }
    if !ranked.is_empty() {
        SetId::base(&ranked.join(", "))
    } else if all_fixed {
        SetId::base("given")
    } else {
        SetId::base("typical")
    }
}

async fn values_of(
    search: &mut Search<'_>,
    slots: &[Slot<'_>],
    groups: &Groups,
    (fresh, together): (&HashMap<usize, String>, Option<&Together>),
    variations: &BTreeMap<usize, Variation>,
) -> Result<Vec<Option<String>>, ExplainError> {
    let mut values: Vec<Option<String>> = slots.iter().map(plain_value).collect();
    let rank = |slot: usize| rank_of(&slots[slot], variations.get(&slot));
    let joined = match together {
        Some(together) => together.row(search, slots, groups, &rank).await?,
        None => HashMap::new(),
    };
    for group in &groups.all {
        let rounds = alternatives::rounds(slots, &group.members);
        let Led {
            lead,
            place: lead_place,
            value: lead_value,
            is_led,
            row,
        } = led(search, slots, groups, (group, &rounds[0]), &rank).await?;
        let agreed = row.as_ref().map_or_else(Vec::new, |row| {
            let places = equal_places(slots, &rounds[0], &rank);
            let of_row = |place: usize| Some((place, row.get(place)?.as_deref()?));
            places.into_iter().filter_map(of_row).collect()
        });
        let mut first: HashMap<usize, String> = HashMap::new();
        for &(slot, place) in &rounds[0] {
            let own_rank = rank(slot);
            let from_row = || {
                let text = row.as_ref()?.get(place).cloned().flatten()?;
                in_row(&slots[slot], text)
            };
            let own = || raw_value(&slots[slot], groups, group, slot, place, own_rank);
            let of_join = joined.get(&slot).filter(|_| own_rank == Rank::Typical);
            let raw = if let Some(value) = of_join {
                Some(value.clone())
            } else if slot == lead {
                lead_value.clone()
            } else if own_rank == Rank::Typical {
                from_row().or_else(own)
            } else {
                own().or_else(from_row)
            };
            let is_one_of_several = open_bounds::are_several(slots, group, slot);
            let met = match (joined.get(&slot), &lead_value) {
                (Some(value), _) => vec![value.as_str()],
                (None, Some(value)) if slot != lead && is_led && !is_one_of_several => {
                    let mut agreed = agreed.clone();
                    agreed.push((lead_place, value));
                    met_with(group, &agreed, place, row.as_ref())
                }
                // Bounds of several columns leave in one row at least.
                (None, _) if is_one_of_several => {
                    let value = row.as_ref().and_then(|row| row.get(place)?.as_deref());
                    value.into_iter().collect()
                }
                (None, _) => Vec::new(),
            };
            first.extend(raw.clone().map(|raw| (place, raw)));
            let bound_rank = match own_rank {
                Rank::Typical if open_bounds::is_page_beside_others(slots, group, slot) => {
                    Rank::Hot
                }
                own_rank => own_rank,
            };
            values[slot] = value_in(slots, group, slot, place, bound_rank, raw, &met);
        }
        let further = further_rows(slots, groups, group, &rounds, &first, &rank);
        for (slot, place, raw) in further {
            let raw = joined
                .get(&slot)
                .filter(|_| rank(slot) == Rank::Typical)
                .cloned()
                .or(raw);
            values[slot] = value_in(slots, group, slot, place, rank(slot), raw, &[]);
        }
    }
    for (i, value) in fresh {
        values[*i] = Some(as_stored(&slots[*i], value.clone()));
    }
    bounds::order(slots, &mut values);
    for (i, variation) in variations {
        match variation {
            Variation::Null => values[*i] = None,
            Variation::DeepOffset => values[*i] = Some(DEEP_OFFSET.to_owned()),
            Variation::Value(value) => values[*i] = Some(value.clone()),
            Variation::Ranked(_) => {}
        }
    }
    Ok(values)
}

/// What of a row's value a slot is: of `$1 = ANY (tags)` one of the tags.
fn in_row(slot: &Slot<'_>, text: String) -> Option<String> {
    let part = slot
        .compared
        .as_ref()
        .and_then(|with| part_of(with, slot.info));
    match part {
        Some(PartOf::Elements) if text.starts_with('{') => {
            PartOf::Elements.split(&text).into_iter().next()
        }
        Some(_) | None => Some(text),
    }
}

/// Values of parameters whose row is not the first one, with their slots and places. `first` = the first row's values.
fn further_rows(
    slots: &[Slot<'_>],
    groups: &Groups,
    group: &Group,
    rounds: &[Vec<(usize, usize)>],
    first: &HashMap<usize, String>,
    rank: &dyn Fn(usize) -> Rank,
) -> Vec<(usize, usize, Option<String>)> {
    let shared = alternatives::shared_places(slots, &rounds[0]).into_iter();
    let base: Vec<(usize, String)> = shared
        .filter_map(|place| Some((place, first.get(&place)?.clone())))
        .collect();
    let mut chosen: Vec<HashMap<usize, String>> = vec![first.clone()];
    let mut found = Vec::new();
    for members in rounds.iter().skip(1) {
        let places: Vec<usize> = members.iter().map(|(_, place)| *place).collect();
        let taken: Vec<Vec<String>> = chosen
            .iter()
            .filter_map(|row| places.iter().map(|place| row.get(place).cloned()).collect())
            .collect();
        let row = alternatives::another_row(&group.rows, &places, &taken, &base);
        let mut own = HashMap::new();
        for &(slot, place) in members {
            let is_new = |value: &&str| {
                chosen
                    .iter()
                    .all(|row| row.get(&place).is_none_or(|taken| taken != value))
            };
            let of_row = || in_row(&slots[slot], row?.get(place).cloned().flatten()?);
            let raw = || raw_value(&slots[slot], groups, group, slot, place, rank(slot));
            let value = match rank(slot) {
                Rank::Typical => of_row().or_else(raw),
                Rank::Hot => groups
                    .distribution(slot)
                    .and_then(|known| known.known().find(is_new).map(str::to_owned))
                    .or_else(of_row),
                Rank::Rare => of_row().or_else(raw),
                Rank::Absent => raw(),
            };
            own.extend(value.clone().map(|value| (place, value)));
            found.push((slot, place, value));
        }
        chosen.push(own);
    }
    found
}

/// The value of a slot that belongs to no group.
fn plain_value(slot: &Slot<'_>) -> Option<String> {
    match &slot.wanted {
        Wanted::Fixed(value) => value.clone(),
        Wanted::Any | Wanted::Ranked(_) if slot.usage.limit => Some(PAGE.to_owned()),
        Wanted::Any | Wanted::Ranked(_) if slot.usage.offset => Some("0".to_owned()),
        Wanted::Any | Wanted::Ranked(_) => any_of_type(slot.info),
    }
}

fn rank_of(slot: &Slot<'_>, variation: Option<&Variation>) -> Rank {
    match (variation, &slot.wanted) {
        (Some(Variation::Ranked(rank)), _) | (None, Wanted::Ranked(rank)) => *rank,
        (Some(Variation::Null | Variation::DeepOffset | Variation::Value(_)), _)
        | (None, Wanted::Any | Wanted::Fixed(_)) => Rank::Typical,
    }
}

/// Whether the whole of a row's value is what is compared.
pub(super) fn is_equality(with: &ComparedWith) -> bool {
    with.operator == "=" && matches!(with.wrap, Wrap::Same)
}

pub(super) fn is_range(with: &ComparedWith) -> bool {
    matches!(with.operator.as_str(), "<" | "<=" | ">" | ">=")
}

/// A value of the table's side.
pub(super) fn raw_value(
    slot: &Slot<'_>,
    groups: &Groups,
    group: &Group,
    i: usize,
    place: usize,
    rank: Rank,
) -> Option<String> {
    let distribution = groups.distribution(i)?;
    let typical = || {
        distribution
            .value(Rank::Typical)
            .or_else(|| distribution.value(Rank::Hot))
            .map(str::to_owned)
    };
    match rank {
        Rank::Absent if let Absent::Value(value) = &slot.absent => Some(value.clone()),
        Rank::Absent => {
            let known: Vec<&str> = group
                .sorted(place)
                .into_iter()
                .chain(distribution.known())
                .collect();
            absent(slot.info, &known).or_else(typical)
        }
        Rank::Hot | Rank::Rare => distribution.value(rank).map(str::to_owned).or_else(typical),
        Rank::Typical => typical().or_else(|| match &slot.absent {
            Absent::Value(value) => Some(value.clone()),
            Absent::PastKnown => absent(slot.info, &[]),
            Absent::None => None,
        }),
    }
}

/// A value of a column, for a parameter that holds several of them (`unnest($1)`).
fn as_stored(slot: &Slot<'_>, value: String) -> String {
    let of_elements = slot
        .usage
        .stored
        .first()
        .is_some_and(|stored| !stored.is_array);
    if slot.info.element.is_some() && of_elements {
        super::values::array(&[value])
    } else {
        value
    }
}

/// Values of a place in the rows that have the values of all equalities.
fn met_with<'a>(
    group: &'a Group,
    agreed: &[(usize, &str)],
    place: usize,
    looked_up: Option<&'a Row>,
) -> Vec<&'a str> {
    let agrees = |row: &&Row| {
        let mut all = agreed.iter();
        all.all(|(place, value)| row.get(*place).and_then(Option::as_deref) == Some(value))
    };
    let with_them = group.rows.iter().filter(agrees);
    with_them
        .chain(looked_up)
        .filter_map(|row| row.get(place)?.as_deref())
        .collect()
}

/// The bound, or the nearest one that leaves in a row that meets the other conditions. `met` = such rows' values.
fn leaving_in(met: &[&str], with: &ComparedWith, bound: String, sorted: &[&str]) -> String {
    use super::values::compare;
    let lower = with.operator.starts_with('>');
    let nearest = if lower {
        met.iter().max_by(|a, b| compare(a, b))
    } else {
        met.iter().min_by(|a, b| compare(a, b))
    };
    let Some(value) = nearest.copied() else {
        return bound;
    };
    let order = compare(&bound, value);
    let beside = |least: usize| sorted.get(least).map(|near| (*near).to_owned());
    match with.operator.as_str() {
        ">=" if order.is_gt() => value.to_owned(),
        "<=" if order.is_lt() => value.to_owned(),
        ">" if order.is_ge() => sorted
            .partition_point(|known| compare(known, value).is_lt())
            .checked_sub(1)
            .and_then(beside)
            .unwrap_or(bound),
        "<" if order.is_le() => {
            beside(sorted.partition_point(|known| compare(known, value).is_le())).unwrap_or(bound)
        }
        _ => bound,
    }
}

/// The parameter's value: a raw value written for its comparison; bounds of a range lie around it.
fn value_in(
    slots: &[Slot<'_>],
    group: &Group,
    i: usize,
    place: usize,
    rank: Rank,
    raw: Option<String>,
    met: &[&str],
) -> Option<String> {
    let slot = &slots[i];
    let Some(with) = &slot.compared else {
        let value = raw.map(|value| as_stored(slot, value));
        return value.or_else(|| any_of_type(slot.info));
    };
    if matches!(with.wrap, Wrap::Distance | Wrap::Span) {
        return written("", rank, with, slot.info, &[]);
    }
    let raw = if is_range(with) && with.wrap == Wrap::Same {
        bound(slots, group, (slot, with), place, rank, raw.as_deref())
            .map(|bound| leaving_in(met, with, bound, &group.sorted(place)))
            .or(raw)
    } else {
        raw
    };
    // A table without rows has no value to offer: any of the type finds nothing in it.
    let Some(raw) = raw else {
        return any_of_type(slot.info);
    };
    let sample = group.sorted(place);
    written(&raw, rank, with, slot.info, &sample).or_else(|| any_of_type(slot.info))
}

/// A bound of a range over the sample's values: together with its counterpart, if the query has one, a window around the
/// row's value (a tenth of all rows; half of them where the wide range is asked for; a hundredth for the rare); alone,
/// what a call asks for past it.
fn bound(
    slots: &[Slot<'_>],
    group: &Group,
    (slot, with): (&Slot<'_>, &ComparedWith),
    place: usize,
    rank: Rank,
    value: Option<&str>,
) -> Option<String> {
    let values = group.sorted(place);
    let last = values.len().checked_sub(1)?;
    let share = match rank {
        Rank::Hot => 0.5,
        Rank::Typical => 0.1,
        Rank::Rare | Rank::Absent => 0.01,
    };
    let lower = with.operator.starts_with('>');
    let other = other_bound(slots, with);
    let place_of = |value: &str| {
        let index = values.partition_point(|known| super::values::compare(known, value).is_lt());
        index as f64 / last.max(1) as f64
    };
    let at = |part: f64| {
        values
            .get((part.clamp(0.0, 1.0) * last as f64).round() as usize)
            .map(|v| (*v).to_owned())
    };
    match other.map(|slot| &slots[slot].wanted) {
        None => {
            let asked = (slot.reach, slot.tail.as_deref());
            return open_bounds::bound(asked, rank, &values, with).map(str::to_owned);
        }
        // The author said where the range ends: it begins so far before that.
        Some(Wanted::Fixed(Some(end))) => {
            let end = place_of(end);
            return if lower {
                at(end - share)
            } else {
                at(end + share)
            };
        }
        Some(Wanted::Fixed(None) | Wanted::Any | Wanted::Ranked(_)) => {}
    }
    // The window lies within the data.
    let middle = value
        .map_or(0.5, place_of)
        .clamp(share / 2.0, 1.0 - share / 2.0);
    if lower {
        at(middle - share / 2.0)
    } else {
        at(middle + share / 2.0)
    }
}

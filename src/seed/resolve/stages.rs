//! Times of one row that follow each other by their names: each comes some time after the one before it, and what has not
//! begun has not ended.

use super::bounds::{after, bind, is_free};
use super::table::{Draft, TableDraft};
use crate::calendar::days_from_civil;
use crate::seed::clock::Clock;
use crate::seed::infer::stages::Stage;
use crate::seed::plan::{Generator, Nulls, ScalarSource};
use crate::seed::types::ScalarEncoding;
use crate::seed::types::binary::DAY;

/// The first year of what comes years after something else.
const YEARS_LATER: i64 = 1995;

/// Binds every time to the nearest earlier stage of the same thing.
pub(super) fn follow(draft: &mut TableDraft<'_>) {
    let is_time = |column: &Draft<'_>| match &column.generator {
        Generator::Scalar(scalar) => matches!(
            scalar.encoding,
            ScalarEncoding::Timestamp | ScalarEncoding::Date
        ),
        _ => false,
    };
    let columns = draft
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| is_time(column));
    let stages: Vec<(usize, Stage)> = columns
        .flat_map(|(at, column)| {
            Stage::all_of(&column.column.name)
                .into_iter()
                .map(move |stage| (at, stage))
        })
        .collect();
    let mut pairs: Vec<(usize, usize, &Stage)> = Vec::new();
    for (later, stage) in &stages {
        let before = stages.iter().filter(|(earlier, _)| earlier != later);
        let nearest = before
            .filter_map(|(earlier, other)| Some((stage.follows(other)?, *earlier)))
            .min();
        pairs.extend(nearest.map(|(_, earlier)| (*later, earlier, stage)));
    }
    // What is bound to has its own place already.
    pairs.sort_by_key(|(later, _, stage)| (stage.place, *later));
    for (later, earlier, stage) in pairs {
        if !is_free(&draft.columns[later]) {
            continue;
        }
        // Where it lies is known before it is asked whether it lies right anyway.
        pace(&mut draft.columns[later], stage.delay(), draft.clock);
        if bind(draft, &after(later, earlier)) {
            pace(&mut draft.columns[later], stage.delay(), draft.clock);
            leave_open(draft, later, earlier, stage.open());
        }
    }
}

/// How soon one stage follows another.
fn pace(draft: &mut Draft<'_>, delay: Option<i64>, clock: Clock) {
    let Generator::Scalar(scalar) = &mut draft.generator else {
        return;
    };
    let day = if scalar.encoding == ScalarEncoding::Date {
        1
    } else {
        DAY
    };
    match (delay, &mut scalar.source) {
        (Some(delay), ScalarSource::After { mean, .. }) => *mean = (delay / (DAY / day)).max(1),
        (None, source @ (ScalarSource::After { .. } | ScalarSource::Range { .. })) => {
            let low = days_from_civil(YEARS_LATER, 1, 1) * day;
            let high = clock.end() * day - 1;
            *source = ScalarSource::Range {
                low,
                high,
                unique: None,
            };
            scalar.hard.1 = scalar.hard.1.min(high);
        }
        _ => {}
    }
}

/// Some rows have not come to a stage; none has come to it that has not come to the one before.
fn leave_open(draft: &mut TableDraft<'_>, later: usize, earlier: usize, open: f64) {
    let before = draft.columns[earlier].nulls.clone();
    let column = &mut draft.columns[later];
    let written = column.spec.is_some_and(|spec| spec.null.is_some());
    let Nulls::Share { share, key } = &mut column.nulls else {
        return;
    };
    if !written {
        *share = share.max(open);
    }
    if let Nulls::Share {
        share: least,
        key: same,
    } = before
    {
        if !written {
            *share = share.max(least);
        }
        // Of one draw, what is below the smaller share is below the larger one.
        if *share >= least {
            *key = same;
        }
    }
}

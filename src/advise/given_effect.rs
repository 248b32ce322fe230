//! Effects as if they were measured, and an audit of one query that only reads, with the default limits: for the tests beside the
//! code that judges effects.

use std::path::PathBuf;

use crate::catalog::Query;
use crate::finding::{Measurement, Proof};
use crate::rules::Policy;
use crate::schema::{Schema, ServerVersion};
use crate::units::{Millis, Pages};

use super::{Audited, Effect};

fn measured(pages: u64, time: f64) -> Measurement {
    Measurement {
        time_ms: Millis(time),
        blocks: Pages(pages),
        temp_blocks: Pages(0),
        rows: 1.0,
    }
}

/// Pages and milliseconds without and with an index; the fastest runs took as long as the medians.
pub(super) fn effect(pages: (u64, u64), times: (f64, f64)) -> Effect {
    Effect {
        query: 0,
        run: 0,
        before: Some(measured(pages.0, times.0)),
        after: measured(pages.1, times.1),
        fastest: Some((Millis(times.0), Millis(times.1))),
        checks: None,
        reading: None,
    }
}

/// The same of a foreign key's checks, which took so long.
pub(super) fn effect_on_checks(times: (f64, f64)) -> Effect {
    Effect {
        checks: Some((Millis(times.0), Millis(times.1))),
        ..effect((1, 1), times)
    }
}

/// Pages and milliseconds before and after a change.
pub(super) fn proof(pages: (u64, u64), times: (f64, f64)) -> Proof {
    Proof {
        before: Some(measured(pages.0, times.0)),
        cancelled_ms: None,
        after: measured(pages.1, times.1),
        index_bytes: None,
        build_ms: None,
    }
}

/// What `judge` says in an audit of one query that only reads.
pub(super) fn in_audit<T>(judge: impl FnOnce(&Audited<'_>) -> T) -> T {
    let query = Query::of_text(
        "q".to_owned(),
        PathBuf::from("q.sql"),
        1,
        "SELECT 1".to_owned(),
    );
    let schema = Schema {
        server: ServerVersion(150_000),
        tables: Vec::new(),
        materialized_views: Vec::new(),
        types: Vec::new(),
    };
    judge(&Audited {
        queries: &[query],
        runs: &[],
        schema: &schema,
        policy_for: &|_| Policy::default(),
    })
}

//! Names of times: what was made, changed, planned, and what begins and ends.

use super::{end_of, words};

/// When a row was made.
#[must_use]
pub fn is_creation(name: &str) -> bool {
    let words = words(name);
    let first = words.first().map_or("", String::as_str);
    matches!(
        first,
        "created"
            | "create"
            | "inserted"
            | "insert"
            | "made"
            | "occurred"
            | "placed"
            | "ordered"
            | "registered"
            | "joined"
            | "logged"
            | "recorded"
            | "received"
            | "sent"
            | "submitted"
            | "posted"
            | "timestamp"
            | "ts"
            | "creation"
            | "happened"
            | "added"
            | "opened"
            | "issued"
            | "invoice"
            | "order"
            | "payment"
            | "rental"
            | "transaction"
            | "event"
            | "purchased"
    ) && (words.len() == 1 || words.last().is_some_and(|last| is_time_word(last)))
}

/// When the row itself was made, by the words that say nothing else.
#[must_use]
pub fn is_of_the_row(name: &str) -> bool {
    let first = words(name).into_iter().next().unwrap_or_default();
    let is_made = matches!(
        first.as_str(),
        "created" | "create" | "creation" | "inserted" | "insert"
    );
    is_made && is_creation(name)
}

/// What comes after the row was made: what has been done to it since, whichever verb says so.
#[must_use]
pub fn is_later(name: &str) -> bool {
    /// What was so before there was a row of it.
    const BEFORE: &[&str] = &[
        "founded",
        "established",
        "hired",
        "employed",
        "released",
        "manufactured",
        "acquired",
        "observed",
        "started",
        "scheduled",
        "planned",
        "based",
        "estimated",
        "expected",
    ];
    let words = words(name);
    let first = words.first().map_or("", String::as_str);
    // `email_verified_at`: the verb stands before what says that it is a time.
    let verb = match words.as_slice() {
        [.., verb, time] if is_time_word(time) => verb.as_str(),
        _ => first,
    };
    let done = verb.len() > 4
        && verb.ends_with("ed")
        && words.last().is_some_and(|last| is_time_word(last))
        && !BEFORE.contains(&verb)
        && !is_creation(name);
    // What begins at a moment was written down before; on a day it may have begun earlier (`start_date` of a contract).
    let begins = matches!(
        words.iter().map(String::as_str).collect::<Vec<_>>()[..],
        [
            "start" | "starts" | "begin" | "begins" | "end" | "ends",
            "time" | "at"
        ]
    );
    // `reset_password_sent_at`; a message's own `sent_at` is when it was made.
    let sent = words.len() > 2 && verb == "sent";
    done || begins || sent || is_later_verb(first) || is_later_verb(verb)
}

fn is_later_verb(verb: &str) -> bool {
    matches!(
        verb,
        "used"
            | "update"
            | "modify"
            | "change"
            | "delete"
            | "expire"
            | "complete"
            | "finish"
            | "close"
            | "cancel"
            | "consumed"
            | "redeemed"
            | "spent"
            | "won"
            | "lost"
            | "updated"
            | "modified"
            | "changed"
            | "deleted"
            | "removed"
            | "closed"
            | "completed"
            | "finished"
            | "ended"
            | "expires"
            | "expired"
            | "cancelled"
            | "canceled"
            | "shipped"
            | "delivered"
            | "paid"
            | "captured"
            | "refunded"
            | "resolved"
            | "archived"
            | "published"
            | "confirmed"
            | "approved"
            | "rejected"
            | "last"
            | "current"
            | "seen"
            | "returned"
            | "processed"
            | "read"
            | "revoked"
            | "inactive"
            | "obsolete"
            | "disabled"
            | "suspended"
            | "deactivated"
            | "deactivates"
            | "activated"
            | "verified"
            | "due"
            | "return"
            | "queued"
            | "enqueued"
            | "accepted"
            | "started"
            | "failed"
            | "stopped"
            | "ready"
    )
}

/// What may lie in the future: when something expires, is due, ends, or is planned.
#[must_use]
pub fn is_future(name: &str) -> bool {
    let words = words(name);
    let mut each = words.iter().map(String::as_str);
    each.any(|word| {
        matches!(
            word,
            "expires"
                | "expire"
                | "expiry"
                | "expiration"
                | "expiring"
                | "due"
                | "deadline"
                | "until"
                | "till"
                | "next"
                | "scheduled"
                | "schedule"
                | "upcoming"
                | "end"
                | "ends"
                | "renewal"
                | "renews"
                | "planned"
                | "estimated"
                | "expected"
                | "eta"
                | "promised"
                | "required"
                | "target"
                | "run"
                | "departure"
                | "arrival"
                | "checkin"
                | "checkout"
        )
    }) || end_of(name).is_some_and(|of| of == "valid")
}

/// When a row was changed the last time.
#[must_use]
pub fn is_change(name: &str) -> bool {
    let words = words(name);
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [first] => matches!(first, "updated" | "modified" | "changed"),
        [first, last] => {
            matches!(
                first,
                "updated"
                    | "modified"
                    | "changed"
                    | "update"
                    | "modify"
                    | "change"
                    | "modification"
            ) && is_time_word(last)
                || first == "last" && matches!(last, "updated" | "modified" | "changed" | "update")
        }
        _ => false,
    }
}

/// When a row was taken out of use: nothing changes it afterwards.
#[must_use]
pub fn is_removal(name: &str) -> bool {
    matches!(
        words(name).first().map_or("", String::as_str),
        "deleted" | "removed"
    )
}

/// A day of birth.
#[must_use]
pub fn is_birth(name: &str) -> bool {
    words(name).iter().any(|word| {
        matches!(
            word.as_str(),
            "birth" | "birthday" | "birthdate" | "dob" | "born"
        )
    })
}

/// What says no more than that a column is a time.
#[must_use]
pub fn is_time_word(word: &str) -> bool {
    matches!(
        word,
        "at" | "on" | "date" | "time" | "timestamp" | "ts" | "datetime" | "day"
    )
}

//! What a column's name tells.

mod ends;
mod people;
mod times;

use crate::seed::generators::{self, TextGenerator};
use people::is_actor;

pub use ends::{begin_of, end_of, least_of, most_of};
pub use people::{is_person, is_role};
pub use times::{
    is_birth, is_change, is_creation, is_future, is_later, is_of_the_row, is_removal, is_time_word,
};

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Money in the smallest unit.
    Cents,
    /// Money in its unit.
    Money,
    Quantity,
    /// Positions, levels, retries.
    Small,
    /// One to five.
    Rating,
    Percent,
    /// 0 to 1.
    Share,
    Age,
    Year,
    Month,
    Latitude,
    Longitude,
    /// Of a tax, of interest: up to 25 of 100.
    Rate,
    /// Of a file.
    Bytes,
    /// How long something took, in a unit of so many in a second.
    Duration {
        per_second: i64,
    },
    /// From one number to another.
    Between(i64, i64),
    /// An answer's code.
    HttpStatus,
    /// 0 or 1.
    Flag,
    /// A number of something elsewhere, without a foreign key.
    Key,
    Other,
}

/// What a number means, by its column's name.
#[must_use]
pub fn meaning(name: &str) -> Meaning {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let first = words.first().map_or("", String::as_str);
    if words.len() > 1
        && matches!(
            first,
            "is" | "has" | "can" | "allow" | "allows" | "enable" | "enabled"
        )
    {
        return Meaning::Flag;
    }
    if let Some(meaning) = of_time_or_size(&words, last) {
        return meaning;
    }
    match last {
        "cents" | "pence" | "minor" => Meaning::Cents,
        "lat" | "latitude" => Meaning::Latitude,
        "lon" | "lng" | "long" | "longitude" => Meaning::Longitude,
        "rating" | "stars" | "grade" => Meaning::Rating,
        "percent" | "percentage" | "pct" | "score" | "progress" => Meaning::Percent,
        "rate" | "vat" | "interest" | "apr" => Meaning::Rate,
        "flag" => Meaning::Flag,
        "ratio" | "fraction" | "probability" | "share" | "weight" => Meaning::Share,
        "age" => Meaning::Age,
        "year" => Meaning::Year,
        "month" => Meaning::Month,
        "id" | "ref" | "key" => Meaning::Key,
        "position" | "priority" | "level" | "sort" | "rank" | "depth" | "attempts" | "retries"
        | "version" | "order" | "ordering" | "sequence" | "seq" | "ordinal" | "index" | "idx"
        | "line" | "row" => Meaning::Small,
        "iid" | "no" | "nr" | "num" => Meaning::Between(1, 1000),
        "quantity" | "qty" | "stock" | "seats" | "capacity" | "size" | "count" | "units"
        | "number" => Meaning::Quantity,
        _ if has(&[
            "price", "amount", "cost", "total", "subtotal", "balance", "salary", "fee", "tax",
            "discount", "payment", "revenue", "budget", "freight",
        ]) =>
        {
            Meaning::Money
        }
        _ => Meaning::Other,
    }
}

/// Parts of a date, lengths of time and of files, and other numbers that everybody knows the range of.
fn of_time_or_size(words: &[String], last: &str) -> Option<Meaning> {
    let before = words
        .len()
        .checked_sub(2)
        .and_then(|at| words.get(at))
        .map_or("", String::as_str);
    Some(match (before, last) {
        ("status" | "response" | "http", "code") | ("http", "status") => Meaning::HttpStatus,
        (_, "bytes" | "filesize")
        | ("byte" | "file" | "size" | "blob" | "content", "size" | "length") => Meaning::Bytes,
        (_, "duration" | "seconds" | "secs" | "runtime") | ("duration", "s") => {
            Meaning::Duration { per_second: 1 }
        }
        (_, "ms" | "millis" | "milliseconds" | "latency") => Meaning::Duration { per_second: 1000 },
        ("of", "week") | (_, "weekday" | "dow") => Meaning::Between(0, 6),
        (_, "day") => Meaning::Between(1, 28),
        (_, "week") => Meaning::Between(1, 52),
        (_, "quarter") => Meaning::Between(1, 4),
        (_, "hour") => Meaning::Between(0, 23),
        (_, "minute" | "second") => Meaning::Between(0, 59),
        (_, "port") => Meaning::Between(1024, 65_535),
        (_, "zoom") => Meaning::Between(1, 19),
        (_, "width" | "height") => Meaning::Between(16, 4000),
        (_, "temperature") => Meaning::Between(-10, 35),
        (_, "altitude" | "elevation") => Meaning::Between(0, 3000),
        _ => return None,
    })
}

/// Weights of false and true.
#[must_use]
pub fn falsehood(name: &str) -> &'static [f64] {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(&[
        "active",
        "enabled",
        "verified",
        "confirmed",
        "visible",
        "published",
        "valid",
        "public",
        "available",
    ]) {
        &[0.1, 0.9]
    } else if has(&[
        "deleted", "archived", "blocked", "admin", "banned", "hidden", "disabled", "locked",
        "spam", "test",
    ]) {
        &[0.95, 0.05]
    } else {
        &[0.5, 0.5]
    }
}

/// What seldom happens: mostly NULL.
#[must_use]
pub fn is_seldom(name: &str) -> bool {
    let words = words(name);
    matches!(
        words.first().map_or("", String::as_str),
        "deleted"
            | "removed"
            | "cancelled"
            | "canceled"
            | "refunded"
            | "archived"
            | "blocked"
            | "banned"
            | "revoked"
            | "rejected"
            | "inactive"
            | "obsolete"
            | "disabled"
            | "suspended"
            | "deactivated"
            | "error"
            | "failure"
    )
}

/// Bytes of a digest that a name asks for; `None` for what is none.
#[must_use]
pub fn digest_bytes(name: &str) -> Option<u32> {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(&["md5", "salt", "nonce", "iv"]) {
        Some(16)
    } else if has(&["sha1", "sha", "commit", "oid"]) {
        Some(20)
    } else if has(&["sha512", "signature"]) {
        Some(64)
    } else if has(&[
        "sha256",
        "hash",
        "digest",
        "checksum",
        "fingerprint",
        "hmac",
        "token",
        "secret",
        "key",
    ]) {
        Some(32)
    } else {
        None
    }
}

/// A noun in the singular: `categories`, `addresses`, `users`.
#[must_use]
pub fn singular(noun: &str) -> String {
    const SAME: &[&str] = &[
        "news", "series", "species", "status", "address", "analysis", "bus",
    ];
    let without = |tail: &str| noun.strip_suffix(tail);
    match noun {
        "people" => "person".to_owned(),
        "children" => "child".to_owned(),
        "men" | "women" => noun.replace("men", "man"),
        "data" | "media" => noun.to_owned(),
        _ if SAME.contains(&noun) || noun.ends_with("ss") || noun.ends_with("us") => {
            noun.to_owned()
        }
        _ => {
            if let Some(stem) = without("ies").filter(|stem| stem.len() > 1) {
                return format!("{stem}y");
            }
            for tail in ["sses", "shes", "ches", "xes", "zes"] {
                if noun.ends_with(tail) {
                    return noun[..noun.len() - 2].to_owned();
                }
            }
            without("s")
                .filter(|stem| stem.len() > 1)
                .unwrap_or(noun)
                .to_owned()
        }
    }
}

/// The text generator that a column's name asks for: by its whole name, or by its last words.
#[must_use]
pub fn text_generator(column: &str, table: &str) -> Option<&'static TextGenerator> {
    let words = words(column);
    if let Some(generator) = by_table(&words, table) {
        return generators::find(generator);
    }
    if is_actor(&words) {
        return generators::find("username");
    }
    // `subscriber_name`: somebody's.
    if let [.., noun, name] = words.as_slice()
        && name == "name"
        && is_person(&singular(noun))
    {
        return generators::find("full_name");
    }
    let called = |words: &[String]| {
        (0..words.len()).find_map(|start| {
            generators::ALL
                .iter()
                .copied()
                .find(|generator| is_called(&words[start..], generator))
        })
    };
    // Several of them, of which each is one: `roles`.
    called(&words).or_else(|| {
        let (last, before) = words.split_last()?;
        let one = before.iter().cloned().chain([singular(last)]);
        called(&one.collect::<Vec<_>>())
    })
}

/// Whether these words ask for a generator; a number at their end (`phone2`) tells columns of a kind apart.
fn is_called(words: &[String], generator: &TextGenerator) -> bool {
    let name = words.join("_");
    let unnumbered = name
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    generator.columns.contains(&name.as_str())
        || (!unnumbered.is_empty() && generator.columns.contains(&unnumbered))
}

/// What stands in a column's name before the words that ask for a generator: `billing` in `billing_city`.
#[must_use]
pub fn before(column: &str) -> String {
    let words = words(column);
    if is_actor(&words) {
        return words.join("_");
    }
    let asks = |start: &usize| {
        generators::ALL
            .iter()
            .any(|generator| is_called(&words[*start..], generator))
    };
    let start = (0..words.len()).find(asks);
    start.map_or(String::new(), |start| words[..start].join("_"))
}

/// `name` means what its table holds.
fn by_table(words: &[String], table: &str) -> Option<&'static str> {
    let last = words.last()?;
    if words.len() > 1 || !matches!(last.as_str(), "name" | "title" | "label") {
        return None;
    }
    let table_words = self::words(table);
    let noun = table_words.last().map(|word| word.trim_end_matches('s'))?;
    let person = matches!(
        noun,
        "user" | "customer" | "person" | "people" | "contact" | "member" | "client" | "guest"
    );
    Some(match noun {
        "employee" | "staff" | "job" | "position" | "vacancy" | "vacancie" if last == "title" => {
            "job_title"
        }
        _ if person && last == "title" => "salutation",
        _ if last == "name" && is_person(noun) => "full_name",
        "department" | "team" | "division" => "department",
        "language" => "language_name",
        "user" | "customer" | "people" | "person" | "employee" | "author" | "actor" | "contact"
        | "staff" | "member" | "patient" | "student" | "teacher" | "driver" | "owner"
        | "artist" | "client" | "guest" | "player" | "account" => "full_name",
        "product" | "item" | "article" | "good" => "product_name",
        "compan" | "companie" | "company" | "brand" | "vendor" | "supplier" | "organization"
        | "organisation" | "tenant" | "merchant" | "store" | "shop" | "publisher"
        | "manufacturer" | "carrier" => "company",
        "city" | "citie" | "town" | "warehouse" | "location" => "city",
        "country" | "countrie" => "country",
        "state" | "region" | "province" => "state",
        "tag" | "genre" | "role" | "permission" | "type" | "statu" | "status" | "group" => "word",
        _ if last == "title" => "title",
        _ => "words",
    })
}

/// A name's words in lower case: `createdAt`, `created_at` and `CreatedAt` are alike.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            previous_lower = false;
            continue;
        }
        if c.is_uppercase() && previous_lower {
            words.push(std::mem::take(&mut word));
        }
        previous_lower = c.is_lowercase() || c.is_numeric();
        word.extend(c.to_lowercase());
    }
    words.extend((!word.is_empty()).then_some(word));
    words.into_iter().flat_map(parts).collect()
}

/// Two words that are written as one: `duedate`, `datepaid`, `sellprice`, `validfrom`.
fn parts(word: String) -> impl Iterator<Item = String> {
    const SECOND: &[&str] = &["date", "time", "number", "price", "amount", "cost"];
    const WHOLE: &[&str] = &[
        "update",
        "candidate",
        "mandate",
        "validate",
        "lifetime",
        "runtime",
        "uptime",
        "downtime",
        "datetime",
        "daytime",
        "overtime",
        "realtime",
        "sometime",
    ];
    let cut = |at: usize| (word[..at].to_owned(), Some(word[at..].to_owned()));
    let of_validity =
        |rest: &str| matches!(rest, "from" | "to" | "until" | "till" | "thru" | "through");
    let (first, second) = if WHOLE.contains(&word.as_str()) {
        (word, None)
    } else if let Some(paid) = word.strip_prefix("date").filter(|rest| rest.len() > 2) {
        (paid.to_owned(), Some("date".to_owned()))
    } else if word.strip_prefix("valid").is_some_and(of_validity) {
        cut("valid".len())
    } else if let Some(tail) = SECOND
        .iter()
        .find(|tail| word.len() > tail.len() + 1 && word.ends_with(*tail))
    {
        cut(word.len() - tail.len())
    } else {
        (word, None)
    };
    std::iter::once(first).chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(column: &str, table: &str) -> &'static str {
        text_generator(column, table).map_or("-", |generator| generator.name)
    }

    #[test]
    fn names_tell_generators() {
        assert_eq!(generator("email", "users"), "email");
        assert_eq!(generator("billing_email", "users"), "email");
        assert_eq!(generator("FirstName", "users"), "first_name");
        assert_eq!(generator("name", "customers"), "full_name");
        assert_eq!(generator("name", "products"), "product_name");
        assert_eq!(generator("description", "products"), "paragraph");
        assert_eq!(generator("ship_postal_code", "orders"), "postcode");
        assert_eq!(generator("xyzzy", "orders"), "-");
        assert_eq!(generator("title", "employees"), "job_title");
        assert_eq!(generator("approved_by", "orders"), "username");
        assert_eq!(generator("phone2", "orders"), "phone");
        assert_eq!(generator("mac_address", "hosts"), "mac_address");
        assert_eq!(generator("isbn", "books"), "isbn");
    }

    #[test]
    fn two_words_may_be_written_as_one() {
        let shown = |name| words(name).join(" ");
        assert_eq!(
            shown("duedate datepaid sellprice validto serialnumber"),
            "due date paid date sell price valid to serial number"
        );
        assert_eq!(
            shown("last_update datetime candidate id"),
            "last update datetime candidate id"
        );
        assert_eq!(
            before("created_by"),
            "created_by",
            "is nobody whom the row is about"
        );
        assert_eq!(before("billing_phone2"), "billing");
    }

    #[test]
    fn names_tell_meanings() {
        assert_eq!(meaning("is_shipped"), Meaning::Flag);
        assert_eq!(meaning("begin_date_day"), Meaning::Between(1, 28));
        assert_eq!(meaning("file_size"), Meaning::Bytes);
        assert_eq!(meaning("response_code"), Meaning::HttpStatus);
        assert_eq!(
            meaning("elapsed_ms"),
            Meaning::Duration { per_second: 1000 }
        );
        assert_eq!(meaning("tax_rate"), Meaning::Rate);
        assert_eq!(meaning("price_cents"), Meaning::Cents);
        assert_eq!(meaning("unitPrice"), Meaning::Money);
        assert_eq!(meaning("customer_id"), Meaning::Key);
        assert!(
            is_creation("created_at") && is_creation("occurred_at") && !is_creation("created_by")
        );
        assert!(is_later("updated_at") && is_later("last_seen_at"));
        for later in [
            "used_at",
            "update_time",
            "email_verified_at",
            "redeemed_on",
            "lockedAt",
            "start_time",
            "current_sign_in_at",
            "reset_password_sent_at",
        ] {
            assert!(is_later(later), "{later}");
        }
        for other in [
            "created_at",
            "create_time",
            "founded_on",
            "scheduled_at",
            "speed",
            "birth_date",
            "start_date",
            "sent_at",
        ] {
            assert!(!is_later(other), "{other}");
        }
        assert!(is_of_the_row("created_at") && !is_of_the_row("opened_at"));
        assert!(is_creation("create_time") && is_change("update_time"));
        assert_eq!(generator("name", "subscribers"), "full_name");
        assert_eq!(generator("recipient_name", "parcels"), "full_name");
        assert_eq!(
            (digest_bytes("password_hash"), digest_bytes("title")),
            (Some(32), None)
        );
        assert_eq!(meaning("iid"), Meaning::Between(1, 1000));
        assert!(is_change("modified") && is_change("last_updated") && !is_change("last_seen_at"));
    }
}

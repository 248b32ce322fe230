//! Places: the columns of one row name the same place.

use super::{Group, TextGenerator, put, put_template};
use crate::seed::encode;

pub(super) const STREET: TextGenerator = TextGenerator {
    name: "street",
    summary: "house number and street",
    group: Group::Alone,
    columns: &[
        "street",
        "address",
        "street_address",
        "address1",
        "address_1",
        "address2",
        "address_2",
        "address_line1",
        "address_line_1",
        "line1",
        "address_line2",
        "address_line_2",
        "addr",
        "billing_address",
        "shipping_address",
        "ship_address",
    ],
    numbers_itself: false,
    width: 17,
    write: |cell, out| {
        encode::decimal(out, cell.stream.between(1, 999));
        out.push(b' ');
        cell.stream.pick_of(cell.locale.last_names).put(out);
        if !cell.locale.street_suffixes.is_empty() {
            out.push(b' ');
            put(out, cell.stream.pick(cell.locale.street_suffixes));
        }
    },
};

pub(super) const CITY: TextGenerator = TextGenerator {
    name: "city",
    summary: "a town",
    group: Group::Place,
    columns: &["city", "town", "city_name", "municipality", "birth_place", "birthplace", "place", "ship_city"],
    numbers_itself: false,
    width: 12,
    write: |cell, out| {
        if !cell.locale.city_prefixes.is_empty() && cell.stream.below(4) == 0 {
            put(out, cell.stream.pick(cell.locale.city_prefixes));
            out.push(b' ');
        }
        cell.stream.pick_of(cell.locale.last_names).put(out);
        put(out, cell.stream.pick(cell.locale.city_suffixes));
    },
};

pub(super) const STATE: TextGenerator = TextGenerator {
    name: "state",
    summary: "a state or province",
    group: Group::Alone,
    columns: &["province", "county", "state_name", "region", "state_province", "state"],
    numbers_itself: false,
    width: 9,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.states)),
};

pub(super) const STATE_CODE: TextGenerator = TextGenerator {
    name: "state_code",
    summary: "a state's abbreviation",
    group: Group::Alone,
    columns: &["state_code", "state_abbr", "region_code", "province_code"],
    numbers_itself: false,
    width: 2,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.state_codes)),
};

pub(super) const POSTCODE: TextGenerator = TextGenerator {
    name: "postcode",
    summary: "a postal code",
    group: Group::Alone,
    columns: &["postcode", "post_code", "zip", "zipcode", "zip_code", "postal_code", "postalcode", "plz"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        let template = cell.stream.pick(cell.locale.postcodes);
        put_template(&mut cell.stream, template, out);
    },
};

pub(super) const COUNTRY: TextGenerator = TextGenerator {
    name: "country",
    summary: "a country's name",
    group: Group::Alone,
    columns: &["country", "country_name", "nationality", "nation"],
    numbers_itself: false,
    width: 11,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.countries)),
};

pub(super) const COUNTRY_CODE: TextGenerator = TextGenerator {
    name: "country_code",
    summary: "a country's two letters",
    group: Group::Alone,
    columns: &["country_code", "countrycode", "country_iso", "iso_country", "iso2"],
    numbers_itself: false,
    width: 2,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.country_codes)),
};

pub(super) const TIME_ZONE: TextGenerator = TextGenerator {
    name: "time_zone",
    summary: "a time zone of the tz database",
    group: Group::Alone,
    columns: &["time_zone", "timezone", "tz", "tzname"],
    numbers_itself: false,
    width: 17,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.time_zones)),
};

//! Places. Where several columns of a row name one (a city, a country, a currency), [`super::agreeing`] puts the forms of
//! this file's second half in the places of those of its first: these draw the row's place from the atlas first.

use super::atlas::{BY_WEIGHT, COUNTRIES, Country, Order, Region};
use super::contact::PHONE;
use super::finance::CURRENCY;
use super::web::{LANGUAGE, LOCALE};
use super::{Cell, Group, Locale, TextGenerator, put, put_template};
use crate::seed::random::Stream;
use crate::seed::types::binary;

pub(super) const STREET: TextGenerator = TextGenerator {
    name: "street",
    summary: "house number and street",
    group: Group::Place,
    columns: &[
        "street",
        "address",
        "street_address",
        "street_name",
        "address1",
        "address_1",
        "address_line1",
        "address_line_1",
        "line1",
        "line_one",
        "addr",
    ],
    numbers_itself: false,
    width: 17,
    write: |cell, out| {
        binary::decimal(out, cell.stream.between(1, 999));
        out.push(b' ');
        cell.stream.pick_of(cell.locale.last_names).put(out);
        if !cell.locale.street_suffixes.is_empty() {
            out.push(b' ');
            put(out, cell.stream.pick(cell.locale.street_suffixes));
        }
    },
};

pub(super) const UNIT: TextGenerator = TextGenerator {
    name: "unit",
    summary: "a part of a building: an address's second line",
    group: Group::Alone,
    columns: &[
        "address2",
        "address_2",
        "address3",
        "address_3",
        "address_line2",
        "address_line_2",
        "address_line3",
        "address_line_3",
        "line2",
        "line_two",
        "line3",
        "line_three",
        "apartment",
        "suite",
    ],
    numbers_itself: false,
    width: 8,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["Apt. ", "Apt. ", "Suite ", "Unit ", "Floor "]),
        );
        binary::decimal(out, cell.stream.between(1, 60));
    },
};

pub(super) const CITY: TextGenerator = TextGenerator {
    name: "city",
    summary: "a town",
    group: Group::Place,
    columns: &[
        "city",
        "town",
        "city_name",
        "municipality",
        "birthplace",
        "place",
    ],
    numbers_itself: false,
    width: 12,
    write: |cell, out| town(&mut cell.stream, cell.locale, out),
};

/// A name that a town could have.
fn town(stream: &mut Stream, locale: &Locale, out: &mut Vec<u8>) {
    if !locale.city_prefixes.is_empty() && stream.below(4) == 0 {
        put(out, stream.pick(locale.city_prefixes));
        out.push(b' ');
    }
    stream.pick_of(locale.last_names).put(out);
    put(out, stream.pick(locale.city_suffixes));
}

pub(super) const STATE: TextGenerator = TextGenerator {
    name: "state",
    summary: "a state or province",
    group: Group::Place,
    columns: &[
        "province",
        "county",
        "state_name",
        "region",
        "state_province",
        "state",
    ],
    numbers_itself: false,
    width: 9,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.states)),
};

pub(super) const STATE_CODE: TextGenerator = TextGenerator {
    name: "state_code",
    summary: "a state's abbreviation",
    group: Group::Place,
    columns: &["state_code", "state_abbr", "region_code", "province_code"],
    numbers_itself: false,
    width: 2,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.state_codes)),
};

pub(super) const POSTCODE: TextGenerator = TextGenerator {
    name: "postcode",
    summary: "a postal code",
    group: Group::Place,
    columns: &[
        "postcode",
        "post_code",
        "zip",
        "zipcode",
        "zip_code",
        "postal_code",
        "postalcode",
        "plz",
    ],
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
    group: Group::Place,
    columns: &["country", "country_name", "nationality", "nation"],
    numbers_itself: false,
    width: 11,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.countries)),
};

pub(super) const COUNTRY_CODE: TextGenerator = TextGenerator {
    name: "country_code",
    summary: "a country's two letters",
    group: Group::Place,
    columns: &[
        "country_code",
        "countrycode",
        "country_iso",
        "iso_country",
        "iso2",
        "alpha2",
        "iso_code",
    ],
    numbers_itself: false,
    width: 2,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.country_codes)),
};

pub(super) const COUNTRY_CODE_3: TextGenerator = TextGenerator {
    name: "country_code_3",
    summary: "a country's three letters",
    group: Group::Place,
    columns: &[
        "country_code_3",
        "country_code3",
        "iso3",
        "alpha3",
        "country_iso3",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| put(out, Spot::draw(cell).country.alpha3),
};

pub(super) const TIME_ZONE: TextGenerator = TextGenerator {
    name: "time_zone",
    summary: "a time zone of the tz database",
    group: Group::PlaceToo,
    columns: &["time_zone", "timezone", "tz", "tzname"],
    numbers_itself: false,
    width: 17,
    write: |cell, out| put(out, cell.stream.pick(cell.locale.time_zones)),
};

/// A row's place.
struct Spot {
    country: &'static Country,
    region: &'static Region,
}

impl Spot {
    /// Always the first draws of the row's stream.
    fn draw(cell: &mut Cell) -> Self {
        let stream = &mut cell.stream;
        let anywhere = usize::from(BY_WEIGHT[stream.below(BY_WEIGHT.len() as u64) as usize]);
        let at_home = stream.below(10) > 0;
        let country = &COUNTRIES[cell.locale.home.filter(|_| at_home).unwrap_or(anywhere)];
        Self {
            country,
            region: larger(stream, country.regions),
        }
    }
}

/// The first ones are larger, and come more often.
fn larger<'t, T>(stream: &mut Stream, all: &'t [T]) -> &'t T {
    let count = all.len() as u64;
    &all[stream.below(count).min(stream.below(count)) as usize]
}

/// The form of a generator for a row whose columns name one place; the `nth` column of its kind there. `None` for what
/// is in no place.
pub(in crate::seed) fn agreeing(
    generator: &TextGenerator,
    nth: usize,
) -> Option<&'static TextGenerator> {
    let forms: &[&TextGenerator] = match generator.name {
        "street" => &[&STREET_THERE, &OTHER_STREET_THERE],
        "city" => &[&CITY_THERE],
        "state" => &[&STATE_THERE],
        "state_code" => &[&STATE_CODE_THERE],
        "postcode" => &[&POSTCODE_THERE],
        "country" => &[&COUNTRY_THERE],
        "country_code" => &[&COUNTRY_CODE_THERE],
        "country_code_3" => &[&COUNTRY_CODE_3],
        "time_zone" => &[&TIME_ZONE_THERE],
        "currency" => &[&CURRENCY_THERE],
        "language" => &[&LANGUAGE_THERE],
        "locale" => &[&LOCALE_THERE],
        "phone" => &[&PHONE_THERE, &SECOND_PHONE_THERE, &THIRD_PHONE_THERE],
        _ => return None,
    };
    forms.get(nth.min(forms.len() - 1)).copied()
}

const STREET_THERE: TextGenerator = TextGenerator {
    write: |cell, out| street(cell, 1, out),
    ..STREET
};
const OTHER_STREET_THERE: TextGenerator = TextGenerator {
    write: |cell, out| street(cell, 2, out),
    ..STREET
};

/// A street of the row's country; another one for each branch.
fn street(cell: &mut Cell, branch: u64, out: &mut Vec<u8>) {
    let country = Spot::draw(cell).country;
    let street = &country.street;
    let language = Locale::of_language(country.language).unwrap_or(cell.locale);
    let mut stream = cell.stream.branch(branch);
    let number = stream.between(1, 199);
    let kind = stream.pick(street.kinds);
    let name = |stream: &mut Stream, out: &mut Vec<u8>| match street.names {
        [] => stream.pick_of(language.last_names).put(out),
        names => put(out, stream.pick(names)),
    };
    match street.order {
        Order::NumberNameKind => {
            binary::decimal(out, number);
            out.push(b' ');
            name(&mut stream, out);
            out.push(b' ');
            put(out, kind);
        }
        Order::NameKindNumber => {
            name(&mut stream, out);
            put(out, kind);
            out.push(b' ');
            binary::decimal(out, number);
        }
        Order::KindNameNumber => {
            put(out, kind);
            out.push(b' ');
            name(&mut stream, out);
            out.push(b' ');
            binary::decimal(out, number);
        }
        Order::NumberKindName => {
            binary::decimal(out, number);
            out.push(b' ');
            put(out, kind);
            out.push(b' ');
            name(&mut stream, out);
        }
    }
}

const CITY_THERE: TextGenerator = TextGenerator {
    write: city,
    ..CITY
};

/// Mostly one of the region's large towns, else a small one that is made up.
fn city(cell: &mut Cell, out: &mut Vec<u8>) {
    const BRANCH: u64 = 3;
    let Spot { country, region } = Spot::draw(cell);
    let mut stream = cell.stream.branch(BRANCH);
    let small = stream.below(5) < 2;
    match (
        small
            .then(|| Locale::of_language(country.language))
            .flatten(),
        country.language,
    ) {
        (Some(language), "en" | "de" | "nl") => town(&mut stream, language, out),
        (Some(language), "fr") => {
            put(out, "Saint-");
            stream.pick_of(language.first_names).put(out);
        }
        (Some(language), "it") => {
            put(out, "San ");
            stream.pick_of(language.first_names).put(out);
        }
        _ => {
            let large: &&str = larger(&mut stream, region.cities);
            put(out, large);
        }
    }
}

const STATE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).region.name),
    ..STATE
};
const STATE_CODE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).region.code),
    ..STATE_CODE
};
const COUNTRY_CODE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).country.alpha2),
    ..COUNTRY_CODE
};
const TIME_ZONE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).region.time_zone),
    ..TIME_ZONE
};
const CURRENCY_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).country.currency),
    ..CURRENCY
};
const LANGUAGE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| put(out, Spot::draw(cell).country.language),
    ..LANGUAGE
};

const COUNTRY_THERE: TextGenerator = TextGenerator {
    write: |cell, out| {
        let country = Spot::draw(cell).country;
        // A locale with a home writes in its own language.
        put(
            out,
            if cell.locale.home.is_some() {
                country.own_name
            } else {
                country.name
            },
        );
    },
    ..COUNTRY
};

const POSTCODE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| {
        const BRANCH: u64 = 4;
        let template = Spot::draw(cell).region.postcode;
        put_template(&mut cell.stream.branch(BRANCH), template, out);
    },
    ..POSTCODE
};

const LOCALE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| {
        let country = Spot::draw(cell).country;
        put(out, country.language);
        out.push(b'-');
        put(out, country.alpha2);
    },
    ..LOCALE
};

const PHONE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| phone(cell, 5, out),
    ..PHONE
};
const SECOND_PHONE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| phone(cell, 6, out),
    ..PHONE
};
const THIRD_PHONE_THERE: TextGenerator = TextGenerator {
    write: |cell, out| phone(cell, 7, out),
    ..PHONE
};

/// A number of the row's country; another one for each branch.
fn phone(cell: &mut Cell, branch: u64, out: &mut Vec<u8>) {
    let template = Spot::draw(cell).country.phone;
    match cell.number {
        None => put_template(&mut cell.stream.branch(branch), template, out),
        Some(number) => {
            // The country's prefix, and digits that nobody else has.
            let prefix = template.find(['#', '^']).unwrap_or(template.len());
            put(out, &template[..prefix]);
            binary::decimal(out, 2_000_000_000 + number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::random::Key;

    /// What a generator writes in the place of row `row`.
    fn there(name: &str, row: u64, locale: &'static Locale) -> String {
        let generator = agreeing(super::super::find(name).unwrap(), 0).unwrap();
        let mut out = Vec::new();
        (generator.write)(
            &mut Cell {
                stream: Key::new(1).stream(row),
                number: None,
                locale,
            },
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_columns_of_a_place_agree() {
        let mut seen = std::collections::BTreeSet::new();
        for row in 0..2000 {
            let of = |name| there(name, row, Locale::default_locale());
            let code = of("country_code");
            let country = COUNTRIES
                .iter()
                .find(|country| country.alpha2 == code)
                .unwrap();
            let region = country
                .regions
                .iter()
                .find(|region| region.name == of("state"))
                .unwrap();
            assert_eq!(
                (of("country"), of("country_code_3")),
                (country.name.to_owned(), country.alpha3.to_owned())
            );
            assert_eq!(
                (of("currency"), of("language")),
                (country.currency.to_owned(), country.language.to_owned())
            );
            assert_eq!(
                (of("state_code"), of("time_zone")),
                (region.code.to_owned(), region.time_zone.to_owned())
            );
            assert!(of("phone").starts_with(country.phone.split(['#', '^']).next().unwrap()));
            assert_eq!(of("postcode").len(), region.postcode.len());
            assert_eq!(of("locale"), format!("{}-{code}", country.language));
            seen.insert(code);
        }
        assert!(seen.len() > 25, "many countries: {seen:?}");
    }

    #[test]
    fn a_locale_stays_at_home_mostly_and_writes_its_own_names() {
        let german = Locale::find("de").unwrap();
        let home = (0..1000)
            .filter(|row| there("country", *row, german) == "Deutschland")
            .count();
        assert!(
            (850..1000).contains(&home),
            "{home} of 1000 rows are in Germany"
        );
    }
}

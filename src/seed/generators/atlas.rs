//! Countries, their regions and large towns: facts (ISO 3166, ISO 4217, E.164, the tz database and postal services'
//! formats), chosen and weighted by where customers of a western shop live. No generator here.

mod countries;
mod streets;

use streets::{
    ANYWHERE, DANISH, DUTCH, ENGLISH, FRENCH, GERMAN, ITALIAN, POLISH, PORTUGUESE, SPANISH,
    SWEDISH, TURKISH,
};

pub(super) use countries::COUNTRIES;
pub(super) use streets::{Order, Street};

#[derive(Debug)]
pub(super) struct Country {
    /// In English.
    pub name: &'static str,
    /// In its own language.
    pub own_name: &'static str,
    /// ISO 3166-1 alpha-2.
    pub alpha2: &'static str,
    /// ISO 3166-1 alpha-3.
    pub alpha3: &'static str,
    /// ISO 4217.
    pub currency: &'static str,
    /// ISO 639-1.
    pub language: &'static str,
    /// Mobile numbers: `#` is a digit, `^` a digit but 0.
    pub phone: &'static str,
    /// Some of them, the largest first.
    pub regions: &'static [Region],
    /// How a street is written.
    pub street: Street,
    /// How often it comes where no locale says otherwise.
    pub weight: u8,
}

/// A state, province or county.
#[derive(Debug)]
pub(super) struct Region {
    pub name: &'static str,
    /// Its abbreviation, as of ISO 3166-2 without the country.
    pub code: &'static str,
    /// Postcodes: `#` is a digit, `^` a digit but 0, `@` a capital letter.
    pub postcode: &'static str,
    /// A name of the tz database.
    pub time_zone: &'static str,
    /// Towns, the largest first.
    pub cities: &'static [&'static str],
}

const fn region(
    name: &'static str,
    code: &'static str,
    postcode: &'static str,
    time_zone: &'static str,
    cities: &'static [&'static str],
) -> Region {
    Region {
        name,
        code,
        postcode,
        time_zone,
        cities,
    }
}

/// As many places of this table as a country weighs hold its index: one draw chooses by weight.
const WEIGHTS: usize = {
    let (mut sum, mut at) = (0, 0);
    while at < COUNTRIES.len() {
        sum += COUNTRIES[at].weight as usize;
        at += 1;
    }
    sum
};

pub(super) static BY_WEIGHT: [u8; WEIGHTS] = {
    let mut table = [0; WEIGHTS];
    let (mut country, mut at) = (0, 0);
    while country < COUNTRIES.len() {
        let mut count = 0;
        while count < COUNTRIES[country].weight {
            table[at] = country as u8;
            at += 1;
            count += 1;
        }
        country += 1;
    }
    table
};

/// A country's index by its two letters, while it compiles.
pub(super) const fn country(alpha2: &str) -> Option<usize> {
    let wanted = alpha2.as_bytes();
    let mut at = 0;
    while at < COUNTRIES.len() {
        let own = COUNTRIES[at].alpha2.as_bytes();
        if own[0] == wanted[0] && own[1] == wanted[1] {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_is_whole_and_there_once() {
        let mut seen = std::collections::HashSet::new();
        for country in &COUNTRIES {
            assert!(
                seen.insert(country.alpha2) && seen.insert(country.alpha3),
                "{}",
                country.name
            );
            assert_eq!(
                (
                    country.alpha2.len(),
                    country.alpha3.len(),
                    country.currency.len()
                ),
                (2, 3, 3)
            );
            assert!(
                country.phone.starts_with('+') && country.phone.len() <= 15,
                "{}: E.164",
                country.name
            );
            for region in country.regions {
                assert!(
                    !region.cities.is_empty() && region.time_zone.contains('/'),
                    "{}",
                    region.name
                );
                assert!(
                    region.postcode.contains('#') && region.postcode.len() <= 12,
                    "{}",
                    region.name
                );
            }
        }
        assert!(
            COUNTRIES
                .windows(2)
                .all(|pair| pair[0].weight >= pair[1].weight)
        );
    }
}

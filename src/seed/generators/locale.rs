//! Names and places by language: `fake`'s tables as plain slices.

use fake::locales::{self, Data};

/// One language's tables.
#[derive(Debug)]
pub struct Locale {
    /// As it is written in a spec: `en`, `de_DE`.
    pub name: &'static str,
    pub first_names: &'static [&'static str],
    pub last_names: &'static [&'static str],
    pub city_prefixes: &'static [&'static str],
    pub city_suffixes: &'static [&'static str],
    pub street_suffixes: &'static [&'static str],
    pub states: &'static [&'static str],
    pub state_codes: &'static [&'static str],
    pub countries: &'static [&'static str],
    pub country_codes: &'static [&'static str],
    pub time_zones: &'static [&'static str],
    pub postcodes: &'static [&'static str],
    pub phones: &'static [&'static str],
    pub company_suffixes: &'static [&'static str],
    pub words: &'static [&'static str],
}

const fn tables<L: Data>(name: &'static str) -> Locale {
    Locale {
        name,
        first_names: L::NAME_FIRST_NAME,
        last_names: L::NAME_LAST_NAME,
        city_prefixes: L::ADDRESS_CITY_PREFIX,
        city_suffixes: L::ADDRESS_CITY_SUFFIX,
        street_suffixes: L::ADDRESS_STREET_SUFFIX,
        states: L::ADDRESS_STATE,
        state_codes: L::ADDRESS_STATE_ABBR,
        countries: L::ADDRESS_COUNTRY,
        country_codes: L::ADDRESS_COUNTRY_CODE,
        time_zones: L::ADDRESS_TIME_ZONE,
        postcodes: L::ADDRESS_ZIP_FORMATS,
        phones: L::PHONE_CELL_NUMBER_FORMATS,
        company_suffixes: L::COMPANY_SUFFIX,
        words: L::LOREM_WORD,
    }
}

static LOCALES: [Locale; 14] = [
    Locale { postcodes: locales::EN::ADDRESS_POSTCODE_FORMATS, ..tables::<locales::EN>("en") },
    tables::<locales::DE_DE>("de_DE"),
    tables::<locales::FR_FR>("fr_FR"),
    tables::<locales::IT_IT>("it_IT"),
    tables::<locales::NL_NL>("nl_NL"),
    tables::<locales::PT_BR>("pt_BR"),
    tables::<locales::PT_PT>("pt_PT"),
    tables::<locales::TR_TR>("tr_TR"),
    tables::<locales::CY_GB>("cy_GB"),
    tables::<locales::AR_SA>("ar_SA"),
    tables::<locales::FA_IR>("fa_IR"),
    tables::<locales::JA_JP>("ja_JP"),
    tables::<locales::ZH_CN>("zh_CN"),
    tables::<locales::ZH_TW>("zh_TW"),
];

impl Locale {
    /// English.
    #[must_use]
    pub fn default_locale() -> &'static Self {
        &LOCALES[0]
    }

    /// By name; upper and lower case, `-` and `_` are alike.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let wanted = name.replace('-', "_");
        LOCALES.iter().find(|locale| locale.name.eq_ignore_ascii_case(&wanted))
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LOCALES.iter().map(|locale| locale.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_is_empty() {
        for locale in &LOCALES {
            for table in [
                locale.first_names,
                locale.last_names,
                locale.city_suffixes,
                locale.states,
                locale.state_codes,
                locale.countries,
                locale.country_codes,
                locale.time_zones,
                locale.postcodes,
                locale.phones,
                locale.company_suffixes,
                locale.words,
            ] {
                assert!(!table.is_empty(), "{}", locale.name);
            }
        }
    }
}

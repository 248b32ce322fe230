//! Names and places by language: `fake`'s tables as plain slices.

use fake::locales::{self, Data};

use super::atlas;
use super::word::Word;

/// One language's tables.
#[derive(Debug)]
pub struct Locale {
    /// As it is written in a spec: `en`, `de_DE`.
    pub name: &'static str,
    pub first_names: &'static [Word],
    pub last_names: &'static [Word],
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
    pub words: &'static [Word],
    /// Where most of its places lie, as an index of the atlas; `None` for places of many countries.
    pub(super) home: Option<usize>,
}

/// A table as [`Word`]s, made while it compiles.
macro_rules! words {
    ($table:expr) => {{
        const TABLE: &[&str] = $table;
        static WORDS: [Word; TABLE.len()] = Word::all(TABLE);
        &WORDS
    }};
}

macro_rules! locale {
    ($data:ident, $name:literal, $postcodes:ident, $home:expr) => {
        Locale {
            name: $name,
            first_names: words!(locales::$data::NAME_FIRST_NAME),
            last_names: words!(locales::$data::NAME_LAST_NAME),
            city_prefixes: locales::$data::ADDRESS_CITY_PREFIX,
            city_suffixes: locales::$data::ADDRESS_CITY_SUFFIX,
            street_suffixes: locales::$data::ADDRESS_STREET_SUFFIX,
            states: locales::$data::ADDRESS_STATE,
            state_codes: locales::$data::ADDRESS_STATE_ABBR,
            countries: locales::$data::ADDRESS_COUNTRY,
            country_codes: locales::$data::ADDRESS_COUNTRY_CODE,
            time_zones: locales::$data::ADDRESS_TIME_ZONE,
            postcodes: locales::$data::$postcodes,
            phones: locales::$data::PHONE_CELL_NUMBER_FORMATS,
            company_suffixes: locales::$data::COMPANY_SUFFIX,
            words: words!(locales::$data::LOREM_WORD),
            home: $home,
        }
    };
}

static LOCALES: [Locale; 14] = [
    locale!(EN, "en", ADDRESS_POSTCODE_FORMATS, None),
    locale!(DE_DE, "de_DE", ADDRESS_ZIP_FORMATS, atlas::country("DE")),
    locale!(FR_FR, "fr_FR", ADDRESS_ZIP_FORMATS, atlas::country("FR")),
    locale!(IT_IT, "it_IT", ADDRESS_ZIP_FORMATS, atlas::country("IT")),
    locale!(NL_NL, "nl_NL", ADDRESS_ZIP_FORMATS, atlas::country("NL")),
    locale!(PT_BR, "pt_BR", ADDRESS_ZIP_FORMATS, atlas::country("BR")),
    locale!(PT_PT, "pt_PT", ADDRESS_ZIP_FORMATS, atlas::country("PT")),
    locale!(TR_TR, "tr_TR", ADDRESS_ZIP_FORMATS, atlas::country("TR")),
    locale!(CY_GB, "cy_GB", ADDRESS_ZIP_FORMATS, atlas::country("GB")),
    locale!(AR_SA, "ar_SA", ADDRESS_ZIP_FORMATS, atlas::country("SA")),
    locale!(FA_IR, "fa_IR", ADDRESS_ZIP_FORMATS, atlas::country("IR")),
    locale!(JA_JP, "ja_JP", ADDRESS_ZIP_FORMATS, atlas::country("JP")),
    locale!(ZH_CN, "zh_CN", ADDRESS_ZIP_FORMATS, atlas::country("CN")),
    locale!(ZH_TW, "zh_TW", ADDRESS_ZIP_FORMATS, atlas::country("TW")),
];

impl Locale {
    /// English.
    #[must_use]
    pub fn default_locale() -> &'static Self {
        &LOCALES[0]
    }

    /// The locale of a language's family names and small towns.
    pub(super) fn of_language(language: &str) -> Option<&'static Self> {
        match language {
            "en" => Some(&LOCALES[0]),
            "de" => Some(&LOCALES[1]),
            "fr" => Some(&LOCALES[2]),
            "it" => Some(&LOCALES[3]),
            "nl" => Some(&LOCALES[4]),
            "pt" => Some(&LOCALES[5]),
            _ => None,
        }
    }

    /// By name; upper and lower case, `-` and `_` are alike.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let wanted = name.replace('-', "_");
        let language = |locale: &&Self| {
            locale
                .name
                .split('_')
                .next()
                .is_some_and(|it| it.eq_ignore_ascii_case(&wanted))
        };
        let exact = LOCALES
            .iter()
            .find(|locale| locale.name.eq_ignore_ascii_case(&wanted));
        exact.or_else(|| LOCALES.iter().find(language))
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
    fn a_language_alone_is_its_first_locale() {
        let named = |name| Locale::find(name).map(|locale| locale.name);
        assert_eq!(
            (named("de"), named("pt-pt"), named("PT")),
            (Some("de_DE"), Some("pt_PT"), Some("pt_BR"))
        );
        assert_eq!(
            (named("en"), named("d"), named("de_AT")),
            (Some("en"), None, None)
        );
    }

    #[test]
    fn every_locale_but_english_has_a_home() {
        assert!(
            LOCALES
                .iter()
                .all(|locale| locale.home.is_none() == (locale.name == "en"))
        );
    }

    #[test]
    fn no_table_is_empty() {
        for locale in &LOCALES {
            for table in [
                locale.city_suffixes,
                locale.states,
                locale.state_codes,
                locale.countries,
                locale.country_codes,
                locale.time_zones,
                locale.postcodes,
                locale.phones,
                locale.company_suffixes,
            ] {
                assert!(!table.is_empty(), "{}", locale.name);
            }
            for table in [locale.first_names, locale.last_names, locale.words] {
                assert!(!table.is_empty(), "{}", locale.name);
            }
        }
    }
}

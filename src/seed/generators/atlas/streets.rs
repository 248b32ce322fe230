//! How streets are written.

/// How a street is written.
#[derive(Debug)]
pub(in crate::seed::generators) struct Street {
    /// The parts' order.
    pub order: Order,
    /// What streets are: `Street`, `straße`.
    pub kinds: &'static [&'static str],
    /// What they are called after; empty for family names of the country's language.
    pub names: &'static [&'static str],
}

/// The order of number, name and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::seed::generators) enum Order {
    /// `12 Miller Street`.
    NumberNameKind,
    /// `Müllerstraße 12`.
    NameKindNumber,
    /// `Via Rossi 12`.
    KindNameNumber,
    /// `12 Rue Martin`.
    NumberKindName,
}

const STREETS: &[&str] = &[
    "Street", "Avenue", "Road", "Lane", "Drive", "Court", "Way", "Close", "Place", "Terrace",
];

pub(super) const ENGLISH: Street = Street {
    order: Order::NumberNameKind,
    kinds: STREETS,
    names: &[],
};

pub(super) const ANYWHERE: Street = Street {
    order: Order::NumberNameKind,
    kinds: &["Street", "Road", "Avenue"],
    names: &[
        "Bridge",
        "Castle",
        "Central",
        "Garden",
        "Harbour",
        "Hill",
        "Lake",
        "Market",
        "Museum",
        "Park",
        "River",
        "Station",
        "Temple",
        "Tower",
        "University",
    ],
};

pub(super) const GERMAN: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["straße", "straße", "weg", "allee", "platz", "gasse", "ring"],
    names: &[],
};

pub(super) const DUTCH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["straat", "laan", "weg", "plein", "kade"],
    names: &[],
};

pub(super) const FRENCH: Street = Street {
    order: Order::NumberKindName,
    kinds: &[
        "Rue",
        "Rue",
        "Avenue",
        "Boulevard",
        "Place",
        "Impasse",
        "Allée",
    ],
    names: &[],
};

pub(super) const SPANISH: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["Calle", "Calle", "Avenida", "Plaza", "Paseo"],
    names: &[
        "Cervantes",
        "Colón",
        "de la Paz",
        "del Sol",
        "Goya",
        "Hidalgo",
        "Independencia",
        "Juárez",
        "Libertad",
        "Mayor",
        "Real",
        "San Juan",
        "San Miguel",
        "Santa Ana",
    ],
};

pub(super) const ITALIAN: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["Via", "Via", "Viale", "Piazza", "Corso"],
    names: &[],
};

pub(super) const PORTUGUESE: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["Rua", "Rua", "Avenida", "Travessa", "Largo"],
    names: &[],
};

pub(super) const POLISH: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["ul."],
    names: &[
        "Brzozowa",
        "Krótka",
        "Kwiatowa",
        "Leśna",
        "Lipowa",
        "Łąkowa",
        "Ogrodowa",
        "Polna",
        "Słoneczna",
        "Szkolna",
    ],
};

pub(super) const SWEDISH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["gatan", "vägen"],
    names: &[
        "Björk",
        "Drottning",
        "Kungs",
        "Kyrko",
        "Park",
        "Ring",
        "Sjö",
        "Skol",
        "Stor",
        "Strand",
    ],
};

pub(super) const DANISH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["vej", "gade"],
    names: &[
        "Birke", "Kirke", "Kongens", "Park", "Skole", "Strand", "Sø", "Vester", "Øster",
    ],
};

pub(super) const TURKISH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &[" Caddesi", " Sokağı", " Bulvarı"],
    names: &[
        "Atatürk",
        "Barış",
        "Cumhuriyet",
        "Fatih",
        "Gazi",
        "İnönü",
        "İstiklal",
        "Zafer",
    ],
};

//! Countries, their regions and large towns: facts (ISO 3166, ISO 4217, E.164, the tz database and postal services'
//! formats), chosen and weighted by where customers of a western shop live. No generator here.

/// One country.
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
    /// Its name.
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

/// How a street is written.
#[derive(Debug)]
pub(super) struct Street {
    /// The parts' order.
    pub order: Order,
    /// What streets are: `Street`, `straße`.
    pub kinds: &'static [&'static str],
    /// What they are called after; empty for family names of the country's language.
    pub names: &'static [&'static str],
}

/// The order of number, name and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `12 Miller Street`.
    NumberNameKind,
    /// `Müllerstraße 12`.
    NameKindNumber,
    /// `Via Rossi 12`.
    KindNameNumber,
    /// `12 Rue Martin`.
    NumberKindName,
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

const STREETS: &[&str] = &[
    "Street", "Avenue", "Road", "Lane", "Drive", "Court", "Way", "Close", "Place", "Terrace",
];
const ENGLISH: Street = Street {
    order: Order::NumberNameKind,
    kinds: STREETS,
    names: &[],
};
const ANYWHERE: Street = Street {
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
const GERMAN: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["straße", "straße", "weg", "allee", "platz", "gasse", "ring"],
    names: &[],
};
const DUTCH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["straat", "laan", "weg", "plein", "kade"],
    names: &[],
};
const FRENCH: Street = Street {
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
const SPANISH: Street = Street {
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
const ITALIAN: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["Via", "Via", "Viale", "Piazza", "Corso"],
    names: &[],
};
const PORTUGUESE: Street = Street {
    order: Order::KindNameNumber,
    kinds: &["Rua", "Rua", "Avenida", "Travessa", "Largo"],
    names: &[],
};
const POLISH: Street = Street {
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
const SWEDISH: Street = Street {
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
const DANISH: Street = Street {
    order: Order::NameKindNumber,
    kinds: &["vej", "gade"],
    names: &[
        "Birke", "Kirke", "Kongens", "Park", "Skole", "Strand", "Sø", "Vester", "Øster",
    ],
};
const TURKISH: Street = Street {
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

/// Every country, by falling weight.
// A table: a line a region.
#[rustfmt::skip]
pub(super) static COUNTRIES: [Country; 29] = [
    Country {
        name: "United States",
        own_name: "United States",
        alpha2: "US",
        alpha3: "USA",
        currency: "USD",
        language: "en",
        phone: "+1^##555####",
        street: ENGLISH,
        weight: 80,
        regions: &[
            region("California", "CA", "9####", "America/Los_Angeles", &["Los Angeles", "San Diego", "San Jose", "San Francisco", "Fresno", "Sacramento", "Oakland"]),
            region("Texas", "TX", "7####", "America/Chicago", &["Houston", "San Antonio", "Dallas", "Austin", "Fort Worth", "El Paso"]),
            region("New York", "NY", "1####", "America/New_York", &["New York", "Buffalo", "Rochester", "Yonkers", "Syracuse", "Albany"]),
            region("Florida", "FL", "33###", "America/New_York", &["Jacksonville", "Miami", "Tampa", "Orlando", "Saint Petersburg"]),
            region("Illinois", "IL", "60###", "America/Chicago", &["Chicago", "Aurora", "Naperville", "Rockford", "Springfield"]),
            region("Pennsylvania", "PA", "19###", "America/New_York", &["Philadelphia", "Pittsburgh", "Allentown", "Erie"]),
            region("Ohio", "OH", "44###", "America/New_York", &["Columbus", "Cleveland", "Cincinnati", "Toledo", "Akron"]),
            region("Georgia", "GA", "30###", "America/New_York", &["Atlanta", "Augusta", "Savannah", "Macon"]),
            region("Washington", "WA", "98###", "America/Los_Angeles", &["Seattle", "Spokane", "Tacoma", "Bellevue"]),
            region("Massachusetts", "MA", "02###", "America/New_York", &["Boston", "Worcester", "Springfield", "Cambridge"]),
            region("Colorado", "CO", "80###", "America/Denver", &["Denver", "Colorado Springs", "Aurora", "Boulder"]),
            region("Arizona", "AZ", "85###", "America/Phoenix", &["Phoenix", "Tucson", "Mesa", "Scottsdale"]),
            region("Oregon", "OR", "97###", "America/Los_Angeles", &["Portland", "Salem", "Eugene", "Bend"]),
            region("Minnesota", "MN", "55###", "America/Chicago", &["Minneapolis", "Saint Paul", "Rochester", "Duluth"]),
        ],
    },
    Country {
        name: "United Kingdom",
        own_name: "United Kingdom",
        alpha2: "GB",
        alpha3: "GBR",
        currency: "GBP",
        language: "en",
        phone: "+447#########",
        street: ENGLISH,
        weight: 28,
        regions: &[
            region("England", "ENG", "M# #@@", "Europe/London", &["London", "Manchester", "Birmingham", "Leeds", "Liverpool", "Sheffield", "Bristol", "Nottingham", "Leicester", "Brighton", "Plymouth", "York"]),
            region("Scotland", "SCT", "EH# #@@", "Europe/London", &["Glasgow", "Edinburgh", "Aberdeen", "Dundee", "Inverness"]),
            region("Wales", "WLS", "CF# #@@", "Europe/London", &["Cardiff", "Swansea", "Newport", "Wrexham"]),
            region("Northern Ireland", "NIR", "BT# #@@", "Europe/London", &["Belfast", "Derry", "Lisburn", "Newry"]),
        ],
    },
    Country {
        name: "Germany",
        own_name: "Deutschland",
        alpha2: "DE",
        alpha3: "DEU",
        currency: "EUR",
        language: "de",
        phone: "+4915########",
        street: GERMAN,
        weight: 26,
        regions: &[
            region("Nordrhein-Westfalen", "NW", "4####", "Europe/Berlin", &["Köln", "Düsseldorf", "Dortmund", "Essen", "Duisburg", "Bochum", "Bonn", "Münster"]),
            region("Bayern", "BY", "8####", "Europe/Berlin", &["München", "Nürnberg", "Augsburg", "Regensburg", "Ingolstadt"]),
            region("Baden-Württemberg", "BW", "7####", "Europe/Berlin", &["Stuttgart", "Mannheim", "Karlsruhe", "Freiburg", "Ulm"]),
            region("Berlin", "BE", "10###", "Europe/Berlin", &["Berlin"]),
            region("Hessen", "HE", "6####", "Europe/Berlin", &["Frankfurt am Main", "Wiesbaden", "Kassel", "Darmstadt"]),
            region("Hamburg", "HH", "20###", "Europe/Berlin", &["Hamburg"]),
            region("Sachsen", "SN", "01###", "Europe/Berlin", &["Leipzig", "Dresden", "Chemnitz"]),
            region("Niedersachsen", "NI", "3####", "Europe/Berlin", &["Hannover", "Braunschweig", "Göttingen", "Oldenburg"]),
        ],
    },
    Country {
        name: "France",
        own_name: "France",
        alpha2: "FR",
        alpha3: "FRA",
        currency: "EUR",
        language: "fr",
        phone: "+336########",
        street: FRENCH,
        weight: 18,
        regions: &[
            region("Île-de-France", "IDF", "75###", "Europe/Paris", &["Paris", "Boulogne-Billancourt", "Saint-Denis", "Versailles"]),
            region("Auvergne-Rhône-Alpes", "ARA", "69###", "Europe/Paris", &["Lyon", "Grenoble", "Saint-Étienne", "Annecy"]),
            region("Provence-Alpes-Côte d'Azur", "PAC", "13###", "Europe/Paris", &["Marseille", "Nice", "Toulon", "Avignon"]),
            region("Occitanie", "OCC", "31###", "Europe/Paris", &["Toulouse", "Montpellier", "Nîmes", "Perpignan"]),
            region("Nouvelle-Aquitaine", "NAQ", "33###", "Europe/Paris", &["Bordeaux", "Limoges", "Poitiers", "La Rochelle"]),
            region("Bretagne", "BRE", "35###", "Europe/Paris", &["Rennes", "Brest", "Quimper", "Vannes"]),
        ],
    },
    Country {
        name: "Canada",
        own_name: "Canada",
        alpha2: "CA",
        alpha3: "CAN",
        currency: "CAD",
        language: "en",
        phone: "+1^##555####",
        street: ENGLISH,
        weight: 14,
        regions: &[
            region("Ontario", "ON", "M#B #C#", "America/Toronto", &["Toronto", "Ottawa", "Mississauga", "Hamilton", "London"]),
            region("Quebec", "QC", "H#A #L#", "America/Toronto", &["Montréal", "Québec", "Laval", "Gatineau"]),
            region("British Columbia", "BC", "V#R #T#", "America/Vancouver", &["Vancouver", "Surrey", "Burnaby", "Victoria"]),
            region("Alberta", "AB", "T#P #J#", "America/Edmonton", &["Calgary", "Edmonton", "Red Deer"]),
        ],
    },
    Country {
        name: "Australia",
        own_name: "Australia",
        alpha2: "AU",
        alpha3: "AUS",
        currency: "AUD",
        language: "en",
        phone: "+614########",
        street: ENGLISH,
        weight: 11,
        regions: &[
            region("New South Wales", "NSW", "2###", "Australia/Sydney", &["Sydney", "Newcastle", "Wollongong"]),
            region("Victoria", "VIC", "3###", "Australia/Melbourne", &["Melbourne", "Geelong", "Ballarat"]),
            region("Queensland", "QLD", "4###", "Australia/Brisbane", &["Brisbane", "Gold Coast", "Cairns", "Townsville"]),
            region("Western Australia", "WA", "6###", "Australia/Perth", &["Perth", "Bunbury"]),
            region("South Australia", "SA", "5###", "Australia/Adelaide", &["Adelaide"]),
        ],
    },
    Country {
        name: "Netherlands",
        own_name: "Nederland",
        alpha2: "NL",
        alpha3: "NLD",
        currency: "EUR",
        language: "nl",
        phone: "+316########",
        street: DUTCH,
        weight: 9,
        regions: &[
            region("Noord-Holland", "NH", "1### @@", "Europe/Amsterdam", &["Amsterdam", "Haarlem", "Zaandam", "Alkmaar"]),
            region("Zuid-Holland", "ZH", "3### @@", "Europe/Amsterdam", &["Rotterdam", "Den Haag", "Leiden", "Delft"]),
            region("Utrecht", "UT", "35## @@", "Europe/Amsterdam", &["Utrecht", "Amersfoort"]),
            region("Noord-Brabant", "NB", "5### @@", "Europe/Amsterdam", &["Eindhoven", "Tilburg", "Breda"]),
        ],
    },
    Country {
        name: "Spain",
        own_name: "España",
        alpha2: "ES",
        alpha3: "ESP",
        currency: "EUR",
        language: "es",
        phone: "+346########",
        street: SPANISH,
        weight: 9,
        regions: &[
            region("Madrid", "MD", "28###", "Europe/Madrid", &["Madrid", "Móstoles", "Alcalá de Henares", "Getafe"]),
            region("Cataluña", "CT", "08###", "Europe/Madrid", &["Barcelona", "Badalona", "Sabadell", "Terrassa"]),
            region("Andalucía", "AN", "41###", "Europe/Madrid", &["Sevilla", "Málaga", "Córdoba", "Granada"]),
            region("Comunidad Valenciana", "VC", "46###", "Europe/Madrid", &["Valencia", "Alicante", "Elche"]),
            region("País Vasco", "PV", "48###", "Europe/Madrid", &["Bilbao", "Vitoria", "San Sebastián"]),
        ],
    },
    Country {
        name: "Italy",
        own_name: "Italia",
        alpha2: "IT",
        alpha3: "ITA",
        currency: "EUR",
        language: "it",
        phone: "+393########",
        street: ITALIAN,
        weight: 9,
        regions: &[
            region("Lombardia", "25", "20###", "Europe/Rome", &["Milano", "Brescia", "Monza", "Bergamo"]),
            region("Lazio", "62", "00###", "Europe/Rome", &["Roma", "Latina", "Viterbo"]),
            region("Campania", "72", "80###", "Europe/Rome", &["Napoli", "Salerno", "Caserta"]),
            region("Piemonte", "21", "10###", "Europe/Rome", &["Torino", "Novara", "Alessandria"]),
            region("Veneto", "34", "3####", "Europe/Rome", &["Venezia", "Verona", "Padova", "Vicenza"]),
            region("Toscana", "52", "50###", "Europe/Rome", &["Firenze", "Prato", "Livorno", "Pisa"]),
        ],
    },
    Country {
        name: "Brazil",
        own_name: "Brasil",
        alpha2: "BR",
        alpha3: "BRA",
        currency: "BRL",
        language: "pt",
        phone: "+551^9########",
        street: PORTUGUESE,
        weight: 8,
        regions: &[
            region("São Paulo", "SP", "0####-###", "America/Sao_Paulo", &["São Paulo", "Campinas", "Guarulhos", "Santos"]),
            region("Rio de Janeiro", "RJ", "2####-###", "America/Sao_Paulo", &["Rio de Janeiro", "Niterói", "Petrópolis"]),
            region("Minas Gerais", "MG", "3####-###", "America/Sao_Paulo", &["Belo Horizonte", "Uberlândia", "Contagem"]),
            region("Bahia", "BA", "4####-###", "America/Bahia", &["Salvador", "Feira de Santana"]),
            region("Paraná", "PR", "8####-###", "America/Sao_Paulo", &["Curitiba", "Londrina", "Maringá"]),
        ],
    },
    Country {
        name: "India",
        own_name: "India",
        alpha2: "IN",
        alpha3: "IND",
        currency: "INR",
        language: "en",
        phone: "+919#########",
        street: ANYWHERE,
        weight: 8,
        regions: &[
            region("Maharashtra", "MH", "4#####", "Asia/Kolkata", &["Mumbai", "Pune", "Nagpur", "Nashik"]),
            region("Delhi", "DL", "1100##", "Asia/Kolkata", &["New Delhi"]),
            region("Karnataka", "KA", "56####", "Asia/Kolkata", &["Bengaluru", "Mysuru", "Mangaluru"]),
            region("Tamil Nadu", "TN", "6#####", "Asia/Kolkata", &["Chennai", "Coimbatore", "Madurai"]),
            region("West Bengal", "WB", "7#####", "Asia/Kolkata", &["Kolkata", "Howrah", "Siliguri"]),
        ],
    },
    Country {
        name: "Japan",
        own_name: "日本",
        alpha2: "JP",
        alpha3: "JPN",
        currency: "JPY",
        language: "ja",
        phone: "+8190########",
        street: ANYWHERE,
        weight: 7,
        regions: &[
            region("Tokyo", "13", "1##-####", "Asia/Tokyo", &["Shinjuku", "Shibuya", "Setagaya", "Hachioji"]),
            region("Osaka", "27", "5##-####", "Asia/Tokyo", &["Osaka", "Sakai", "Higashiosaka"]),
            region("Kanagawa", "14", "2##-####", "Asia/Tokyo", &["Yokohama", "Kawasaki", "Sagamihara"]),
            region("Aichi", "23", "4##-####", "Asia/Tokyo", &["Nagoya", "Toyota", "Okazaki"]),
            region("Hokkaido", "01", "0##-####", "Asia/Tokyo", &["Sapporo", "Asahikawa", "Hakodate"]),
        ],
    },
    Country {
        name: "Poland",
        own_name: "Polska",
        alpha2: "PL",
        alpha3: "POL",
        currency: "PLN",
        language: "pl",
        phone: "+485########",
        street: POLISH,
        weight: 6,
        regions: &[
            region("Mazowieckie", "14", "0#-###", "Europe/Warsaw", &["Warszawa", "Radom", "Płock"]),
            region("Małopolskie", "12", "3#-###", "Europe/Warsaw", &["Kraków", "Tarnów", "Nowy Sącz"]),
            region("Śląskie", "24", "4#-###", "Europe/Warsaw", &["Katowice", "Częstochowa", "Gliwice"]),
            region("Dolnośląskie", "02", "5#-###", "Europe/Warsaw", &["Wrocław", "Wałbrzych", "Legnica"]),
        ],
    },
    Country {
        name: "Mexico",
        own_name: "México",
        alpha2: "MX",
        alpha3: "MEX",
        currency: "MXN",
        language: "es",
        phone: "+5255########",
        street: SPANISH,
        weight: 6,
        regions: &[
            region("Ciudad de México", "CMX", "0####", "America/Mexico_City", &["Ciudad de México"]),
            region("Jalisco", "JAL", "44###", "America/Mexico_City", &["Guadalajara", "Zapopan", "Puerto Vallarta"]),
            region("Nuevo León", "NLE", "64###", "America/Monterrey", &["Monterrey", "Guadalupe", "Apodaca"]),
            region("Puebla", "PUE", "72###", "America/Mexico_City", &["Puebla", "Tehuacán"]),
        ],
    },
    Country {
        name: "Switzerland",
        own_name: "Schweiz",
        alpha2: "CH",
        alpha3: "CHE",
        currency: "CHF",
        language: "de",
        phone: "+4179#######",
        street: GERMAN,
        weight: 5,
        regions: &[
            region("Zürich", "ZH", "8###", "Europe/Zurich", &["Zürich", "Winterthur", "Uster"]),
            region("Bern", "BE", "3###", "Europe/Zurich", &["Bern", "Biel", "Thun"]),
            region("Basel-Stadt", "BS", "40##", "Europe/Zurich", &["Basel"]),
            region("Luzern", "LU", "60##", "Europe/Zurich", &["Luzern", "Kriens"]),
        ],
    },
    Country {
        name: "Sweden",
        own_name: "Sverige",
        alpha2: "SE",
        alpha3: "SWE",
        currency: "SEK",
        language: "sv",
        phone: "+467########",
        street: SWEDISH,
        weight: 5,
        regions: &[
            region("Stockholms län", "AB", "1## ##", "Europe/Stockholm", &["Stockholm", "Södertälje", "Solna"]),
            region("Västra Götalands län", "O", "4## ##", "Europe/Stockholm", &["Göteborg", "Borås", "Trollhättan"]),
            region("Skåne län", "M", "2## ##", "Europe/Stockholm", &["Malmö", "Helsingborg", "Lund"]),
        ],
    },
    Country {
        name: "Austria",
        own_name: "Österreich",
        alpha2: "AT",
        alpha3: "AUT",
        currency: "EUR",
        language: "de",
        phone: "+43664#######",
        street: GERMAN,
        weight: 4,
        regions: &[
            region("Wien", "9", "1###", "Europe/Vienna", &["Wien"]),
            region("Steiermark", "6", "8###", "Europe/Vienna", &["Graz", "Leoben", "Kapfenberg"]),
            region("Oberösterreich", "4", "4###", "Europe/Vienna", &["Linz", "Wels", "Steyr"]),
            region("Salzburg", "5", "5###", "Europe/Vienna", &["Salzburg", "Hallein"]),
        ],
    },
    Country {
        name: "Belgium",
        own_name: "België",
        alpha2: "BE",
        alpha3: "BEL",
        currency: "EUR",
        language: "nl",
        phone: "+324########",
        street: DUTCH,
        weight: 4,
        regions: &[
            region("Brussels", "BRU", "1###", "Europe/Brussels", &["Brussel"]),
            region("Antwerpen", "VAN", "2###", "Europe/Brussels", &["Antwerpen", "Mechelen", "Turnhout"]),
            region("Oost-Vlaanderen", "VOV", "9###", "Europe/Brussels", &["Gent", "Aalst", "Sint-Niklaas"]),
        ],
    },
    Country {
        name: "Ireland",
        own_name: "Ireland",
        alpha2: "IE",
        alpha3: "IRL",
        currency: "EUR",
        language: "en",
        phone: "+3538########",
        street: ENGLISH,
        weight: 4,
        regions: &[
            region("Dublin", "D", "D## @@##", "Europe/Dublin", &["Dublin", "Swords", "Tallaght"]),
            region("Cork", "CO", "T12 @@##", "Europe/Dublin", &["Cork", "Cobh", "Mallow"]),
            region("Galway", "G", "H91 @@##", "Europe/Dublin", &["Galway", "Tuam"]),
        ],
    },
    Country {
        name: "Denmark",
        own_name: "Danmark",
        alpha2: "DK",
        alpha3: "DNK",
        currency: "DKK",
        language: "da",
        phone: "+45########",
        street: DANISH,
        weight: 3,
        regions: &[
            region("Hovedstaden", "84", "2###", "Europe/Copenhagen", &["København", "Frederiksberg", "Helsingør"]),
            region("Midtjylland", "82", "8###", "Europe/Copenhagen", &["Aarhus", "Randers", "Horsens"]),
            region("Syddanmark", "83", "5###", "Europe/Copenhagen", &["Odense", "Esbjerg", "Kolding"]),
        ],
    },
    Country {
        name: "Portugal",
        own_name: "Portugal",
        alpha2: "PT",
        alpha3: "PRT",
        currency: "EUR",
        language: "pt",
        phone: "+3519########",
        street: PORTUGUESE,
        weight: 3,
        regions: &[
            region("Lisboa", "11", "1###-###", "Europe/Lisbon", &["Lisboa", "Amadora", "Sintra"]),
            region("Porto", "13", "4###-###", "Europe/Lisbon", &["Porto", "Matosinhos", "Maia"]),
            region("Braga", "03", "47##-###", "Europe/Lisbon", &["Braga", "Guimarães"]),
        ],
    },
    Country {
        name: "New Zealand",
        own_name: "New Zealand",
        alpha2: "NZ",
        alpha3: "NZL",
        currency: "NZD",
        language: "en",
        phone: "+6421#######",
        street: ENGLISH,
        weight: 3,
        regions: &[
            region("Auckland", "AUK", "1###", "Pacific/Auckland", &["Auckland"]),
            region("Wellington", "WGN", "60##", "Pacific/Auckland", &["Wellington", "Lower Hutt"]),
            region("Canterbury", "CAN", "80##", "Pacific/Auckland", &["Christchurch", "Timaru"]),
        ],
    },
    Country {
        name: "Singapore",
        own_name: "Singapore",
        alpha2: "SG",
        alpha3: "SGP",
        currency: "SGD",
        language: "en",
        phone: "+659#######",
        street: ANYWHERE,
        weight: 2,
        regions: &[region("Singapore", "SG", "######", "Asia/Singapore", &["Singapore"])],
    },
    Country {
        name: "South Africa",
        own_name: "South Africa",
        alpha2: "ZA",
        alpha3: "ZAF",
        currency: "ZAR",
        language: "en",
        phone: "+278########",
        street: ENGLISH,
        weight: 2,
        regions: &[
            region("Gauteng", "GP", "2###", "Africa/Johannesburg", &["Johannesburg", "Pretoria", "Soweto"]),
            region("Western Cape", "WC", "7###", "Africa/Johannesburg", &["Cape Town", "Stellenbosch", "George"]),
            region("KwaZulu-Natal", "KZN", "4###", "Africa/Johannesburg", &["Durban", "Pietermaritzburg"]),
        ],
    },
    Country {
        name: "China",
        own_name: "中国",
        alpha2: "CN",
        alpha3: "CHN",
        currency: "CNY",
        language: "zh",
        phone: "+8613#########",
        street: ANYWHERE,
        weight: 2,
        regions: &[
            region("Shanghai", "SH", "20####", "Asia/Shanghai", &["Shanghai"]),
            region("Beijing", "BJ", "10####", "Asia/Shanghai", &["Beijing"]),
            region("Guangdong", "GD", "51####", "Asia/Shanghai", &["Guangzhou", "Shenzhen", "Dongguan", "Foshan"]),
            region("Zhejiang", "ZJ", "31####", "Asia/Shanghai", &["Hangzhou", "Ningbo", "Wenzhou"]),
            region("Sichuan", "SC", "61####", "Asia/Shanghai", &["Chengdu", "Mianyang"]),
        ],
    },
    Country {
        name: "Turkey",
        own_name: "Türkiye",
        alpha2: "TR",
        alpha3: "TUR",
        currency: "TRY",
        language: "tr",
        phone: "+905#########",
        street: TURKISH,
        weight: 2,
        regions: &[
            region("İstanbul", "34", "34###", "Europe/Istanbul", &["İstanbul"]),
            region("Ankara", "06", "06###", "Europe/Istanbul", &["Ankara", "Polatlı"]),
            region("İzmir", "35", "35###", "Europe/Istanbul", &["İzmir", "Bornova", "Karşıyaka"]),
            region("Bursa", "16", "16###", "Europe/Istanbul", &["Bursa", "İnegöl"]),
        ],
    },
    Country {
        name: "Saudi Arabia",
        own_name: "السعودية",
        alpha2: "SA",
        alpha3: "SAU",
        currency: "SAR",
        language: "ar",
        phone: "+9665########",
        street: ANYWHERE,
        weight: 1,
        regions: &[
            region("Riyadh", "01", "1####", "Asia/Riyadh", &["Riyadh", "Al Kharj"]),
            region("Makkah", "02", "2####", "Asia/Riyadh", &["Jeddah", "Mecca", "Taif"]),
            region("Eastern Province", "04", "3####", "Asia/Riyadh", &["Dammam", "Khobar", "Jubail"]),
        ],
    },
    Country {
        name: "Taiwan",
        own_name: "臺灣",
        alpha2: "TW",
        alpha3: "TWN",
        currency: "TWD",
        language: "zh",
        phone: "+8869########",
        street: ANYWHERE,
        weight: 1,
        regions: &[
            region("Taipei", "TPE", "1####", "Asia/Taipei", &["Taipei"]),
            region("Kaohsiung", "KHH", "8####", "Asia/Taipei", &["Kaohsiung"]),
            region("Taichung", "TXG", "4####", "Asia/Taipei", &["Taichung"]),
        ],
    },
    Country {
        name: "Iran",
        own_name: "ایران",
        alpha2: "IR",
        alpha3: "IRN",
        currency: "IRR",
        language: "fa",
        phone: "+989#########",
        street: ANYWHERE,
        weight: 1,
        regions: &[
            region("Tehran", "23", "1####-#####", "Asia/Tehran", &["Tehran", "Eslamshahr"]),
            region("Isfahan", "10", "8####-#####", "Asia/Tehran", &["Isfahan", "Kashan"]),
            region("Fars", "07", "7####-#####", "Asia/Tehran", &["Shiraz", "Marvdasht"]),
        ],
    },
];

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

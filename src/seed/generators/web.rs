//! The web: addresses, agents, files.

use fake::locales::{Data, EN};

use super::word::Word;
use super::{Group, TextGenerator, put, put_number};
use crate::seed::types::binary;

/// What slugs are made of.
static TAILS: [Word; EN::COMPANY_BUZZWORD_TAIL.len()] = Word::all(EN::COMPANY_BUZZWORD_TAIL);

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) const URL: TextGenerator = TextGenerator {
    name: "url",
    summary: "an address under a domain that is reserved for examples",
    group: Group::Alone,
    columns: &[
        "url",
        "website",
        "link",
        "homepage",
        "web_site",
        "site_url",
        "image_url",
        "avatar_url",
        "avatar",
        "photo_url",
        "picture_url",
        "thumbnail_url",
        "callback_url",
        "webhook_url",
        "referrer",
        "referer",
        "href",
        "uri",
        "web",
        "source_url",
    ],
    numbers_itself: false,
    width: 41,
    write: |cell, out| {
        put(out, "https://");
        cell.stream.pick_of(cell.locale.last_names).put_plain(out);
        put(out, ".example.com/");
        put(out, cell.stream.pick(EN::PATH_SEGMENTS));
        out.push(b'/');
        put(out, cell.stream.pick(EN::PATH_SEGMENTS));
    },
};

pub(super) const DOMAIN: TextGenerator = TextGenerator {
    name: "domain",
    summary: "a host name that is reserved for examples",
    group: Group::Alone,
    columns: &[
        "domain",
        "domain_name",
        "hostname",
        "host",
        "fqdn",
        "server_name",
        "subdomain",
    ],
    numbers_itself: true,
    width: 20,
    write: |cell, out| {
        cell.stream.pick_of(cell.locale.last_names).put_plain(out);
        put_number(cell, out);
        put(out, ".example.com");
    },
};

pub(super) const SLUG: TextGenerator = TextGenerator {
    name: "slug",
    summary: "words joined by dashes",
    group: Group::Alone,
    columns: &[
        "slug",
        "permalink",
        "url_key",
        "seo_name",
        "path_slug",
        "url_slug",
    ],
    numbers_itself: false,
    width: 32,
    write: |cell, out| {
        for position in 0..3 {
            if position > 0 {
                out.push(b'-');
            }
            cell.stream.pick_of(&TAILS).put_plain(out);
        }
    },
};

pub(super) const PATH: TextGenerator = TextGenerator {
    name: "path",
    summary: "the path of a page",
    group: Group::Alone,
    columns: &[
        "path",
        "page",
        "route",
        "endpoint",
        "request_path",
        "uri_path",
        "page_path",
    ],
    numbers_itself: false,
    width: 16,
    write: |cell, out| {
        for _ in 0..3 {
            out.push(b'/');
            put(out, cell.stream.pick(EN::PATH_SEGMENTS));
        }
    },
};

pub(super) const FILE_PATH: TextGenerator = TextGenerator {
    name: "file_path",
    summary: "where a file lies below some folder, a quarter of them in the folder itself",
    group: Group::Alone,
    columns: &[
        "file_path",
        "filepath",
        "relative_path",
        "source_path",
        "readme_path",
        "object_path",
    ],
    numbers_itself: true,
    width: 20,
    write: |cell, out| {
        for _ in 0..cell.stream.below(4) {
            put(out, cell.stream.pick(EN::PATH_SEGMENTS));
            out.push(b'/');
        }
        (FILE_NAME.write)(cell, out);
    },
};

pub(super) const FILE_NAME: TextGenerator = TextGenerator {
    name: "file_name",
    summary: "a file's name",
    group: Group::Alone,
    columns: &[
        "file_name",
        "filename",
        "file",
        "attachment",
        "original_filename",
        "document_name",
    ],
    numbers_itself: true,
    width: 14,
    write: |cell, out| {
        put(out, cell.stream.pick(EN::PATH_SEGMENTS));
        out.push(b'-');
        match cell.number {
            Some(number) => binary::decimal(out, number),
            None => binary::decimal(out, cell.stream.below(10_000)),
        }
        out.push(b'.');
        put(out, cell.stream.pick(EN::PATH_EXTENSIONS));
    },
};

pub(super) const IMAGE_NAME: TextGenerator = TextGenerator {
    name: "image_name",
    summary: "a picture's file name",
    group: Group::Alone,
    columns: &[
        "image",
        "photo",
        "picture",
        "avatar",
        "logo",
        "thumbnail",
        "cover_image",
        "image_name",
        "image_file_name",
        "photo_file_name",
        "picture_file_name",
        "avatar_file_name",
        "logo_file_name",
    ],
    numbers_itself: true,
    width: 14,
    write: |cell, out| {
        put(out, cell.stream.pick(EN::PATH_SEGMENTS));
        out.push(b'-');
        match cell.number {
            Some(number) => binary::decimal(out, number),
            None => binary::decimal(out, cell.stream.below(10_000)),
        }
        put(out, cell.stream.pick(&[".jpg", ".jpg", ".png", ".webp"]));
    },
};

pub(super) const IMAGE_TYPE: TextGenerator = TextGenerator {
    name: "image_type",
    summary: "a picture's media type",
    group: Group::Alone,
    columns: &[
        "image_mime_type",
        "image_content_type",
        "photo_content_type",
        "picture_content_type",
        "avatar_content_type",
        "logo_content_type",
    ],
    numbers_itself: false,
    width: 10,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["image/jpeg", "image/jpeg", "image/png", "image/webp"]),
        );
    },
};

pub(super) const MIME_TYPE: TextGenerator = TextGenerator {
    name: "mime_type",
    summary: "a media type",
    group: Group::Alone,
    columns: &[
        "mime_type",
        "mimetype",
        "content_type",
        "media_type",
        "mime",
    ],
    numbers_itself: false,
    width: 13,
    write: |cell, out| {
        const TYPES: &[&str] = &[
            "image/jpeg",
            "image/png",
            "image/webp",
            "application/pdf",
            "application/json",
            "text/plain",
            "text/html",
            "video/mp4",
            "audio/mpeg",
            "application/zip",
        ];
        put(out, cell.stream.pick(TYPES));
    },
};

pub(super) const USER_AGENT: TextGenerator = TextGenerator {
    name: "user_agent",
    summary: "a browser's name for itself",
    group: Group::Alone,
    columns: &["user_agent", "useragent", "browser", "agent", "ua"],
    numbers_itself: false,
    width: 112,
    write: |cell, out| {
        const PLATFORMS: &[&str] = &[
            "Windows NT 10.0; Win64; x64",
            "Macintosh; Intel Mac OS X 10_15_7",
            "X11; Linux x86_64",
            "Linux; Android 14; Pixel 8",
            "iPhone; CPU iPhone OS 17_5 like Mac OS X",
        ];
        put(out, "Mozilla/5.0 (");
        put(out, cell.stream.pick(PLATFORMS));
        put(out, ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/");
        // Millions of visitors have a few hundred browsers: a release is one build.
        let release = cell.stream.between(90, 131);
        binary::decimal(out, release);
        put(out, ".0.");
        binary::decimal(out, release * 45 + 700);
        put(out, ".0 Safari/537.36");
    },
};

pub(super) const IPV4: TextGenerator = TextGenerator {
    name: "ipv4",
    summary: "an IPv4 address",
    group: Group::Alone,
    columns: &[
        "ip",
        "ip_address",
        "ipaddress",
        "ipv4",
        "remote_addr",
        "client_ip",
        "remote_ip",
        "ip_addr",
        "last_ip",
    ],
    numbers_itself: true,
    width: 13,
    write: |cell, out| {
        /// Numbers that 10.0.0.0/8 has room for.
        const PRIVATE: u64 = 1 << 24;
        let address = match cell.number {
            // An odd factor makes a bijection of them.
            Some(number) if number < PRIVATE => {
                0x0A00_0000 | (number.wrapping_mul(0x9E37_79B1) & (PRIVATE - 1)) as u32
            }
            Some(number) => number as u32,
            None => super::structured::host(cell.stream.next_bits() as u32),
        };
        for (position, byte) in address.to_be_bytes().into_iter().enumerate() {
            if position > 0 {
                out.push(b'.');
            }
            binary::decimal(out, u64::from(byte));
        }
    },
};

pub(super) const IPV6: TextGenerator = TextGenerator {
    name: "ipv6",
    summary: "an IPv6 address of the block for documentation",
    group: Group::Alone,
    columns: &["ipv6", "ip6", "ipv6_address"],
    numbers_itself: true,
    width: 29,
    write: |cell, out| {
        put(out, "2001:db8");
        let bits = cell.number.unwrap_or_else(|| cell.stream.next_bits());
        for group in 0..4 {
            out.push(b':');
            for digit in 0..4 {
                out.push(HEX[(bits >> (60 - group * 16 - digit * 4) & 15) as usize]);
            }
        }
        put(out, "::");
        out.push(HEX[cell.stream.between(1, 15) as usize]);
    },
};

pub(super) const MAC_ADDRESS: TextGenerator = TextGenerator {
    name: "mac_address",
    summary: "a network card's address, of the range that everybody may use",
    group: Group::Alone,
    columns: &["mac", "mac_address", "macaddr", "hardware_address", "bssid"],
    numbers_itself: true,
    width: 17,
    write: |cell, out| {
        let bits = cell.number.unwrap_or_else(|| cell.stream.next_bits());
        put(out, "02");
        for byte in (0..5).rev().map(|at| (bits >> (at * 8) & 255) as usize) {
            out.extend_from_slice(&[b':', HEX[byte >> 4], HEX[byte & 15]]);
        }
    },
};

pub(super) const LANGUAGE: TextGenerator = TextGenerator {
    name: "language",
    summary: "a language's two letters, now and then with its country's",
    group: Group::PlaceToo,
    columns: &[
        "language",
        "lang",
        "languages",
        "language_code",
        "lang_code",
        "preferred_language",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        const TAGS: &[&str] = &[
            "en", "en", "en", "de", "fr", "es", "it", "nl", "pt", "ja", "zh", "pl", "sv", "en-GB",
            "pt-BR",
        ];
        put(out, cell.stream.pick(TAGS));
    },
};

pub(super) const LOCALE: TextGenerator = TextGenerator {
    name: "locale",
    summary: "a language with its country",
    group: Group::PlaceToo,
    columns: &["locale", "locale_code", "culture"],
    numbers_itself: false,
    width: 5,
    write: |cell, out| {
        const TAGS: &[&str] = &[
            "en-US", "en-US", "en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT", "nl-NL",
            "pt-BR", "ja-JP", "zh-CN", "pl-PL", "sv-SE", "en-CA", "en-AU",
        ];
        put(out, cell.stream.pick(TAGS));
    },
};

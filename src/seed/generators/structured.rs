//! Values that are neither numbers nor text: UUIDs, network addresses, bits, figures, arrays, ranges.

use std::sync::LazyLock;

use fake::locales::{Data, EN};

use super::spatial;
use crate::seed::plan::UpperEnd;
use crate::seed::random::{Key, Permutation, Stream, mix};
use crate::seed::types::{Geometry, ScalarEncoding, System, binary};

/// A UUID of version 4 that holds a scattered image of `index`: unique without a memory.
pub(crate) fn uuid(key: Key, index: u64, out: &mut Vec<u8>) {
    // A bijection of 64 bits: 62 of them become the low half's, the two others the topmost.
    let image = mix(index ^ key.at(u64::MAX));
    let high = key.at(index) >> 2 | image & (3 << 62);
    binary::fixed(out, uuid_bytes(high, image));
}

/// Sets version and variant.
pub(crate) fn uuid_bytes(high: u64, low: u64) -> [u8; 16] {
    let high = high & !0xF000 | 0x4000;
    let low = low & !(3 << 62) | 2 << 62;
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// How many addresses, or networks, differ.
pub(crate) const ADDRESSES: u64 = 1 << 24;

/// An address that a host may have: neither of 0.0.0.0/8 nor loopback nor multicast, and no network's own or broadcast address.
pub(super) fn host(bits: u32) -> u32 {
    let [first, b, c, last] = bits.to_be_bytes();
    let first = match 1 + first % 223 {
        127 => 128,
        first => first,
    };
    u32::from_be_bytes([first, b, c, 1 + last % 254])
}

/// An IPv4 address of a host; as `cidr` a network of 24 bits. Those of their own lie in 10.0.0.0/8, networks all over.
pub(crate) fn inet(
    (key, index): (Key, u64),
    unique: Option<&Permutation>,
    cidr: bool,
    out: &mut Vec<u8>,
) {
    const PGSQL_AF_INET: u8 = 2;
    let [a, b, c, d] = match (unique, cidr) {
        (Some(order), true) => ((order.apply(index % ADDRESSES) as u32) << 8).to_be_bytes(),
        (Some(order), false) => (0x0A00_0000 | order.apply(index % ADDRESSES) as u32).to_be_bytes(),
        (None, _) => {
            let [a, b, c, d] = host(key.stream(index).next_bits() as u32).to_be_bytes();
            [a, b, c, if cidr { 0 } else { d }]
        }
    };
    binary::fixed(
        out,
        [
            PGSQL_AF_INET,
            if cidr { 24 } else { 32 },
            u8::from(cidr),
            4,
            a,
            b,
            c,
            d,
        ],
    );
}

/// A hardware address whose low bytes are a scattered image of `index`.
pub(crate) fn mac(key: Key, index: u64, length: u8, out: &mut Vec<u8>) {
    let bits = Permutation::new(key, 1 << 40).apply(index & ((1 << 40) - 1));
    let start = binary::begin(out);
    // Locally administered.
    out.push(0x02);
    out.resize(out.len() + usize::from(length).saturating_sub(6), 0);
    out.extend_from_slice(&bits.to_be_bytes()[3..]);
    binary::end(out, start);
}

/// Random bytes; the first eight hold the row's index, so that no two are equal where there is room.
pub(crate) fn bytes(key: Key, index: u64, (min, max): (u32, u32), out: &mut Vec<u8>) {
    let mut stream = key.stream(index);
    let length = stream.between(u64::from(min), u64::from(max.max(min))) as usize;
    let start = binary::begin(out);
    let mut rest = length;
    // Each column has an order of its own: digests of two columns do not begin alike.
    let mut next = mix(index ^ key.at(u64::MAX));
    while rest > 0 {
        let take = rest.min(8);
        out.extend_from_slice(&next.to_be_bytes()[..take]);
        rest -= take;
        next = stream.next_bits();
    }
    binary::end(out, start);
}

/// `bit(n)` and `bit varying(n)`.
pub(crate) fn bits(mut stream: Stream, (min, max): (u32, u32), out: &mut Vec<u8>) {
    let length = stream.between(u64::from(min), u64::from(max.max(min))) as u32;
    let start = binary::begin(out);
    out.extend_from_slice(&length.to_be_bytes());
    let count = length.div_ceil(8);
    for position in 0..count {
        let byte = stream.next_bits() as u8;
        // What lies past the end must be zero.
        let spare = if position + 1 == count {
            count * 8 - length
        } else {
            0
        };
        out.push(byte & (0xFF << spare) as u8);
    }
    binary::end(out, start);
}

/// Figures within -180..180 and -90..90.
pub(crate) fn geometry(mut stream: Stream, figure: Geometry, out: &mut Vec<u8>) {
    let start = binary::begin(out);
    let (x, y) = (
        stream.fraction() * 360.0 - 180.0,
        stream.fraction() * 180.0 - 90.0,
    );
    let size = 0.1 + stream.fraction() * 2.0;
    let points: &[f64] = match figure {
        Geometry::Point => &[x, y],
        Geometry::Line => &[size, -1.0, y],
        Geometry::Segment => &[x, y, x + size, y + size],
        Geometry::Box => &[x + size, y + size, x, y],
        Geometry::Circle => &[x, y, size],
        Geometry::Path | Geometry::Polygon => &[x, y, x + size, y, x + size, y + size],
    };
    if figure == Geometry::Path {
        out.push(1);
    }
    if matches!(figure, Geometry::Path | Geometry::Polygon) {
        out.extend_from_slice(&3_u32.to_be_bytes());
    }
    for number in points {
        out.extend_from_slice(&number.to_be_bytes());
    }
    binary::end(out, start);
}

/// Lower bound included, upper excluded (`range_send`).
pub(crate) fn range(encoding: ScalarEncoding, low: i64, high: i64, out: &mut Vec<u8>) {
    const LOWER_INCLUDED: u8 = 0x02;
    let start = binary::begin(out);
    out.push(LOWER_INCLUDED);
    encoding.write(low, out);
    encoding.write(high, out);
    binary::end(out, start);
}

/// Lower bound included, upper one where it belongs to the range; no end is an open one (`range_send`).
pub(crate) fn span(
    encoding: ScalarEncoding,
    (low, high): (Option<i64>, Option<i64>),
    upper_end: UpperEnd,
    out: &mut Vec<u8>,
) {
    const LOWER_INCLUDED: u8 = 0x02;
    const UPPER_INCLUDED: u8 = 0x04;
    const LOWER_INFINITE: u8 = 0x08;
    const UPPER_INFINITE: u8 = 0x10;
    let start = binary::begin(out);
    let upper = match (high, upper_end) {
        (None, _) => UPPER_INFINITE,
        (Some(_), UpperEnd::Included) => UPPER_INCLUDED,
        (Some(_), UpperEnd::Excluded) => 0,
    };
    out.push(
        upper
            | if low.is_some() {
                LOWER_INCLUDED
            } else {
                LOWER_INFINITE
            },
    );
    low.into_iter()
        .chain(high)
        .for_each(|value| encoding.write(value, out));
    binary::end(out, start);
}

/// One to three ranges with gaps between them.
pub(crate) fn multirange(
    encoding: ScalarEncoding,
    low: i64,
    width: i64,
    mut stream: Stream,
    out: &mut Vec<u8>,
) {
    let count = stream.between(1, 3);
    let start = binary::begin(out);
    out.extend_from_slice(&(count as u32).to_be_bytes());
    let mut from = low;
    for _ in 0..count {
        let to = from.saturating_add(1 + stream.below(width.max(1) as u64) as i64);
        range(encoding, from, to, out);
        from = to.saturating_add(1 + stream.below(width.max(1) as u64) as i64);
    }
    binary::end(out, start);
}

/// Four to ten lexemes with their positions.
pub(crate) fn text_search(mut stream: Stream, out: &mut Vec<u8>) {
    static LEXEMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut words: Vec<&'static str> = EN::LOREM_WORD.to_vec();
        // Postgres orders lexemes by length first.
        words.sort_unstable_by_key(|word| (word.len(), *word));
        words.dedup();
        words
    });
    let count = stream.between(4, 10);
    let step = LEXEMES.len() as u64 / count;
    let start = binary::begin(out);
    out.extend_from_slice(&(count as u32).to_be_bytes());
    for position in 0..count {
        let lexeme = LEXEMES[(position * step + stream.below(step)) as usize];
        out.extend_from_slice(lexeme.as_bytes());
        out.push(0);
        out.extend_from_slice(&1_u16.to_be_bytes());
        out.extend_from_slice(&(position as u16 + 1).to_be_bytes());
    }
    binary::end(out, start);
}

/// One word, without weight or prefix (`tsquerysend`: one item of type 1, a value).
pub(crate) fn text_query(mut stream: Stream, out: &mut Vec<u8>) {
    let start = binary::begin(out);
    out.extend_from_slice(&1_u32.to_be_bytes());
    out.extend_from_slice(&[1, 0, 0]);
    out.extend_from_slice(stream.pick(EN::LOREM_WORD).as_bytes());
    out.push(0);
    binary::end(out, start);
}

/// `hstore_send`: one to three pairs with different keys.
pub(crate) fn pairs(mut stream: Stream, out: &mut Vec<u8>) {
    const KEYS: &[&str] = &["color", "size", "source", "note", "lang", "unit"];
    let count = stream.between(1, 3);
    let first = stream.below(KEYS.len() as u64);
    let start = binary::begin(out);
    out.extend_from_slice(&(count as u32).to_be_bytes());
    for position in 0..count {
        binary::bytes(
            out,
            KEYS[((first + position) % KEYS.len() as u64) as usize].as_bytes(),
        );
        binary::bytes(out, stream.pick(EN::LOREM_WORD).as_bytes());
    }
    binary::end(out, start);
}

/// Types of the system and of extensions.
pub(crate) fn system(mut stream: Stream, kind: System, out: &mut Vec<u8>) {
    let start = binary::begin(out);
    match kind {
        System::Spatial(kind) => spatial::figure(stream, kind, out),
        System::Vector(dimensions) => spatial::vector(&stream, dimensions, out),
        System::Tid => {
            out.extend_from_slice(&(stream.below(100_000) as u32).to_be_bytes());
            out.extend_from_slice(&(stream.between(1, 100) as u16).to_be_bytes());
        }
        System::Snapshot => {
            let xmin = stream.between(1000, 1_000_000);
            out.extend_from_slice(&0_u32.to_be_bytes());
            out.extend_from_slice(&xmin.to_be_bytes());
            out.extend_from_slice(&(xmin + stream.below(100)).to_be_bytes());
        }
        System::Int2Vector | System::OidVector => {
            // An array whose first element is number 0.
            let (element, width) = if kind == System::OidVector {
                (26_u32, 4_usize)
            } else {
                (21, 2)
            };
            let count = stream.between(1, 4) as u32;
            for number in [1, 0, element, count, 0] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            for _ in 0..count {
                let number = stream.below(1000) as u32;
                out.extend_from_slice(&(width as u32).to_be_bytes());
                out.extend_from_slice(&number.to_be_bytes()[4 - width..]);
            }
        }
        System::JsonPath => {
            out.push(1);
            out.extend_from_slice(b"$.");
            out.extend_from_slice(stream.pick(EN::LOREM_WORD).as_bytes());
        }
        System::Cube => {
            // A point of three dimensions: the highest bit says that both corners are the same.
            out.extend_from_slice(&(3_u32 | 1 << 31).to_be_bytes());
            for _ in 0..3 {
                out.extend_from_slice(&(stream.fraction() * 100.0).to_be_bytes());
            }
        }
    }
    binary::end(out, start);
}

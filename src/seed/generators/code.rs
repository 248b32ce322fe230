//! Codes, tokens and digests.

use super::{Cell, Group, TextGenerator, put, put_uuid};
use crate::seed::random::mix;

pub(super) const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
const CODE_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTVWXY";

pub(super) const HEX: TextGenerator = TextGenerator {
    name: "hex",
    summary: "64 hexadecimal digits, as of a SHA-256 digest",
    group: Group::Alone,
    columns: &[
        "token",
        "hash",
        "digest",
        "checksum",
        "fingerprint",
        "secret",
        "api_key",
        "apikey",
        "access_token",
        "refresh_token",
        "sha256",
        "nonce",
        "token_hash",
        "session_id",
        "session_token",
        "reset_token",
        "confirmation_token",
    ],
    numbers_itself: true,
    width: 64,
    write: |cell, out| {
        put_hex(first(cell), out);
        for _ in 0..3 {
            put_hex(cell.stream.next_bits(), out);
        }
    },
};

pub(super) const MD5: TextGenerator = TextGenerator {
    name: "md5",
    summary: "32 hexadecimal digits, as of an MD5 digest",
    group: Group::Alone,
    columns: &[
        "md5",
        "md5sum",
        "md5_hash",
        "content_md5",
        "etag",
        "salt",
        "password_salt",
        "pass_salt",
    ],
    numbers_itself: true,
    width: 32,
    write: |cell, out| {
        put_hex(first(cell), out);
        put_hex(cell.stream.next_bits(), out);
    },
};

pub(super) const SHA1: TextGenerator = TextGenerator {
    name: "sha1",
    summary: "40 hexadecimal digits, as of a SHA-1 digest or a commit",
    group: Group::Alone,
    columns: &[
        "sha1",
        "sha",
        "commit",
        "commit_sha",
        "commit_hash",
        "git_sha",
        "commit_id",
        "head_sha",
        "base_sha",
    ],
    numbers_itself: true,
    width: 40,
    write: |cell, out| {
        put_hex(first(cell), out);
        put_hex(cell.stream.next_bits(), out);
        let end = out.len() + 8;
        put_hex(cell.stream.next_bits(), out);
        out.truncate(end);
    },
};

pub(super) const SHA512: TextGenerator = TextGenerator {
    name: "sha512",
    summary: "128 hexadecimal digits, as of a SHA-512 digest",
    group: Group::Alone,
    columns: &["sha512"],
    numbers_itself: true,
    width: 128,
    write: |cell, out| {
        put_hex(first(cell), out);
        for _ in 0..7 {
            put_hex(cell.stream.next_bits(), out);
        }
    },
};

/// A digest's first digits. A bijection of the number: different numbers stay different.
fn first(cell: &mut Cell) -> u64 {
    cell.number.map_or_else(|| cell.stream.next_bits(), mix)
}

pub(super) const BASE64: TextGenerator = TextGenerator {
    name: "base64",
    summary: "64 bytes as base64: keys, signatures, certificates",
    group: Group::Alone,
    columns: &[
        "base64",
        "signature",
        "public_key",
        "private_key",
        "ssh_key",
        "certificate",
        "encryption_key",
    ],
    numbers_itself: true,
    width: 88,
    write: |cell, out| {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        // The first eleven digits hold 64 bits.
        let mut bits = first(cell);
        for position in 0..86 {
            if position > 10 && position % 10 == 1 {
                bits = cell.stream.next_bits();
            }
            out.push(DIGITS[(bits & 63) as usize]);
            bits >>= 6;
        }
        put(out, "==");
    },
};

pub(super) const VERSION: TextGenerator = TextGenerator {
    name: "version",
    summary: "a version of three numbers",
    group: Group::Alone,
    columns: &[
        "version",
        "semver",
        "app_version",
        "version_number",
        "client_version",
        "release",
    ],
    numbers_itself: false,
    width: 5,
    write: |cell, out| {
        for (position, bound) in [4_u64, 20, 12].into_iter().enumerate() {
            if position > 0 {
                out.push(b'.');
            }
            // Small numbers are more common than large ones.
            let number = cell.stream.below(bound).min(cell.stream.below(bound));
            crate::seed::types::binary::decimal(out, number);
        }
    },
};

pub(super) const PASSWORD_HASH: TextGenerator = TextGenerator {
    name: "password_hash",
    summary: "a bcrypt-like digest",
    group: Group::Alone,
    columns: &[
        "password",
        "password_hash",
        "passwd",
        "pwd",
        "encrypted_password",
        "password_digest",
        "hashed_password",
        "crypted_password",
        "password_crypt",
        "pass_crypt",
        "bcrypt",
    ],
    numbers_itself: false,
    width: 60,
    write: |cell, out| {
        const DIGITS: &[u8; 64] =
            b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        put(out, "$2b$12$");
        let mut bits = 0;
        for position in 0..53 {
            if position % 10 == 0 {
                bits = cell.stream.next_bits();
            }
            out.push(DIGITS[(bits & 63) as usize]);
            bits >>= 6;
        }
    },
};

pub(super) const UUID: TextGenerator = TextGenerator {
    name: "uuid",
    summary: "a UUID of version 4",
    group: Group::Alone,
    columns: &[
        "uuid",
        "guid",
        "external_id",
        "correlation_id",
        "request_id",
        "trace_id",
        "transaction_id",
        "uid",
    ],
    numbers_itself: true,
    width: 36,
    write: uuid,
};

fn uuid(cell: &mut Cell, out: &mut Vec<u8>) {
    // A bijection of the number: 62 of its bits are the low half's, the two others the topmost.
    let image = first(cell);
    let high = cell.stream.next_bits() >> 2 | image & (3 << 62);
    put_uuid(super::structured::uuid_bytes(high, image), out);
}

pub(super) const ID: TextGenerator = TextGenerator {
    name: "id",
    summary: "an identifier of 25 small letters and digits, as applications make them",
    group: Group::Alone,
    columns: &["id", "cuid", "ulid", "nanoid", "ksuid"],
    numbers_itself: true,
    width: 25,
    write: |cell, out| {
        // Thirteen digits to the base of 36 hold 64 bits.
        let (number, more) = (first(cell), cell.stream.next_bits());
        out.push(b'c');
        put_base36(more, 11, out);
        put_base36(number, 13, out);
    },
};

fn put_base36(mut bits: u64, digits: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    for _ in 0..digits {
        out.push(DIGITS[(bits % 36) as usize]);
        bits /= 36;
    }
}

pub(super) const CODE: TextGenerator = TextGenerator {
    name: "code",
    summary: "ten capital letters and digits",
    group: Group::Alone,
    columns: &[
        "code",
        "reference",
        "ref",
        "number",
        "order_number",
        "invoice_number",
        "tracking_number",
        "serial",
        "serial_number",
        "coupon_code",
        "confirmation_code",
        "license",
        "license_key",
        "voucher",
        "no",
        "key",
    ],
    numbers_itself: true,
    width: 10,
    write: |cell, out| {
        let mut bits = cell
            .number
            .map_or_else(|| cell.stream.next_bits(), scattered);
        for _ in 0..10 {
            out.push(CODE_DIGITS[(bits & 31) as usize]);
            bits >>= 5;
        }
    },
};

/// A bijection of the numbers below 2^50, in which neighbours are far from each other.
fn scattered(number: u64) -> u64 {
    const BELOW: u64 = (1 << 50) - 1;
    let turned = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) & BELOW;
    (turned ^ turned >> 25).wrapping_mul(0xD1B5_4A32_D192_ED03) & BELOW
}

fn put_hex(bits: u64, out: &mut Vec<u8>) {
    let mut text = [0_u8; 16];
    for (position, digit) in text.iter_mut().enumerate() {
        *digit = HEX_DIGITS[(bits >> (60 - position * 4) & 15) as usize];
    }
    out.extend_from_slice(&text);
}
